// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/process.h"
#include "model/open_model.h"
#include "model/worker/worker_frame.h"

namespace qiao::model {

// One started worker process and our end of the socket to it. Never blocks but for starting.
//
// Owned by WorkerModel; its thread only, which must live as long as the worker shall. The
// destructor kills the worker. What waits to be written is bounded by who writes.
class WorkerLink {
 public:
  // Starts `options.worker_program` (this program when empty) with `worker --fd N` and gives it
  // the open files of the model, so that it needs no right to open files.
  static Result<std::unique_ptr<WorkerLink>> start(const ModelOptions& options);
  ~WorkerLink();
  WorkerLink(const WorkerLink&) = delete;
  WorkerLink& operator=(const WorkerLink&) = delete;

  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] bool wants_to_write() const { return written_ < out_.size(); }
  // Bytes of frames that exchange() writes.
  [[nodiscard]] std::string& out() { return out_; }

  // Writes and reads what the socket takes and gives now. An Error when the worker is gone or
  // sends what is no frame; its message is a clause ("ended with signal 9").
  Result<std::vector<Frame>> exchange();

 private:
  WorkerLink(std::unique_ptr<ChildProcess> process, int socket)
      : process_(std::move(process)), socket_(socket) {}
  bool write_some();
  bool read_some();
  std::string how_it_ended();

  std::unique_ptr<ChildProcess> process_;
  int socket_;
  FrameReader reader_;
  std::string out_;
  std::size_t written_ = 0;  // bytes of out_
};

}  // namespace qiao::model
