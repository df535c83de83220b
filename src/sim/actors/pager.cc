// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/pager.h"

namespace qiao::sim {
namespace {

constexpr std::uint64_t kPauseMsMax = 2'000;
constexpr std::size_t kPageMessages = 7;

}  // namespace

void Pager::start() {
  world_.journal.readers[name_].pattern = pattern_;
  ask();
}

void Pager::ask() {
  soon(kPauseMsMax, [this] {
    world_.wire.call<Page>(
        [this, from = next_](Broker& broker, Broker::Done<Page> done) {
          broker.read(pattern_, from, kPageMessages, std::move(done));
        },
        [this](const Result<Page>& page) { told(page); });
  });
}

void Pager::told(const Result<Page>& page) {
  if (page) {
    for (const StoredMessage& stored : page->messages) {
      tell("reads " + std::to_string(stored.offset));
      world_.journal.readers[name_].received.push_back({stored.offset, stored.message.id});
    }
    next_ = page->next;
  } else {
    refused("read", page.error());
  }
  ask();
}

}  // namespace qiao::sim
