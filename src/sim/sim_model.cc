// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_model.h"

#include <algorithm>
#include <utility>

namespace qiao::sim {
namespace {

constexpr std::uint64_t kAnswerMsMax = 1'500;
constexpr std::size_t kBytesPerToken = 4;

std::int32_t tokens_of(std::string_view text) {
  return static_cast<std::int32_t>(text.size() / kBytesPerToken) + 1;
}

std::string_view last_user_text(const GenerateRequest& request) {
  const auto turn = std::find_if(request.turns.rbegin(), request.turns.rend(),
                                 [](const ChatTurn& t) { return t.role == Role::kUser; });
  return turn == request.turns.rend() ? std::string_view() : std::string_view(turn->content);
}

// The honest count of what it was given and says, within what it may say.
Generated counted(const GenerateRequest& request, Generated answer) {
  const auto bytes_max =
      static_cast<std::size_t>(std::max(request.tokens_max - 1, 0)) * kBytesPerToken;
  if (answer.text.size() > bytes_max) {
    answer.text.resize(bytes_max);
    answer.finish = Finish::kLength;
  }
  for (const ChatTurn& turn : request.turns) answer.usage.prompt_tokens += tokens_of(turn.content);
  answer.usage.completion_tokens = answer.text.empty() ? 0 : tokens_of(answer.text);
  return answer;
}

Generated tool_call(std::string name, std::string arguments) {
  Generated answer;
  answer.finish = Finish::kToolCalls;
  answer.tool_calls.push_back({"call_1", std::move(name), std::move(arguments)});
  return answer;
}

}  // namespace

ModelInfo SimModel::info() const {
  ModelInfo info;
  info.name = "simulated";
  info.kind = "generator";
  info.where = "scripted";
  info.context_tokens = 8'192;
  info.slots = 4;
  info.ready = true;
  return info;
}

Generated SimModel::honest(const GenerateRequest& request) const {
  const std::string_view said = last_user_text(request);
  const bool answered = !request.turns.empty() && request.turns.back().role == Role::kTool;
  if (!request.tools.is_null() && !answered && said.find("buy") != std::string_view::npos)
    return tool_call("charge", R"({"order_number":"QX20260101"})");
  Generated answer;
  answer.text = "Thank you, I have noted that you said: ";
  answer.text += said.substr(0, 60);
  return answer;
}

// Not among the lies: the right tool with other arguments. A turn that runs again after a crash
// asks the model again, and another call would go out under the key of the first.
Generated SimModel::lie(const GenerateRequest& request) {
  Generated answer;
  switch (rng_.below(4)) {
    case 0:
      return tool_call("launch_rockets", "{}");
    case 1:
      answer.text = "好的，没有问题。";
      break;
    case 2:
      answer.text = "Sure \xff\xfe";
      break;
    default:
      answer.text = std::string(static_cast<std::size_t>(request.tokens_max) * 8, 'a');
  }
  return answer;
}

Model::RequestId SimModel::generate(GenerateRequest request, OnText on_text, OnGenerated on_done) {
  const RequestId id = ++last_;
  if (faults_.strikes(Fault::kModelFailed)) {
    const bool busy = rng_.below(2) == 0;
    on_done(Error{busy ? Code::kOverloaded : Code::kModelFailed, "the simulated model fails"});
    return 0;
  }
  running_.emplace(id, std::move(on_done));
  if (faults_.strikes(Fault::kModelEndless)) return id;  // until cancelled
  const bool lies = faults_.strikes(Fault::kModelLied);
  Generated answer = counted(request, lies ? lie(request) : honest(request));
  executor_.post_after(static_cast<std::int64_t>(rng_.below(kAnswerMsMax)),
                       [this, id, on_text = std::move(on_text), answer = std::move(answer)] {
                         const auto found = running_.find(id);
                         if (found == running_.end()) return;
                         const OnGenerated done = std::move(found->second);
                         running_.erase(found);
                         if (on_text && !answer.text.empty()) on_text(answer.text);
                         done(answer);
                       });
  return id;
}

void SimModel::cancel(RequestId request) {
  const auto found = running_.find(request);
  if (found == running_.end()) return;
  const OnGenerated done = std::move(found->second);
  running_.erase(found);
  done(Error{Code::kCancelled, "cancelled"});
}

void SimModel::embed(std::vector<std::string>, OnEmbedded on_done) {
  on_done(unavailable("the simulated model is no encoder"));
}

Result<std::int32_t> SimModel::count_tokens(std::string_view text) {
  return tokens_of(text);
}

}  // namespace qiao::sim
