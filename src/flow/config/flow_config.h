// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "flow/config/knowledge_file.h"
#include "flow/config/localized.h"
#include "log/record.h"
#include "route/route.h"

namespace qiao {

// The values of a flow.yaml, checked (docs/reference/flow.md explains every key). Plain values;
// made by load_flow, then only read.

struct TurnConfig {
  Busy busy = Busy::kEnqueue;  // what becomes of a message that comes while a turn runs
  std::int64_t settle_ms = 0;  // silence that ends a burst; 0: none is awaited
  std::int64_t max_wait_ms = 4'000;
  // Another silence where the message is judged to be whole (its score is at least that of the
  // rule) or cut off (at most).
  struct Rule {
    double score = 0;
    std::int64_t settle_ms = 0;
  };
  std::optional<Rule> complete;
  std::optional<Rule> cut_off;

  [[nodiscard]] bool judges() const { return settle_ms > 0 && (complete || cut_off); }
  [[nodiscard]] std::int64_t settle_for(std::optional<double> score) const {
    if (complete && score && *score >= complete->score) return complete->settle_ms;
    if (cut_off && score && *score <= cut_off->score) return cut_off->settle_ms;
    return settle_ms;
  }
};

struct EndConfig {
  std::optional<std::string> intent;
  double score = 0;          // least score of `intent`; 0: the routes' threshold
  std::int64_t idle_ms = 0;  // 0: never
  std::int32_t turns = 0;    // 0: no limit
  Localized text;
};

// A question that a trained bundle answers about every message.
struct HeadConfig {
  std::string name;                           // "intent", "sentiment", or as `when` asks for it
  std::string bundle;                         // `qiao model promote` installs it under this name
  std::map<std::string, std::string> labels;  // the bundle's label → this flow's
  std::string head = {};                      // of a bundle with several; "": the one called `name`
};

// An entry that fits so well, and so much better than the next one, answers as it stands.
struct ClearConfig {
  double score = 0.65;
  double ahead = 0.05;
};

struct KnowledgeConfig {
  std::vector<KnowledgeEntry> entries;
  double certain = 0.90;
  std::optional<ClearConfig> clear;
  double related = 0.55;
  std::size_t top = 3;
  std::string to;  // agent for messages that no route takes but an entry is related to
};

// Somebody has to agree before a tool is called. When nobody decides in time, it goes to another
// subject, and after as much time again it is denied; or it is decided by itself.
struct ApproveConfig {
  std::string to;  // subject of the proposals
  std::int64_t after_ms = 24LL * 3'600'000;
  std::string escalate_to = "deny";  // a subject, "approve" or "deny"
  Localized wait;                    // said to the user meanwhile
  Localized denied;                  // the answer of an agent that needs the tool
};

struct ToolConfig {
  std::string name;
  Localized describe;
  std::string method = "GET";
  std::string url;  // {port} and {entity kind} are filled in
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> start;  // command of a helper program, run in the flow's folder
  std::vector<std::string> needs;  // entity kinds
  Localized ask;
  std::int64_t timeout_ms = 5'000;
  std::optional<ApproveConfig> approve;
};

enum class AgentKind { kModel, kTemplate, kKnowledge, kGame, kTable };
std::string_view name_of(AgentKind kind);

// kAuto: called when its entities are known. kRequired: asked for when one is missing.
// kModel: the model decides, by OpenAI's tool calls.
enum class ToolChoice { kAuto, kRequired, kModel };

struct FilterConfig {
  std::string name;      // as docs/reference/flow.md tells them
  std::string argument;  // of `format: json`
};

// What a model's tokens cost, per million; the unit is the user's. In millionths of it a token
// costs as much.
struct PriceConfig {
  double prompt = 0;
  double answer = 0;
};

struct AgentConfig {
  std::string name;
  AgentKind kind = AgentKind::kModel;
  std::string model = "chat";
  Localized prompt;  // the texts, not the paths
  Localized prompt_file;
  std::vector<std::string> tools;
  ToolChoice tool_choice = ToolChoice::kAuto;
  bool knowledge = false;       // is given the related entries
  bool knowledge_only = false;  // and without one does not answer: the flow falls back
  std::size_t history = 6;
  std::int32_t tokens = 256;
  std::int32_t context_tokens = 2'048;
  PriceConfig price;
  double temperature = 0.3;
  std::vector<FilterConfig> filters;
  [[nodiscard]] bool has_filter(std::string_view filter) const;
  int retries = 1;
  bool stream = true;  // text is shown as it is written; false: when it has passed the filters
  Localized reply;     // the key `template`
  std::string game;
  std::string data;         // path of the game's data
  bool homophones = false;  // idiom-chain: the same sound is enough
  bool label = false;
};

struct FallbackConfig {
  std::string to;
  Localized text;
};

struct FlowConfig {
  std::string name;
  std::string directory;
  Localized title;
  std::string input;
  std::string output;
  std::string replies;  // where outside consumers answer: "<name>.replies"
  Localized greeting;
  TurnConfig turn;
  EndConfig end;
  std::map<std::string, std::vector<std::string>> intents;
  bool sentiment = false;
  std::vector<std::string> entities;  // empty: all known
  std::vector<HeadConfig> heads;
  RouteTable routes;
  std::map<std::string, bool> holds;  // route → false when its outside subject answers once
  KnowledgeConfig knowledge;
  std::vector<ToolConfig> tools;
  std::vector<AgentConfig> agents;
  Localized label;
  FallbackConfig fallback;
  Budget budget{8, 4'000, 60'000};

  [[nodiscard]] const AgentConfig* agent(std::string_view agent_name) const;
  [[nodiscard]] const ToolConfig* tool(std::string_view tool_name) const;
  [[nodiscard]] const HeadConfig* head(std::string_view head_name) const;
};

inline constexpr std::size_t kFlowRoutesMax = 256;
inline constexpr std::size_t kFlowAgentsMax = 64;
inline constexpr std::size_t kFlowToolsMax = 32;
inline constexpr std::size_t kFlowHeadsMax = 8;
inline constexpr std::size_t kFlowExamplesMax = 512;  // of one intent or route
inline constexpr std::size_t kFlowPromptBytesMax = 64 << 10;

// Reads `directory`/flow.yaml and every file it names. The Error (invalid_argument) lists all
// faults, one a line, each with file, line and what to write instead. Blocks on disk.
Result<FlowConfig> load_flow(const std::string& directory);

// What a flow is, for GET /v1/flows/NAME and `qiao flow show`.
Json to_json(const FlowConfig& config);

}  // namespace qiao
