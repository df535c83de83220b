// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/undertaker.h"

namespace qiao::sim {
namespace {

constexpr std::uint64_t kPauseMsMax = 3'000;
constexpr std::size_t kLettersMax = 20;

}  // namespace

void Undertaker::look() {
  if (settled_) return;
  soon(kPauseMsMax, [this] {
    world_.wire.call<Page>(
        [this](Broker& broker, Broker::Done<Page> done) {
          broker.read(pattern_, 0, kLettersMax, std::move(done));
        },
        [this](const Result<Page>& page) { told(page); });
  });
}

void Undertaker::told(const Result<Page>& page) {
  if (!page) {
    refused("read", page.error());
  } else {
    for (const StoredMessage& letter : page->messages) {
      if (chance(0.3)) send_again(letter.offset);
      if (chance(0.15)) drop(letter.offset);
    }
  }
  look();
}

void Undertaker::send_again(std::uint64_t offset) {
  std::vector<Part> parts;
  if (chance(0.5)) parts.push_back({Part::Kind::kText, "", "work corrected"});
  world_.wire.call<Published>(
      [this, offset, parts](Broker& broker, Broker::Done<Published> done) {
        broker.retry_letter(offset, parts, [this, offset, done = std::move(done)](auto published) {
          if (published) {
            tell("sent " + std::to_string(offset) + " again as " + published->id);
            world_.journal.letters.push_back({offset, published->id});
          }
          done(std::move(published));
        });
      },
      [this](const Result<Published>& published) {
        if (!published) refused("retry_letter", published.error());
      });
}

void Undertaker::drop(std::uint64_t offset) {
  world_.wire.call<void>(
      [this, offset](Broker& broker, Broker::Done<void> done) {
        broker.drop_letter(offset, "seen", [this, offset, done = std::move(done)](auto dropped) {
          if (dropped) {
            tell("dropped " + std::to_string(offset));
            world_.journal.letters.push_back({offset, ""});
          }
          done(std::move(dropped));
        });
      },
      [this](const Status& dropped) {
        if (!dropped) refused("drop_letter", dropped.error());
      });
}

}  // namespace qiao::sim
