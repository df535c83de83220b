// SPDX-License-Identifier: Apache-2.0
#include "understand/bundle_slot.h"

#include <utility>

#include "model/bundle/bundle_store.h"
#include "understand/shadow.h"

namespace qiao {

BundleSlot::BundleSlot(std::string name, std::shared_ptr<const Classifier> first)
    : name_(std::move(name)), seat_(std::make_shared<Seat>()) {
  seat_->classifier = std::move(first);
}

BundleSlot::~BundleSlot() {
  clear(*seat_);
}

void BundleSlot::judge(AskedText asked, OnJudged done) const {
  std::shared_ptr<Seat> seat;
  std::shared_ptr<Shadow> shadow;
  {
    // Counted before a swap can look: the version stays until it has answered.
    const std::lock_guard lock(mutex_);
    seat = seat_;
    shadow = seat_->shadow;
    const std::lock_guard counting(seat->mutex);
    ++seat->asked;
  }
  // Let go of by the answer and by this call, which may end later: the last one tells.
  const std::shared_ptr<void> question(nullptr, [seat](void*) {
    const std::lock_guard lock(seat->mutex);
    if (--seat->asked == 0) seat->idle.notify_all();
  });
  Classifier::OnAnswer answered = [question, id = seat->classifier->id(),
                                   done = std::move(done)](Result<HeadAnswer> answer) {
    if (!answer) return done(std::move(answer.error()));
    done(Judged{std::move(*answer), id});
  };
  if (shadow) answered = shadow->overhear(asked, std::move(answered));
  seat->classifier->judge(std::move(asked.text), std::move(answered));
}

void BundleSlot::swap(std::shared_ptr<const Classifier> next) {
  auto seat = std::make_shared<Seat>();
  seat->classifier = std::move(next);
  {
    const std::lock_guard lock(mutex_);
    seat_.swap(seat);
  }
  clear(*seat);
}

void BundleSlot::set_shadow(std::shared_ptr<Shadow> shadow) {
  {
    const std::lock_guard lock(mutex_);
    seat_->shadow.swap(shadow);
  }
  if (shadow) shadow->stop();
}

std::shared_ptr<Shadow> BundleSlot::shadow() const {
  const std::lock_guard lock(mutex_);
  return seat_->shadow;
}

std::shared_ptr<const Classifier> BundleSlot::current() const {
  const std::lock_guard lock(mutex_);
  return seat_->classifier;
}

Result<std::shared_ptr<BundleSlot>> open_bundle(const std::string& models_directory,
                                                const ModelOptions& options, const Clock& clock,
                                                Metrics& metrics) {
  QIAO_ASSIGN(const BundleState state, read_bundle_state(models_directory, options.name));
  QIAO_ASSIGN(const std::string folder,
              version_folder(models_directory, options.name, state.current()));
  QIAO_ASSIGN(auto first, Classifier::open(folder, state.current(), options, clock, metrics));
  return std::make_shared<BundleSlot>(options.name, std::move(first));
}

// Nobody finds the seat any more. What it holds ends here, not on the thread of the last answer.
void BundleSlot::clear(Seat& seat) {
  wait_until_idle(seat);
  if (seat.shadow) seat.shadow->stop();
  seat.classifier.reset();
}

// An encoder answers every request, late ones with an Error: this ends.
void BundleSlot::wait_until_idle(Seat& seat) {
  std::unique_lock lock(seat.mutex);
  seat.idle.wait(lock, [&] { return seat.asked == 0; });
}

}  // namespace qiao
