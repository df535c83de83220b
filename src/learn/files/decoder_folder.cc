// SPDX-License-Identifier: Apache-2.0
#include "learn/files/decoder_folder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "learn/files/json_file.h"
#include "learn/tokenizers/bpe_keys.h"
#include "model/convert/convert_safetensors.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNumberMax = 1'000'000'000;
constexpr std::size_t kPartsMax = 1024;
constexpr const char* kWhole = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

Error bad_config(std::string what) {
  return {Code::kCorrupt, "config.json: " + std::move(what)};
}
Error other_model(const std::string& what) {
  return {Code::kUnsupported, "config.json: " + what + " is not computed here"};
}

// Reads config.json; what is null counts as not said.
class ConfigReader {
 public:
  explicit ConfigReader(const Json& config) : config_(config) {}

  [[nodiscard]] const Json* find(const std::string& key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }
  [[nodiscard]] Result<std::int64_t> whole(const std::string& key,
                                           std::optional<std::int64_t> otherwise = {}) const {
    if (find(key) == nullptr && otherwise) return *otherwise;
    const auto number = json_integer(config_, key);
    if (number && *number >= 1 && *number <= kNumberMax) return *number;
    return bad_config(key + " is no whole number of 1 or more");
  }
  [[nodiscard]] Result<double> number(const std::string& key, double otherwise) const {
    if (find(key) == nullptr) return otherwise;
    const auto number = json_number(config_, key);
    if (number && std::isfinite(*number) && *number > 0) return *number;
    return bad_config(key + " is no number above 0");
  }
  [[nodiscard]] Result<bool> flag(const std::string& key, bool otherwise) const {
    const Json* told = find(key);
    if (told == nullptr) return otherwise;
    if (told->is_boolean()) return told->get<bool>();
    return bad_config(key + " is neither true nor false");
  }
  // `unsupported` when a switch does not stand as our modules have it.
  [[nodiscard]] Status want(const std::string& key, bool wanted) const {
    QIAO_ASSIGN(const bool told, flag(key, wanted));
    if (told == wanted) return {};
    return other_model(key + (told ? " true" : " false"));
  }
  [[nodiscard]] Status want_one_of(const std::string& key,
                                   std::initializer_list<std::string_view> names) const {
    const Json* told = find(key);
    if (told == nullptr) return {};
    const auto is_told = [&](std::string_view name) {
      return told->is_string() && told->get_ref<const std::string&>() == name;
    };
    if (std::any_of(names.begin(), names.end(), is_told)) return {};
    return other_model(key + " " + dump_json(*told));
  }

 private:
  const Json& config_;
};

// Rotary positions: `rope_theta`, or since transformers 5 all in `rope_parameters`.
Status read_rope(const ConfigReader& config, LanguageModelShape& shape) {
  QIAO_ASSIGN(shape.rope_base, config.number("rope_theta", shape.rope_base));
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const Json* told = config.find(key);
    if (told == nullptr) continue;
    if (!told->is_object()) return bad_config(std::string(key) + " is no object");
    const ConfigReader rope(*told);
    for (const char* type : {"rope_type", "type"}) {
      if (!rope.want_one_of(type, {"default"})) {
        return other_model(std::string(key) + " " + dump_json(*told));
      }
    }
    QIAO_ASSIGN(const double part, rope.number("partial_rotary_factor", 1));
    if (part != 1) return other_model(std::string(key) + " " + dump_json(*told));
    QIAO_ASSIGN(shape.rope_base, rope.number("rope_theta", shape.rope_base));
  }
  QIAO_ASSIGN(const double part, config.number("partial_rotary_factor", 1));
  return part == 1 ? Status() : other_model("partial_rotary_factor");
}

Status check_attention(const ConfigReader& config, const LanguageModelShape& shape) {
  if (config.find("head_dim") != nullptr) {
    QIAO_ASSIGN(const std::int64_t head, config.whole("head_dim"));
    if (head * shape.heads != shape.width) {
      return other_model("head_dim " + std::to_string(head) + " that is not width / heads");
    }
  }
  QIAO_TRY(config.want("use_sliding_window", false));
  QIAO_TRY(config.want("rope_interleaved", false));
  if (const Json* types = config.find("layer_types")) {
    for (const Json& type : *types) {
      if (type != "full_attention") return other_model("layer_types " + dump_json(type));
    }
  }
  return {};
}

Result<LanguageModelShape> llama_shape(const ConfigReader& config, LanguageModelShape shape) {
  constexpr double kUsualEpsilon = 1e-6;  // where the file leaves it out
  QIAO_ASSIGN(shape.layers, config.whole("num_hidden_layers"));
  QIAO_ASSIGN(shape.width, config.whole("hidden_size"));
  QIAO_ASSIGN(shape.heads, config.whole("num_attention_heads"));
  QIAO_ASSIGN(shape.kv_heads, config.whole("num_key_value_heads", shape.heads));
  QIAO_ASSIGN(shape.inner, config.whole("intermediate_size"));
  QIAO_ASSIGN(shape.context, config.whole("max_position_embeddings"));
  QIAO_ASSIGN(shape.epsilon, config.number("rms_norm_eps", kUsualEpsilon));
  QIAO_ASSIGN(shape.tied, config.flag("tie_word_embeddings", false));
  QIAO_TRY(read_rope(config, shape));
  QIAO_TRY(config.want_one_of("hidden_act", {"silu", "swish"}));
  if (shape.architecture == Architecture::kLlama) QIAO_TRY(config.want("attention_bias", false));
  QIAO_TRY(config.want("mlp_bias", false));
  QIAO_TRY(check_attention(config, shape));
  return shape;
}

Result<LanguageModelShape> gpt2_shape(const ConfigReader& config, LanguageModelShape shape) {
  constexpr double kNearly = 1e-9;
  QIAO_ASSIGN(shape.layers, config.whole("n_layer"));
  QIAO_ASSIGN(shape.width, config.whole("n_embd"));
  QIAO_ASSIGN(shape.heads, config.whole("n_head"));
  QIAO_ASSIGN(shape.context, config.whole("n_positions"));
  QIAO_ASSIGN(const std::int64_t inner, config.whole("n_inner", 4 * shape.width));
  if (inner != 4 * shape.width) return other_model("n_inner " + std::to_string(inner));
  QIAO_ASSIGN(const double epsilon, config.number("layer_norm_epsilon", shape.epsilon));
  if (std::abs(epsilon - shape.epsilon) > kNearly) {
    return other_model("layer_norm_epsilon " + std::to_string(epsilon));
  }
  QIAO_TRY(config.want_one_of("activation_function", {"gelu_new", "gelu_pytorch_tanh"}));
  QIAO_TRY(config.want("scale_attn_weights", true));
  QIAO_TRY(config.want("scale_attn_by_inverse_layer_idx", false));
  QIAO_TRY(config.want("add_cross_attention", false));
  QIAO_TRY(config.want("tie_word_embeddings", true));
  return shape;
}

// Named by Hugging Face and by us: `blk.N` + ours, `layers.N` or `h.N` + theirs.
struct NamePair {
  std::string_view ours;
  std::string_view theirs;
};
constexpr NamePair kLlamaNames[] = {{"token_embd", "embed_tokens"}, {"output_norm", "norm"}};
constexpr NamePair kLlamaLayer[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};
constexpr NamePair kGpt2Names[] = {
    {"token_embd", "wte"}, {"position_embd", "wpe"}, {"output_norm", "ln_f"}};
constexpr NamePair kGpt2Layer[] = {{"attn_norm", "ln_1"},          {"attn_qkv", "attn.c_attn"},
                                   {"attn_output", "attn.c_proj"}, {"ffn_norm", "ln_2"},
                                   {"ffn_up", "mlp.c_fc"},         {"ffn_down", "mlp.c_proj"}};

template <std::size_t N>
std::string_view their_name(const NamePair (&names)[N], std::string_view ours) {
  for (const NamePair& one : names) {
    if (one.ours == ours) return one.theirs;
  }
  return {};
}

// One safetensors file for each part, as the index says which tensor lies in which.
class WeightParts final : public model::WeightFile {
 public:
  static Result<std::unique_ptr<model::WeightFile>> open(const fs::path& folder) {
    QIAO_ASSIGN(const auto places, places_of(folder));
    auto parts = std::make_unique<WeightParts>();
    for (const auto& [tensor, file] : places) {
      auto& part = parts->files_[file];
      if (part == nullptr) {
        if (parts->files_.size() > kPartsMax) {
          return Error{Code::kCorrupt, std::string(kIndex) + " names too many parts"};
        }
        std::error_code fault;
        if (!fs::exists(folder / file, fault)) {
          return not_found((folder / file).string() + " is not there, but " + kIndex + " names it");
        }
        QIAO_ASSIGN(part, model::open_safetensors((folder / file).string()));
      }
      parts->places_[model::plain_tensor_name(tensor)] = part.get();
    }
    return std::unique_ptr<model::WeightFile>(std::move(parts));
  }
  // Tensor to file. A part is a name in the folder: an index leads nowhere else.
  static Result<std::map<std::string, std::string>> places_of(const fs::path& folder) {
    const std::string path = (folder / kIndex).string();
    QIAO_ASSIGN(const Json index, read_json_file(path));
    const auto map = index.find("weight_map");
    if (map == index.end() || !map->is_object() || map->empty()) {
      return Error{Code::kCorrupt, path + " has no weight_map"};
    }
    std::map<std::string, std::string> places;
    for (const auto& [tensor, file] : map->items()) {
      const std::string name = file.is_string() ? file.get<std::string>() : "";
      if (!name.ends_with(".safetensors") ||
          name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
        return Error{Code::kCorrupt, path + ": " + tensor + " lies in " + dump_json(file) +
                                         ", which is no safetensors file of the folder"};
      }
      places[tensor] = name;
    }
    return places;
  }

  [[nodiscard]] bool has(const std::string& name) const override { return places_.contains(name); }
  Result<model::Tensor> read(const std::string& name) override {
    const auto found = places_.find(name);
    if (found == places_.end()) return not_found("no part has the tensor " + name);
    return found->second->read(name);
  }

 private:
  std::map<std::string, std::unique_ptr<model::WeightFile>> files_;
  std::map<std::string, model::WeightFile*> places_;
};

Status turn(model::Tensor& tensor, const std::string& name) {
  if (tensor.shape.size() == 1) return {};  // a bias
  if (tensor.shape.size() != 2) return Error{Code::kCorrupt, name + " is no matrix"};
  const auto rows = static_cast<std::size_t>(tensor.shape[0]);
  const auto columns = static_cast<std::size_t>(tensor.shape[1]);
  std::vector<float> turned(tensor.values.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      turned[c * rows + r] = tensor.values[r * columns + c];
    }
  }
  tensor.values = std::move(turned);
  std::swap(tensor.shape[0], tensor.shape[1]);
  return {};
}

// Row i and row i + head/2 of each head become rows 2i and 2i+1.
Status pair_rows(model::Tensor& tensor, std::int64_t heads, const std::string& name) {
  if (tensor.shape.size() != 2 || tensor.shape[0] % (2 * heads) != 0) {
    return Error{Code::kCorrupt, name + " has not the rows that config.json says"};
  }
  const auto row = static_cast<std::ptrdiff_t>(tensor.shape[1]);
  const std::ptrdiff_t half = tensor.shape[0] / heads / 2;
  std::vector<float> paired(tensor.values.size());
  for (std::ptrdiff_t to = 0; to < tensor.shape[0]; ++to) {
    const std::ptrdiff_t head = to / (2 * half) * (2 * half);
    const std::ptrdiff_t from = head + (to - head) / 2 + (to % 2) * half;
    std::copy_n(tensor.values.begin() + from * row, row, paired.begin() + to * row);
  }
  tensor.values = std::move(paired);
  return {};
}

class DecoderWeights final : public model::WeightFile {
 public:
  DecoderWeights(std::unique_ptr<model::WeightFile> file, const LanguageModelShape& shape)
      : file_(std::move(file)), shape_(shape), llama_(is_llama_like(shape.architecture)) {
    const std::string prefix = llama_ ? "model." : "transformer.";
    if (file_->has(prefix + (llama_ ? "embed_tokens.weight" : "wte.weight"))) prefix_ = prefix;
  }

  [[nodiscard]] bool has(const std::string& name) const override {
    return file_->has(their_name_of(name));
  }
  Result<model::Tensor> read(const std::string& name) override {
    const std::string theirs = their_name_of(name);
    QIAO_ASSIGN(model::Tensor tensor, file_->read(theirs));
    const std::string_view part =
        std::string_view(name).substr(name.rfind('.', name.rfind('.') - 1) + 1);
    if (!llama_ && name.starts_with("blk.")) QIAO_TRY(turn(tensor, theirs));
    if (shape_.architecture == Architecture::kLlama) {
      if (part == "attn_q.weight") QIAO_TRY(pair_rows(tensor, shape_.heads, theirs));
      if (part == "attn_k.weight") QIAO_TRY(pair_rows(tensor, shape_.kv_heads, theirs));
    }
    return tensor;
  }

  // What would make another model of the file than config.json says.
  [[nodiscard]] Status check() const {
    const auto layer = [&](std::int64_t number, const char* rest) {
      return prefix_ + (llama_ ? "layers." : "h.") + std::to_string(number) + rest;
    };
    if (file_->has(layer(shape_.layers, llama_ ? ".input_layernorm.weight" : ".ln_1.weight"))) {
      return bad_config("the weights have more layers than the " + std::to_string(shape_.layers) +
                        " it says");
    }
    if (!llama_) return {};
    for (const char* other : {".self_attn.o_proj.bias", ".mlp.up_proj.bias",
                              ".self_attn.q_norm.weight", ".self_attn.q_proj.bias"}) {
      if (!file_->has(layer(0, other))) continue;
      const bool qwen2 = shape_.architecture == Architecture::kQwen2;
      if (qwen2 && std::string_view(other).ends_with("q_proj.bias")) continue;
      return Error{Code::kUnsupported,
                   "its weights have " + layer(0, other) + ", which the architecture has not"};
    }
    if (shape_.tied || file_->has("lm_head.weight")) return {};
    return bad_config("tie_word_embeddings is false, but there is no lm_head.weight");
  }

 private:
  // "" when there is none.
  [[nodiscard]] std::string their_name_of(std::string_view name) const {
    const std::size_t end = std::min(name.rfind('.'), name.size());  // before weight, bias
    const std::string_view stem = name.substr(0, end);
    const std::string rest(name.substr(end));
    if (stem == "output") return "lm_head" + rest;
    if (!stem.starts_with("blk.")) {
      const std::string_view theirs =
          llama_ ? their_name(kLlamaNames, stem) : their_name(kGpt2Names, stem);
      return theirs.empty() ? "" : prefix_ + std::string(theirs) + rest;
    }
    const std::size_t dot = stem.rfind('.');
    const std::string_view part = stem.substr(dot + 1);
    const std::string_view theirs =
        llama_ ? their_name(kLlamaLayer, part) : their_name(kGpt2Layer, part);
    if (theirs.empty()) return "";
    return prefix_ + (llama_ ? "layers" : "h") + std::string(stem.substr(3, dot - 3)) + "." +
           std::string(theirs) + rest;
  }

  std::unique_ptr<model::WeightFile> file_;
  LanguageModelShape shape_;
  bool llama_;
  std::string prefix_;
};

}  // namespace

bool is_decoder_config(const Json& config) {
  const std::string type = json_string(config, "model_type").value_or("");
  return !config.contains("architecture") && (type == "gpt2" || type == "llama" || type == "qwen2");
}

Result<LanguageModelShape> decoder_shape_of(const Json& config) {
  const std::string type = json_string(config, "model_type").value_or("");
  if (!is_decoder_config(config)) {
    return other_model("model_type \"" + type + "\" (gpt2, llama and qwen2 are)");
  }
  const ConfigReader reader(config);
  if (reader.find("quantization_config") != nullptr) return other_model("quantization_config");
  LanguageModelShape shape;
  shape.architecture = type == "gpt2"    ? Architecture::kTransformer
                       : type == "llama" ? Architecture::kLlama
                                         : Architecture::kQwen2;
  QIAO_ASSIGN(shape.vocabulary, reader.whole("vocab_size"));
  QIAO_ASSIGN(shape, type == "gpt2" ? gpt2_shape(reader, shape) : llama_shape(reader, shape));
  if (Status sane = check_shape(shape); !sane) return bad_config(sane.error().message);
  return shape;
}

fs::path weights_file(const fs::path& folder) {
  std::error_code fault;
  const bool whole = fs::exists(folder / kWhole, fault) || !fs::exists(folder / kIndex, fault);
  return folder / (whole ? kWhole : kIndex);
}

std::uint64_t weights_bytes(const fs::path& folder) {
  std::error_code fault;
  const fs::path path = weights_file(folder);
  std::map<std::string, std::uint64_t> bytes = {{kWhole, 0}};
  if (path.filename() == kIndex) {
    bytes.clear();
    const auto places = WeightParts::places_of(folder);
    if (!places) return 0;
    for (const auto& [tensor, file] : *places) bytes[file] = 0;
  }
  std::uint64_t sum = 0;
  for (const auto& [file, none] : bytes) {
    const std::uintmax_t size = fs::file_size(folder / file, fault);
    if (fault) return 0;
    sum += size;
  }
  return sum;
}

Result<std::unique_ptr<model::WeightFile>> open_decoder_weights(const fs::path& folder,
                                                                const LanguageModelShape& shape) {
  const fs::path path = weights_file(folder);
  std::error_code fault;
  if (!fs::exists(path, fault)) {
    return not_found(folder.string() + " holds no weights: neither " + kWhole + " nor " + kIndex);
  }
  QIAO_ASSIGN(auto file, path.filename() == kIndex ? WeightParts::open(folder)
                                                   : model::open_safetensors(path.string()));
  auto weights = std::make_unique<DecoderWeights>(std::move(file), shape);
  if (Status checked = weights->check(); !checked) {
    return std::move(checked.error()).with(path.string());
  }
  return std::unique_ptr<model::WeightFile>(std::move(weights));
}

Result<LanguageBundle> load_decoder_folder(const fs::path& folder, double dropout) {
  QIAO_ASSIGN(const Json config, read_json_file((folder / "config.json").string()));
  auto shape = decoder_shape_of(config);
  if (!shape) return std::move(shape.error()).with(folder.string());
  const std::string words = (folder / "tokenizer.json").string();
  std::error_code fault;
  if (!fs::exists(words, fault)) {
    return not_found(folder.string() +
                     " holds no tokenizer.json: of a decoder in Hugging Face's "
                     "form no other tokenizer is read");
  }
  QIAO_ASSIGN(const Json json, read_json_file(words));
  QIAO_ASSIGN(auto codec, read_bpe_codec(words, json, shape->vocabulary));
  QIAO_ASSIGN(const auto weights, open_decoder_weights(folder, *shape));
  auto model = make_language_model(*shape, dropout);
  if (Status loaded = load_weights(weights_of(*model), *weights); !loaded) {
    return std::move(loaded.error()).with(weights_file(folder).string());
  }
  model->eval();
  return LanguageBundle{*shape, std::move(codec), std::move(model), {}};
}

}  // namespace qiao::learn
