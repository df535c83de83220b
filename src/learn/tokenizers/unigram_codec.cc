// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/unigram_codec.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "model/convert/convert_protobuf.h"
#include "model/llama/chat_template.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

constexpr std::string_view kBlank = "\xe2\x96\x81";  // ▁ stands for a blank in a piece
constexpr std::size_t kPiecesMax = 1 << 20;
// Kinds of pieces; sentencepiece_model.proto and GGUF number them alike.
constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kUnknown = 2;
constexpr std::int32_t kControl = 3;
constexpr std::int32_t kGiven = 4;  // a person said that it is a piece
constexpr std::int32_t kByte = 6;
constexpr float kUnknownPenalty = 10;  // under the worst piece; SentencePiece's own
constexpr float kGivenPenalty = 0.1F;

struct Piece {
  std::string text;
  float score = 0;
  std::int32_t kind = kNormal;
};

// The fields of sentencepiece_model.proto that we need.
struct ModelFacts {
  std::vector<Piece> pieces;
  std::uint64_t type = 1;  // 1: unigram
  bool has_charsmap = false;
  bool adds_prefix = true;
  bool removes_blanks = true;
};

Result<Piece> read_piece(std::string_view bytes) {
  Piece piece;
  for (model::ProtoReader reader(bytes); !reader.done();) {
    QIAO_ASSIGN(const auto field, reader.next());
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2)
      piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    if (field.number == 3) piece.kind = static_cast<std::int32_t>(field.value);
  }
  return piece;
}

Status read_rules(std::string_view bytes, ModelFacts& facts) {
  for (model::ProtoReader reader(bytes); !reader.done();) {
    QIAO_ASSIGN(const auto field, reader.next());
    if (field.number == 2) facts.has_charsmap = !field.bytes.empty();
    if (field.number == 3) facts.adds_prefix = field.value != 0;
    if (field.number == 4) facts.removes_blanks = field.value != 0;
  }
  return {};
}

Result<ModelFacts> read_model(std::string_view bytes) {
  ModelFacts facts;
  for (model::ProtoReader reader(bytes); !reader.done();) {
    QIAO_ASSIGN(const auto field, reader.next());
    if (field.number == 1) {
      if (facts.pieces.size() == kPiecesMax) {
        return Error{Code::kUnsupported, "the vocabulary is too large"};
      }
      QIAO_ASSIGN(facts.pieces.emplace_back(), read_piece(field.bytes));
    }
    if (field.number == 2) {
      for (model::ProtoReader trainer(field.bytes); !trainer.done();) {
        QIAO_ASSIGN(const auto one, trainer.next());
        if (one.number == 3) facts.type = one.value;
      }
    }
    if (field.number == 3) QIAO_TRY(read_rules(field.bytes, facts));
  }
  return facts;
}

Status check(const ModelFacts& facts) {
  if (facts.type != 1) return Error{Code::kUnsupported, "the model is not a unigram model"};
  if (facts.has_charsmap || facts.removes_blanks || facts.adds_prefix) {
    return Error{Code::kUnsupported,
                 "the model normalises its text: only models trained with "
                 "normalization_rule_name=identity, remove_extra_whitespaces=false and "
                 "add_dummy_prefix=false are read"};
  }
  for (const Piece& piece : facts.pieces) {
    if (piece.kind == kByte) {
      return Error{Code::kUnsupported, "the model has bytes as pieces (byte_fallback)"};
    }
  }
  return {};
}

// Blanks as pieces have them; what is no UTF-8 as the replacement character.
std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    if (code == U' ') {
      out += kBlank;
    } else {
      append_utf8(out, code);
    }
  }
  return out;
}

}  // namespace

struct UnigramCodec::Impl {
  std::string bytes;
  std::vector<Piece> pieces;
  std::unordered_map<std::string_view, std::int32_t> ids;  // of those that a text can have
  std::size_t longest = 0;                                 // of them, in bytes
  std::int32_t unknown = -1;
  std::int32_t end = -1;
  float best_score = 0;
  float worst_score = 0;

  [[nodiscard]] double score_of(std::int32_t id) const {
    const Piece& piece = pieces[static_cast<std::size_t>(id)];
    if (piece.kind != kGiven) return piece.score;
    return static_cast<float>(piece.text.size()) * best_score - kGivenPenalty;
  }
};

UnigramCodec::UnigramCodec(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UnigramCodec::~UnigramCodec() = default;

Result<std::shared_ptr<const UnigramCodec>> UnigramCodec::of_model(std::string bytes) {
  QIAO_ASSIGN(ModelFacts facts, read_model(bytes));
  QIAO_TRY(check(facts));
  auto impl = std::make_unique<Impl>();
  impl->bytes = std::move(bytes);
  impl->pieces = std::move(facts.pieces);
  impl->best_score = std::numeric_limits<float>::lowest();
  impl->worst_score = std::numeric_limits<float>::max();
  for (std::size_t i = 0; i < impl->pieces.size(); ++i) {
    const Piece& piece = impl->pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    if (piece.kind == kUnknown) impl->unknown = id;
    if (piece.kind == kControl && piece.text == "</s>") impl->end = id;
    if ((piece.kind != kNormal && piece.kind != kGiven) || piece.text.empty()) continue;
    impl->ids.emplace(piece.text, id);
    impl->longest = std::max(impl->longest, piece.text.size());
    if (piece.kind == kGiven) continue;
    impl->best_score = std::max(impl->best_score, piece.score);
    impl->worst_score = std::min(impl->worst_score, piece.score);
  }
  if (impl->unknown < 0 || impl->worst_score > impl->best_score) {
    return Error{Code::kCorrupt, "the model has no pieces, or none that is unknown"};
  }
  return std::shared_ptr<const UnigramCodec>(new UnigramCodec(std::move(impl)));
}

std::int64_t UnigramCodec::size() const {
  return static_cast<std::int64_t>(impl_->pieces.size());
}

std::int64_t UnigramCodec::end() const {
  return impl_->end;
}

// The row of pieces with the highest sum of scores (Viterbi), as SentencePiece's own: of equal ones
// the first found, scores as floats.
Result<std::vector<std::int64_t>> UnigramCodec::encode(std::string_view given) const {
  struct Place {  // the best way to what ends here
    std::size_t begin = 0;
    std::int32_t id = -1;
    float score = 0;
  };
  const std::string text = escaped(given);
  std::vector<Place> places(text.size() + 1);
  const auto reach = [&](std::size_t begin, std::size_t end, std::int32_t id, double score) {
    const double sum = score + static_cast<double>(places[begin].score);
    Place& place = places[end];
    if (place.id < 0 || sum > static_cast<double>(place.score)) {
      place = {begin, id, static_cast<float>(sum)};
    }
  };
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t next = begin;
    next_code_point(text, next);
    bool alone = false;
    for (std::size_t end = next; end - begin <= impl_->longest;) {
      const auto found = impl_->ids.find(std::string_view(text).substr(begin, end - begin));
      if (found != impl_->ids.end()) {
        alone = alone || end == next;
        reach(begin, end, found->second, impl_->score_of(found->second));
      }
      if (end == text.size()) break;
      next_code_point(text, end);
    }
    if (!alone) reach(begin, next, impl_->unknown, impl_->worst_score - kUnknownPenalty);
    begin = next;
  }
  std::vector<std::int64_t> ids;
  for (std::size_t at = text.size(); at > 0; at = places[at].begin) {
    const bool repeated =
        places[at].id == impl_->unknown && !ids.empty() && ids.back() == impl_->unknown;
    if (!repeated) ids.push_back(places[at].id);  // a run of unknown ones is one
  }
  std::reverse(ids.begin(), ids.end());
  return ids;
}

std::string UnigramCodec::decode(std::int64_t id) const {
  const Piece& piece = impl_->pieces.at(static_cast<std::size_t>(id));
  if (piece.kind == kUnknown || piece.kind == kControl) return "";
  std::string out;
  std::string_view rest = piece.text;
  while (!rest.empty()) {
    const std::size_t size = std::min(rest.find(kBlank), rest.size());
    out.append(rest.substr(0, size));
    rest.remove_prefix(size);
    if (rest.empty()) break;
    out.push_back(' ');
    rest.remove_prefix(kBlank.size());
  }
  return out;
}

Status UnigramCodec::save(Disk& disk, const std::string& folder) const {
  return write_file_atomic(disk, folder + "/tokenizer.model", impl_->bytes);
}

Status UnigramCodec::describe(model::GgufWriter& gguf) const {
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> kinds;
  for (const Piece& piece : impl_->pieces) {
    tokens.push_back(piece.text);
    scores.push_back(piece.score);
    kinds.push_back(piece.kind);
  }
  gguf.set("tokenizer.ggml.model", "t5");  // llama.cpp's name for a unigram model; "llama" merges
  gguf.set("tokenizer.ggml.pre", "default");
  gguf.set("tokenizer.ggml.tokens", tokens);
  gguf.set("tokenizer.ggml.scores", scores);
  gguf.set("tokenizer.ggml.token_type", kinds);
  gguf.set("tokenizer.ggml.unknown_token_id", static_cast<std::uint32_t>(impl_->unknown));
  if (end() >= 0) {
    gguf.set("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(end()));
    gguf.set("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(end()));
  }
  for (const char* key :
       {"add_bos_token", "add_eos_token", "add_space_prefix", "remove_extra_whitespaces"}) {
    gguf.set(std::string("tokenizer.ggml.") + key, false);
  }
  gguf.set("tokenizer.chat_template", model::kPlainTemplate);
  return {};
}

}  // namespace qiao::learn
