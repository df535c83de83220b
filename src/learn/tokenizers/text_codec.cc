// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/text_codec.h"

#include <filesystem>
#include <set>
#include <utility>

#include "base/json.h"
#include "learn/files/json_file.h"
#include "learn/tokenizers/bpe_codec.h"
#include "learn/tokenizers/bpe_keys.h"
#include "learn/tokenizers/unigram_codec.h"
#include "learn/tokenizers/wordpiece_codec.h"
#include "model/catalogue/catalogue.h"
#include "model/llama/chat_template.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

constexpr const char* kCharactersFile = "/characters.json";
constexpr const char* kTokenizerFile = "/tokenizer.gguf";
constexpr std::int32_t kNormalToken = 1;
constexpr std::int32_t kControlToken = 3;
// A longer text is encoded in pieces, cut behind a line.
constexpr std::size_t kPieceBytes = 1 << 20;

// The merges that make a character of its bytes. What they make on the way is no token, so that a
// character which is not in the vocabulary leaves nothing. A first byte is never a later one:
// no merge reaches into the next character.
void add_merges(std::string_view character, std::set<std::string>& seen,
                std::vector<std::string>& merges) {
  for (std::size_t end = 1; end < character.size(); ++end) {
    std::string merge = letters_of_bytes(character.substr(0, end)) + " " +
                        letters_of_bytes(character.substr(end, 1));
    if (seen.insert(merge).second) merges.push_back(std::move(merge));
  }
}

}  // namespace

Result<std::vector<std::int64_t>> CharacterCodec::encode(std::string_view text) const {
  return characters_.encode(text);
}

std::string CharacterCodec::decode(std::int64_t id) const {
  return id == end() ? std::string() : characters_.decode(id);
}

Status CharacterCodec::save(Disk& disk, const std::string& folder) const {
  std::string all;
  for (const char32_t code : characters_.all()) append_utf8(all, code);
  return write_file_atomic(disk, folder + kCharactersFile, dump_json(Json(all)) + "\n");
}

Status CharacterCodec::describe(model::GgufWriter& gguf) const {
  std::vector<std::string> tokens;
  std::vector<std::string> merges;
  std::set<std::string> seen;
  for (std::int64_t id = 0; id < end(); ++id) {
    const std::string character = decode(id);
    tokens.push_back(letters_of_bytes(character));
    add_merges(character, seen, merges);
  }
  std::vector<std::int32_t> kinds(tokens.size(), kNormalToken);
  tokens.emplace_back(kEndOfText);
  kinds.push_back(kControlToken);
  gguf.set("tokenizer.ggml.model", "gpt2");
  gguf.set("tokenizer.ggml.pre", "gpt-2");
  gguf.set("tokenizer.ggml.tokens", tokens);
  gguf.set("tokenizer.ggml.token_type", kinds);
  gguf.set("tokenizer.ggml.merges", merges);
  gguf.set("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(end()));
  gguf.set("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(end()));
  gguf.set("tokenizer.ggml.add_bos_token", false);
  gguf.set("tokenizer.chat_template", model::kPlainTemplate);
  return {};
}

Result<std::shared_ptr<const GgufCodec>> GgufCodec::open(const std::string& path) {
  QIAO_ASSIGN(auto tokens, model::TokenCodec::open(path));
  return std::shared_ptr<const GgufCodec>(new GgufCodec(path, nullptr, std::move(tokens)));
}

Result<std::shared_ptr<const GgufCodec>> GgufCodec::of_keys(
    std::shared_ptr<const model::GgufWriter> keys, const std::string& name) {
  QIAO_ASSIGN(auto tokens, model::TokenCodec::of_bytes(keys->head(), name));
  return std::shared_ptr<const GgufCodec>(new GgufCodec(name, std::move(keys), std::move(tokens)));
}

Result<std::vector<std::int64_t>> GgufCodec::encode(std::string_view text) const {
  std::vector<std::int64_t> ids;
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), kPieceBytes);
    if (size < text.size()) {
      const std::size_t line = text.rfind('\n', size - 1);
      if (line != std::string_view::npos) size = line + 1;
      while (size > 1 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
    }
    QIAO_ASSIGN(const auto some, tokens_->encode(text.substr(0, size)));
    ids.insert(ids.end(), some.begin(), some.end());
    text.remove_prefix(size);
  }
  return ids;
}

std::string GgufCodec::decode(std::int64_t id) const {
  return tokens_->decode(static_cast<std::int32_t>(id));
}

Status GgufCodec::save(Disk& disk, const std::string& folder) const {
  const std::string path = folder + kTokenizerFile;
  if (disk.exists(path)) return {};  // it never changes
  model::GgufWriter gguf;
  QIAO_TRY(describe(gguf));
  return write_gguf(disk, path, gguf, nullptr);
}

Status GgufCodec::describe(model::GgufWriter& gguf) const {
  if (keys_ == nullptr) return gguf.copy_keys(path_);
  gguf.copy_keys(*keys_);
  return {};
}

Result<std::shared_ptr<const TextCodec>> load_text_codec(const std::string& folder) {
  SystemDisk disk;
  if (disk.exists(folder + kTokenizerFile)) return GgufCodec::open(folder + kTokenizerFile);
  for (const char* name : {"/tokenizer.json", "/tokenizer.model", "/vocab.txt"}) {
    if (disk.exists(folder + name)) return read_text_codec(folder + name);
  }
  const std::string path = folder + kCharactersFile;
  if (!disk.exists(path)) return not_found(folder + " holds no tokenizer");
  QIAO_ASSIGN(const Json json, read_json_file(path));
  if (!json.is_string()) return Error{Code::kCorrupt, path + " is no text"};
  QIAO_ASSIGN(Characters characters, Characters::of_text(json.get_ref<const std::string&>()));
  return std::shared_ptr<const TextCodec>(std::make_shared<CharacterCodec>(std::move(characters)));
}

Result<std::shared_ptr<const TextCodec>> read_text_codec(const std::string& path) {
  if (path.ends_with(".model")) {
    QIAO_ASSIGN(std::string bytes, read_file(path));
    auto unigram = UnigramCodec::of_model(std::move(bytes));
    if (!unigram) return std::move(unigram.error()).with(path);
    return std::shared_ptr<const TextCodec>(std::move(*unigram));
  }
  if (path.ends_with(".json")) {
    QIAO_ASSIGN(const Json json, read_json_file(path));
    if (!json.is_object()) return Error{Code::kCorrupt, path + " is no JSON object"};
    const Json model = json.value("model", Json::object());
    if (json_string(model, "type").value_or("") != "WordPiece") {
      auto bpe = BpeCodec::of_json(json);
      if (!bpe && bpe.error().code == Code::kUnsupported) return read_bpe_codec(path, json);
      if (!bpe) return std::move(bpe.error()).with(path);
      return std::shared_ptr<const TextCodec>(std::move(*bpe));
    }
  }
  QIAO_ASSIGN(model::WordPiece wordpiece, model::read_wordpiece(path, -1));
  return std::shared_ptr<const TextCodec>(std::make_shared<WordPieceCodec>(std::move(wordpiece)));
}

Result<std::shared_ptr<const TextCodec>> open_text_codec(const std::string& place) {
  SystemDisk disk;
  if (place.ends_with(".gguf")) return GgufCodec::open(place);
  std::error_code ignored;
  if (std::filesystem::is_regular_file(place, ignored)) return read_text_codec(place);
  if (!disk.exists(place) && place.find('/') == std::string::npos) {
    const std::string installed = default_models_directory() + "/" + place + "/model.gguf";
    if (disk.exists(installed)) return GgufCodec::open(installed);
    return not_found("there is no tokenizer \"" + place +
                     "\": give a folder that `qiao train tokenizer` wrote, a GGUF file, or a name "
                     "that `qiao model ls` shows");
  }
  if (disk.exists(place + "/model.gguf") && !disk.exists(place + "/config.json")) {
    return GgufCodec::open(place + "/model.gguf");
  }
  return load_text_codec(place);
}

Status write_gguf(Disk& disk, const std::string& path, model::GgufWriter& gguf,
                  const model::GgufWriter::Values& values) {
  const std::string beside = path + ".new";
  if (disk.exists(beside)) QIAO_TRY(disk.remove(beside));
  QIAO_TRY(gguf.write(beside, values));
  return disk.rename(beside, path);
}

}  // namespace qiao::learn
