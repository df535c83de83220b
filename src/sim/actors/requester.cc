// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/requester.h"

namespace qiao::sim {
namespace {

constexpr std::int64_t kTimeoutMs = 3'000;
constexpr std::uint64_t kPauseMsMax = 3'000;
constexpr double kCancelled = 0.2;
constexpr std::uint64_t kCancelMsMax = 600;

}  // namespace

std::string Requester::unfinished() const {
  return left_ > 0 ? std::to_string(left_) + " questions are not answered" : "";
}

void Requester::ask() {
  if (left_ == 0) return;
  soon(settled_ ? 50 : kPauseMsMax, [this] {
    const std::string id = name_ + "-" + std::to_string(++asked_);
    Message question = text_message(subject_, "question " + id, name_);
    question.id = id;
    world_.journal.questions[id] = question.text();
    tell("asks " + id);
    world_.wire.call<Message>(
        [question](Broker& broker, Broker::Done<Message> done) {
          broker.request(question, kTimeoutMs, std::move(done));
        },
        [this, id](const Result<Message>& answer) { told(id, answer); }, 2 * kTimeoutMs);
    if (!settled_ && chance(kCancelled)) change_mind(id);
  });
}

void Requester::change_mind(const std::string& id) {
  soon(kCancelMsMax, [this, id] {
    world_.journal.cancelled.insert(id);
    if (!world_.server.is_up()) return;
    tell("cancels " + id);
    world_.server.broker().cancel_request(id);
  });
}

// A question that came twice was answered to the first of the two calls.
void Requester::told(const std::string& id, const Result<Message>& answer) {
  if (answer) {
    tell("is answered " + answer->correlation);
    world_.journal.answered.push_back({id, answer->correlation, answer->text()});
    --left_;
  } else if (answer.error().code == Code::kAlreadyExists) {
    tell("asked twice");
  } else {
    refused("request", answer.error());
    const bool cancelled = answer.error().code == Code::kCancelled;
    if (cancelled && !world_.journal.cancelled.contains(id))
      world_.journal.strange.push_back(name_ + ": " + id + " was cancelled by nobody");
  }
  ask();
}

}  // namespace qiao::sim
