// SPDX-License-Identifier: Apache-2.0
#include <atomic>

#include "server/openai/openai_answer.h"
#include "server/openai/openai_chat.h"

namespace qiao::server {
namespace {

// One answer of a model for one OpenAI client. Held by the model's callbacks until it ends.
class ModelChat : public std::enable_shared_from_this<ModelChat> {
 public:
  ModelChat(const ApiServices& services, std::shared_ptr<Model> model, ChatRequest request,
            const Writer& writer)
      : model_(std::move(model)),
        request_(std::move(request)),
        answer_(writer, {services.ids.next(),
                         request_.model,
                         services.clock.wall_ms() / 1'000,
                         request_.stream,
                         request_.include_usage,
                         {}}) {}

  void start() {
    const Model::RequestId id = model_->generate(
        std::move(request_.generate),
        [self = shared_from_this()](std::string_view piece) {
          // The peer is gone or too slow: nobody reads on.
          if (!self->answer_.text(piece)) self->leave();
        },
        [self = shared_from_this()](const Result<Generated>& generated) {
          generated ? self->finish(*generated) : self->answer_.fail(generated.error());
        });
    id_ = id;
    if (left_) model_->cancel(id);
  }

  void leave() {
    left_ = true;
    if (const Model::RequestId id = id_; id != 0) model_->cancel(id);
  }

 private:
  void finish(const Generated& generated) {
    ChatAnswer::End end;
    end.tool_calls = generated.tool_calls;
    end.finish = generated.finish;
    end.usage = generated.usage;
    end.extra =
        Json{{"first_token_ms", generated.first_token_ms}, {"total_ms", generated.total_ms}};
    answer_.finish(end);
  }

  const std::shared_ptr<Model> model_;
  ChatRequest request_;
  ChatAnswer answer_;
  std::atomic<Model::RequestId> id_{0};
  std::atomic<bool> left_{false};
};

}  // namespace

void chat_with_model(const ApiServices& services, const std::shared_ptr<Model>& model,
                     ChatRequest request, Writer writer) {
  auto chat = std::make_shared<ModelChat>(services, model, std::move(request), writer);
  writer->on_close([weak = std::weak_ptr(chat)] {
    if (const auto self = weak.lock()) self->leave();
  });
  chat->start();
}

}  // namespace qiao::server
