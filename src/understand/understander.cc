// SPDX-License-Identifier: Apache-2.0
#include "understand/understander.h"

#include <utility>

#include "base/clock.h"
#include "text/language.h"
#include "understand/message_judge.h"

namespace qiao {
namespace {

class ExampleUnderstander final : public Understander {
 public:
  ExampleUnderstander(Encoders encoders, MessageJudge judge, std::vector<HeadSpec> heads,
                      const Clock& clock)
      : encoders_(std::move(encoders)),
        heads_(std::move(heads)),
        clock_(clock),
        judge_(std::make_shared<const MessageJudge>(std::move(judge))) {}

  void annotate(AskedText asked, OnAnnotated done) const override;
  void embed(std::string text, Language language, Model::OnEmbedded done) const override;

 private:
  const Encoders encoders_;
  const TrainedHeads heads_;
  const Clock& clock_;
  const std::shared_ptr<const MessageJudge> judge_;
};

void ExampleUnderstander::annotate(AskedText asked, OnAnnotated done) const {
  const std::int64_t began_us = clock_.steady_us();
  const auto end = [&clock = clock_, began_us, done = std::move(done)](Annotations annotations) {
    annotations.ms = static_cast<double>(clock.steady_us() - began_us) / 1000.0;
    done(std::move(annotations));
  };
  const auto finish = [judge = judge_, judged = heads_.ask(asked, end)](const std::string& said,
                                                                        std::vector<float> vector) {
    judged(judge->judge(said, std::move(vector)));
  };
  Model* encoder =
      judge_->wants_vector() ? encoder_of(encoders_, detect_language(asked.text)) : nullptr;
  if (encoder == nullptr) return finish(asked.text, {});
  std::vector<std::string> texts{asked.text};
  encoder->embed(std::move(texts), [finish, said = std::move(asked.text)](Result<Embeddings> made) {
    const bool whole = made && made->size() == 1;
    finish(said, whole ? std::move(made->front()) : std::vector<float>());
  });
}

void ExampleUnderstander::embed(std::string text, Language language, Model::OnEmbedded done) const {
  Model* encoder = encoder_of(encoders_, language);
  if (encoder != nullptr) return encoder->embed({std::move(text)}, std::move(done));
  done(unavailable(std::string(encoder_name(language)) +
                   " is not installed: get it with `qiao model pull`"));
}

}  // namespace

Result<std::shared_ptr<const Understander>> Understander::make(UnderstandSpec spec,
                                                               Encoders encoders) {
  static const SystemClock kMachineClock;
  const Clock& clock = spec.clock != nullptr ? *spec.clock : kMachineClock;
  std::vector<HeadSpec> heads = spec.heads;
  for (const HeadSpec& head : heads) {
    if (head.name == kSentimentHead) spec.sentiment = false;  // the trained one judges it
  }
  QIAO_ASSIGN(MessageJudge judge, MessageJudge::make(std::move(spec), encoders));
  return std::make_shared<const ExampleUnderstander>(std::move(encoders), std::move(judge),
                                                     std::move(heads), clock);
}

}  // namespace qiao
