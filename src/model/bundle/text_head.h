// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "message/annotations.h"
#include "model/bundle/wordpiece.h"

namespace qiao {

enum class HeadTask : std::uint8_t { kClassify, kTag, kRegress, kHeads };
std::string_view name_of(HeadTask task);

// By what a classifier's scores are divided before the softmax: `calibration.temperature` of its
// card, or that of a head of several; 1 where none was fitted; `corrupt` when it is no positive
// number.
Result<double> temperature_of(const Json& card, std::string_view head = {});

// What one head among several says: the most probable labels, best first.
struct HeadLabels {
  std::string name;
  std::vector<Scored> labels;
};

// What a head says of one text.
struct HeadAnswer {
  std::vector<Scored> labels;          // classify: the most probable ones, best first
  std::vector<Entity> entities;        // tag: in the order of the text
  std::optional<double> number = {};   // regress
  std::vector<HeadLabels> heads = {};  // heads: each one's

  // Of the head called so, or nullptr.
  [[nodiscard]] const HeadLabels* head(std::string_view name) const;
};

// The part of a bundle that llama.cpp does not compute: the tokenizer that the encoder was trained
// with, the labels, and the linear layer from the encoder's vectors to them or to a number. A text
// goes encode() → the encoder's Model::encode() → answer(). Several heads share the layer: each has
// rows of its own in it.
//
// A value; immutable and thread-safe. Bounds: kLabelsMax labels, kWidthMax numbers of a vector,
// kAnswerLabelsMax labels of an answer (of each head).
class TextHead {
 public:
  static constexpr std::size_t kLabelsMax = 10'000;
  static constexpr std::size_t kWidthMax = 8'192;
  static constexpr std::size_t kAnswerLabelsMax = 5;

  // Of a folder with config.json, labels.json, tokenizer.json, card.json, and `classifier.weight`,
  // `classifier.bias` and for tags perhaps `classifier.transitions` in `weights`. Errors name the
  // file and what is wrong with it. Blocks.
  static Result<TextHead> read(const std::string& folder, const std::string& weights);

  // At most `tokens_max` tokens of the text's beginning.
  [[nodiscard]] model::Encoded encode(std::string_view text) const {
    return tokenizer_.encode(text, tokens_max_);
  }
  // `vectors`: one of width() numbers, or one for each token (tag). model_failed when
  // the encoder gave others, or numbers that are none.
  [[nodiscard]] Result<HeadAnswer> answer(std::string_view text, const model::Encoded& encoded,
                                          std::span<const float> vectors) const;

  [[nodiscard]] HeadTask task() const { return task_; }
  // Classify: the labels. Tag: the kinds of entities. Others: none.
  [[nodiscard]] const std::vector<std::string>& labels() const { return labels_; }
  // One head among several: its labels are those of names() in [begin, end).
  struct Part {
    std::string name;
    std::size_t begin = 0;
    std::size_t end = 0;
    double temperature = 1;
  };
  [[nodiscard]] const std::vector<Part>& parts() const { return parts_; }
  // nullptr when there is none that is called so.
  [[nodiscard]] const Part* part(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> labels_of(const Part& part) const;
  // How the encoder pools for this head: "cls", "mean", or "none" for tags.
  [[nodiscard]] const std::string& pooling() const { return pooling_; }
  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] const Json& card() const { return card_; }
  // The layer, for a copy of it: names().size() rows of width() numbers, and a bias each.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] const std::vector<float>& weights() const { return weights_; }
  [[nodiscard]] const std::vector<float>& biases() const { return biases_; }
  // Tag: from each name before to each after; empty when none were learnt.
  [[nodiscard]] const std::vector<float>& transitions() const { return transitions_; }

 private:
  explicit TextHead(model::WordPiece tokenizer) : tokenizer_(std::move(tokenizer)) {}
  Status read_config(const std::string& folder);
  Status read_labels(const std::string& folder);
  Status read_parts(const Json& json, const std::string& path);
  Status read_temperatures();
  Status read_layer(const std::string& weights);
  // Appends one score for each name.
  void add_scores(std::span<const float> vector, std::vector<float>& scores) const;
  [[nodiscard]] std::vector<Scored> best_labels(const std::vector<float>& scores,
                                                const Part& part) const;

  model::WordPiece tokenizer_;
  HeadTask task_ = HeadTask::kClassify;
  std::string pooling_;
  std::size_t tokens_max_ = 0;
  std::size_t width_ = 0;
  std::vector<std::string> names_;  // of the outputs: labels, or BIO tags
  std::vector<std::string> labels_;
  Part whole_;               // all outputs: of classify; `temperature` where the card has one
  std::vector<Part> parts_;  // of several heads
  std::vector<float> weights_;
  std::vector<float> biases_;
  std::vector<float> transitions_;
  Json card_;
};

}  // namespace qiao
