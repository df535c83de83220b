// SPDX-License-Identifier: Apache-2.0
#include "model/llama/encoder_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace qiao::model {

void EncoderQueue::add(std::vector<std::string> texts, Model::OnEmbedded on_done) {
  std::vector<Input> inputs;
  inputs.reserve(texts.size());
  for (std::string& text : texts) inputs.push_back({std::move(text), {}});
  add_job(std::move(inputs), std::move(on_done));
}

void EncoderQueue::add_tokens(std::vector<std::vector<Token>> tokens, Model::OnEmbedded on_done) {
  std::vector<Input> inputs;
  inputs.reserve(tokens.size());
  for (std::vector<Token>& list : tokens) inputs.push_back({{}, std::move(list)});
  add_job(std::move(inputs), std::move(on_done));
}

void EncoderQueue::add_job(std::vector<Input> texts, Model::OnEmbedded on_done) {
  if (texts.empty()) return on_done(Embeddings());
  Job job;
  job.vectors.resize(texts.size());
  job.texts = std::move(texts);
  job.on_done = std::move(on_done);
  jobs_.push_back(std::move(job));
}

// The request with the fewest texts left; the older one of two.
std::list<EncoderQueue::Job>::iterator EncoderQueue::shortest() {
  auto best = jobs_.end();
  for (auto job = jobs_.begin(); job != jobs_.end(); ++job) {
    if (job->next == job->texts.size()) continue;
    if (best == jobs_.end() || job->texts.size() - job->next < best->texts.size() - best->next) {
      best = job;
    }
  }
  return best;
}

// False when the tile is full.
bool EncoderQueue::add_to_tile(std::list<Job>::iterator job) {
  Input& input = job->texts[job->next];
  if (input.tokens.empty()) {
    auto tokens = tokenise_(input.text);
    if (tokens && tokens->empty()) tokens = invalid_argument("a text without tokens");
    if (!tokens) {
      end(job, std::move(tokens.error()));
      return true;
    }
    input.tokens = std::move(*tokens);
  }
  if (!tile_.empty() && tile_tokens_ + input.tokens.size() > bounds_.tokens) return false;
  tile_tokens_ += input.tokens.size();
  tile_.push_back(std::move(input.tokens));
  places_.emplace_back(job, job->next);
  input = {};
  ++job->next;
  return true;
}

const std::vector<std::vector<Token>>& EncoderQueue::next_tile() {
  tile_.clear();
  places_.clear();
  tile_tokens_ = 0;
  while (tile_.size() < bounds_.sequences) {
    const auto job = shortest();
    if (job == jobs_.end() || !add_to_tile(job)) break;
  }
  return tile_;
}

void EncoderQueue::finish_tile(Result<Embeddings> vectors) {
  QIAO_CHECK(!vectors || vectors->size() == places_.size());
  if (!vectors) {
    while (!places_.empty()) end(places_.back().first, vectors.error());
    return;
  }
  const auto places = std::exchange(places_, {});
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto& [job, text] = places[i];
    job->vectors[text] = std::move((*vectors)[i]);
    if (++job->done == job->texts.size()) end(job, std::move(job->vectors));
  }
}

void EncoderQueue::drop_all(const Error& error) {
  while (!jobs_.empty()) end(jobs_.begin(), error);
}

// Forgets the request, also what of it is in the tile, and tells its owner.
void EncoderQueue::end(std::list<Job>::iterator job, Result<Embeddings> result) {
  const auto on_done = std::move(job->on_done);
  for (std::size_t i = places_.size(); i-- > 0;) {
    if (places_[i].first != job) continue;
    places_.erase(places_.begin() + static_cast<std::ptrdiff_t>(i));
    tile_.erase(tile_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  jobs_.erase(job);
  on_done(std::move(result));
}

}  // namespace qiao::model
