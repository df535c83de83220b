// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "message/annotations.h"
#include "model/model.h"
#include "understand/trained_heads.h"

namespace qiao {

// What a flow wants to know about its messages.
struct UnderstandSpec {
  std::map<std::string, std::vector<std::string>> intents;  // label → example utterances
  std::map<std::string, std::vector<std::string>> likes;    // semantic route → its examples
  bool sentiment = false;
  std::vector<std::string> entities;  // kinds to look for; empty: all known
  std::vector<HeadSpec> heads;        // trained ones
  const Clock* clock = nullptr;       // of Annotations::ms, outlives it; null: the machine's
};

// The encoder of each language; null where none is installed.
struct Encoders {
  std::shared_ptr<Model> chinese;
  std::shared_ptr<Model> english;
};

// Message text → annotations: language, entities by pattern, similarity to the examples (dense
// where an encoder is there, and BM25 over words and character bigrams), sentiment by a trained
// linear head on the encoder's vector, and what the flow's trained heads say. Works without
// encoders and says in `missing` what it lacks.
//
// Immutable after make(); thread-safe; owned by the flow that made it. annotate() returns at once
// and calls back on the encoder's thread (or inside, without an encoder).
class Understander {
 public:
  using OnAnnotated = std::function<void(Annotations)>;

  // Encodes all examples (blocks: at start or reload only).
  static Result<std::shared_ptr<const Understander>> make(UnderstandSpec spec, Encoders encoders);
  virtual ~Understander() = default;

  virtual void annotate(AskedText asked, OnAnnotated done) const = 0;
  // The vector of `text` from the encoder of its language, for retrieval and relevance.
  virtual void embed(std::string text, Language language, Model::OnEmbedded done) const = 0;
};

}  // namespace qiao
