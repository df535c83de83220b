// SPDX-License-Identifier: Apache-2.0
#include "understand/linear_head.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace qiao {
namespace {

constexpr std::size_t kProbeNumbers = 16;
// Rounding of another machine or of 16-bit weights moves a number by less than 0.005.
constexpr double kProbeTolerance = 0.02;
constexpr double kSteps = 127;

Result<std::vector<float>> read_numbers(const Json& json, std::string_view key, std::size_t size) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  if (found == json.end() || !found->is_array() || found->size() != size) {
    return invalid_argument("head: `" + std::string(key) + "` must be a list of " +
                            std::to_string(size) + " numbers");
  }
  std::vector<float> numbers;
  for (const Json& value : *found) {
    if (!value.is_number()) {
      return invalid_argument("head: `" + std::string(key) + "` holds no number");
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

LinearHead::LinearHead(HeadCard card, LinearLayer layer)
    : card_(std::move(card)), layer_(std::move(layer)) {
  QIAO_CHECK(!layer_.weights.empty() && layer_.weights.size() == layer_.biases.size());
}

Result<LinearHead> LinearHead::parse(std::string_view text,
                                     std::span<const std::string_view> classes) {
  QIAO_ASSIGN(const Json json, parse_json(text));
  const std::int64_t size = json_integer(json, "size").value_or(0);
  if (size < static_cast<std::int64_t>(kProbeNumbers) ||
      size > static_cast<std::int64_t>(kSizeMax)) {
    return invalid_argument("head: `size` must be between 16 and 4096");
  }
  HeadCard card{
      json_string(json, "encoder").value_or(""), json_string(json, "probe").value_or(""), {}};
  QIAO_ASSIGN(card.probe_vector, read_numbers(json, "probe_vector", kProbeNumbers));
  const double step = json_number(json, "step").value_or(0);
  if (!(step > 0) || !std::isfinite(step)) {
    return invalid_argument("head: `step` must be a positive number");
  }
  LinearLayer layer;
  for (const std::string_view name : classes) {
    QIAO_ASSIGN(std::vector<float> row, read_numbers(json, name, static_cast<std::size_t>(size)));
    for (float& weight : row) weight *= static_cast<float>(step);
    layer.weights.push_back(std::move(row));
  }
  QIAO_ASSIGN(layer.biases, read_numbers(json, "biases", classes.size()));
  return LinearHead(std::move(card), std::move(layer));
}

bool LinearHead::fits(Model& encoder, std::size_t beside) const {
  const auto made = embed_and_wait(encoder, {card_.probe});
  if (!made || made->size() != 1 || made->front().size() + beside != size()) return false;
  for (std::size_t i = 0; i < card_.probe_vector.size(); ++i) {
    if (std::abs(made->front()[i] - card_.probe_vector[i]) > kProbeTolerance) return false;
  }
  return true;
}

std::vector<double> LinearHead::chances(std::span<const float> numbers) const {
  std::vector<double> values;
  for (std::size_t i = 0; i < layer_.biases.size(); ++i) {
    values.push_back(std::inner_product(numbers.begin(), numbers.end(), layer_.weights[i].begin(),
                                        static_cast<double>(layer_.biases[i])));
  }
  const double greatest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value - greatest);
  for (double& value : values) value /= sum;
  return values;
}

std::string head_json(const HeadCard& card, const Json& about,
                      std::span<const std::string_view> classes, const LinearLayer& layer) {
  const double step = std::max<double>(greatest_of(layer.weights), 1e-6) / kSteps;
  Json json{{"about", about}, {"encoder", card.encoder}, {"size", layer.weights.front().size()}};
  json["probe"] = card.probe;
  Json probe = Json::array();
  for (std::size_t i = 0; i < kProbeNumbers; ++i) {
    probe.push_back(std::round(card.probe_vector.at(i) * 1e4) / 1e4);
  }
  json["probe_vector"] = std::move(probe);
  json["biases"] = layer.biases;
  json["step"] = step;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    Json row = Json::array();
    for (const float weight : layer.weights[i]) row.push_back(std::lround(weight / step));
    json[std::string(classes[i])] = std::move(row);
  }
  std::string text = "{\n";
  for (const auto& [key, value] : json.items()) {
    text += (text.size() > 2 ? ",\n" : "") + dump_json(Json(key)) + ": " + dump_json(value);
  }
  return text + "\n}\n";
}

}  // namespace qiao
