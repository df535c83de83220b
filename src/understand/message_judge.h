// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "message/annotations.h"
#include "understand/example_index.h"
#include "understand/sentiment_head.h"
#include "understand/understander.h"

namespace qiao {

// The part of an Understander that needs no encoder: a text and its vector to annotations.
//
// Immutable and thread-safe. Held by every annotation under way; it holds no encoder, so that none
// is destroyed on its own thread when an Understander goes before its last answer comes.
class MessageJudge {
 public:
  // Encodes the examples and looks for sentiment heads that fit the encoders; blocks.
  static Result<MessageJudge> make(UnderstandSpec spec, const Encoders& encoders);

  // Without a `vector`, terms alone decide, and `missing` says so.
  [[nodiscard]] Annotations judge(const std::string& text, std::vector<float> vector) const;
  [[nodiscard]] bool wants_vector() const { return !labels_.empty() || spec_.sentiment; }

 private:
  struct Label {
    std::string name;
    bool intent = false;  // or a semantic route
  };
  // By language; nothing without the encoder that a head was trained for.
  using Heads = std::array<std::optional<SentimentHead>, 2>;

  MessageJudge(UnderstandSpec spec, std::vector<Label> labels, ExampleIndex index, Heads heads);
  static Heads heads_for(const Encoders& encoders);
  void fill_sentiment(Annotations& annotations) const;
  void fill_scores(const std::string& text, Annotations& annotations) const;

  UnderstandSpec spec_;
  std::vector<Label> labels_;
  ExampleIndex index_;
  Heads heads_;
};

// The encoder of `language`, or null; and how flows call it.
Model* encoder_of(const Encoders& encoders, std::optional<Language> language);
std::string_view encoder_name(Language language);

}  // namespace qiao
