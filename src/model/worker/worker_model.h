// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "model/open_model.h"
#include "model/worker/worker_book.h"
#include "model/worker/worker_link.h"

namespace qiao::model {

// Times of a supervisor; tests shorten them.
struct WorkerTimes {
  std::int64_t hang_ms = 120'000;     // without a sign of life while a request is with the worker
  std::int64_t load_ms = 600'000;     // for opening the model
  std::int64_t backoff_ms_min = 100;  // between a worker's end and the next start; doubles
  std::int64_t backoff_ms_max = 30'000;
};

// A model in a worker process, and the supervisor that starts it, starts it again when it ends or
// hangs, and repeats what was asked meanwhile (worker_book.h). While the worker loads, requests
// wait; when it cannot open the model, they are refused with `unavailable` and why.
//
// Thread-safe; callbacks run on the supervisor's thread and must not wait for this model. At
// most `requests_max` requests and kWaitingBytesMax bytes of them are here at once. The
// destructor ends the worker and, `cancelled`, all requests.
class WorkerModel final : public Model {
 public:
  static constexpr std::size_t kWaitingBytesMax = 256 << 20;

  // `clock` and `metrics` must outlive the model.
  WorkerModel(const ModelOptions& options, const WorkerTimes& times, const Clock& clock,
              Metrics& metrics);
  ~WorkerModel() override;

  [[nodiscard]] ModelInfo info() const override;
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override;
  void cancel(RequestId request) override;
  void embed(std::vector<std::string> texts, OnEmbedded on_done) override;
  void encode(std::vector<std::vector<std::int32_t>> tokens, OnEmbedded on_done) override;
  Result<std::int32_t> count_tokens(std::string_view text) override;
  // Of the worker that runs now; 0 when none does.
  [[nodiscard]] pid_t pid() const { return pid_.load(); }

 private:
  RequestId submit(WorkerRequest request);
  void submit_vectors(FrameType type, std::string body, std::size_t count, OnEmbedded on_done);
  [[nodiscard]] std::string who() const { return "model " + options_.name; }

  // All below: the supervisor's thread.
  void supervise();
  void send_waiting();
  void take_mail();
  void start();
  [[nodiscard]] int wait_ms() const;
  void wait_for_events();
  void serve();
  void handle(Frame frame);
  void opened(const Frame& frame);
  void lost(const std::string& why);
  void refuse(Error error);
  void check_life();
  void set_state(bool ready, const std::string& note);

  const ModelOptions options_;
  const WorkerTimes times_;
  const Clock& clock_;
  Counter& restarts_;

  mutable std::mutex mutex_;  // info_ and the mail
  ModelInfo info_;
  std::vector<std::pair<RequestId, WorkerRequest>> asked_;
  std::vector<RequestId> cancelled_;
  RequestId last_id_ = 0;
  bool stopping_ = false;
  std::atomic<std::size_t> open_{0};        // requests that have not ended
  std::atomic<std::size_t> open_bytes_{0};  // of their bodies
  std::atomic<pid_t> pid_{0};
  int wake_;  // an eventfd: there is mail

  WorkerBook book_;
  std::unique_ptr<WorkerLink> link_;
  bool ready_ = false;            // link_ has opened its model
  std::optional<Error> refused_;  // why requests are refused
  std::int64_t start_at_us_ = 0;  // not before
  std::int64_t backoff_ms_;
  std::int64_t life_us_ = 0;  // when it last showed life, or started
  std::int64_t ping_us_ = 0;  // when it was last asked for it
  std::uint64_t steps_ = 0;   // it had made then
  std::uint64_t starts_ = 0;
  int failed_loads_ = 0;
  std::thread thread_;  // last: it uses the others
};

}  // namespace qiao::model
