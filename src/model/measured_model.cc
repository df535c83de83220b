// SPDX-License-Identifier: Apache-2.0
#include "model/measured_model.h"

#include <utility>

namespace qiao::model {
namespace {

std::string label(const std::string& name) {
  return "model=\"" + name + "\"";
}

}  // namespace

MeasuredModel::MeasuredModel(std::shared_ptr<Model> model, const std::string& name,
                             const Clock& clock, Metrics& metrics)
    : clock_(clock),
      answers_(metrics.counter("qiao_model_answers_total", "Answers written", label(name))),
      failures_(metrics.counter("qiao_model_failures_total",
                                "Requests that ended without an answer or vectors", label(name))),
      prompt_tokens_(
          metrics.counter("qiao_model_prompt_tokens_total", "Tokens of prompts", label(name))),
      cached_tokens_(metrics.counter("qiao_model_cached_tokens_total",
                                     "Tokens of prompts that were not decoded again", label(name))),
      completion_tokens_(
          metrics.counter("qiao_model_completion_tokens_total", "Tokens written", label(name))),
      texts_(metrics.counter("qiao_model_texts_total", "Texts encoded", label(name))),
      first_token_(metrics.histogram("qiao_model_first_token_seconds",
                                     "From the request to the first token", label(name))),
      encoding_(metrics.histogram("qiao_model_embed_seconds",
                                  "From a request for vectors to its end", label(name))),
      model_(std::move(model)) {}

Model::RequestId MeasuredModel::generate(GenerateRequest request, OnText on_text,
                                         OnGenerated on_done) {
  return model_->generate(std::move(request), std::move(on_text),
                          [this, on_done = std::move(on_done)](Result<Generated> generated) {
                            if (generated) {
                              count(*generated);
                            } else {
                              failures_.add();
                            }
                            on_done(std::move(generated));
                          });
}

void MeasuredModel::count(const Generated& generated) {
  answers_.add();
  const auto& usage = generated.usage;
  prompt_tokens_.add(static_cast<std::uint64_t>(usage.prompt_tokens));
  cached_tokens_.add(static_cast<std::uint64_t>(usage.cached_tokens));
  completion_tokens_.add(static_cast<std::uint64_t>(usage.completion_tokens));
  first_token_.observe(generated.first_token_ms / 1000);
}

Model::OnEmbedded MeasuredModel::measured(OnEmbedded on_done) {
  return [this, start_us = clock_.steady_us(),
          on_done = std::move(on_done)](Result<Embeddings> vectors) {
    if (vectors) {
      texts_.add(vectors->size());
      encoding_.observe(static_cast<double>(clock_.steady_us() - start_us) / 1e6);
    } else {
      failures_.add();
    }
    on_done(std::move(vectors));
  };
}

void MeasuredModel::embed(std::vector<std::string> texts, OnEmbedded on_done) {
  model_->embed(std::move(texts), measured(std::move(on_done)));
}

void MeasuredModel::encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) {
  model_->encode(std::move(tokens), measured(std::move(on_done)));
}

}  // namespace qiao::model
