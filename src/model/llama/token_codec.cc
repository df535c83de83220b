// SPDX-License-Identifier: Apache-2.0
#include "model/llama/token_codec.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "model/llama/chat_template.h"
#include "model/llama/llama_handles.h"
#include "model/llama/local_model.h"

namespace qiao::model {
namespace {

std::string template_of(const llama_model& weights) {
  const char* text = llama_model_chat_template(&weights, nullptr);
  return text == nullptr ? std::string() : text;
}

Status check_turns(std::span<const ChatTurn> turns) {
  bool answers = false;
  for (const ChatTurn& turn : turns) {
    if (turn.role == Role::kTool || !turn.tool_calls.empty()) {
      return invalid_argument("tools are not taught: leave such turns out");
    }
    if (turn.content.empty()) return invalid_argument("a turn has no text");
    answers = answers || turn.role == Role::kAssistant;
  }
  return answers ? Status() : invalid_argument("no turn is the assistant's");
}

// A file that has no name anywhere, so that none is left, however the process ends.
Result<int> nameless_file(std::string_view bytes) {
  const int fd = ::memfd_create("qiao-tokenizer", MFD_CLOEXEC);
  if (fd < 0) return unavailable(std::string("no memory file: ") + std::strerror(errno));
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const std::string why = std::strerror(errno);
      ::close(fd);
      return unavailable("no memory for a tokenizer: " + why);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(fd, 0, SEEK_SET);
  return fd;
}

}  // namespace

struct TokenCodec::Impl {
  LlamaWeights weights;
  const llama_vocab* vocab;
  ChatTemplate form;
};

TokenCodec::TokenCodec(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenCodec::~TokenCodec() = default;

Result<std::shared_ptr<const TokenCodec>> TokenCodec::open(const std::string& path) {
  QIAO_ASSIGN(const int fd, open_model_file("tokenizer", path));
  return read(fd, path);
}

Result<std::shared_ptr<const TokenCodec>> TokenCodec::of_bytes(std::string_view bytes,
                                                               const std::string& name) {
  QIAO_ASSIGN(const int fd, nameless_file(bytes));
  return read(fd, name);
}

Result<std::shared_ptr<const TokenCodec>> TokenCodec::read(int fd, const std::string& name) {
  QIAO_ASSIGN(LlamaWeights weights, load_weights(fd, name, LoadPart::kVocabulary));
  const llama_vocab* vocab = llama_model_get_vocab(weights.get());
  if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_NONE) {
    return Error{Code::kCorrupt, name + " has no tokenizer"};
  }
  ChatTemplate form(template_of(*weights));
  auto impl = std::make_unique<Impl>(Impl{std::move(weights), vocab, std::move(form)});
  return std::shared_ptr<const TokenCodec>(new TokenCodec(std::move(impl)));
}

std::int32_t TokenCodec::size() const {
  return llama_vocab_n_tokens(impl_->vocab);
}

std::int32_t TokenCodec::end() const {
  return llama_vocab_eos(impl_->vocab);
}

Result<std::vector<std::int32_t>> TokenCodec::encode(std::string_view text) const {
  return tokenise(*impl_->vocab, text, false);
}

std::string TokenCodec::decode(std::int32_t token) const {
  return piece_of(*impl_->vocab, token);
}

Result<std::vector<TaughtToken>> TokenCodec::encode_conversation(
    std::span<const ChatTurn> turns) const {
  QIAO_TRY(check_turns(turns));
  QIAO_ASSIGN(const auto parts, impl_->form.render(turns, nullptr, false));
  std::vector<TaughtToken> tokens;
  if (llama_vocab_get_add_bos(impl_->vocab)) {
    tokens.push_back({llama_vocab_bos(impl_->vocab), false});
  }
  std::size_t turn = 0;     // of the next text
  bool must_end = false;    // the assistant's text stands before this markup
  std::size_t unended = 0;  // turns whose end is no control token
  for (const PromptPart& part : parts) {
    QIAO_ASSIGN(const auto some, tokenise(*impl_->vocab, part.text, part.markup));
    const bool answer = !part.markup && turn < turns.size() && turns[turn].role == Role::kAssistant;
    for (const Token token : some) {
      const bool ends = must_end && llama_vocab_is_eog(impl_->vocab, token);
      tokens.push_back({token, answer || ends});
      if (ends) must_end = false;
    }
    if (must_end) ++unended;
    must_end = answer;
    if (!part.markup) ++turn;
  }
  if (turn != turns.size() || unended > 0 || must_end) {
    return Error{Code::kUnsupported,
                 "the model's chat form ends its turns with no control token, or leaves some out: "
                 "it cannot learn when to stop"};
  }
  if (tokens.size() > 1 && tokens[0].id == tokens[1].id &&
      tokens[0].id == llama_vocab_bos(impl_->vocab)) {
    tokens.erase(tokens.begin());  // the template wrote it, too
  }
  return tokens;
}

}  // namespace qiao::model
