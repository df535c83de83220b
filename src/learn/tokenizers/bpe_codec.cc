// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/bpe_codec.h"

#include <algorithm>
#include <array>
#include <queue>
#include <utility>

#include "model/bundle/wordpiece.h"
#include "model/llama/chat_template.h"
#include "text/gpt2_words.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kBytes = 256;
constexpr std::size_t kShortWord = 48;  // bytes; a longer word is merged with a queue
constexpr std::uint32_t kNoRank = UINT32_MAX;
constexpr std::int32_t kNormalToken = 1;
constexpr std::int32_t kControlToken = 3;
constexpr std::size_t kPiecesMax = 1 << 20;

// GPT-2's letter for a byte: itself where it is printable, else one from U+0100 on.
std::array<char32_t, kBytes> make_letters() {
  std::array<char32_t, kBytes> letters{};
  char32_t next = 256;
  for (unsigned byte = 0; byte < kBytes; ++byte) {
    const bool printable =
        (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    letters[byte] = printable ? byte : next++;
  }
  return letters;
}
const std::array<char32_t, kBytes>& letters() {
  static const std::array<char32_t, kBytes> all = make_letters();
  return all;
}

std::uint64_t pair_of(std::uint32_t left, std::uint32_t right) {
  return std::uint64_t{left} << 32U | right;
}

Error unsupported(const std::string& what) {
  return {Code::kUnsupported, what + ": only byte-level BPE as GPT-2 has it is read"};
}

Status check_kind(const Json& json, const Json& model) {
  if (json_string(model, "type").value_or("") != "BPE") {
    return unsupported("the tokenizer is " + json_string(model, "type").value_or("of no kind"));
  }
  if (!json.value("normalizer", Json()).is_null()) return unsupported("it has a normalizer");
  const Json before = json.value("pre_tokenizer", Json());
  if (json_string(before, "type").value_or("") != "ByteLevel" ||
      json_bool(before, "add_prefix_space").value_or(true) ||
      !json_bool(before, "use_regex").value_or(true)) {
    return unsupported(
        "its pre_tokenizer is not ByteLevel with GPT-2's pattern and no blank "
        "before the text");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!json_string(model, key).value_or("").empty())
      return unsupported(std::string("it has a ") + key);
  }
  if (json_bool(model, "byte_fallback").value_or(false) ||
      json_bool(model, "ignore_merges").value_or(false)) {
    return unsupported("byte_fallback or ignore_merges is on");
  }
  return {};
}

Result<std::pair<std::string, std::string>> merge_of(const Json& json) {
  std::string left;
  std::string right;
  if (json.is_string()) {
    const std::string both = json.get<std::string>();
    const std::size_t blank = both.find(' ');
    left = both.substr(0, blank);
    right = blank == std::string::npos ? "" : both.substr(blank + 1);
  } else if (json.is_array() && json.size() == 2 && json[0].is_string() && json[1].is_string()) {
    left = json[0].get<std::string>();
    right = json[1].get<std::string>();
  }
  auto left_bytes = bytes_of_letters(left);
  auto right_bytes = bytes_of_letters(right);
  if (left.empty() || right.empty() || !left_bytes || !right_bytes) {
    return Error{Code::kCorrupt, "a merge is no pair of pieces"};
  }
  return std::pair(std::move(*left_bytes), std::move(*right_bytes));
}

Status read_pieces(const Json& vocab, BpeCodec::Parts& parts) {
  parts.pieces.resize(vocab.size());
  std::vector<bool> seen(vocab.size());
  for (const auto& [piece, id] : vocab.items()) {
    const bool fits = id.is_number_unsigned() && id.get<std::size_t>() < seen.size();
    if (!fits || seen[id.get<std::size_t>()]) {
      return Error{Code::kCorrupt, "the ids of the vocabulary have a hole or stand twice"};
    }
    seen[id.get<std::size_t>()] = true;
    parts.pieces[id.get<std::size_t>()] = piece;  // as letters, for now
  }
  parts.controls.resize(parts.pieces.size());
  return {};
}

Status read_controls(const Json& added, BpeCodec::Parts& parts) {
  for (const Json& one : added) {
    const auto id = json_integer(one, "id").value_or(-1);
    const std::string name = json_string(one, "content").value_or("");
    if (id < 0 || id > static_cast<std::int64_t>(parts.pieces.size()) || name.empty()) {
      return Error{Code::kCorrupt, "an added token has no name, or an id behind a hole"};
    }
    const auto at = static_cast<std::size_t>(id);
    if (at == parts.pieces.size()) {
      parts.pieces.emplace_back();
      parts.controls.push_back(true);
    }
    parts.pieces[at] = name;
    parts.controls[at] = true;
    if (parts.end < 0 || name == kEndOfText || name == "</s>") parts.end = id;
  }
  return {};
}

}  // namespace

std::string letters_of_bytes(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) append_utf8(out, letters()[static_cast<unsigned char>(byte)]);
  return out;
}

std::optional<std::string> bytes_of_letters(std::string_view text) {
  static const std::unordered_map<char32_t, char> bytes = [] {
    std::unordered_map<char32_t, char> all;
    for (std::size_t i = 0; i < kBytes; ++i) {
      all.emplace(letters()[i], static_cast<char>(static_cast<unsigned char>(i)));
    }
    return all;
  }();
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const auto found = bytes.find(next_code_point(text, at));
    if (found == bytes.end()) return std::nullopt;
    out.push_back(found->second);
  }
  return out;
}

std::size_t BpeCodec::PairHash::operator()(std::uint64_t pair) const {
  pair *= 0x9E3779B97F4A7C15U;
  return pair ^ (pair >> 32U);
}

Result<std::shared_ptr<const BpeCodec>> BpeCodec::make(Parts parts) {
  if (parts.pieces.size() > kPiecesMax) return unsupported("the vocabulary is too large");
  std::unordered_map<std::string_view, std::uint32_t> ids;
  for (std::uint32_t id = 0; id < parts.pieces.size(); ++id) {
    if (parts.controls[id]) continue;
    if (!ids.emplace(parts.pieces[id], id).second) {
      return Error{Code::kCorrupt,
                   "the piece \"" + letters_of_bytes(parts.pieces[id]) + "\" stands twice"};
    }
  }
  std::shared_ptr<BpeCodec> codec(new BpeCodec());
  for (std::size_t byte = 0; byte < kBytes; ++byte) {
    const std::string one(1, static_cast<char>(static_cast<unsigned char>(byte)));
    const auto found = ids.find(one);
    if (found == ids.end()) return unsupported("byte " + std::to_string(byte) + " has no piece");
    codec->byte_ids_.push_back(found->second);
  }
  std::uint32_t rank = 0;
  for (const auto& [left, right] : parts.merges) {
    const auto from = ids.find(left);
    const auto with = ids.find(right);
    const auto to = ids.find(left + right);
    if (from == ids.end() || with == ids.end() || to == ids.end()) {
      return Error{Code::kCorrupt, "merge " + std::to_string(rank) + " (" + letters_of_bytes(left) +
                                       " " + letters_of_bytes(right) + ") makes no piece"};
    }
    codec->merges_.emplace(pair_of(from->second, with->second), Made{rank++, to->second});
  }
  codec->parts_ = std::move(parts);
  return std::shared_ptr<const BpeCodec>(std::move(codec));
}

Result<std::shared_ptr<const BpeCodec>> BpeCodec::of_json(const Json& json) {
  const Json model = json.value("model", Json::object());
  QIAO_TRY(check_kind(json, model));
  const Json vocab = model.value("vocab", Json::object());
  const Json merges = model.value("merges", Json::array());
  if (!vocab.is_object() || vocab.size() > kPiecesMax || merges.size() > kPiecesMax) {
    return Error{Code::kCorrupt, "it has no vocabulary"};
  }
  Parts parts;
  QIAO_TRY(read_pieces(vocab, parts));
  QIAO_TRY(read_controls(json.value("added_tokens", Json::array()), parts));
  for (std::size_t id = 0; id < parts.pieces.size(); ++id) {
    if (parts.controls[id]) continue;
    auto bytes = bytes_of_letters(parts.pieces[id]);
    if (!bytes) return unsupported("the piece \"" + parts.pieces[id] + "\" is not one of bytes");
    parts.pieces[id] = std::move(*bytes);
  }
  for (const Json& one : merges) {
    QIAO_ASSIGN(auto merge, merge_of(one));
    parts.merges.push_back(std::move(merge));
  }
  return make(std::move(parts));
}

std::int64_t BpeCodec::size() const {
  return static_cast<std::int64_t>(parts_.pieces.size());
}

std::string BpeCodec::decode(std::int64_t id) const {
  const auto at = static_cast<std::size_t>(id);
  return parts_.controls.at(at) ? std::string() : parts_.pieces[at];
}

const BpeCodec::Made* BpeCodec::find(std::uint32_t left, std::uint32_t right) const {
  const auto found = merges_.find(pair_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

Result<std::vector<std::int64_t>> BpeCodec::encode(std::string_view text) const {
  std::vector<std::int64_t> out;
  out.reserve(text.size() / 3);
  for (const std::string_view word : gpt2_words(text)) {
    word.size() <= kShortWord ? append_short(word, out) : append_long(word, out);
  }
  return out;
}

// Looks through all pairs for the earliest merge, again and again: quadratic, and fast for few.
void BpeCodec::append_short(std::string_view word, std::vector<std::int64_t>& out) const {
  std::array<std::uint32_t, kShortWord> ids{};
  std::array<const Made*, kShortWord> made{};  // of each with its neighbour
  std::size_t size = word.size();
  for (std::size_t i = 0; i < size; ++i) ids[i] = byte_ids_[static_cast<unsigned char>(word[i])];
  for (std::size_t i = 0; i + 1 < size; ++i) made[i] = find(ids[i], ids[i + 1]);
  while (size > 1) {
    std::size_t best = 0;
    std::uint32_t rank = kNoRank;
    for (std::size_t i = 0; i + 1 < size; ++i) {
      if (made[i] == nullptr || made[i]->rank >= rank) continue;
      rank = made[i]->rank;
      best = i;
    }
    if (rank == kNoRank) break;
    ids[best] = made[best]->id;
    for (std::size_t i = best + 1; i + 1 < size; ++i) {
      ids[i] = ids[i + 1];
      made[i] = made[i + 1];
    }
    --size;
    if (best > 0) made[best - 1] = find(ids[best - 1], ids[best]);
    if (best + 1 < size) made[best] = find(ids[best], ids[best + 1]);
  }
  out.insert(out.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(size));
}

// The same with a queue of pairs and a list of what is left: n log n.
void BpeCodec::append_long(std::string_view word, std::vector<std::int64_t>& out) const {
  constexpr std::uint32_t kGone = UINT32_MAX;
  struct Symbol {
    std::uint32_t id;
    std::size_t before;
    std::size_t after;
  };
  const std::size_t size = word.size();
  std::vector<Symbol> symbols(size);
  for (std::size_t i = 0; i < size; ++i) {
    symbols[i] = {byte_ids_[static_cast<unsigned char>(word[i])], i - 1, i + 1};  // size: none
  }
  struct Candidate {
    std::uint32_t rank;
    std::size_t left;
    std::uint32_t left_id;
    std::uint32_t right_id;
    bool operator<(const Candidate& other) const {  // the earliest merge, then the first place
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  std::priority_queue<Candidate> queue;
  const auto offer = [&](std::size_t left) {
    const std::size_t right = symbols[left].after;
    if (right >= size) return;
    if (const Made* made = find(symbols[left].id, symbols[right].id)) {
      queue.push({made->rank, left, symbols[left].id, symbols[right].id});
    }
  };
  for (std::size_t i = 0; i + 1 < size; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.left];
    if (left.id != best.left_id || left.after >= size || symbols[left.after].id != best.right_id) {
      continue;  // one of them was merged since
    }
    Symbol& right = symbols[left.after];
    left.id = find(best.left_id, best.right_id)->id;
    left.after = right.after;
    right.id = kGone;
    if (left.after < size) symbols[left.after].before = best.left;
    if (best.left > 0) offer(left.before);
    offer(best.left);
  }
  for (std::size_t i = 0; i < size; i = symbols[i].after) out.push_back(symbols[i].id);
}

Json BpeCodec::json() const {
  Json vocab = Json::object();
  Json added = Json::array();
  for (std::size_t id = 0; id < parts_.pieces.size(); ++id) {
    const std::string& piece = parts_.pieces[id];
    vocab[parts_.controls[id] ? piece : letters_of_bytes(piece)] = id;
    if (!parts_.controls[id]) continue;
    added.push_back(model::added_token(id, piece));
  }
  Json merges = Json::array();
  for (const auto& [left, right] : parts_.merges) {
    merges.push_back(letters_of_bytes(left) + " " + letters_of_bytes(right));
  }
  const Json bytes = {{"type", "ByteLevel"},
                      {"add_prefix_space", false},
                      {"trim_offsets", true},
                      {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", bytes},
          {"post_processor", nullptr},
          {"decoder", bytes},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", merges}}}};
}

Status BpeCodec::save(Disk& disk, const std::string& folder) const {
  return write_file_atomic(disk, folder + "/tokenizer.json", dump_json(json()) + "\n");
}

Status BpeCodec::describe(model::GgufWriter& gguf) const {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> kinds;
  for (std::size_t id = 0; id < parts_.pieces.size(); ++id) {
    const bool control = parts_.controls[id];
    tokens.push_back(control ? parts_.pieces[id] : letters_of_bytes(parts_.pieces[id]));
    kinds.push_back(control ? kControlToken : kNormalToken);
  }
  std::vector<std::string> merges;
  for (const auto& [left, right] : parts_.merges) {
    merges.push_back(letters_of_bytes(left) + " " + letters_of_bytes(right));
  }
  gguf.set("tokenizer.ggml.model", "gpt2");
  gguf.set("tokenizer.ggml.pre", "gpt-2");
  gguf.set("tokenizer.ggml.tokens", tokens);
  gguf.set("tokenizer.ggml.token_type", kinds);
  gguf.set("tokenizer.ggml.merges", merges);
  if (parts_.end >= 0) {
    gguf.set("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(parts_.end));
    gguf.set("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(parts_.end));
  }
  gguf.set("tokenizer.ggml.add_bos_token", false);
  gguf.set("tokenizer.chat_template", model::kPlainTemplate);
  return {};
}

}  // namespace qiao::learn
