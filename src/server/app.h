// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "server/config.h"

namespace qiao {

// The whole server: built by constructor from top to bottom (log, broker, history, models, flows,
// HTTP), stopped in reverse. One per data directory. Used by `qiao serve`, `qiao run` and tests.
class App {
 public:
  // Opens the data, starts models and flows, listens. Blocks until it listens; models may still be
  // loading (GET /readyz tells). Errors name the part and what to do.
  static Result<std::unique_ptr<App>> start(ServerConfig config);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  [[nodiscard]] std::string url() const;  // "http://127.0.0.1:7411"
  [[nodiscard]] const std::string& key() const;
  [[nodiscard]] bool key_is_new() const;  // made at this start: show it once
  // Graceful: no new work, running turns finish within the config's grace, snapshot, close.
  void stop();

 private:
  class Impl;
  explicit App(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao
