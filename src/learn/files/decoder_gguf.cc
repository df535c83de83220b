// SPDX-License-Identifier: Apache-2.0
#include "learn/files/decoder_gguf.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "learn/files/decoder_folder.h"
#include "learn/files/gguf_file.h"
#include "learn/files/json_file.h"
#include "learn/files/model_card.h"
#include "learn/files/model_place.h"
#include "model/llama/llama_scores.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUneven = "deci";  // GGUF's llama whose layers have widths of their own
constexpr std::uint32_t kFileTypeFull = 0;
constexpr std::uint32_t kFileTypeHalf = 1;
constexpr std::int64_t kProbeTokens = 24;
// Of the greatest score: what binary32 in another order, and binary16 of the factors, may change.
constexpr double kFullTolerance = 1e-3;
constexpr double kHalfTolerance = 3e-2;

Error unsupported(std::string message) {
  return {Code::kUnsupported, std::move(message)};
}

Result<Architecture> architecture_of(const GgufFile& file) {
  QIAO_ASSIGN(const std::string name, file.text("general.architecture"));
  if (name == kUneven) return Architecture::kLlama;
  for (const Architecture one : kArchitectures) {
    if (is_decoder(one) && gguf_architecture(one) == name) return one;
  }
  return unsupported("architecture " + name + " is not trained: gpt2, llama or qwen2");
}

// What would make another model of the file than ours.
Status check_llama(const GgufFile& file, const std::string& at, const LanguageModelShape& shape) {
  const double head = double(shape.width) / double(shape.heads);
  for (const char* key : {"rope.dimension_count", "attention.key_length"}) {
    if (file.number(at + key).value_or(head) != head) {
      return unsupported("the width of a head is not width / heads");
    }
  }
  if (file.has("rope_freqs.weight") ||
      file.text(at + "rope.scaling.type").value_or("none") != "none") {
    return unsupported("its positions are scaled");
  }
  const bool biased = file.has("blk.0.attn_q.bias");
  if (biased != (shape.architecture == Architecture::kQwen2) || file.has("blk.0.ffn_up.bias") ||
      file.has("blk.0.attn_output.bias") || file.has("blk.0.attn_q_norm.weight")) {
    return unsupported("its layers have other biases or norms than the architecture's");
  }
  return {};
}

Status check_gpt2(const LanguageModelShape& shape) {
  constexpr double kNearly = 1e-9;
  const LanguageModelShape ours;
  if (shape.inner == 4 * shape.width && shape.tied &&
      std::abs(shape.epsilon - ours.epsilon) < kNearly) {
    return {};
  }
  return unsupported("GPT-2 with a feed-forward width, an output or a norm of its own");
}

// The lists of a `deci`; the greatest of each stand for all. The width of a head is told apart.
Status read_layer_sizes(const GgufFile& file, LanguageModelShape& shape) {
  constexpr double kMost = 1e9;
  const std::string at = std::string(kUneven) + ".";
  const auto list = [&](const char* key) -> Result<std::vector<std::int64_t>> {
    QIAO_ASSIGN(const std::vector<double> numbers, file.numbers(at + key));
    std::vector<std::int64_t> sizes;
    for (const double number : numbers) {
      const bool sane = number >= 0 && number <= kMost;
      sizes.push_back(sane ? static_cast<std::int64_t>(number) : 0);
    }
    return sizes;
  };
  QIAO_ASSIGN(shape.layer_heads, list("attention.head_count"));
  QIAO_ASSIGN(shape.layer_kv_heads, list("attention.head_count_kv"));
  QIAO_ASSIGN(shape.layer_inner, list("feed_forward_length"));
  QIAO_ASSIGN(const double head, file.number(at + "attention.key_length"));
  const auto greatest = [](const std::vector<std::int64_t>& sizes) {
    return sizes.empty() ? std::int64_t{0} : *std::max_element(sizes.begin(), sizes.end());
  };
  shape.heads = head >= 1 && head <= kMost ? shape.width / static_cast<std::int64_t>(head) : 0;
  shape.inner = greatest(shape.layer_inner);
  const bool whole = shape.layer_heads.size() == shape.layer_kv_heads.size() &&
                     !shape.layer_heads.empty() && shape.layer_kv_heads.front() > 0;
  if (!whole) return Error{Code::kCorrupt, "its lists of heads have different lengths"};
  const std::int64_t queries = shape.layer_heads.front() / shape.layer_kv_heads.front();
  shape.kv_heads = queries > 0 ? shape.heads / queries : 0;
  return {};
}

Result<LanguageModelShape> decoder_shape_of(const GgufFile& file) {
  LanguageModelShape shape;
  QIAO_ASSIGN(shape.architecture, architecture_of(file));
  const bool uneven = file.text("general.architecture").value_or("") == kUneven;
  const std::string at = (uneven ? kUneven : gguf_architecture(shape.architecture)) + ".";
  const auto whole = [&](const std::string& key, std::int64_t otherwise) {
    constexpr double kMost = 1e9;
    const double told = file.number(at + key).value_or(double(otherwise));
    return told >= 0 && told <= kMost ? static_cast<std::int64_t>(told) : std::int64_t{0};
  };
  shape.layers = whole("block_count", 0);
  shape.width = whole("embedding_length", 0);
  shape.heads = whole("attention.head_count", 0);
  shape.context = whole("context_length", 0);
  shape.inner = whole("feed_forward_length", 0);
  shape.kv_heads = whole("attention.head_count_kv", shape.heads);
  if (uneven) QIAO_TRY(read_layer_sizes(file, shape));
  shape.tied = !file.has("output.weight");
  QIAO_ASSIGN(const auto tokens, file.texts("tokenizer.ggml.tokens"));
  shape.vocabulary = static_cast<std::int64_t>(tokens.size());
  const bool llama = is_llama_like(shape.architecture);
  const char* norm = llama ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon";
  shape.epsilon = file.number(at + norm).value_or(shape.epsilon);
  shape.rope_base = file.number(at + "rope.freq_base").value_or(shape.rope_base);
  QIAO_TRY(check_shape(shape));
  if (!file.has("blk." + std::to_string(shape.layers - 1) + ".attn_norm.weight")) {
    return Error{Code::kCorrupt, "it has not the layers it says"};
  }
  QIAO_TRY(llama ? check_llama(file, at, shape) : check_gpt2(shape));
  return shape;
}

Result<DecoderBase> open_gguf(const std::string& path, std::string name, double dropout) {
  QIAO_ASSIGN(const std::unique_ptr<GgufFile> file, GgufFile::open(path));
  auto shape = decoder_shape_of(*file);
  if (!shape) return std::move(shape.error()).with(path);
  QIAO_ASSIGN(auto codec, GgufCodec::open(path));
  auto model = make_language_model(*shape, dropout);
  if (Status loaded = load_weights(weights_of(*model), *file); !loaded) {
    return std::move(loaded.error()).with(path);
  }
  QIAO_ASSIGN(std::string sum, sha256_file_hex(path));
  return DecoderBase{{*shape, std::move(codec), std::move(model), {}},
                     std::move(name),
                     licence_of(*file, path),
                     std::move(sum)};
}

void set_shape_keys(model::GgufWriter& gguf, const LanguageModelShape& shape) {
  const std::string architecture =
      shape.is_uneven() ? kUneven : gguf_architecture(shape.architecture);
  const auto list = [&](const std::string& key, const std::vector<std::int64_t>& sizes) {
    gguf.set(architecture + "." + key, std::vector<std::int32_t>(sizes.begin(), sizes.end()));
  };
  const auto number = [&](const std::string& key, std::int64_t value) {
    gguf.set(architecture + "." + key, static_cast<std::uint32_t>(value));
  };
  gguf.set("general.architecture", architecture);
  number("context_length", shape.context);
  number("embedding_length", shape.width);
  number("block_count", shape.layers);
  if (!shape.is_uneven()) number("attention.head_count", shape.heads);
  if (!is_llama_like(shape.architecture)) {
    number("feed_forward_length", 4 * shape.width);
    gguf.set(architecture + ".attention.layer_norm_epsilon", static_cast<float>(shape.epsilon));
    return;
  }
  if (shape.is_uneven()) {
    list("attention.head_count", shape.layer_heads);
    list("attention.head_count_kv", shape.layer_kv_heads);
    list("feed_forward_length", shape.layer_inner);
    number("attention.key_length", shape.width / shape.heads);
    number("attention.value_length", shape.width / shape.heads);
  } else {
    number("feed_forward_length", shape.inner);
    number("attention.head_count_kv", shape.kv_heads);
  }
  number("rope.dimension_count", shape.width / shape.heads);
  number("vocab_size", shape.vocabulary);
  gguf.set(architecture + ".rope.freq_base", static_cast<float>(shape.rope_base));
  gguf.set(architecture + ".attention.layer_norm_rms_epsilon", static_cast<float>(shape.epsilon));
}

Status write_decoder(Disk& disk, const std::string& path, const LanguageBundle& bundle,
                     GgufNumbers numbers, const std::string& name) {
  model::GgufWriter gguf;
  QIAO_TRY(bundle.codec->describe(gguf));
  const bool half = numbers == GgufNumbers::kHalf;
  gguf.set("general.name", name);
  gguf.set("general.file_type", half ? kFileTypeHalf : kFileTypeFull);
  const std::string licence = json_string(bundle.card, "licence").value_or("");
  if (!licence.empty()) gguf.set("general.license", licence);
  set_shape_keys(gguf, bundle.shape);
  const NamedTensors weights = weights_of(*bundle.model);
  for (const auto& [key, tensor] : weights) {
    const bool matrix = tensor.dim() == 2 && !key.starts_with("position_embd");
    QIAO_TRY(gguf.add_tensor(key, tensor.sizes().vec(), half && matrix));
  }
  return write_gguf(disk, path, gguf, [&](std::size_t index) -> Result<std::vector<float>> {
    const torch::Tensor flat = weights[index].second.detach().cpu().to(torch::kFloat).contiguous();
    const float* values = flat.data_ptr<float>();
    return std::vector<float>(values, values + flat.numel());
  });
}

}  // namespace

Result<std::string> decoder_file(const std::string& place) {
  QIAO_ASSIGN(fs::path path, find_model(place));
  std::error_code fault;
  if (fs::is_directory(path, fault)) path /= "model.gguf";
  if (fs::exists(path, fault)) return path.string();
  return not_found(place +
                   " has no model.gguf of a decoder: `qiao export` writes one, `qiao import` a "
                   "folder with one");
}

std::uint64_t model_bytes(const std::string& place) {
  fs::path path = find_model(place).value_or(place);
  std::error_code fault;
  if (fs::exists(path / "config.json", fault)) return weights_bytes(path);
  if (fs::is_directory(path, fault)) path /= "model.gguf";
  const std::uintmax_t bytes = fs::file_size(path, fault);
  return fault ? 0 : bytes;
}

std::string gguf_architecture(Architecture architecture) {
  if (!is_decoder(architecture)) return "";
  return architecture == Architecture::kTransformer ? "gpt2" : std::string(name_of(architecture));
}

Result<DecoderBase> open_decoder(const std::string& place, double dropout) {
  QIAO_ASSIGN(const fs::path folder, find_model(place));
  const std::string name = fs::weakly_canonical(folder).filename().string();
  if (folder.extension() == ".gguf") return open_gguf(folder.string(), name, dropout);
  if (fs::exists(folder / "config.json")) {
    QIAO_ASSIGN(const Json config, read_json_file((folder / "config.json").string()));
    const bool ours = config.contains("architecture");
    QIAO_ASSIGN(LanguageBundle bundle, ours ? load_language_bundle(folder.string(), dropout)
                                            : load_decoder_folder(folder, dropout));
    QIAO_ASSIGN(std::string sum, sha256_file_hex(weights_file(folder).string()));
    return DecoderBase{std::move(bundle), name, licence_in(folder.string()), std::move(sum)};
  }
  if (fs::exists(folder / "model.gguf")) {
    return open_gguf((folder / "model.gguf").string(), name, dropout);
  }
  return not_found(folder.string() + " holds neither model.gguf nor config.json: it is no model");
}

Result<ScoreDistance> distance_to_llama(LanguageModel& model, const std::string& path,
                                        const std::string& adapter,
                                        const std::vector<std::int64_t>& ids) {
  const torch::NoGradGuard no_grad;
  QIAO_ASSIGN(const auto theirs, model::llama_scores(path, adapter, {ids.begin(), ids.end()}));
  model.eval();
  const torch::Tensor ours =
      model.forward(torch::tensor(ids).unsqueeze(0))[0].cpu().to(torch::kFloat);
  ScoreDistance distance;
  for (std::size_t t = 0; t < theirs.size(); ++t) {
    const torch::Tensor row = torch::tensor(theirs[t]);
    if (row.numel() != ours.size(1)) return internal(path + " has another vocabulary");
    const torch::Tensor off = (ours[static_cast<std::int64_t>(t)] - row).abs().max();
    distance.difference = std::max(distance.difference, off.item<double>());
    distance.greatest = std::max(distance.greatest, row.abs().max().item<double>());
    if (!std::isfinite(off.item<double>())) distance.difference = off.item<double>();
  }
  return distance;
}

Result<double> export_decoder(Disk& disk, const std::string& path, const LanguageBundle& bundle,
                              GgufNumbers numbers, const std::string& name) {
  if (!is_decoder(bundle.shape.architecture)) {
    return unsupported("llama.cpp runs decoders: a " +
                       std::string(name_of(bundle.shape.architecture)) + " is not exported");
  }
  QIAO_TRY(write_decoder(disk, path, bundle, numbers, name));
  std::vector<std::int64_t> probe;
  const std::int64_t tokens = std::min(kProbeTokens, bundle.shape.context);
  for (std::int64_t i = 0; i < tokens; ++i) probe.push_back(i * 7919 % bundle.shape.vocabulary);
  auto distance = distance_to_llama(*bundle.model, path, "", probe);
  const double tolerance = numbers == GgufNumbers::kHalf ? kHalfTolerance : kFullTolerance;
  if (distance && distance->difference <= tolerance * std::max(1.0, distance->greatest)) {
    return distance->difference;
  }
  QIAO_TRY(disk.remove(path));
  if (!distance) return std::move(distance.error());
  return internal("the written GGUF gives other scores than the model (off by " +
                  std::to_string(distance->difference) + "): it was removed");
}

}  // namespace qiao::learn
