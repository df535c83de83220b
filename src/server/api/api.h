// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "base/random.h"
#include "broker/broker.h"
#include "broker/streams.h"
#include "flow/engine.h"
#include "history/history.h"
#include "log/log.h"
#include "model/open_model.h"
#include "server/api/router.h"

namespace qiao::server {

class Bundles;
class ConversationFinder;
class Replays;

struct Readiness {
  bool ready = false;
  std::vector<std::string> waiting;  // for what, or with what shortcoming it is ready
};

using Flows = std::vector<std::unique_ptr<FlowEngine>>;

// Everything the handlers work with. All of it outlives the router.
struct ApiServices {
  Broker& broker;
  Streams& streams;
  History& history;
  Log& log;
  const ModelSet& models;
  const std::map<std::string, std::string>& model_aliases;  // catalogue name → name in `models`
  const Flows& flows;
  Executor& broker_loop;
  Executor& readers;  // for what may wait for a disk
  IdMaker& ids;
  const Clock& clock;
  Metrics& metrics;
  ConversationFinder& conversations;
  Replays& replays;
  std::function<Readiness()> readiness;
  std::int64_t started_us = 0;
  Bundles* bundles = nullptr;  // null: there are none
};

// One function per group of resources; each stands in its own file.
void add_topic_routes(Router& router, const ApiServices& services);  // api_topics.cc
void add_topic_settings_routes(Router& router, const ApiServices& services);
void add_subscribe_route(Router& router, const ApiServices& services);      // api_subscribe.cc
void add_group_routes(Router& router, const ApiServices& services);         // api_groups.cc
void add_message_routes(Router& router, const ApiServices& services);       // api_messages.cc
void add_conversation_routes(Router& router, const ApiServices& services);  // api_conversations.cc
void add_replay_routes(Router& router, const ApiServices& services);        // api_replay.cc
void add_stream_routes(Router& router, const ApiServices& services);        // api_streams.cc
void add_approval_routes(Router& router, const ApiServices& services);      // api_approvals.cc
void add_flow_routes(Router& router, const ApiServices& services);          // api_flows.cc
void add_health_routes(Router& router, const ApiServices& services);        // api_health.cc
void add_bundle_routes(Router& router, const ApiServices& services);        // api_bundles.cc
void add_openai_routes(Router& router, const ApiServices& services);        // api_openai.cc
void add_all_routes(Router& router, const ApiServices& services);

// The flow of that name, or nullptr.
FlowEngine* find_flow(const Flows& flows, std::string_view name);

// Runs `read` where it may wait for the disk, and answers with what it returns. History then holds
// what is durable by now; `until`, if told, is the offset after a later record that it must hold.
void answer_from_history(const ApiServices& services, Writer writer,
                         std::function<Result<Json>(History&)> read, std::uint64_t until = 0);

}  // namespace qiao::server
