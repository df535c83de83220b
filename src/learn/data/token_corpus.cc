// SPDX-License-Identifier: Apache-2.0
#include "learn/data/token_corpus.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/digest.h"
#include "learn/data/gzip_reader.h"
#include "learn/tokenizers/characters.h"
#include "learn/tokenizers/wordpiece_codec.h"

namespace qiao::learn {
namespace {

Result<std::vector<std::int64_t>> encode_documents(std::string_view text, const TextCodec& codec,
                                                   const std::string& separator,
                                                   LeftOutCounter& left) {
  if (separator.empty()) {
    QIAO_ASSIGN(auto tokens, codec.encode(text));
    left.add(text, tokens);
    return tokens;
  }
  if (codec.end() < 0) return invalid_argument("the model has no token that ends a text");
  std::vector<std::int64_t> tokens;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find(separator), text.size());
    if (size > 0) {
      QIAO_ASSIGN(const auto some, codec.encode(text.substr(0, size)));
      left.add(text.substr(0, size), some);
      tokens.insert(tokens.end(), some.begin(), some.end());
      if (!some.empty()) tokens.push_back(codec.end());
    }
    text.remove_prefix(std::min(size + separator.size(), text.size()));
  }
  return tokens;
}

// A fingerprint does not know of capitals and accents.
bool read_alike(const TextCodec& one, const TextCodec& other) {
  if (fingerprint(one) != fingerprint(other)) return false;
  const auto* first = dynamic_cast<const WordPieceCodec*>(&one);
  const auto* second = dynamic_cast<const WordPieceCodec*>(&other);
  return first == nullptr || second == nullptr ||
         model::tokenizer_json(first->tokenizer()) == model::tokenizer_json(second->tokenizer());
}

Result<TokenCorpus> split(const TokenRow& tokens, std::string sha256,
                          const CorpusOptions& options) {
  const auto train =
      static_cast<std::size_t>((1 - options.held_out) * static_cast<double>(tokens.size()));
  TokenCorpus corpus{std::move(sha256), tokens.slice(0, train), tokens.slice(train, tokens.size())};
  const auto least = static_cast<std::size_t>(options.tokens_min);
  if (corpus.train.size() <= least || corpus.held_out.size() <= least) {
    return invalid_argument(options.name + " is too short for a context of " +
                            std::to_string(options.tokens_min));
  }
  return corpus;
}

}  // namespace

Result<TokenCorpus> make_corpus(std::string_view text, const TextCodec& codec,
                                const CorpusOptions& options) {
  LeftOutCounter left(codec);
  QIAO_ASSIGN(auto tokens, encode_documents(text, codec, options.separator, left));
  QIAO_ASSIGN(TokenCorpus corpus, split(TokenRow(std::move(tokens)), sha256_hex(text), options));
  corpus.left_out = left.sum();
  return corpus;
}

Result<CorpusSource> CorpusSource::open(const std::string& path) {
  CorpusSource source;
  source.path_ = path;
  if (is_token_folder(path)) {
    QIAO_ASSIGN(source.folder_, open_token_folder(path));
  } else if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) {
    return invalid_argument(path +
                            " is a folder without tokens; a file of text, or a folder that `qiao "
                            "train corpus --tokenizer` wrote, is wanted");
  } else {
    QIAO_ASSIGN(source.text_, read_gzip_file(path, kTextBytesMax));
  }
  return source;
}

Result<std::shared_ptr<const TextCodec>> CorpusSource::codec(const std::string& tokenizer) const {
  if (!tokenizer.empty()) return open_text_codec(tokenizer);
  if (folder_) return folder_->codec;
  QIAO_ASSIGN(Characters characters, Characters::of_text(text_));
  return std::shared_ptr<const TextCodec>(std::make_shared<CharacterCodec>(std::move(characters)));
}

Result<TokenCorpus> CorpusSource::tokens(const TextCodec& codec,
                                         const CorpusOptions& options) const {
  if (!folder_) return make_corpus(text_, codec, options);
  if (!options.separator.empty()) {
    return invalid_argument(path_ + " knows where its texts end: leave --separator out");
  }
  if (!read_alike(codec, *folder_->codec)) {
    return invalid_argument(path_ +
                            " was made with another tokenizer than the model's: make it "
                            "again with `qiao train corpus --tokenizer`");
  }
  return split(folder_->tokens, folder_->sha256, options);
}

}  // namespace qiao::learn
