// SPDX-License-Identifier: Apache-2.0
#include "learn/data/token_corpus.h"

#include "base/digest.h"

namespace qiao::learn {
namespace {

Result<std::vector<std::int64_t>> encode_documents(std::string_view text, const TextCodec& codec,
                                                   const std::string& separator) {
  if (separator.empty()) return codec.encode(text);
  if (codec.end() < 0) return invalid_argument("the model has no token that ends a text");
  std::vector<std::int64_t> tokens;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find(separator), text.size());
    if (size > 0) {
      QIAO_ASSIGN(const auto some, codec.encode(text.substr(0, size)));
      tokens.insert(tokens.end(), some.begin(), some.end());
      tokens.push_back(codec.end());
    }
    text.remove_prefix(std::min(size + separator.size(), text.size()));
  }
  return tokens;
}

}  // namespace

Result<TokenCorpus> make_corpus(std::string_view text, const TextCodec& codec,
                                const CorpusOptions& options) {
  QIAO_ASSIGN(const auto tokens, encode_documents(text, codec, options.separator));
  const auto train =
      static_cast<std::ptrdiff_t>((1 - options.held_out) * static_cast<double>(tokens.size()));
  TokenCorpus corpus{sha256_hex(text),
                     {tokens.begin(), tokens.begin() + train},
                     {tokens.begin() + train, tokens.end()}};
  const auto least = static_cast<std::size_t>(options.tokens_min);
  if (corpus.train.size() <= least || corpus.held_out.size() <= least) {
    return invalid_argument(options.name + " is too short for a context of " +
                            std::to_string(options.tokens_min));
  }
  return corpus;
}

}  // namespace qiao::learn
