// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/bpe_keys.h"

#include <filesystem>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "learn/files/json_file.h"
#include "learn/tokenizers/bpe_codec.h"
#include "model/llama/chat_template.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kTokensMax = 1 << 20;
constexpr std::size_t kPatternShown = 60;  // bytes of a pattern that is refused

// Kinds of token, by their number in a GGUF.
enum TokenKind : std::int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

// How words are cut, as Hugging Face writes it and as llama.cpp calls it.
struct WordPattern {
  std::string_view pattern;
  const char* name;
  const char*
      name_of_whole;  // where a word that is a token is not merged; null: llama.cpp has none
};
constexpr WordPattern kWordPatterns[] = {
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "smaug-bpe", "llama-bpe"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "qwen2", nullptr}};

// What ends a text where no file says it.
constexpr std::string_view kUsualEnds[] = {"<|endoftext|>", "<|end_of_text|>", "</s>", "<|im_end|>",
                                           "<|eot_id|>"};

Error not_read(const std::string& what) {
  return {Code::kUnsupported, what +
                                  ": of byte-level BPE that of GPT-2, SmolLM, Llama 3 and Qwen2 is "
                                  "read, of SentencePiece a .model of unigrams"};
}

Error damaged(std::string what) {
  return {Code::kCorrupt, std::move(what)};
}

const Json& part(const Json& object, const char* key) {
  static const Json none;
  const auto found = object.find(key);  // end() of what is no object
  return found == object.end() ? none : *found;
}

std::string type_of(const Json& step) {
  return json_string(step, "type").value_or("");
}

// The single steps of a normalizer, a pre_tokenizer or a post_processor.
std::vector<const Json*> steps_of(const Json& whole, const char* list) {
  std::vector<const Json*> steps;
  if (whole.is_null()) return steps;
  if (type_of(whole) != "Sequence") return {&whole};
  for (const Json& step : part(whole, list)) steps.push_back(&step);
  return steps;
}

bool makes_bytes(const Json& step, bool cuts_words) {
  return type_of(step) == "ByteLevel" && !json_bool(step, "add_prefix_space").value_or(true) &&
         json_bool(step, "use_regex").value_or(true) == cuts_words;
}

Result<std::string> name_of_pattern(const Json& split, bool whole_words) {
  const auto pattern = json_string(part(split, "pattern"), "Regex");
  if (!pattern || json_string(split, "behavior").value_or("") != "Isolated" ||
      json_bool(split, "invert").value_or(false)) {
    return not_read("it cuts texts in another way than by a pattern of words");
  }
  for (const WordPattern& one : kWordPatterns) {
    if (*pattern != one.pattern) continue;
    const char* name = whole_words ? one.name_of_whole : one.name;
    if (name == nullptr) return not_read("ignore_merges is on");
    return std::string(name);
  }
  std::size_t shown = std::min(pattern->size(), kPatternShown);
  while (shown < pattern->size() &&
         (static_cast<unsigned char>((*pattern)[shown]) & 0xC0U) == 0x80U)
    --shown;
  return not_read("it cuts words by the pattern " + pattern->substr(0, shown) +
                  (shown < pattern->size() ? " …" : ""));
}

// llama.cpp's name of how the tokenizer cuts a text.
Result<std::string> name_of_cut(const Json& json) {
  const bool whole_words = json_bool(part(json, "model"), "ignore_merges").value_or(false);
  const auto steps = steps_of(part(json, "pre_tokenizer"), "pretokenizers");
  std::string types;
  for (const Json* step : steps) types += (types.empty() ? "" : ", ") + type_of(*step);
  if (steps.size() == 2 && type_of(*steps[0]) == "Split" && makes_bytes(*steps[1], false)) {
    return name_of_pattern(*steps[0], whole_words);
  }
  if (whole_words) return not_read("ignore_merges is on");
  if (steps.size() == 1 && makes_bytes(*steps[0], true)) return std::string("gpt-2");
  if (steps.size() == 2 && type_of(*steps[0]) == "Digits" && makes_bytes(*steps[1], true) &&
      json_bool(*steps[0], "individual_digits").value_or(false)) {
    return std::string("smollm");
  }
  return not_read("its pre_tokenizer is " + (types.empty() ? "none" : types));
}

Status check_bpe(const Json& json) {
  const Json& model = part(json, "model");
  const std::string type = type_of(model);
  if (type != "BPE") return not_read("the tokenizer is " + (type.empty() ? "of no kind" : type));
  if (json_bool(model, "byte_fallback").value_or(false)) return not_read("it is SentencePiece's");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!json_string(model, key).value_or("").empty()) {
      return not_read(std::string("it has a ") + key);
    }
  }
  for (const Json* step : steps_of(part(json, "normalizer"), "normalizers")) {
    if (type_of(*step) != "NFC") return not_read("it has the normalizer " + type_of(*step));
  }
  return {};
}

struct Vocabulary {
  std::vector<std::string> tokens;  // by id, in GPT-2's letters; "": not there
  std::vector<std::int32_t> kinds;
  std::unordered_map<std::string, std::uint32_t> ids;

  Status add(const std::string& token, std::int64_t id, std::int32_t kind) {
    if (id < 0 || id >= std::int64_t{kTokensMax}) {
      return damaged("the token \"" + token + "\" has an impossible id");
    }
    const auto at = static_cast<std::size_t>(id);
    if (at >= tokens.size()) {
      tokens.resize(at + 1);
      kinds.resize(at + 1, kUnused);
    }
    const auto known = ids.emplace(token, static_cast<std::uint32_t>(id)).first;
    if (known->second != at || (!tokens[at].empty() && tokens[at] != token)) {
      return damaged("the token \"" + token + "\" or its id " + std::to_string(id) +
                     " stands twice");
    }
    tokens[at] = token;
    kinds[at] = kind;
    return {};
  }
};

// A name like this controls the model, also where the file does not say so (Qwen2's
// <|fim_prefix|>), as it does for llama.cpp.
bool looks_like_control(std::string_view name) {
  return name.starts_with("<|") && name.ends_with("|>");
}

Status read_added(const Json& json, Vocabulary& vocabulary) {
  for (const Json& one : part(json, "added_tokens")) {
    const std::string name = json_string(one, "content").value_or("");
    if (name.empty() || name.find('\0') != std::string::npos) {
      return damaged("an added token has no name");
    }
    const bool special = json_bool(one, "special").value_or(false) || looks_like_control(name);
    for (const char* key : {"single_word", "lstrip", "rstrip"}) {
      if (!special && json_bool(one, key).value_or(false)) {
        return not_read("the token \"" + name + "\" is " + key);
      }
    }
    QIAO_TRY(vocabulary.add(name, json_integer(one, "id").value_or(-1),
                            special ? kControl : kUserDefined));
  }
  return {};
}

// Tokens that no text has, named as llama.cpp's own converter names them.
Status fill_holes(std::int64_t rows, Vocabulary& vocabulary) {
  const auto tokens = static_cast<std::int64_t>(vocabulary.tokens.size());
  if (rows != 0 && rows < tokens) {
    return damaged("the word table has " + std::to_string(rows) + " rows, the tokenizer " +
                   std::to_string(tokens) + " tokens: they do not belong together");
  }
  for (std::int64_t id = 0; id < std::max(rows, tokens); ++id) {
    if (id < tokens && !vocabulary.tokens[static_cast<std::size_t>(id)].empty()) continue;
    QIAO_TRY(vocabulary.add("[PAD" + std::to_string(id) + "]", id, kUnused));
  }
  return {};
}

Result<Vocabulary> read_vocabulary(const Json& json, std::int64_t rows) {
  const Json& words = part(part(json, "model"), "vocab");
  if (!words.is_object() || words.empty()) return damaged("it has no vocabulary");
  Vocabulary vocabulary;
  vocabulary.ids.reserve(words.size());
  for (const auto& [token, id] : words.items()) {
    if (token.empty() || !id.is_number_unsigned() || id.get<std::uint64_t>() >= kTokensMax) {
      return damaged("the token \"" + token + "\" has an impossible id");
    }
    QIAO_TRY(vocabulary.add(token, id.get<std::int64_t>(), kNormal));
  }
  QIAO_TRY(read_added(json, vocabulary));
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (vocabulary.kinds[id] != kNormal || bytes_of_letters(vocabulary.tokens[id])) continue;
    return not_read("the token \"" + vocabulary.tokens[id] + "\" is not one of bytes");
  }
  QIAO_TRY(fill_holes(rows, vocabulary));
  return vocabulary;
}

Result<std::vector<std::string>> read_merges(const Json& json, const Vocabulary& vocabulary) {
  const Json& all = part(part(json, "model"), "merges");
  if (!all.is_array() || all.size() > kTokensMax) return damaged("it has no merges");
  std::vector<std::string> merges;
  merges.reserve(all.size());
  for (const Json& one : all) {
    std::string merge;
    if (one.is_string()) merge = one.get<std::string>();
    if (one.is_array() && one.size() == 2 && one[0].is_string() && one[1].is_string()) {
      merge = one[0].get<std::string>() + " " + one[1].get<std::string>();
    }
    const std::size_t blank = std::min(merge.find(' '), merge.size());
    const std::string left = merge.substr(0, blank);
    const std::string right = merge.substr(std::min(blank + 1, merge.size()));
    for (const std::string& token : {left, right, left + right}) {
      if (vocabulary.ids.contains(token)) continue;
      return damaged("merge " + std::to_string(merges.size()) + " (" + merge + ") makes no token");
    }
    merges.push_back(std::move(merge));
  }
  return merges;
}

// The tokens that files name, each an id of the vocabulary.
class NamedTokens {
 public:
  NamedTokens(const Vocabulary& vocabulary, const BesideTokenizer& beside)
      : vocabulary_(vocabulary), beside_(beside) {}

  // `kind`: "eos" or "bos"; the first file that says it is right. Empty: none says it.
  Result<std::vector<std::uint32_t>> find(const std::string& kind) const {
    const Json& told = part(beside_.config, (kind + "_token").c_str());
    const std::string name =
        told.is_string() ? told.get<std::string>() : json_string(told, "content").value_or("");
    if (!name.empty()) {
      const auto id = id_of(name);
      if (id) return std::vector<std::uint32_t>{*id};
      return damaged("tokenizer_config.json: " + kind + "_token " + name + " is no token");
    }
    const std::string key = kind + "_token_id";
    QIAO_ASSIGN(auto ids,
                numbers(part(beside_.generation, key.c_str()), "generation_config.json: " + key));
    if (!ids.empty()) return ids;
    return numbers(part(beside_.model, key.c_str()), "config.json: " + key);
  }
  // All that ends a text, by generation_config.json.
  Result<std::vector<std::uint32_t>> ends() const {
    return numbers(part(beside_.generation, "eos_token_id"),
                   "generation_config.json: eos_token_id");
  }
  std::optional<std::uint32_t> id_of(std::string_view name) const {
    const auto found = vocabulary_.ids.find(std::string(name));
    if (found == vocabulary_.ids.end()) return std::nullopt;
    return found->second;
  }

 private:
  // One, or a list.
  Result<std::vector<std::uint32_t>> numbers(const Json& told, const std::string& where) const {
    std::vector<std::uint32_t> ids;
    if (told.is_null()) return ids;
    const Json list = told.is_array() ? told : Json::array({told});
    const auto most = static_cast<std::int64_t>(vocabulary_.tokens.size());
    for (const Json& id : list) {
      const std::int64_t number = id.is_number_integer() ? id.get<std::int64_t>() : -1;
      if (number < 0 || number >= most) return damaged(where + " is no token: " + dump_json(id));
      ids.push_back(static_cast<std::uint32_t>(number));
    }
    return ids;
  }

  const Vocabulary& vocabulary_;
  const BesideTokenizer& beside_;
};

// The token that Hugging Face puts before every text; "" when it puts none.
std::string token_before_texts(const Json& json) {
  for (const Json* step : steps_of(part(json, "post_processor"), "processors")) {
    const Json& single = part(*step, "single");
    if (type_of(*step) != "TemplateProcessing" || !single.is_array() || single.empty()) continue;
    return json_string(part(single[0], "SpecialToken"), "id").value_or("");
  }
  return "";
}

Status set_named(const Json& json, const BesideTokenizer& beside, const Vocabulary& vocabulary,
                 model::GgufWriter& keys) {
  const NamedTokens named(vocabulary, beside);
  QIAO_ASSIGN(std::vector<std::uint32_t> end, named.find("eos"));
  for (const std::string_view usual : kUsualEnds) {
    const auto id = named.id_of(usual);
    if (end.empty() && id) end.push_back(*id);
  }
  if (end.empty()) {  // llama.cpp would take token 11
    return Error{Code::kUnsupported,
                 "no file says which token ends a text: eos_token in tokenizer_config.json does"};
  }
  QIAO_ASSIGN(const std::vector<std::uint32_t> ends, named.ends());
  for (const std::uint32_t id : ends) {
    if (id == end[0]) continue;
    keys.set("tokenizer.ggml.eot_token_id", id);
    break;
  }
  QIAO_ASSIGN(std::vector<std::uint32_t> begin, named.find("bos"));
  const auto before = named.id_of(token_before_texts(json));
  if (begin.empty() && before) begin.push_back(*before);
  const bool adds =
      !begin.empty() &&
      json_bool(beside.config, "add_bos_token").value_or(before && *before == begin[0]);
  keys.set("tokenizer.ggml.eos_token_id", end[0]);
  keys.set("tokenizer.ggml.bos_token_id", begin.empty() ? end[0] : begin[0]);
  keys.set("tokenizer.ggml.add_bos_token", adds);
  return {};
}

// The file of its own, else the text in tokenizer_config.json, or of a list that called `default`.
std::string chat_form(const BesideTokenizer& beside) {
  if (!beside.chat_template.empty()) return beside.chat_template;
  const Json& told = part(beside.config, "chat_template");
  if (told.is_string()) return told.get<std::string>();
  for (const Json& one : told) {
    if (json_string(one, "name") == "default") return json_string(one, "template").value_or("");
  }
  return "";
}

}  // namespace

Result<BesideTokenizer> read_beside(const std::string& folder) {
  SystemDisk disk;
  BesideTokenizer beside;
  const std::pair<const char*, Json BesideTokenizer::*> files[] = {
      {"/tokenizer_config.json", &BesideTokenizer::config},
      {"/generation_config.json", &BesideTokenizer::generation},
      {"/config.json", &BesideTokenizer::model}};
  for (const auto& [name, field] : files) {
    if (!disk.exists(folder + name)) continue;
    QIAO_ASSIGN(beside.*field, read_json_file(folder + name));
  }
  const std::string jinja = folder + "/chat_template.jinja";
  if (!disk.exists(jinja)) return beside;
  QIAO_ASSIGN(beside.chat_template, read_file(jinja));
  return beside;
}

Result<std::shared_ptr<const model::GgufWriter>> bpe_keys(const Json& json,
                                                          const BesideTokenizer& beside,
                                                          std::int64_t rows) {
  QIAO_TRY(check_bpe(json));
  QIAO_ASSIGN(const std::string cut, name_of_cut(json));
  QIAO_ASSIGN(const Vocabulary vocabulary, read_vocabulary(json, rows));
  QIAO_ASSIGN(const std::vector<std::string> merges, read_merges(json, vocabulary));
  auto keys = std::make_shared<model::GgufWriter>();
  keys->set("general.architecture", "llama");  // some name must stand there
  keys->set("tokenizer.ggml.model", "gpt2");
  keys->set("tokenizer.ggml.pre", cut);
  keys->set("tokenizer.ggml.tokens", vocabulary.tokens);
  keys->set("tokenizer.ggml.token_type", vocabulary.kinds);
  keys->set("tokenizer.ggml.merges", merges);
  QIAO_TRY(set_named(json, beside, vocabulary, *keys));
  const std::string form = chat_form(beside);
  keys->set("tokenizer.chat_template", form.empty() ? model::kPlainTemplate : form);
  return std::shared_ptr<const model::GgufWriter>(std::move(keys));
}

Result<std::shared_ptr<const GgufCodec>> read_bpe_codec(const std::string& path, const Json& json,
                                                        std::int64_t rows) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  QIAO_ASSIGN(const BesideTokenizer beside, read_beside(folder.empty() ? "." : folder));
  auto keys = bpe_keys(json, beside, rows);
  if (!keys) return std::move(keys.error()).with(path);
  return GgufCodec::of_keys(std::move(*keys), path);
}

}  // namespace qiao::learn
