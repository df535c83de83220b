// SPDX-License-Identifier: Apache-2.0
#include "sim/actors/rival.h"

#include <cstdlib>

namespace qiao::sim {
namespace {

constexpr std::uint64_t kPauseMsMax = 1'500;
constexpr std::uint64_t kAgainMsMax = 800;
constexpr std::size_t kPageMessages = 100;
constexpr double kCareless = 0.15;

// The broker's word for the last message, in its refusal.
std::optional<std::uint64_t> named_last(const Error& error) {
  constexpr std::string_view kIs = "' is ";
  const std::size_t at = error.message.rfind(kIs);
  if (at == std::string::npos || error.message.compare(at + kIs.size(), 4, "none") == 0) return {};
  return std::strtoull(error.message.c_str() + at + kIs.size(), nullptr, 10);
}

}  // namespace

std::string Rival::unfinished() const {
  return left_ > 0 ? std::to_string(left_) + " messages are not stored" : "";
}

void Rival::next() {
  if (left_ > 0) soon(settled_ ? 50 : kPauseMsMax, [this] { look(); });
}

void Rival::look() {
  world_.wire.call<Page>(
      [this, from = from_](Broker& broker, Broker::Done<Page> done) {
        broker.read(plan_.subject, from, kPageMessages, std::move(done));
      },
      [this](const Result<Page>& page) {
        if (page) return looked(*page);
        refused("read", page.error());
        next();
      });
}

void Rival::looked(const Page& page) {
  for (const StoredMessage& stored : page.messages) {
    if (stored.message.conversation == plan_.conversation) last_ = stored.offset;
  }
  from_ = page.next;
  make();
  send();
}

void Rival::make() {
  message_ = text_message(plan_.subject, "mine", plan_.conversation);
  message_.id = name_ + "-" + std::to_string(++made_);
  const bool careless = !settled_ && chance(kCareless);
  world_.journal.expectations[message_.id] = careless ? std::nullopt : last_;
}

void Rival::send() {
  tell("publish " + message_.id);
  Commit commit;
  commit.publish = {message_};
  commit.expected = {{0, world_.journal.expectations[message_.id]}};
  world_.wire.call<std::vector<Published>>(
      [this, commit](Broker& broker, Broker::Done<std::vector<Published>> done) {
        broker.commit(commit, [this, id = commit.publish.front().id,
                               done = std::move(done)](Result<std::vector<Published>> published) {
          note(id, published);
          done(std::move(published));
        });
      },
      [this](const Result<std::vector<Published>>& published) { told(published); });
}

// What the broker says counts, heard or not.
void Rival::note(const std::string& id, const Result<std::vector<Published>>& published) {
  if (published) {
    tell("stored " + id + " at " + std::to_string(published->front().offset));
    world_.journal.expected.push_back({id, published->front().offset, {}});
  } else if (published.error().code == Code::kConflict) {
    world_.journal.expected.push_back({id, {}, named_last(published.error())});
  }
}

void Rival::told(const Result<std::vector<Published>>& published) {
  if (published) {
    world_.journal.acked[message_.id] = published->front().offset;
    --left_;
    return next();
  }
  refused("publish", published.error());
  if (published.error().code == Code::kConflict) {
    from_ = 0;  // it looks at all of it anew
    last_.reset();
    return next();
  }
  soon(kAgainMsMax, [this] { send(); });
}

}  // namespace qiao::sim
