// SPDX-License-Identifier: Apache-2.0
#include "model/llama/llama_sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "base/random.h"

namespace qiao::model {
namespace {

bool likelier(const llama_token_data& a, const llama_token_data& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

bool within(double value, double low, double high) {
  return value >= low && value <= high;  // false for NaN
}

LlamaSampler make_chain(const Sampling& sampling) {
  LlamaSampler chain(llama_sampler_chain_init(llama_sampler_chain_default_params()));
  const auto add = [&](llama_sampler* part) { llama_sampler_chain_add(chain.get(), part); };
  const auto seed = sampling.seed != 0 ? sampling.seed : static_cast<std::uint32_t>(random_seed());
  add(llama_sampler_init_top_p(static_cast<float>(sampling.top_p), 1));
  add(llama_sampler_init_min_p(static_cast<float>(sampling.min_p), 1));
  add(llama_sampler_init_temp(static_cast<float>(sampling.temperature)));
  add(llama_sampler_init_dist(seed));
  return chain;
}

}  // namespace

Status check_sampling(const Sampling& sampling) {
  if (!within(sampling.temperature, 0, 5)) return invalid_argument("temperature must be 0 to 5");
  if (!within(sampling.top_p, 0, 1)) return invalid_argument("top_p must be 0 to 1");
  if (!within(sampling.min_p, 0, 1)) return invalid_argument("min_p must be 0 to 1");
  if (!within(sampling.repeat_penalty, 0.1, 10)) {
    return invalid_argument("repeat_penalty must be 0.1 to 10");
  }
  if (sampling.top_k < 0) return invalid_argument("top_k must not be negative");
  return {};
}

Result<TokenSampler> TokenSampler::make(const llama_vocab& vocab, const Sampling& sampling,
                                        const std::string& gbnf) {
  QIAO_TRY(check_sampling(sampling));
  TokenSampler sampler(sampling);
  if (sampling.temperature > 0) sampler.chain_ = make_chain(sampling);
  if (!gbnf.empty()) {
    try {
      sampler.grammar_.reset(llama_sampler_init_grammar(&vocab, gbnf.c_str(), "root"));
    } catch (const std::exception& e) {
      return invalid_argument(std::string("the grammar is not GBNF: ") + e.what());
    }
    if (sampler.grammar_ == nullptr) {
      return invalid_argument("the grammar is not GBNF with a rule `root`");
    }
  }
  return sampler;
}

void TokenSampler::penalise(std::span<float> logits) const {
  if (sampling_.repeat_penalty == 1) return;
  const auto penalty = static_cast<float>(sampling_.repeat_penalty);
  auto seen = recent_;
  const auto end = seen.begin() + static_cast<std::ptrdiff_t>(std::min(picked_, kPenaltyWindow));
  std::sort(seen.begin(), end);
  std::for_each(seen.begin(), std::unique(seen.begin(), end), [&](Token token) {
    float& logit = logits[static_cast<std::size_t>(token)];
    logit = logit > 0 ? logit / penalty : logit * penalty;
  });
}

// The top_k likeliest, sorted: a heap of them while going over the vocabulary once.
void TokenSampler::choose_candidates(std::span<const float> logits) {
  const auto wanted = sampling_.top_k > 0 ? static_cast<std::size_t>(sampling_.top_k) : SIZE_MAX;
  // A grammar gets more to choose from: it is cheap on a few and dear on all.
  const std::size_t least = grammar_ != nullptr ? 16 : 1;
  const std::size_t count = std::min(
      {chain_ != nullptr ? std::max(wanted, least) : least, kCandidatesMax, logits.size()});
  candidates_.clear();
  float lowest = -INFINITY;  // must be beaten; NaN never does
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > lowest)) continue;
    if (candidates_.size() == count) {
      std::pop_heap(candidates_.begin(), candidates_.end(), likelier);
      candidates_.pop_back();
    }
    candidates_.push_back({static_cast<Token>(i), logits[i], 0});
    std::push_heap(candidates_.begin(), candidates_.end(), likelier);
    if (candidates_.size() == count) lowest = candidates_.front().logit;
  }
  std::sort_heap(candidates_.begin(), candidates_.end(), likelier);
}

Status TokenSampler::apply_grammar(std::span<const float> logits) {
  const auto keep_allowed = [this] {
    llama_token_data_array array{candidates_.data(), candidates_.size(), -1, false};
    llama_sampler_apply(grammar_.get(), &array);
    std::erase_if(candidates_, [](const auto& c) { return c.logit == -INFINITY; });
  };
  keep_allowed();
  if (candidates_.empty()) {
    for (std::size_t i = 0; i < logits.size(); ++i) {
      candidates_.push_back({static_cast<Token>(i), logits[i], 0});
    }
    keep_allowed();
    std::sort(candidates_.begin(), candidates_.end(), likelier);
  }
  if (candidates_.empty()) {
    return Error{Code::kModelFailed,
                 "the grammar allows nothing more, yet the answer is not whole"};
  }
  return {};
}

Token TokenSampler::draw() {
  if (chain_ == nullptr) return candidates_.front().id;
  llama_token_data_array array{candidates_.data(), candidates_.size(), -1, true};
  llama_sampler_apply(chain_.get(), &array);
  const bool chosen = array.selected >= 0 && static_cast<std::size_t>(array.selected) < array.size;
  return chosen ? array.data[array.selected].id : candidates_.front().id;
}

void TokenSampler::remember(Token token) {
  recent_[picked_ % kPenaltyWindow] = token;
  ++picked_;
}

Result<Token> TokenSampler::pick(std::span<float> logits) {
  try {
    penalise(logits);
    choose_candidates(logits);
    if (candidates_.empty()) {
      return Error{Code::kModelFailed, "the model computed no usable numbers"};
    }
    if (grammar_ != nullptr) QIAO_TRY(apply_grammar(logits));
    const Token token = draw();
    remember(token);
    if (grammar_ != nullptr) llama_sampler_accept(grammar_.get(), token);
    return token;
  } catch (const std::exception& e) {
    return Error{Code::kModelFailed,
                 std::string("the answer cannot satisfy the grammar: ") + e.what()};
  }
}

}  // namespace qiao::model
