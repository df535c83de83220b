// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/text_head.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include "base/disk.h"
#include "model/bundle/head_tensors.h"
#include "model/bundle/tag_decoder.h"
#include "model/convert/convert_safetensors.h"
#include "text/utf8.h"

namespace qiao {
namespace {

constexpr int kLowercaseByFile = -1;
constexpr std::int64_t kTokensMin = 3;  // [CLS], a piece, [SEP]
constexpr std::int64_t kTokensMost = 2'048;
constexpr HeadTask kTasks[] = {HeadTask::kClassify, HeadTask::kTag, HeadTask::kRegress,
                               HeadTask::kHeads};

Error corrupt(std::string message) {
  return {Code::kCorrupt, std::move(message)};
}

Result<Json> read_json(const std::string& path) {
  QIAO_ASSIGN(const std::string text, read_file(path));
  auto json = parse_json(text);
  if (!json) return std::move(json.error()).with(path);
  if (!json->is_object() && !json->is_array()) return corrupt(path + " is no object and no list");
  return json;
}

// nullptr when `json` has no such member.
const Json* member(const Json& json, std::string_view key) {
  const auto found = json.is_object() ? json.find(std::string(key)) : json.end();
  return found == json.end() ? nullptr : &*found;
}

bool is_tag(std::string_view name) {
  return name == "O" || ((name.starts_with("B-") || name.starts_with("I-")) && name.size() > 2);
}

// Where each code point of `text` begins, and its end.
std::vector<std::size_t> offsets_of(std::string_view text) {
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at < text.size();) {
    offsets.push_back(at);
    next_code_point(text, at);
  }
  offsets.push_back(text.size());
  return offsets;
}

// Tags of characters to entities of bytes. An `I-` after something else begins one.
std::vector<Entity> entities_of(const std::vector<std::string>& tags, std::string_view text,
                                const std::vector<std::size_t>& offsets) {
  std::vector<Entity> out;
  std::string_view open;  // the kind that the character before belongs to
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const std::string_view tag = tags[i];
    const std::string_view kind = tag == "O" ? std::string_view() : tag.substr(2);
    if (!kind.empty() && (tag.starts_with("B-") || kind != open)) {
      out.push_back({std::string(kind), "", "", offsets[i], offsets[i]});
    }
    if (!kind.empty()) out.back().end = offsets[i + 1];
    open = kind;
  }
  for (Entity& entity : out) {
    entity.text = text.substr(entity.begin, entity.end - entity.begin);
    entity.value = entity.text;
  }
  return out;
}

}  // namespace

std::string_view name_of(HeadTask task) {
  if (task == HeadTask::kRegress) return "regress";
  if (task == HeadTask::kHeads) return "heads";
  return task == HeadTask::kTag ? "tag" : "classify";
}

Result<double> temperature_of(const Json& card, std::string_view head) {
  const Json* fitted = member(card, "calibration");
  if (fitted != nullptr && !head.empty()) {
    const Json* heads = member(*fitted, "heads");
    fitted = heads == nullptr ? nullptr : member(*heads, head);
  }
  if (fitted == nullptr) return 1.0;
  const double temperature = json_number(*fitted, "temperature").value_or(1);
  if (temperature > 0 && std::isfinite(temperature)) return temperature;
  return corrupt("card.json: calibration.temperature must be a positive number");
}

const HeadLabels* HeadAnswer::head(std::string_view name) const {
  const auto found = std::find_if(heads.begin(), heads.end(),
                                  [&](const HeadLabels& one) { return one.name == name; });
  return found == heads.end() ? nullptr : &*found;
}

const TextHead::Part* TextHead::part(std::string_view name) const {
  const auto found =
      std::find_if(parts_.begin(), parts_.end(), [&](const Part& one) { return one.name == name; });
  return found == parts_.end() ? nullptr : &*found;
}

std::vector<std::string> TextHead::labels_of(const Part& part) const {
  return {names_.begin() + static_cast<std::ptrdiff_t>(part.begin),
          names_.begin() + static_cast<std::ptrdiff_t>(part.end)};
}

Result<TextHead> TextHead::read(const std::string& folder, const std::string& weights) {
  QIAO_ASSIGN(model::WordPiece tokenizer,
              model::read_wordpiece(folder + "/tokenizer.json", kLowercaseByFile));
  TextHead head(std::move(tokenizer));
  QIAO_TRY(head.read_config(folder));
  QIAO_TRY(head.read_labels(folder));
  QIAO_TRY(head.read_layer(weights));
  QIAO_ASSIGN(head.card_, read_json(folder + "/card.json"));
  if (Status read = head.read_temperatures(); !read) {
    return std::move(read.error()).with("in " + folder);
  }
  return head;
}

Status TextHead::read_temperatures() {
  QIAO_ASSIGN(whole_.temperature, temperature_of(card_));
  for (Part& part : parts_) {
    QIAO_ASSIGN(part.temperature, temperature_of(card_, part.name));
  }
  return {};
}

Status TextHead::read_config(const std::string& folder) {
  const std::string path = folder + "/config.json";
  QIAO_ASSIGN(const Json config, read_json(path));
  const auto own = config.find("qiao");
  const Json& ours = own == config.end() ? config : *own;
  const std::string task = json_string(ours, "task").value_or("");
  const auto known = std::find_if(std::begin(kTasks), std::end(kTasks),
                                  [&](HeadTask one) { return name_of(one) == task; });
  if (known == std::end(kTasks)) {
    return Error{Code::kUnsupported, path + ": qiao.task is \"" + task +
                                         "\"; classify, tag, regress and heads can be read"};
  }
  task_ = *known;
  pooling_ = json_string(ours, "pooling").value_or("");
  if (pooling_ != "cls" && pooling_ != "mean") {
    return corrupt(path + ": qiao.pooling must be cls or mean");
  }
  if (task_ == HeadTask::kTag) pooling_ = "none";
  const std::int64_t positions = json_integer(config, "max_position_embeddings").value_or(0);
  const std::int64_t tokens = json_integer(ours, "tokens_max").value_or(positions);
  if (tokens < kTokensMin || tokens > std::min(positions, kTokensMost)) {
    return corrupt(path + ": qiao.tokens_max is impossible");
  }
  tokens_max_ = static_cast<std::size_t>(tokens);
  return {};
}

Status TextHead::read_labels(const std::string& folder) {
  const std::string path = folder + "/labels.json";
  QIAO_ASSIGN(const Json json, read_json(path));
  if (task_ == HeadTask::kHeads) return read_parts(json, path);
  std::set<std::string> seen;
  for (const Json& item : json) {
    if (!item.is_string() || !seen.insert(item.get<std::string>()).second) {
      return corrupt(path + ": a list of different names is needed");
    }
    names_.push_back(item.get<std::string>());
  }
  if (task_ == HeadTask::kRegress) {
    if (json.is_array() && names_.size() == 1) return {};
    return corrupt(path + " must name the one number");
  }
  if (!json.is_array() || names_.size() < 2 || names_.size() > kLabelsMax) {
    return corrupt(path + " is no list of 2 to " + std::to_string(kLabelsMax) + " labels");
  }
  labels_ = names_;
  whole_.end = names_.size();
  if (task_ == HeadTask::kClassify) return {};
  std::set<std::string> kinds;
  for (const std::string& name : names_) {
    if (!is_tag(name)) return corrupt(path + ": \"" + name + "\" is no tag: O, B-x or I-x");
    if (name != "O") kinds.insert(name.substr(2));
  }
  if (!seen.contains("O")) return corrupt(path + ": the tag O is missing");
  labels_.assign(kinds.begin(), kinds.end());
  return {};
}

Status TextHead::read_parts(const Json& json, const std::string& path) {
  if (!json.is_object() || json.empty()) {
    return corrupt(path + ": an object is needed, a list of labels for each head");
  }
  for (const auto& [name, labels] : json.items()) {
    Part part{name, names_.size()};
    std::set<std::string> seen;
    for (const Json& label : labels) {
      if (!label.is_string() || !seen.insert(label.get<std::string>()).second) {
        return corrupt(path + ": the head \"" + name + "\" needs a list of different names");
      }
      names_.push_back(label.get<std::string>());
    }
    part.end = names_.size();
    if (!labels.is_array() || seen.size() < 2 || names_.size() > kLabelsMax) {
      return corrupt(path + ": the head \"" + name +
                     "\" needs a list of 2 labels or more, and all together have at most " +
                     std::to_string(kLabelsMax));
    }
    parts_.push_back(std::move(part));
  }
  return {};
}

Status TextHead::read_layer(const std::string& weights) {
  QIAO_ASSIGN(const auto file, model::open_safetensors(weights));
  QIAO_ASSIGN(model::Tensor weight, file->read(model::kHeadWeight));
  QIAO_ASSIGN(model::Tensor bias, file->read(model::kHeadBias));
  const auto outputs = static_cast<std::int64_t>(names_.size());
  if (weight.shape.size() != 2 || weight.shape[0] != outputs || weight.shape[1] < 1 ||
      weight.shape[1] > static_cast<std::int64_t>(kWidthMax) ||
      bias.shape != std::vector<std::int64_t>{outputs}) {
    return corrupt(weights + ": classifier.weight and classifier.bias do not fit " +
                   std::to_string(outputs) + " labels");
  }
  width_ = static_cast<std::size_t>(weight.shape[1]);
  weights_ = std::move(weight.values);
  biases_ = std::move(bias.values);
  if (task_ == HeadTask::kTag && file->has(model::kHeadTransitions)) {
    QIAO_ASSIGN(model::Tensor transitions, file->read(model::kHeadTransitions));
    if (transitions.shape != std::vector<std::int64_t>{outputs, outputs}) {
      return corrupt(weights + ": classifier.transitions do not fit " + std::to_string(outputs) +
                     " labels");
    }
    transitions_ = std::move(transitions.values);
  }
  for (const auto* numbers : {&weights_, &biases_, &transitions_}) {
    if (!std::all_of(numbers->begin(), numbers->end(), [](float x) { return std::isfinite(x); })) {
      return corrupt(weights + ": the head holds what is no number");
    }
  }
  return {};
}

void TextHead::add_scores(std::span<const float> vector, std::vector<float>& scores) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    scores.push_back(std::inner_product(vector.begin(), vector.end(),
                                        weights_.begin() + static_cast<std::ptrdiff_t>(i * width_),
                                        biases_[i]));
  }
}

std::vector<Scored> TextHead::best_labels(const std::vector<float>& scores,
                                          const Part& part) const {
  const double greatest =
      *std::max_element(scores.begin() + static_cast<std::ptrdiff_t>(part.begin),
                        scores.begin() + static_cast<std::ptrdiff_t>(part.end));
  std::vector<Scored> all;
  double sum = 0;
  for (std::size_t i = part.begin; i < part.end; ++i) {
    const double share = std::exp((scores[i] - greatest) / part.temperature);
    sum += share;
    all.push_back({names_[i], share});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
  all.resize(std::min(all.size(), kAnswerLabelsMax));
  for (Scored& scored : all) scored.score /= sum;
  return all;
}

Result<HeadAnswer> TextHead::answer(std::string_view text, const model::Encoded& encoded,
                                    std::span<const float> vectors) const {
  const std::size_t rows = task_ == HeadTask::kTag ? encoded.ids.size() : 1;
  if (vectors.size() != rows * width_) {
    return Error{Code::kModelFailed,
                 "the encoder gave vectors of another size than its head reads"};
  }
  std::vector<float> scores;
  scores.reserve(rows * names_.size());
  for (std::size_t i = 0; i < rows; ++i) add_scores(vectors.subspan(i * width_, width_), scores);
  if (!std::all_of(scores.begin(), scores.end(), [](float x) { return std::isfinite(x); })) {
    return Error{Code::kModelFailed, "the encoder computed what is no number"};
  }
  if (task_ == HeadTask::kClassify) return HeadAnswer{best_labels(scores, whole_), {}};
  if (task_ == HeadTask::kRegress) return HeadAnswer{{}, {}, scores.front()};
  if (task_ == HeadTask::kHeads) {
    HeadAnswer answer;
    for (const Part& part : parts_) answer.heads.push_back({part.name, best_labels(scores, part)});
    return answer;
  }
  const std::vector<std::size_t> offsets = offsets_of(text);
  const float* transitions = transitions_.empty() ? nullptr : transitions_.data();
  const auto tags =
      model::decode_tags({scores.data(), transitions}, encoded, names_, offsets.size() - 1);
  return HeadAnswer{{}, entities_of(tags, text, offsets)};
}

}  // namespace qiao
