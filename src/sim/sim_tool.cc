// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_tool.h"

namespace qiao::sim {
namespace {

std::string key_of(const FetchRequest& request) {
  for (const auto& [name, value] : request.headers) {
    if (name == "idempotency-key") return value;
  }
  return "";
}

}  // namespace

Result<FetchResponse> SimTool::call(const FetchRequest& request) {
  if (faults_.strikes(Fault::kToolFailed)) return unavailable("the simulated tool is down");
  const std::string key = key_of(request);
  const std::string payload = request.method + " " + request.url + " " + request.body;
  journal_.tool_calls.push_back({key, payload});
  journal_.trace.line("tool", key + " " + payload);
  const auto [effect, fresh] = effects_.emplace(key, payload);
  if (faults_.strikes(Fault::kToolAnswerLost))
    return Error{Code::kDeadline, "the simulated tool's answer is lost"};
  FetchResponse response;
  response.status = effect->second == payload ? 200 : 422;
  response.body = R"({"status":"paid"})";
  return response;
}

}  // namespace qiao::sim
