// SPDX-License-Identifier: Apache-2.0
#include "model/worker/worker_book.h"

#include <algorithm>
#include <utility>

namespace qiao::model {
namespace {

// The worker ends a request at its deadline itself; this much later it is not waited for.
constexpr std::int64_t kGraceUs = 1'000'000;

}  // namespace

void WorkerBook::add(Model::RequestId id, WorkerRequest request) {
  requests_[id].request = std::move(request);
}

bool WorkerBook::any_sent() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const auto& one) { return one.second.sent; });
}

void WorkerBook::send_waiting(std::string& out, std::int64_t now_us) {
  for (auto& [id, entry] : requests_) {
    if (entry.sent) continue;
    entry.sent = true;
    ++entry.tries;
    const auto& request = entry.request;
    std::string body;
    if (request.type == FrameType::kGenerate) {
      const auto left_ms = std::max<std::int64_t>((request.deadline_us - now_us) / 1000, 1);
      body = bytes_of_number(static_cast<std::uint64_t>(left_ms));
    }
    append_frame(out, request.type, id, body + request.body);
  }
}

void WorkerBook::text(Model::RequestId id, std::string_view piece) {
  const auto at = requests_.find(id);
  if (at == requests_.end() || piece.empty()) return;
  at->second.spoke = true;
  if (at->second.request.on_text) at->second.request.on_text(piece);
}

void WorkerBook::end(Model::RequestId id, Result<std::string> result) {
  const auto at = requests_.find(id);
  if (at == requests_.end()) return;
  const auto on_done = std::move(at->second.request.on_done);
  requests_.erase(at);
  on_done(std::move(result));
}

void WorkerBook::end_late(std::string& out, std::int64_t now_us) {
  std::vector<Model::RequestId> late;
  for (const auto& [id, entry] : requests_) {
    const auto grace = entry.sent ? kGraceUs : 0;
    if (now_us >= entry.request.deadline_us + grace) late.push_back(id);
  }
  for (const auto id : late) {
    if (requests_.at(id).sent) append_frame(out, FrameType::kCancel, id, {});
    end(id, Error{Code::kDeadline, "the model had no whole answer in time"});
  }
}

bool WorkerBook::cancel(Model::RequestId id) {
  const auto at = requests_.find(id);
  if (at == requests_.end()) return false;
  const bool sent = at->second.sent;
  end(id, Error{Code::kCancelled, "the request was cancelled"});
  return sent;
}

void WorkerBook::worker_lost(const std::string& why) {
  std::vector<Model::RequestId> failed;
  for (auto& [id, entry] : requests_) {
    if (!entry.sent) continue;
    entry.sent = false;
    if (entry.spoke || entry.tries >= kTriesMax) failed.push_back(id);
  }
  for (const auto id : failed) {
    end(id, Error{Code::kModelFailed, "the model's worker " + why + " during this request"});
  }
}

void WorkerBook::end_all(const Error& error) {
  while (!requests_.empty()) end(requests_.begin()->first, error);
}

}  // namespace qiao::model
