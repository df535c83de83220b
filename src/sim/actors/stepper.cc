// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/stepper.h"

namespace qiao::sim {
namespace {

constexpr std::size_t kSteps = 3;
constexpr int kTriesMax = 4;
constexpr std::int64_t kWaitMs = 1'000;
constexpr std::uint64_t kAgainMsMax = 500;
constexpr std::uint64_t kStepMsMax = 200;

// The first step that has no receipt.
std::string step_of(const Delivery& work) {
  return "step." + std::to_string(work.receipts.size() + 1);
}

FetchRequest effect_of(const Delivery& work, const std::string& step) {
  FetchRequest request;
  request.method = "POST";
  request.url = "http://tool.sim/" + step;
  request.headers = {{"idempotency-key", work.message.id + ":" + step}};
  request.body = work.message.text();
  return request;
}

}  // namespace

void Stepper::lease() {
  ask({name_, 1, kWaitMs}, [this](const Result<std::vector<Delivery>>& deliveries) {
    if (!deliveries) refused("lease", deliveries.error());
    if (!deliveries || deliveries->empty()) return soon(kAgainMsMax, [this] { lease(); });
    next(std::make_shared<Delivery>(deliveries->front()), 1);
  });
}

void Stepper::next(const Work& work, int tries) {
  if (world_.faults.strikes(Fault::kConsumerVanished)) return soon(3'000, [this] { lease(); });
  if (tries > kTriesMax || (!settled_ && chance(0.1))) return give_back(*work);
  soon(settled_ ? 20 : kStepMsMax, [this, work, tries] {
    const std::string step = step_of(*work);
    const auto answer = world_.tool.call(effect_of(*work, step));
    const StepReceipt receipt{step, "done by lease " + std::to_string(work->lease)};
    if (!answer) return next(work, tries + 1);
    work->receipts.size() + 1 < kSteps ? store(work, receipt, 1) : finish(work, receipt, 1);
  });
}

// Blindly the same: of equal steps the newest counts.
void Stepper::again(const Error& error, int tries, const Agenda::Task& same) {
  const bool gone = error.code == Code::kConflict || tries >= kTriesMax;
  soon(kAgainMsMax, gone ? Agenda::Task([this] { lease(); }) : same);
}

void Stepper::store(const Work& work, const StepReceipt& receipt, int tries) {
  world_.wire.call<void>(
      [this, lease = lease_of(*work), receipt](Broker& broker, Broker::Done<void> done) {
        broker.store_receipts(lease, {receipt},
                              [this, lease, receipt, done = std::move(done)](Status status) {
                                if (status) stored(lease, receipt);
                                done(std::move(status));
                              });
      },
      [this, work, receipt, tries](const Status& status) {
        if (status) {
          work->receipts.push_back(receipt);
          return next(work, 1);
        }
        refused("store_receipts", status.error());
        again(status.error(), tries,
              [this, work, receipt, tries] { store(work, receipt, tries + 1); });
      });
}

void Stepper::finish(const Work& work, const StepReceipt& receipt, int tries) {
  const LeaseRef lease = lease_of(*work);
  world_.wire.call<std::vector<Published>>(
      [this, lease, receipt](Broker& broker, Broker::Done<std::vector<Published>> done) {
        Commit commit;
        commit.ack = {lease};
        commit.receipts = {{lease, receipt}};
        broker.commit(commit, [this, lease, receipt, done = std::move(done)](auto result) {
          if (result) {
            stored(lease, receipt);
            acked(lease);
          }
          done(std::move(result));
        });
      },
      [this, work, receipt, tries](const Result<std::vector<Published>>& done) {
        if (done) return this->lease();
        refused("ack", done.error());
        again(done.error(), tries,
              [this, work, receipt, tries] { finish(work, receipt, tries + 1); });
      });
}

void Stepper::stored(const LeaseRef& lease, const StepReceipt& receipt) {
  tell("stored " + receipt.step + " of " + std::to_string(lease.offset));
  world_.journal.stored.push_back({{lease.group, lease.offset}, receipt});
}

void Stepper::give_back(const Delivery& work) {
  world_.wire.call<void>(
      [this, lease = lease_of(work)](Broker& broker, Broker::Done<void> done) {
        given_back(lease);
        broker.nack(lease, {0, false, "not now"}, std::move(done));
      },
      [this](const Status& given) {
        if (!given) refused("nack", given.error());
        soon(kAgainMsMax, [this] { lease(); });
      });
}

}  // namespace qiao::sim
