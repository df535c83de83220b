// SPDX-License-Identifier: Apache-2.0
#include "understand/shadow.h"

#include <functional>
#include <string_view>
#include <utility>

namespace qiao {
namespace {

std::string label(const std::string& name) {
  return "bundle=\"" + name + "\"";
}

double ms_since(std::int64_t began_us, const Clock& clock) {
  return static_cast<double>(clock.steady_us() - began_us) / 1000.0;
}

}  // namespace

std::unique_ptr<LoopThread> Shadow::make_thread() {
  return std::make_unique<LoopThread>("shadow", kWaitingMax, kNiceness);
}

Shadow::Shadow(Options options, std::shared_ptr<const Classifier> candidate,
               std::unique_ptr<LoopThread> thread, const Clock& clock, Metrics& metrics)
    : options_(std::move(options)),
      clock_(clock),
      candidate_(std::move(candidate)),
      thread_(std::move(thread)),
      compared_total_(metrics.counter("qiao_shadow_compared_total",
                                      "Messages that a shadow was asked about and answered",
                                      label(options_.name))),
      agreed_total_(metrics.counter("qiao_shadow_agreed_total",
                                    "Messages that a shadow answered as what is served did",
                                    label(options_.name))),
      skipped_total_(
          metrics.counter("qiao_shadow_skipped_total",
                          "Messages that a shadow should have been asked about, but was not",
                          label(options_.name))),
      failed_total_(metrics.counter("qiao_shadow_failed_total",
                                    "Messages that a shadow gave no answer to",
                                    label(options_.name))) {}

Shadow::~Shadow() {
  stop();
}

Classifier::OnAnswer Shadow::overhear(const AskedText& asked, Classifier::OnAnswer done) {
  if (!is_in_share(asked.message_id)) return done;
  return [self = shared_from_this(), asked, began_us = clock_.steady_us(),
          done = std::move(done)](Result<HeadAnswer> answer) {
    if (!answer) {
      self->skip();  // nothing to compare with
      return done(std::move(answer));
    }
    TimedAnswer current{*answer, ms_since(began_us, self->clock_)};
    done(std::move(answer));
    self->offer(asked, std::move(current));
  };
}

Json Shadow::report() const {
  Json out = options_.about;
  const std::lock_guard lock(mutex_);
  out.update(comparison_.figures(), true);
  out["skipped"] = skipped_;
  out["failed"] = failed_;
  if (!failure_.empty()) out["failure"] = failure_;
  return out;
}

void Shadow::stop() {
  stopped_ = true;
  thread_->stop();
  candidate_.reset();
}

// By the id, not by chance: a message that several heads ask about is compared for all or for none.
bool Shadow::is_in_share(const std::string& message_id) const {
  constexpr std::size_t kHundredths = 100;
  return !message_id.empty() && std::hash<std::string_view>{}(message_id) % kHundredths <
                                    static_cast<std::size_t>(options_.percent);
}

void Shadow::offer(AskedText asked, TimedAnswer current) {
  const Status posted = thread_->post(
      [this, asked = std::move(asked), current = std::move(current)] { compare(asked, current); });
  if (!posted) skip();
}

void Shadow::compare(const AskedText& asked, const TimedAnswer& current) {
  if (stopped_) return;
  const std::int64_t began_us = clock_.steady_us();
  Result<HeadAnswer> answer = judge_and_wait(*candidate_, asked.text, kAnswerMsMax);
  const double ms = ms_since(began_us, clock_);
  const std::lock_guard lock(mutex_);
  if (!answer) {
    ++failed_;
    failed_total_.add();
    failure_ = std::move(answer.error().message);
    return;
  }
  compared_total_.add();
  if (comparison_.add(asked.message_id, current, {std::move(*answer), ms})) agreed_total_.add();
}

void Shadow::skip() {
  skipped_total_.add();
  const std::lock_guard lock(mutex_);
  ++skipped_;
}

}  // namespace qiao
