// SPDX-License-Identifier: Apache-2.0
#include "learn/files/encoder_gguf.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "learn/files/model_place.h"
#include "learn/models/encoder.h"
#include "model/open_model.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kProbedTokens = 24;
// Of the greatest number of a vector. In binary32 llama.cpp still takes GELU from a table of
// binary16; eight-bit weights meet tokens that it rounds to eight bits, too.
constexpr double kFullVectors = 5e-3;
constexpr double kHalfVectors = 3e-2;
constexpr double kInt8Vectors = 1e-1;

double allowed_difference(const BaseModel& base, GgufNumbers numbers) {
  if (numbers == GgufNumbers::kFull) return kFullVectors;
  const bool int8 = base.weights->is_int8("encoder.layer.0.intermediate.dense.weight");
  return int8 ? kInt8Vectors : kHalfVectors;
}

Result<double> convert_and_compare(const BaseModel& base, const model::BertFiles& files,
                                   const std::string& path, GgufNumbers numbers) {
  ConvertHints hints;
  hints.pooling = base.shape.pooling == Pooling::kMean ? "mean" : "cls";
  hints.full = numbers == GgufNumbers::kFull;
  hints.licence = base.licence;
  QIAO_TRY(model::convert_bert(files, hints, base.name, path, nullptr));
  QIAO_ASSIGN(const ScoreDistance distance, encoder_distance(base, path));
  if (distance.difference <= allowed_difference(base, numbers) * std::max(1.0, distance.greatest)) {
    return distance.difference;
  }
  return internal("the written GGUF gives other vectors than the model (off by " +
                  std::to_string(distance.difference) + "): it was removed");
}

}  // namespace

Result<ScoreDistance> encoder_distance(const BaseModel& base, const std::string& path) {
  const torch::NoGradGuard no_grad;
  Encoder encoder(base.shape, 0);
  QIAO_TRY(load_weights(weights_of(encoder), *base.weights));
  encoder->eval();
  std::vector<std::int32_t> probe;
  const std::int64_t tokens = std::min(kProbedTokens, base.shape.positions);
  for (std::int64_t i = 0; i < tokens; ++i) {
    probe.push_back(static_cast<std::int32_t>(i * 7919 % base.shape.vocabulary));
  }
  ModelOptions options;
  options.name = base.name;
  options.engine = "in-process";
  options.path = path;
  options.encoder = true;
  options.pooling = "none";  // every token's vector
  options.threads = 1;
  const SystemClock clock;
  Metrics metrics;
  QIAO_ASSIGN(const auto served, open_model(options, clock, metrics));
  QIAO_ASSIGN(const std::vector<float> theirs, encode_and_wait(*served, probe));
  const torch::Tensor ids = torch::tensor(std::vector<std::int64_t>(probe.begin(), probe.end()));
  const torch::Tensor ours =
      encoder(ids.unsqueeze(0), torch::ones({1, tokens}, torch::kBool)).flatten().cpu();
  if (static_cast<std::int64_t>(theirs.size()) != ours.numel()) {
    return internal(path + " has vectors of another width");
  }
  const torch::Tensor given = torch::tensor(theirs);
  return ScoreDistance{(ours - given).abs().max().item<double>(), given.abs().max().item<double>()};
}

Result<double> export_encoder(Disk& disk, const std::string& path, const std::string& place,
                              GgufNumbers numbers) {
  QIAO_ASSIGN(const auto folder, find_model(place));
  const model::BertFiles files = encoder_files(folder);
  if (!disk.exists(files.config)) {
    return Error{Code::kPrecondition, place + " is a GGUF file already: take it as it is"};
  }
  QIAO_ASSIGN(const BaseModel base, open_base(place));
  if (base.shape.is_table()) {
    return Error{Code::kUnsupported, place +
                                         " is a table of vectors, which llama.cpp cannot run: " +
                                         "`qiao model promote` serves it as it is"};
  }
  const std::string made = path + ".new";
  if (disk.exists(made)) QIAO_TRY(disk.remove(made));
  auto difference = convert_and_compare(base, files, made, numbers);
  if (difference) {
    QIAO_TRY(disk.rename(made, path));
  } else if (disk.exists(made)) {
    QIAO_TRY(disk.remove(made));
  }
  return difference;
}

}  // namespace qiao::learn
