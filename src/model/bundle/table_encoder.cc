// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/table_encoder.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/disk.h"
#include "base/json.h"
#include "model/convert/convert_safetensors.h"

namespace qiao::model {
namespace {

constexpr const char* kTableType = "qiao-table";
constexpr const char* kWords = "embeddings.word_embeddings.weight";

}  // namespace

Result<bool> is_table(const std::string& folder) {
  QIAO_ASSIGN(const std::string text, read_file(folder + "/config.json"));
  QIAO_ASSIGN(const Json config, parse_json(text));
  return json_string(config, "model_type") == kTableType;
}

TableEncoder::TableEncoder(std::string name, bool pools, std::size_t width,
                           std::vector<float> values)
    : name_(std::move(name)), pools_(pools), width_(width), values_(std::move(values)) {}

Result<std::shared_ptr<Model>> TableEncoder::open(const std::string& folder,
                                                  const ModelOptions& options) {
  const std::string path = folder + "/" + kTableFile;
  QIAO_ASSIGN(const std::unique_ptr<WeightFile> file, open_safetensors(path));
  auto table = file->read(kWords);
  if (!table) return std::move(table.error()).with(path);
  if (table->shape.size() != 2 || table->shape[0] < 1 || table->shape[1] < 1) {
    return Error{Code::kCorrupt, path + ": " + kWords + " is no table"};
  }
  return std::shared_ptr<Model>(new TableEncoder(options.name, options.pooling != "none",
                                                 static_cast<std::size_t>(table->shape[1]),
                                                 std::move(table->values)));
}

ModelInfo TableEncoder::info() const {
  ModelInfo info;
  info.name = name_;
  info.kind = "encoder";
  info.where = "in-process";
  info.context_tokens = static_cast<std::int32_t>(kTableTokensMax);
  info.embedding_size = static_cast<std::int32_t>(width_);
  info.slots = 1;
  info.ready = true;
  info.resident_bytes = static_cast<std::int64_t>(values_.size() * sizeof(float));
  return info;
}

Error TableEncoder::refused() const {
  return {Code::kUnsupported,
          "model " + name_ + " is a table of token vectors: it reads tokens only"};
}

Model::RequestId TableEncoder::generate(GenerateRequest /*request*/, OnText /*on_text*/,
                                        OnGenerated on_done) {
  on_done(refused());
  return 0;
}

void TableEncoder::cancel(RequestId /*request*/) {}

void TableEncoder::embed(std::vector<std::string> /*texts*/, OnEmbedded on_done) {
  on_done(refused());
}

Result<std::int32_t> TableEncoder::count_tokens(std::string_view /*text*/) {
  return refused();
}

void TableEncoder::encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) {
  Embeddings vectors;
  for (const auto& list : tokens) {
    if (Status good = check(list); !good) return on_done(std::move(good.error()));
    vectors.push_back(vector_of(list));
  }
  on_done(std::move(vectors));
}

Status TableEncoder::check(const std::vector<std::int32_t>& tokens) const {
  if (tokens.empty() || tokens.size() > kTableTokensMax) {
    return invalid_argument("model " + name_ + " takes 1 to " + std::to_string(kTableTokensMax) +
                            " tokens");
  }
  const auto known = static_cast<std::int64_t>(values_.size() / width_);
  const bool all = std::all_of(tokens.begin(), tokens.end(),
                               [&](std::int32_t token) { return token >= 0 && token < known; });
  return all ? Status() : invalid_argument("model " + name_ + " has no such token");
}

std::vector<float> TableEncoder::vector_of(const std::vector<std::int32_t>& tokens) const {
  std::vector<float> out(pools_ ? width_ : 0, 0);
  for (const std::int32_t token : tokens) {
    const auto row =
        values_.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(token) * width_);
    if (pools_) {
      std::transform(out.begin(), out.end(), row, out.begin(), std::plus<>());
    } else {
      out.insert(out.end(), row, row + static_cast<std::ptrdiff_t>(width_));
    }
  }
  if (!pools_) return out;
  const auto count = static_cast<float>(tokens.size());
  for (float& value : out) value /= count;
  return out;
}

Result<std::shared_ptr<Model>> open_bundle_encoder(const std::string& folder, ModelOptions options,
                                                   const Clock& clock, Metrics& metrics) {
  SystemDisk disk;
  if (disk.exists(folder + "/" + kTableFile)) return TableEncoder::open(folder, options);
  options.path = folder + "/model.gguf";
  options.encoder = true;
  return open_model(options, clock, metrics);
}

}  // namespace qiao::model
