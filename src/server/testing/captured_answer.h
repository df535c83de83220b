// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "net/http_server.h"

namespace qiao::server::testing {

// A ResponseWriter that keeps what it was told. `room` chunks fit until somebody takes them.
class CapturedAnswer final : public ResponseWriter {
 public:
  void respond(int status, HttpHeaders headers, std::string body) override {
    std::lock_guard lock(mutex_);
    status_ = status;
    headers_ = std::move(headers);
    body_ = std::move(body);
    ended_ = true;
  }
  void begin(int status, HttpHeaders headers) override {
    std::lock_guard lock(mutex_);
    status_ = status;
    headers_ = std::move(headers);
  }
  Status write(std::string chunk) override {
    std::lock_guard lock(mutex_);
    if (gone_) return Error{Code::kCancelled, "the reader has left"};
    if (room_ == 0) return overloaded("the reader is too slow");
    --room_;
    body_ += chunk;
    return {};
  }
  void end() override {
    std::lock_guard lock(mutex_);
    ended_ = true;
  }
  void on_close(std::function<void()> task) override {
    std::lock_guard lock(mutex_);
    on_close_ = std::move(task);
  }

  void set_room(std::size_t room) {
    std::lock_guard lock(mutex_);
    room_ = room;
  }
  void leave() {
    std::function<void()> task;
    {
      std::lock_guard lock(mutex_);
      gone_ = true;
      task.swap(on_close_);
    }
    if (task) task();
  }

  [[nodiscard]] int status() const {
    std::lock_guard lock(mutex_);
    return status_;
  }
  [[nodiscard]] std::string body() const {
    std::lock_guard lock(mutex_);
    return body_;
  }
  [[nodiscard]] bool ended() const {
    std::lock_guard lock(mutex_);
    return ended_;
  }
  [[nodiscard]] Json json() const { return parse_json(body()).value_or(Json()); }
  [[nodiscard]] std::string header(const std::string& name) const {
    std::lock_guard lock(mutex_);
    for (const auto& [key, value] : headers_) {
      if (key == name) return value;
    }
    return "";
  }

 private:
  mutable std::mutex mutex_;
  int status_ = 0;
  HttpHeaders headers_;
  std::string body_;
  std::function<void()> on_close_;
  std::size_t room_ = SIZE_MAX;
  bool gone_ = false;
  bool ended_ = false;
};

}  // namespace qiao::server::testing
