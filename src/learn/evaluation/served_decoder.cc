// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/served_decoder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <vector>

#include "learn/tokenizers/left_out.h"
#include "learn/tokenizers/text_codec.h"
#include "model/llama/llama_scores.h"

namespace qiao::learn {
namespace {

struct Told {
  double loss = 0;
  std::size_t right = 0;
  std::size_t tokens = 0;
  double seconds = 0;
};

// `scores` are those after each token from `first` on.
void add(const std::vector<std::vector<float>>& scores, const std::vector<std::int64_t>& ids,
         std::size_t first, Told& told) {
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const std::vector<float>& row = scores[i];
    const auto best = std::max_element(row.begin(), row.end());
    const auto wanted = static_cast<std::size_t>(ids[first + i + 1]);
    const double sum = std::accumulate(row.begin(), row.end(), 0.0, [&](double all, float score) {
      return all + std::exp(static_cast<double>(score) - *best);
    });
    told.loss += std::log(sum) + *best - row[wanted];
    told.right += static_cast<std::size_t>(best - row.begin()) == wanted ? 1U : 0U;
    ++told.tokens;
  }
}

}  // namespace

Result<Json> measure_decoder(const std::string& gguf, const std::string& text, int threads,
                             const std::atomic<bool>& stop) {
  QIAO_ASSIGN(const auto codec, GgufCodec::open(gguf));
  QIAO_ASSIGN(const std::vector<std::int64_t> ids, codec->encode(text));
  if (ids.size() < 2) return invalid_argument("the text has fewer than two tokens of the model's");
  QIAO_ASSIGN(model::LlamaScorer scorer, model::LlamaScorer::open(gguf, "", threads));
  const std::size_t length = std::min(kServedStretchTokens, scorer.tokens_max());
  Told told;
  for (std::size_t i = 0; i < kServedStretchesMax; ++i) {
    const std::size_t first = i * length;
    if (first + 1 >= ids.size()) break;
    if (stop.load()) return Error{Code::kCancelled, "stopped while it was measured"};
    const std::size_t last = std::min(ids.size() - 1, first + length);
    const std::vector<std::int32_t> stretch(ids.begin() + static_cast<std::ptrdiff_t>(first),
                                            ids.begin() + static_cast<std::ptrdiff_t>(last));
    if (i == 0) QIAO_TRY(scorer.score(stretch));  // not timed: the file is read, threads wake
    const auto begin = std::chrono::steady_clock::now();
    QIAO_ASSIGN(const auto scores, scorer.score(stretch));
    told.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    add(scores, ids, first, told);
  }
  const auto tokens = static_cast<double>(told.tokens);
  std::error_code fault;
  Json figures = {{"accuracy", static_cast<double>(told.right) / tokens},
                  {"perplexity", std::exp(told.loss / tokens)},
                  {"tokens", told.tokens},
                  {"bytes", std::filesystem::file_size(gguf, fault)},
                  {"ms_per_token", 1000 * told.seconds / tokens}};
  add_left_out(figures, left_out_of(text, ids, *codec));
  return figures;
}

Result<Json> measure_shrunk_decoder(const std::string& before, const std::string& after,
                                    const std::string& text, int threads,
                                    const std::atomic<bool>& stop) {
  QIAO_ASSIGN(const Json had, measure_decoder(before, text, threads, stop));
  QIAO_ASSIGN(const Json has, measure_decoder(after, text, threads, stop));
  const auto figure = [](const Json& one, const char* name) { return one[name].get<double>(); };
  return Json{{"before", had},
              {"after", has},
              {"lost", 100 * (figure(had, "accuracy") - figure(has, "accuracy"))},
              {"faster", figure(had, "ms_per_token") / figure(has, "ms_per_token")},
              {"engine", "llama.cpp"}};
}

}  // namespace qiao::learn
