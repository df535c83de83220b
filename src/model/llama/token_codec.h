// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/model.h"

namespace qiao::model {

// A token of a conversation, and whether a model that learns from it shall say it.
struct TaughtToken {
  std::int32_t id = 0;
  bool taught = false;
};

// The tokenizer and the chat form of a GGUF, without its weights: what training shares with the
// model that serves. Immutable, thread-safe.
class TokenCodec {
 public:
  // A GGUF file with `tokenizer.*`; it may be without tensors. Errors: not_found, corrupt.
  static Result<std::shared_ptr<const TokenCodec>> open(const std::string& path);
  // The same of the bytes of such a file; `name` is what an Error calls it.
  static Result<std::shared_ptr<const TokenCodec>> of_bytes(std::string_view bytes,
                                                            const std::string& name);
  ~TokenCodec();

  [[nodiscard]] std::int32_t size() const;
  // What ends a text, or -1.
  [[nodiscard]] std::int32_t end() const;
  // What looks like a control token is plain text.
  [[nodiscard]] Result<std::vector<std::int32_t>> encode(std::string_view text) const;
  // The bytes of one token, perhaps a part of a character; none of a control token.
  [[nodiscard]] std::string decode(std::int32_t token) const;

  // The conversation in the model's own chat form, as a served one is encoded. Taught are the
  // assistant's words and the token that ends its turn. Errors: a turn without text or with a role
  // other than system, user and assistant; a chat form whose turns end with no control token.
  [[nodiscard]] Result<std::vector<TaughtToken>> encode_conversation(
      std::span<const ChatTurn> turns) const;

 private:
  struct Impl;
  explicit TokenCodec(std::unique_ptr<Impl> impl);
  // Closes `fd`.
  static Result<std::shared_ptr<const TokenCodec>> read(int fd, const std::string& name);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao::model
