// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/wordpiece_codec.h"

#include <utility>

namespace qiao::learn {
namespace {

constexpr std::string_view kContinues = "##";

}  // namespace

WordPieceCodec::WordPieceCodec(model::WordPiece tokenizer)
    : tokenizer_(std::move(tokenizer)), end_(tokenizer_.encode("", 2).ids.back()) {}

std::int64_t WordPieceCodec::size() const {
  return static_cast<std::int64_t>(tokenizer_.pieces().size());
}

Result<std::vector<std::int64_t>> WordPieceCodec::encode(std::string_view text) const {
  const model::Encoded all = tokenizer_.encode(text, 4 * text.size() + 2);  // more than it can be
  return std::vector<std::int64_t>(all.ids.begin() + 1, all.ids.end() - 1);
}

std::string WordPieceCodec::decode(std::int64_t id) const {
  const std::string& piece = tokenizer_.pieces().at(static_cast<std::size_t>(id));
  if (piece.starts_with(kContinues)) return piece.substr(kContinues.size());
  return " " + piece;
}

Status WordPieceCodec::save(Disk& disk, const std::string& folder) const {
  std::string vocabulary;
  for (const std::string& piece : tokenizer_.pieces()) vocabulary += piece + "\n";
  QIAO_TRY(write_file_atomic(disk, folder + "/vocab.txt", vocabulary));
  return write_file_atomic(disk, folder + "/tokenizer.json", tokenizer_json(tokenizer_) + "\n");
}

Status WordPieceCodec::describe(model::GgufWriter&) const {
  return Error{Code::kUnsupported,
               "a decoder's GGUF holds no WordPiece vocabulary: train a bpe or unigram tokenizer"};
}

}  // namespace qiao::learn
