// SPDX-License-Identifier: Apache-2.0
#include "flow/turn/receipt_json.h"

#include <algorithm>

namespace qiao::flow {
namespace {

Json to_json(const Error& error) {
  return Json{{"number", static_cast<int>(error.code)}, {"message", error.message}};
}

Error error_of(const Json& json) {
  const std::int64_t number = json_integer(json, "number").value_or(0);
  const bool known = number >= static_cast<int>(Code::kInvalidArgument) &&
                     number <= static_cast<int>(Code::kInternal);
  return {known ? static_cast<Code>(number) : Code::kInternal,
          json_string(json, "message").value_or("")};
}

Json to_json(const ToolCall& call) {
  return Json{{"id", call.id}, {"name", call.name}, {"arguments", call.arguments}};
}

std::int32_t tokens(const Json& usage, std::string_view key) {
  return static_cast<std::int32_t>(
      std::clamp<std::int64_t>(json_integer(usage, key).value_or(0), 0, INT32_MAX));
}

// The member, or null.
const Json& member(const Json& json, const char* key) {
  static const Json kNone;
  if (!json.is_object()) return kNone;
  const auto found = json.find(key);
  return found == json.end() ? kNone : *found;
}

std::vector<Scored> scores_from_json(const Json& list) {
  std::vector<Scored> scores;
  for (const Json& item : list) {
    scores.push_back(
        {json_string(item, "label").value_or(""), json_number(item, "score").value_or(0)});
  }
  return scores;
}

std::map<std::string, std::string> texts_from_json(const Json& object) {
  std::map<std::string, std::string> texts;
  if (!object.is_object()) return texts;
  for (const auto& [name, value] : object.items()) {
    if (value.is_string()) texts[name] = value.get<std::string>();
  }
  return texts;
}

Entity entity_from_json(const Json& json) {
  const auto place = [&json](const char* key) {
    const std::int64_t value = json_integer(json, key).value_or(0);
    return value > 0 ? static_cast<std::size_t>(value) : 0;
  };
  return {json_string(json, "kind").value_or(""), json_string(json, "text").value_or(""),
          json_string(json, "value").value_or(""), place("begin"), place("end")};
}

}  // namespace

Annotations annotations_from_receipt(const Json& json) {
  Annotations annotations;
  if (const auto language = json_string(json, "language"))
    annotations.language = *language == "zh" ? Language::kChinese : Language::kEnglish;
  annotations.intents = scores_from_json(member(json, "intents"));
  annotations.likes = scores_from_json(member(json, "likes"));
  annotations.nearest_example = json_string(json, "nearest_example").value_or("");
  const Json& sentiment = member(json, "sentiment");
  annotations.sentiment = json_string(sentiment, "label").value_or("");
  annotations.sentiment_score = json_number(sentiment, "score").value_or(0);
  const Json& heads = member(json, "heads");
  if (heads.is_object()) {
    for (const auto& [name, scores] : heads.items())
      annotations.heads[name] = scores_from_json(scores);
  }
  annotations.bundles = texts_from_json(member(json, "bundles"));
  for (const Json& item : member(json, "entities"))
    annotations.entities.push_back(entity_from_json(item));
  annotations.facts = texts_from_json(member(json, "facts"));
  for (const Json& item : member(json, "missing")) {
    if (item.is_string()) annotations.missing.push_back(item.get<std::string>());
  }
  annotations.ms = json_number(json, "ms").value_or(0);
  return annotations;
}

Json receipt_json(const Result<Draft>& result) {
  if (!result) return Json{{"error", to_json(result.error())}};
  const Draft& draft = *result;
  Json json{{"text", draft.text},
            {"by_model", draft.by_model},
            {"input_read", draft.input_read},
            {"cut_off", draft.cut_off},
            {"usage",
             {{"prompt_tokens", draft.usage.prompt_tokens},
              {"cached_tokens", draft.usage.cached_tokens},
              {"completion_tokens", draft.usage.completion_tokens}}},
            {"given", draft.given},
            {"report", draft.report}};
  for (const ToolCall& call : draft.tool_calls) json["tool_calls"].push_back(to_json(call));
  if (draft.game_state) json["game_state"] = *draft.game_state;
  return json;
}

Result<Draft> draft_from_receipt(const Json& json) {
  if (json.contains("error")) return error_of(json["error"]);
  Draft draft;
  draft.text = json_string(json, "text").value_or("");
  draft.by_model = json_bool(json, "by_model").value_or(false);
  draft.input_read = static_cast<std::size_t>(
      std::max<std::int64_t>(json_integer(json, "input_read").value_or(0), 0));
  draft.cut_off = json_bool(json, "cut_off").value_or(false);
  const Json& usage = member(json, "usage");
  draft.usage = {tokens(usage, "prompt_tokens"), tokens(usage, "cached_tokens"),
                 tokens(usage, "completion_tokens")};
  draft.given = json_string(json, "given").value_or("");
  if (member(json, "report").is_object()) draft.report = member(json, "report");
  for (const Json& call : member(json, "tool_calls")) {
    draft.tool_calls.push_back({json_string(call, "id").value_or(""),
                                json_string(call, "name").value_or(""),
                                json_string(call, "arguments").value_or("")});
  }
  if (json.contains("game_state")) draft.game_state = json["game_state"];
  return draft;
}

Json receipt_json(const ToolOutcome& outcome) {
  Json json{{"tool", outcome.tool},
            {"arguments", outcome.arguments},
            {"status", outcome.status},
            {"ms", outcome.ms}};
  if (outcome.error.empty()) {
    json["result"] = outcome.result;
  } else {
    json["error"] = outcome.error;
  }
  return json;
}

ToolOutcome outcome_from_receipt(const Json& json) {
  ToolOutcome outcome;
  outcome.tool = json_string(json, "tool").value_or("");
  for (const auto& [name, value] : member(json, "arguments").items()) {
    if (value.is_string()) outcome.arguments[name] = value.get<std::string>();
  }
  outcome.status =
      static_cast<int>(std::clamp<std::int64_t>(json_integer(json, "status").value_or(0), 0, 999));
  outcome.ms = json_number(json, "ms").value_or(0);
  outcome.error = json_string(json, "error").value_or("");
  outcome.result = member(json, "result");
  return outcome;
}

Json receipt_json(const std::vector<Verdict>& verdicts) {
  Json list = Json::array();
  for (const Verdict& verdict : verdicts) {
    list.push_back({{"filter", verdict.filter},
                    {"passed", verdict.passed},
                    {"reason", verdict.reason},
                    {"score", verdict.score}});
  }
  return Json{{"verdicts", std::move(list)}};
}

std::vector<Verdict> verdicts_from_receipt(const Json& json) {
  std::vector<Verdict> verdicts;
  for (const Json& item : member(json, "verdicts")) {
    verdicts.push_back(
        {json_string(item, "filter").value_or(""), json_bool(item, "passed").value_or(false),
         json_string(item, "reason").value_or(""), json_number(item, "score").value_or(0)});
  }
  return verdicts;
}

Json receipt_json(const std::vector<KnowledgeHit>& hits) {
  Json list = Json::array();
  for (const KnowledgeHit& hit : hits)
    list.push_back({{"id", hit.entry->id},
                    {"score", hit.score},
                    {"question", hit.question},
                    {"alike", hit.alike},
                    {"ahead", hit.ahead}});
  return list;
}

std::optional<std::vector<KnowledgeHit>> hits_from_receipt(const Json& json,
                                                           const KnowledgeConfig& config) {
  std::vector<KnowledgeHit> hits;
  for (const Json& item : json) {
    const auto id = json_string(item, "id");
    const auto entry = std::find_if(config.entries.begin(), config.entries.end(),
                                    [&](const KnowledgeEntry& one) { return one.id == id; });
    if (entry == config.entries.end()) return std::nullopt;
    hits.push_back({&*entry, json_number(item, "score").value_or(0),
                    json_string(item, "question").value_or(""),
                    json_number(item, "alike").value_or(0),
                    json_number(item, "ahead").value_or(0)});
  }
  return hits;
}

}  // namespace qiao::flow
