// SPDX-License-Identifier: Apache-2.0
#include "understand/trained_heads.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

namespace qiao {

// The heads without their bundles, for what is under way: a bundle must not end on the thread of
// its own encoder.
struct HeadPlan {
  std::vector<HeadSpec> heads;
  std::vector<std::size_t> question_of;  // of each head: whose answer counts
};

namespace {

// The answers about one message, gathered as they come.
class Gathering {
 public:
  Gathering(std::shared_ptr<const HeadPlan> plan, std::size_t questions,
            TrainedHeads::OnAnnotated done)
      : plan_(std::move(plan)),
        done_(std::move(done)),
        judged_(questions),
        awaited_(questions + 1) {}

  void take(Annotations annotations) {
    std::unique_lock lock(mutex_);
    annotations_ = std::move(annotations);
    finish_one(std::move(lock));
  }
  void take(std::size_t question, Result<Judged> judged) {
    std::unique_lock lock(mutex_);
    judged_[question] = std::move(judged);
    finish_one(std::move(lock));
  }

 private:
  void finish_one(std::unique_lock<std::mutex> lock) {
    if (--awaited_ > 0) return;
    lock.unlock();  // the last one: nobody else comes
    for (std::size_t i = 0; i < plan_->heads.size(); ++i) {
      apply_head(plan_->heads[i], *judged_[plan_->question_of[i]], annotations_);
    }
    done_(std::move(annotations_));
  }

  const std::shared_ptr<const HeadPlan> plan_;
  const TrainedHeads::OnAnnotated done_;
  std::mutex mutex_;
  Annotations annotations_;
  std::vector<std::optional<Result<Judged>>> judged_;
  std::size_t awaited_;
};

// A head's labels by the flow's names. Two that the flow calls the same count together.
std::vector<Scored> named(const HeadSpec& head, const std::vector<Scored>& labels) {
  std::vector<Scored> out;
  for (const Scored& scored : labels) {
    const auto renamed = head.labels.find(scored.label);
    const std::string& label = renamed == head.labels.end() ? scored.label : renamed->second;
    const auto same = std::find_if(out.begin(), out.end(),
                                   [&](const Scored& other) { return other.label == label; });
    if (same == out.end()) {
      out.push_back({label, scored.score});
    } else {
      same->score += scored.score;
    }
  }
  return out;
}

// What the bundle says to this head. Nullptr: it has several, and not this one.
const std::vector<Scored>* labels_for(const HeadSpec& head, const HeadAnswer& answer) {
  if (answer.heads.empty()) return &answer.labels;
  const HeadLabels* said = answer.head(head_in_bundle(head.name, head.head));
  return said == nullptr ? nullptr : &said->labels;
}

void sort_best_first(std::vector<Scored>& scores) {
  std::stable_sort(scores.begin(), scores.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
}

// Where the flow has examples of the same intent too, what was trained counts.
void add_intents(std::vector<Scored> trained, std::vector<Scored>& intents) {
  const auto is_trained = [&](const Scored& example) {
    return std::any_of(trained.begin(), trained.end(),
                       [&](const Scored& scored) { return scored.label == example.label; });
  };
  intents.erase(std::remove_if(intents.begin(), intents.end(), is_trained), intents.end());
  intents.insert(intents.end(), trained.begin(), trained.end());
  sort_best_first(intents);
}

void add_entities(const HeadSpec& head, const std::vector<Entity>& found,
                  std::vector<Entity>& entities) {
  for (Entity entity : found) {
    const auto renamed = head.labels.find(entity.kind);
    if (renamed != head.labels.end()) entity.kind = renamed->second;
    const bool known = std::any_of(entities.begin(), entities.end(), [&](const Entity& other) {
      return other.kind == entity.kind && other.begin < entity.end && entity.begin < other.end;
    });
    if (!known) entities.push_back(std::move(entity));
  }
  std::stable_sort(entities.begin(), entities.end(),
                   [](const Entity& a, const Entity& b) { return a.begin < b.begin; });
}

}  // namespace

void apply_head(const HeadSpec& head, const Result<Judged>& judged, Annotations& annotations) {
  const std::vector<Scored>* said = judged ? labels_for(head, judged->answer) : nullptr;
  if (said == nullptr) {
    annotations.missing.push_back(head.name);
    return;
  }
  annotations.bundles[head.name] = judged->id;
  add_entities(head, judged->answer.entities, annotations.entities);
  if (said->empty()) return;
  std::vector<Scored> labels = named(head, *said);
  sort_best_first(labels);
  if (head.name == kIntentHead) {
    add_intents(std::move(labels), annotations.intents);
  } else if (head.name == kSentimentHead) {
    annotations.sentiment = labels.front().label;
    annotations.sentiment_score = labels.front().score;
  } else {
    annotations.heads[head.name] = std::move(labels);
  }
}

TrainedHeads::TrainedHeads(std::vector<HeadSpec> heads) {
  HeadPlan plan;
  for (HeadSpec& head : heads) {
    const auto same =
        std::find_if(questions_.begin(), questions_.end(),
                     [&](const Question& question) { return question.bundle == head.bundle; });
    plan.question_of.push_back(static_cast<std::size_t>(same - questions_.begin()));
    if (same == questions_.end()) questions_.push_back({std::move(head.bundle), head.live});
    head.bundle.reset();
  }
  plan.heads = std::move(heads);
  plan_ = std::make_shared<const HeadPlan>(std::move(plan));
}

TrainedHeads::OnAnnotated TrainedHeads::ask(const AskedText& asked, OnAnnotated done) const {
  if (questions_.empty()) return done;
  const auto gathering = std::make_shared<Gathering>(plan_, questions_.size(), std::move(done));
  for (std::size_t i = 0; i < questions_.size(); ++i) {
    questions_[i].bundle->judge(
        {asked.text, questions_[i].live ? asked.message_id : ""},
        [gathering, i](Result<Judged> judged) { gathering->take(i, std::move(judged)); });
  }
  return [gathering](Annotations annotations) { gathering->take(std::move(annotations)); };
}

}  // namespace qiao
