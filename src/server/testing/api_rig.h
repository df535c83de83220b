// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/logging.h"
#include "base/testing/manual_clock.h"
#include "base/testing/manual_executor.h"
#include "base/testing/temp_folder.h"
#include "log/memory_log.h"
#include "server/api/api.h"
#include "server/openai/openai_conversations.h"
#include "server/replays.h"
#include "server/testing/captured_answer.h"

namespace qiao::server::testing {

// The API over a real broker in memory, on a loop and a clock that the test moves: no thread, no
// socket, no flow. Only History keeps its own writer thread.
class ApiRig {
 public:
  ApiRig() {
    history_ = History::open(folder_.path() + "/history.db", log_).value();
    broker_ = Broker::open(log_, loop_, clock_, ids_, metrics_).value();
    services_.emplace(ApiServices{*broker_, streams_, *history_, log_, models_, aliases_, flows_,
                                  loop_, loop_, ids_, clock_, metrics_, conversations_, replays_,
                                  [] {
                                    return Readiness{true, {}};
                                  },
                                  0});
    add_all_routes(router_, *services_);
  }

  std::shared_ptr<CapturedAnswer> send(std::string method, std::string path, std::string body = {},
                                       std::map<std::string, std::string> headers = {},
                                       std::map<std::string, std::string> query = {}) {
    HttpRequest request{std::move(method),  std::move(path), std::move(query),
                        std::move(headers), std::move(body), "127.0.0.1"};
    auto answer = std::make_shared<CapturedAnswer>();
    router_.dispatch(std::move(request), answer);
    loop_.run();
    return answer;
  }

  qiao::testing::ManualExecutor& loop() { return loop_; }
  Streams& streams() { return streams_; }
  ModelSet& models() { return models_; }
  std::map<std::string, std::string>& aliases() { return aliases_; }
  [[nodiscard]] const Router& router() const { return router_; }

 private:
  qiao::testing::TempFolder folder_;
  qiao::testing::ManualClock clock_;
  qiao::testing::ManualExecutor loop_{clock_};
  IdMaker ids_{clock_, 1};
  Metrics metrics_;
  MemoryLog log_;
  Streams streams_{clock_};
  ModelSet models_;
  std::map<std::string, std::string> aliases_;
  Flows flows_;
  ConversationFinder conversations_;
  Replays replays_;
  std::unique_ptr<History> history_;
  std::unique_ptr<Broker> broker_;
  std::optional<ApiServices> services_;
  Router router_{[](const HttpRequest&, Access) { return Status(); }, metrics_};
};

}  // namespace qiao::server::testing
