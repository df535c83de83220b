// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_flow.h"

namespace qiao::sim {
namespace {

ToolConfig make_tool(const char* name, const char* method, const char* url) {
  ToolConfig tool;
  tool.name = name;
  tool.describe = {"工具", "a tool"};
  tool.method = method;
  tool.url = url;
  tool.needs = {"order_number"};
  return tool;
}

AgentConfig make_agent(const char* name, AgentKind kind) {
  AgentConfig agent;
  agent.name = name;
  agent.kind = kind;
  agent.prompt = {"请友好。", "Be kind."};
  agent.filters = {{"language", ""}, {"length", ""}};
  agent.tokens = 64;
  return agent;
}

Route make_route(const char* name, const char* to) {
  Route route;
  route.name = name;
  route.to = to;
  route.when.emplace();
  return route;
}

std::vector<Route> make_routes() {
  Route buy = make_route("buy", "agent.shop");
  buy.when->words = {"buy"};
  Route person = make_route("person", kFlowDesk);
  person.when->words = {"person"};
  Route order = make_route("order", "agent.order");
  order.when->entity = "order_number";
  Route rest = make_route("rest", "agent.chat");
  rest.when.reset();
  rest.otherwise = true;
  return {buy, person, order, rest};
}

}  // namespace

FlowConfig make_flow(Rng& rng) {
  FlowConfig flow;
  flow.name = "sim";
  flow.input = kFlowInput;
  flow.output = kFlowOutput;
  flow.replies = kFlowReplies;
  switch (rng.below(4)) {
    case 0:
      flow.turn.settle_ms = 300;
      flow.turn.busy = Busy::kMerge;
      break;
    case 1:
      flow.turn.busy = Busy::kSteer;
      break;
    default:
      break;
  }
  flow.routes.routes = make_routes();
  flow.tools = {make_tool("charge", "POST", "http://tool.sim/charge"),
                make_tool("lookup", "GET", "http://tool.sim/orders/{order_number}")};
  AgentConfig shop = make_agent("shop", AgentKind::kModel);
  shop.tools = {"charge"};
  shop.tool_choice = ToolChoice::kModel;
  AgentConfig order = make_agent("order", AgentKind::kTemplate);
  order.tools = {"lookup"};
  order.tool_choice = ToolChoice::kRequired;
  order.reply = {"已经付款。", "Your order is on its way."};
  flow.agents = {shop, order, make_agent("chat", AgentKind::kModel)};
  flow.fallback.text = {"我答不上来。", "I cannot answer this."};
  flow.budget = Budget{6, kFlowTokens, 15'000};
  return flow;
}

FlowOptions make_flow_options() {
  FlowOptions options;
  options.turns_max = 8;
  options.conversations_max = 16;
  options.lease_ms = 3'000;
  options.attempts_max = 4;
  options.start_tools = false;
  return options;
}

}  // namespace qiao::sim
