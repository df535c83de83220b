// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "model/worker/worker_frame.h"

namespace qiao::model {

// Tries of a request whose worker dies before it has said anything.
inline constexpr int kTriesMax = 3;

// A request to a worker, and what to do with what comes back.
struct WorkerRequest {
  FrameType type = FrameType::kGenerate;
  std::string body;  // of its frame; of kGenerate without the time left
  std::int64_t deadline_us = 0;
  Model::OnText on_text;  // may be empty
  std::function<void(Result<std::string> body)> on_done;
};

// The requests that are with a worker or wait for one. A request whose worker is lost is sent
// again when none of its text was delivered; otherwise, and after kTriesMax tries, it has failed.
// Each ends exactly once.
//
// Owned by WorkerModel; its thread only. The caller bounds how many it adds.
class WorkerBook {
 public:
  void add(Model::RequestId id, WorkerRequest request);
  [[nodiscard]] bool empty() const { return requests_.empty(); }
  // Some request is with the worker.
  [[nodiscard]] bool any_sent() const;

  // Appends the frames of all that wait to `out`, in the order they were added.
  void send_waiting(std::string& out, std::int64_t now_us);

  // What came from the worker; harmless for a request that has ended.
  void text(Model::RequestId id, std::string_view piece);
  void end(Model::RequestId id, Result<std::string> result);
  // Ends those past their deadline; of those that were sent, appends cancellations to `out`.
  void end_late(std::string& out, std::int64_t now_us);
  // True when the request was with the worker, which then must be told.
  bool cancel(Model::RequestId id);
  // The worker is gone; `why` is a clause ("ended with signal 9").
  void worker_lost(const std::string& why);
  void end_all(const Error& error);

 private:
  struct Entry {
    WorkerRequest request;
    int tries = 0;
    bool sent = false;
    bool spoke = false;
  };
  std::map<Model::RequestId, Entry> requests_;
};

}  // namespace qiao::model
