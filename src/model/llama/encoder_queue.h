// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "model/llama/llama_handles.h"
#include "model/model.h"

namespace qiao::model {

// Texts that wait for the encoder, cut into tiles: as many texts as fit into some hundred tokens
// are computed at once, whatever request they belong to. A request with few texts left goes
// before one with many, so that a message is not stuck behind a training set.
//
// Owned by LlamaEncoder; its thread only. The caller bounds how many requests it adds.
class EncoderQueue {
 public:
  using Tokenise = std::function<Result<std::vector<Token>>(const std::string& text)>;
  struct Bounds {
    std::size_t tokens = 256;    // of a tile of several texts
    std::size_t sequences = 64;  // texts of a tile
  };

  EncoderQueue(Bounds bounds, Tokenise tokenise)
      : bounds_(bounds), tokenise_(std::move(tokenise)) {}

  void add(std::vector<std::string> texts, Model::OnEmbedded on_done);
  // The same for texts that are tokens already.
  void add_tokens(std::vector<std::vector<Token>> tokens, Model::OnEmbedded on_done);
  [[nodiscard]] bool empty() const { return jobs_.empty(); }
  [[nodiscard]] std::size_t size() const { return jobs_.size(); }

  // The token lists of the next tile, at least one; empty when no text waits. A request whose
  // text has no tokens ends with its Error.
  const std::vector<std::vector<Token>>& next_tile();
  // The vectors of that tile, in its order; or why there are none, which ends its requests.
  void finish_tile(Result<Embeddings> vectors);
  // Ends everything with `error`.
  void drop_all(const Error& error);

 private:
  // A text, or its tokens.
  struct Input {
    std::string text;
    std::vector<Token> tokens;
  };
  struct Job {
    std::vector<Input> texts;
    Embeddings vectors;
    Model::OnEmbedded on_done;
    std::size_t next = 0;  // text to go into a tile
    std::size_t done = 0;
  };
  using Place = std::pair<std::list<Job>::iterator, std::size_t>;

  void add_job(std::vector<Input> texts, Model::OnEmbedded on_done);
  std::list<Job>::iterator shortest();
  bool add_to_tile(std::list<Job>::iterator job);
  void end(std::list<Job>::iterator job, Result<Embeddings> result);

  Bounds bounds_;
  Tokenise tokenise_;
  std::list<Job> jobs_;
  std::vector<std::vector<Token>> tile_;
  std::vector<Place> places_;  // whose text each one of the tile is
  std::size_t tile_tokens_ = 0;
};

}  // namespace qiao::model
