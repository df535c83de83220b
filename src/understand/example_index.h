// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/language.h"
#include "base/result.h"
#include "understand/bm25.h"
#include "understand/fusion.h"
#include "understand/understander.h"

namespace qiao {

// An example utterance of one label.
struct Example {
  std::size_t label = 0;
  std::string text;
};

// The score of one label for a message.
struct LabelScore {
  double score = 0;
  std::size_t example = 0;  // the one that won
};

// A message to compare; views of the caller's.
struct ExampleQuery {
  std::string_view text;
  std::optional<Language> language;
  std::span<const float> vector;       // of unit norm; empty without an encoder
  std::optional<std::size_t> without;  // this example is left out
};

// Examples by label, and how near a message comes to each label. An example is compared by its
// terms (Bm25) and, when it is in the message's language and that encoder is there, by its vector;
// fuse() makes one score of both. The best example stands for its label. An example written the
// same way but for case, width, blanks and punctuation scores 1.
//
// Immutable after encode(), then thread-safe. Bound: the caller's number of examples.
class ExampleIndex {
 public:
  // Requires: every Example::label < `labels`.
  ExampleIndex(std::vector<Example> examples, std::size_t labels);

  // Fetches the examples' vectors; blocks. Needed once, before match(), to compare by vectors.
  Status encode(const Encoders& encoders);

  // One entry per label, in the labels' order.
  [[nodiscard]] std::vector<LabelScore> match(const ExampleQuery& query) const;
  [[nodiscard]] const std::vector<Example>& examples() const { return examples_; }
  // Empty when it was not encoded.
  [[nodiscard]] std::span<const float> vector_of(std::size_t example) const;
  [[nodiscard]] std::optional<Language> language_of(std::size_t example) const {
    return languages_[example];
  }

 private:
  Status encode_language(Language language, Model& encoder);
  // How near the query is to each example it can be compared with by vectors.
  [[nodiscard]] std::vector<std::optional<Nearness>> measure(const ExampleQuery& query) const;
  [[nodiscard]] std::vector<double> score_examples(const ExampleQuery& query) const;
  [[nodiscard]] std::vector<LabelScore> best_of_labels(const std::vector<double>& scores,
                                                       const ExampleQuery& query) const;
  void raise_by_clauses(const ExampleQuery& query, std::vector<LabelScore>& labels) const;

  std::vector<Example> examples_;
  std::size_t labels_ = 0;
  std::vector<std::optional<Language>> languages_;
  std::vector<std::string> keys_;
  Bm25 bm25_;
  std::vector<std::vector<float>> vectors_;       // of each example; empty: not encoded
  std::array<std::vector<float>, 2> background_;  // by language; empty: not encoded
};

}  // namespace qiao
