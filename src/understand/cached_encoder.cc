// SPDX-License-Identifier: Apache-2.0
#include "understand/cached_encoder.h"

#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace qiao {
namespace {

// The vectors of the texts last asked for, and who waits for one under way. Thread-safe.
class EmbeddingCache {
 public:
  struct Found {
    Embeddings vectors;  // of one text; empty: not known
    bool first = false;  // nobody has asked for it yet: the caller must
  };
  // When the text is not known, `on_done` waits for answer().
  Found find_or_wait(const std::string& text, Model::OnEmbedded on_done);
  void answer(const std::string& text, const Result<Embeddings>& made);

 private:
  struct Known {
    std::string text;
    Embeddings vectors;
  };
  void remember(const std::string& text, const Embeddings& vectors);

  std::mutex mutex_;
  std::list<Known> known_;  // last used first
  std::unordered_map<std::string, std::list<Known>::iterator> places_;
  // Bounded by the callers: each waiter is an embed() of theirs that has not ended.
  std::unordered_map<std::string, std::vector<Model::OnEmbedded>> waiting_;
};

EmbeddingCache::Found EmbeddingCache::find_or_wait(const std::string& text,
                                                   Model::OnEmbedded on_done) {
  const std::lock_guard lock(mutex_);
  if (const auto place = places_.find(text); place != places_.end()) {
    known_.splice(known_.begin(), known_, place->second);
    return {place->second->vectors, false};
  }
  auto& waiting = waiting_[text];
  waiting.push_back(std::move(on_done));
  return {{}, waiting.size() == 1};
}

void EmbeddingCache::answer(const std::string& text, const Result<Embeddings>& made) {
  std::vector<Model::OnEmbedded> waiting;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = waiting_.find(text); found != waiting_.end()) {
      waiting = std::move(found->second);
      waiting_.erase(found);
    }
    if (made && made->size() == 1) remember(text, *made);
  }
  for (const Model::OnEmbedded& on_done : waiting) on_done(made);
}

void EmbeddingCache::remember(const std::string& text, const Embeddings& vectors) {
  if (places_.contains(text)) return;
  known_.push_front({text, vectors});
  places_[text] = known_.begin();
  if (known_.size() <= kCachedTextsMax) return;
  places_.erase(known_.back().text);
  known_.pop_back();
}

class CachedEncoder final : public Model {
 public:
  explicit CachedEncoder(std::shared_ptr<Model> encoder) : encoder_(std::move(encoder)) {}

  [[nodiscard]] ModelInfo info() const override { return encoder_->info(); }
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override {
    return encoder_->generate(std::move(request), std::move(on_text), std::move(on_done));
  }
  void cancel(RequestId request) override { encoder_->cancel(request); }
  void encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) override {
    encoder_->encode(std::move(tokens), std::move(on_done));
  }
  Result<std::int32_t> count_tokens(std::string_view text) override {
    return encoder_->count_tokens(text);
  }

  void embed(std::vector<std::string> texts, OnEmbedded on_done) override {
    if (texts.size() != 1 || texts[0].size() > kCachedTextBytesMax) {
      return encoder_->embed(std::move(texts), std::move(on_done));
    }
    const auto found = cache_->find_or_wait(texts[0], on_done);
    if (!found.vectors.empty()) return on_done(found.vectors);
    if (!found.first) return;
    // The answer holds the cache and not the encoder, which must not end on its own thread.
    std::string text = texts[0];
    encoder_->embed(std::move(texts),
                    [cache = cache_, text = std::move(text)](const Result<Embeddings>& made) {
                      cache->answer(text, made);
                    });
  }

 private:
  const std::shared_ptr<Model> encoder_;
  const std::shared_ptr<EmbeddingCache> cache_ = std::make_shared<EmbeddingCache>();
};

}  // namespace

std::shared_ptr<Model> cache_embeddings(std::shared_ptr<Model> encoder) {
  if (encoder == nullptr) return nullptr;
  return std::make_shared<CachedEncoder>(std::move(encoder));
}

Encoders cache_embeddings(Encoders encoders) {
  return {cache_embeddings(std::move(encoders.chinese)),
          cache_embeddings(std::move(encoders.english))};
}

}  // namespace qiao
