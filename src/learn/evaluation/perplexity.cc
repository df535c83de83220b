// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/perplexity.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "learn/evaluation/intervals.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kStretchTokensMax = 512;

StretchScore sum_of(const TextScore& score, const std::vector<std::size_t>& stretches) {
  StretchScore sum;
  for (const std::size_t i : stretches) {
    sum.tokens += score.stretches[i].tokens;
    sum.loss += score.stretches[i].loss;
    sum.right += score.stretches[i].right;
  }
  return sum;
}

std::vector<std::size_t> all_of(const TextScore& score) {
  std::vector<std::size_t> all(score.stretches.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

double loss_of(const StretchScore& score) {
  return score.loss / static_cast<double>(std::max<std::size_t>(1, score.tokens));
}

double accuracy_of(const StretchScore& score) {
  return static_cast<double>(score.right) /
         static_cast<double>(std::max<std::size_t>(1, score.tokens));
}

StretchScore score_stretch(LanguageModel& model, const std::vector<std::int64_t>& ids,
                           std::size_t first, std::int64_t length) {
  const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(first);
  const torch::Tensor stretch = torch::tensor(std::vector<std::int64_t>(begin, begin + length + 1));
  const torch::Tensor seen = stretch.narrow(0, 0, length).unsqueeze(0);
  const torch::Tensor wanted = stretch.narrow(0, 1, length);
  const torch::Tensor logs = torch::log_softmax(model.forward(seen)[0].cpu().to(torch::kFloat), -1);
  const torch::Tensor told = logs.gather(-1, wanted.unsqueeze(-1));
  return {static_cast<std::size_t>(length), -told.sum().item<double>(),
          static_cast<std::size_t>(logs.argmax(-1).eq(wanted).sum().item<std::int64_t>())};
}

}  // namespace

Result<TextScore> score_text(const LanguageBundle& bundle, std::string_view text,
                             std::size_t stretches_max, const std::atomic<bool>& stop,
                             const std::function<void(double)>& progress) {
  const torch::NoGradGuard no_grad;
  QIAO_ASSIGN(const std::vector<std::int64_t> ids, bundle.codec->encode(text));
  if (ids.size() < 2) return invalid_argument("the text has fewer than two tokens of the model's");
  bundle.model->eval();
  TextScore score;
  score.left_out = left_out_of(text, ids, *bundle.codec);
  const auto begin = std::chrono::steady_clock::now();
  const auto context = static_cast<std::size_t>(std::min(bundle.shape.context, kStretchTokensMax));
  for (std::size_t first = 0; first + 1 < ids.size(); first += context) {
    if (stop.load()) return Error{Code::kCancelled, "the evaluation was stopped"};
    if (stretches_max > 0 && score.stretches.size() == stretches_max) break;
    const std::size_t length = std::min(context, ids.size() - 1 - first);
    score.stretches.push_back(
        score_stretch(*bundle.model, ids, first, static_cast<std::int64_t>(length)));
    if (progress) progress(static_cast<double>(first + length) / static_cast<double>(ids.size()));
  }
  score.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::string told;  // what the tokens after the first say
  std::size_t tokens = sum_of(score, all_of(score)).tokens;
  for (std::size_t i = 1; i <= tokens; ++i) told += bundle.codec->decode(ids[i]);
  for (std::size_t at = 0; at < told.size(); ++score.characters) next_code_point(told, at);
  return score;
}

double perplexity(const TextScore& score) {
  return std::exp(loss_of(sum_of(score, all_of(score))));
}

double next_token_accuracy(const TextScore& score) {
  return accuracy_of(sum_of(score, all_of(score)));
}

Json to_json(const TextScore& score, std::uint64_t seed) {
  const StretchScore sum = sum_of(score, all_of(score));
  const Interval within = bootstrap(
      score.stretches.size(),
      [&](const auto& drawn) { return std::exp(loss_of(sum_of(score, drawn))); }, seed);
  const double characters = static_cast<double>(std::max<std::size_t>(1, score.characters));
  Json told = {
      {"n", sum.tokens},
      {"loss", loss_of(sum)},
      {"perplexity", std::exp(loss_of(sum))},
      {"bits_per_character", sum.loss / std::log(2.0) / characters},
      {"accuracy", accuracy_of(sum)},
      {"intervals", {{"perplexity", {within.low, within.high}}}},
      {"tokens_per_second", static_cast<double>(sum.tokens) / std::max(1e-9, score.seconds)},
      {"seconds", score.seconds}};
  add_left_out(told, score.left_out);
  return told;
}

bool comparable(const TextScore& first, const TextScore& second) {
  return std::equal(first.stretches.begin(), first.stretches.end(), second.stretches.begin(),
                    second.stretches.end(),
                    [](const auto& a, const auto& b) { return a.tokens == b.tokens; });
}

Json compare_scores(const TextScore& first, const TextScore& second, std::uint64_t seed) {
  const auto by_loss = [&](const std::vector<std::size_t>& drawn) {
    return loss_of(sum_of(first, drawn)) - loss_of(sum_of(second, drawn));
  };
  const auto by_accuracy = [&](const std::vector<std::size_t>& drawn) {
    return accuracy_of(sum_of(first, drawn)) - accuracy_of(sum_of(second, drawn));
  };
  const std::vector<std::size_t> all = all_of(first);
  const Interval loss = bootstrap(all.size(), by_loss, seed);
  const Interval accuracy = bootstrap(all.size(), by_accuracy, seed);
  return {{"difference", {{"loss", by_loss(all)}, {"accuracy", by_accuracy(all)}}},
          {"intervals",
           {{"loss", {loss.low, loss.high}}, {"accuracy", {accuracy.low, accuracy.high}}}}};
}

}  // namespace qiao::learn
