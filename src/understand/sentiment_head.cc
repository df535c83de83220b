// SPDX-License-Identifier: Apache-2.0
#include "understand/sentiment_head.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "understand/builtin_heads.h"

namespace qiao {
namespace {

constexpr std::size_t kProbeNumbers = 16;
// Rounding of another machine or of 16-bit weights moves a number by less than 0.005.
constexpr double kProbeTolerance = 0.02;
constexpr double kSteps = 127;

Result<std::vector<float>> read_numbers(const Json& json, std::string_view key, std::size_t size) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (found == json.end() || !found->is_array() || found->size() != size) {
    return invalid_argument("sentiment head: `" + std::string(key) + "` must be a list of " +
                            std::to_string(size) + " numbers");
  }
  std::vector<float> numbers;
  for (const Json& value : *found) {
    if (!value.is_number()) {
      return invalid_argument("sentiment head: `" + std::string(key) + "` holds no number");
    }
    numbers.push_back(value.get<float>());
  }
  return numbers;
}

float greatest_of(const std::vector<std::vector<float>>& weights) {
  float greatest = 0;
  for (const std::vector<float>& row : weights) {
    for (const float weight : row) greatest = std::max(greatest, std::abs(weight));
  }
  return greatest;
}

}  // namespace

SentimentHead::SentimentHead(Card card, std::vector<std::vector<float>> weights,
                             std::vector<float> biases)
    : card_(std::move(card)), weights_(std::move(weights)), biases_(std::move(biases)) {
  QIAO_CHECK(weights_.size() == kSentiments.size() && biases_.size() == kSentiments.size());
}

Result<SentimentHead> SentimentHead::parse(std::string_view text) {
  QIAO_ASSIGN(const Json json, parse_json(text));
  const std::int64_t size = json_integer(json, "size").value_or(0);
  if (size < static_cast<std::int64_t>(kProbeNumbers) ||
      size > static_cast<std::int64_t>(kHeadSizeMax)) {
    return invalid_argument("sentiment head: `size` must be between 16 and 4096");
  }
  Card card{json_string(json, "encoder").value_or(""), json_string(json, "probe").value_or(""), {}};
  QIAO_ASSIGN(card.probe_vector, read_numbers(json, "probe_vector", kProbeNumbers));
  const double step = json_number(json, "step").value_or(0);
  if (!(step > 0) || !std::isfinite(step)) {
    return invalid_argument("sentiment head: `step` must be a positive number");
  }
  std::vector<std::vector<float>> weights;
  for (const std::string_view sentiment : kSentiments) {
    QIAO_ASSIGN(std::vector<float> row,
                read_numbers(json, sentiment, static_cast<std::size_t>(size)));
    for (float& weight : row) weight *= static_cast<float>(step);
    weights.push_back(std::move(row));
  }
  QIAO_ASSIGN(std::vector<float> biases, read_numbers(json, "biases", kSentiments.size()));
  return SentimentHead(std::move(card), std::move(weights), std::move(biases));
}

Result<SentimentHead> SentimentHead::builtin(Language language) {
  return parse(language == Language::kChinese ? kSentimentZhJson : kSentimentEnJson);
}

bool SentimentHead::fits(Model& encoder) const {
  const auto made = embed_and_wait(encoder, {card_.probe});
  if (!made || made->size() != 1 || made->front().size() != size()) return false;
  for (std::size_t i = 0; i < card_.probe_vector.size(); ++i) {
    if (std::abs(made->front()[i] - card_.probe_vector[i]) > kProbeTolerance) return false;
  }
  return true;
}

std::array<double, kSentiments.size()> SentimentHead::chances(std::span<const float> vector) const {
  std::array<double, kSentiments.size()> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = std::inner_product(vector.begin(), vector.end(), weights_[i].begin(), biases_[i]);
  }
  const double greatest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value - greatest);
  for (double& value : values) value /= sum;
  return values;
}

std::optional<Sentiment> SentimentHead::judge(std::span<const float> vector) const {
  if (vector.size() != size()) return std::nullopt;
  const auto values = chances(vector);
  const auto best = std::max_element(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(best - values.begin());
  return Sentiment{std::string(kSentiments[at]), *best};
}

std::string head_json(const SentimentHead::Card& card, const Json& about,
                      const std::vector<std::vector<float>>& weights,
                      const std::vector<float>& biases) {
  const double step = std::max<double>(greatest_of(weights), 1e-6) / kSteps;
  Json json{{"about", about}, {"encoder", card.encoder}, {"size", weights.front().size()}};
  json["probe"] = card.probe;
  Json probe = Json::array();
  for (std::size_t i = 0; i < kProbeNumbers; ++i) {
    probe.push_back(std::round(card.probe_vector.at(i) * 1e4) / 1e4);
  }
  json["probe_vector"] = std::move(probe);
  json["biases"] = biases;
  json["step"] = step;
  for (std::size_t i = 0; i < kSentiments.size(); ++i) {
    Json row = Json::array();
    for (const float weight : weights[i]) row.push_back(std::lround(weight / step));
    json[std::string(kSentiments[i])] = std::move(row);
  }
  std::string text = "{\n";
  for (const auto& [key, value] : json.items()) {
    text += (text.size() > 2 ? ",\n" : "") + dump_json(Json(key)) + ": " + dump_json(value);
  }
  return text + "\n}\n";
}

}  // namespace qiao
