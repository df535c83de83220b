// SPDX-License-Identifier: Apache-2.0
#include "learn/files/base_model.h"

#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/disk.h"
#include "learn/files/gguf_file.h"
#include "learn/files/json_file.h"
#include "learn/files/model_card.h"
#include "learn/files/model_place.h"
#include "model/convert/convert_onnx.h"
#include "model/convert/convert_safetensors.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr int kLowercaseByFile = -1;
constexpr const char* kOnnx = "bert-onnx";

// The tensor of a GGUF that holds Hugging Face's `name`; "" when there is none.
std::string gguf_name(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kWhole[] = {
      {"embeddings.word_embeddings.weight", "token_embd.weight"},
      {"embeddings.position_embeddings.weight", "position_embd.weight"},
      {"embeddings.token_type_embeddings.weight", "token_types.weight"},
      {"embeddings.LayerNorm.weight", "token_embd_norm.weight"},
      {"embeddings.LayerNorm.bias", "token_embd_norm.bias"}};
  for (const auto& [hugging_face, gguf] : kWhole) {
    if (name == hugging_face) return std::string(gguf);
  }
  constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {".attention.self.query", ".attn_q"},
      {".attention.self.key", ".attn_k"},
      {".attention.self.value", ".attn_v"},
      {".attention.output.dense", ".attn_output"},
      {".attention.output.LayerNorm", ".attn_output_norm"},
      {".intermediate.dense", ".ffn_up"},
      {".output.dense", ".ffn_down"},
      {".output.LayerNorm", ".layer_output_norm"}};
  constexpr std::string_view kLayer = "encoder.layer.";
  if (!name.starts_with(kLayer)) return "";
  name.remove_prefix(kLayer.size());
  const std::size_t dot = std::min(name.find('.'), name.size());
  const std::string_view rest = name.substr(dot);
  for (const auto& [hugging_face, gguf] : kParts) {
    if (!rest.starts_with(hugging_face)) continue;
    return "blk." + std::string(name.substr(0, dot)) + std::string(gguf) +
           std::string(rest.substr(hugging_face.size()));
  }
  return "";
}

// A BERT GGUF under Hugging Face's names.
class GgufWeights final : public model::WeightFile {
 public:
  explicit GgufWeights(std::unique_ptr<GgufFile> file) : file_(std::move(file)) {}
  [[nodiscard]] bool has(const std::string& name) const override {
    return file_->has(gguf_name(name));
  }
  Result<model::Tensor> read(const std::string& name) override {
    return file_->read(gguf_name(name));
  }

 private:
  std::unique_ptr<GgufFile> file_;
};

Result<EncoderShape> encoder_shape_of(GgufFile& file) {
  if (file.text("general.architecture").value_or("") != "bert") {
    return Error{Code::kUnsupported,
                 "only BERT encoders can be trained, this GGUF is another model"};
  }
  const std::pair<const char*, std::int64_t EncoderShape::*> keys[] = {
      {"bert.block_count", &EncoderShape::layers},
      {"bert.embedding_length", &EncoderShape::width},
      {"bert.feed_forward_length", &EncoderShape::inner},
      {"bert.attention.head_count", &EncoderShape::heads},
      {"bert.context_length", &EncoderShape::positions},
      {"tokenizer.ggml.token_type_count", &EncoderShape::types}};
  EncoderShape shape;
  for (const auto& [key, field] : keys) {
    QIAO_ASSIGN(const double value, file.number(key));
    shape.*field = static_cast<std::int64_t>(value);
  }
  QIAO_ASSIGN(const auto tokens, file.texts("tokenizer.ggml.tokens"));
  shape.vocabulary = static_cast<std::int64_t>(tokens.size());
  QIAO_ASSIGN(shape.epsilon, file.number("bert.attention.layer_norm_epsilon"));
  constexpr double kPoolingMean = 1;  // GGUF's number for it
  const double pooling = file.number("bert.pooling_type").value_or(0);
  shape.pooling = pooling == kPoolingMean ? Pooling::kMean : Pooling::kCls;
  QIAO_TRY(check_shape(shape));
  return shape;
}

// The pieces in Hugging Face's form: `▁x` starts a word, anything else but a control continues one.
Result<model::WordPiece> tokenizer_of_gguf(GgufFile& file) {
  constexpr std::string_view kWordStart = "\xe2\x96\x81";
  constexpr double kNormal = 1;
  QIAO_ASSIGN(std::vector<std::string> pieces, file.texts("tokenizer.ggml.tokens"));
  QIAO_ASSIGN(const std::vector<double> kinds, file.numbers("tokenizer.ggml.token_type"));
  if (kinds.size() != pieces.size()) {
    return Error{Code::kCorrupt, "tokenizer.ggml.token_type has another length than the pieces"};
  }
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    if (kinds[id] != kNormal) continue;
    std::string& piece = pieces[id];
    piece = piece.starts_with(kWordStart) ? piece.substr(kWordStart.size()) : "##" + piece;
  }
  BertTextRules rules;
  rules.lowercase = file.number("tokenizer.ggml.normalizer.lowercase").value_or(1) != 0;
  rules.strip_accents =
      file.number("tokenizer.ggml.normalizer.strip_accents").value_or(rules.lowercase) != 0;
  return model::WordPiece::make(std::move(pieces), rules);
}

Result<BaseModel> open_gguf(const fs::path& path, std::string name) {
  QIAO_ASSIGN(std::unique_ptr<GgufFile> file, GgufFile::open(path.string()));
  QIAO_ASSIGN(EncoderShape shape, encoder_shape_of(*file));
  QIAO_ASSIGN(model::WordPiece tokenizer, tokenizer_of_gguf(*file));
  QIAO_ASSIGN(std::string sum, sha256_file_hex(path.string()));
  std::string licence = licence_of(*file, path);
  return BaseModel{std::move(name),      std::move(licence),
                   std::move(sum),       shape,
                   std::move(tokenizer), std::make_unique<GgufWeights>(std::move(file))};
}

// How sentence-transformers says that it makes one vector of a text.
Pooling sentence_pooling(const fs::path& folder, Pooling otherwise) {
  const auto config = read_json_file((folder / "1_Pooling" / "config.json").string());
  if (!config) return otherwise;
  const auto mean = config->find("pooling_mode_mean_tokens");
  if (mean == config->end() || !mean->is_boolean()) return otherwise;
  return mean->get<bool>() ? Pooling::kMean : Pooling::kCls;
}

Result<BaseModel> open_folder(const fs::path& folder, std::string name) {
  QIAO_ASSIGN(const Json config, read_json_file((folder / "config.json").string()));
  QIAO_ASSIGN(EncoderShape shape, shape_of_config(config));
  if (!config.contains("qiao")) shape.pooling = sentence_pooling(folder, shape.pooling);
  const model::BertFiles files = encoder_files(folder);
  QIAO_ASSIGN(model::WordPiece tokenizer, model::read_wordpiece(files.tokenizer, kLowercaseByFile));
  if (static_cast<std::int64_t>(tokenizer.pieces().size()) != shape.vocabulary) {
    return Error{Code::kCorrupt,
                 folder.string() + ": the tokenizer has " +
                     std::to_string(tokenizer.pieces().size()) + " pieces, config.json says " +
                     std::to_string(shape.vocabulary) + ": they do not belong together"};
  }
  QIAO_ASSIGN(auto weights, files.format == kOnnx ? model::open_onnx(files.weights)
                                                  : model::open_safetensors(files.weights));
  QIAO_ASSIGN(std::string sum, sha256_file_hex(files.weights));
  std::string licence = licence_in(folder.string());
  return BaseModel{std::move(name), std::move(licence),   std::move(sum),
                   shape,           std::move(tokenizer), std::move(weights)};
}

}  // namespace

model::BertFiles encoder_files(const fs::path& folder) {
  const bool onnx = !fs::exists(folder / "model.safetensors") && fs::exists(folder / "model.onnx");
  const bool json = fs::exists(folder / "tokenizer.json");
  return {onnx ? kOnnx : "bert-safetensors",
          (folder / (onnx ? "model.onnx" : "model.safetensors")).string(),
          (folder / (json ? "tokenizer.json" : "vocab.txt")).string(),
          (folder / "config.json").string()};
}

Result<BaseModel> open_base(const std::string& place) {
  QIAO_ASSIGN(const fs::path folder, find_model(place));
  const std::string name = fs::weakly_canonical(folder).filename().string();
  if (folder.extension() == ".gguf") return open_gguf(folder, name);
  if (fs::exists(folder / "model.gguf")) return open_gguf(folder / "model.gguf", name);
  if (fs::exists(folder / "config.json")) return open_folder(folder, name);
  return not_found(folder.string() + " holds neither model.gguf nor config.json: it is no model");
}

}  // namespace qiao::learn
