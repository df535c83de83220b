// SPDX-License-Identifier: Apache-2.0
#include "cli/why_text.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <thread>

#include "base/i18n.h"
#include "cli/message_text.h"
#include "cli/table.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

constexpr int kAsksMax = 20;
constexpr std::chrono::milliseconds kAskPause{50};
constexpr std::size_t kScoresShown = 8;
constexpr std::size_t kEventColumns = 100;

// Rounded down, as in the sentence: what is below a threshold never reads as if it had reached it.
std::string two_digits(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2f", std::floor(value * 100 + 1e-6) / 100);
  return buffer;
}

std::string text_in(const Json& object, std::string_view key) {
  return one_line(json_string(object, key).value_or(""));
}

const Json& part(const Json& object, const char* key) {
  static const Json kNothing;
  const auto found = object.find(key);
  return found == object.end() ? kNothing : *found;
}

// Whether the decision's threshold is one of routes: a knowledge entry's is not.
bool by_table(std::string_view tier) {
  return tier == "rule" || tier == "semantic" || tier == "reject";
}

// The best routes against what they had to reach.
std::string scores_text(const Session& session, const Json& decision) {
  const Json& scores = part(decision, "scores");
  if (!scores.is_array() || scores.empty()) return {};
  const double threshold =
      by_table(text_in(decision, "tier")) ? json_number(decision, "threshold").value_or(0) : 0;
  Table table({{session.say(Text::kCliColumnRoute)},
               {session.say(Text::kCliColumnScore), Align::kRight},
               {session.say(Text::kCliColumnThreshold), Align::kRight},
               {""}});
  std::size_t shown = 0;
  for (const Json& scored : scores) {
    if (++shown > kScoresShown) break;
    const double score = json_number(scored, "score").value_or(0);
    const bool reached = threshold > 0 && score >= threshold;
    const bool taken = text_in(scored, "label") == text_in(decision, "route");
    table.add({text_in(scored, "label"),
               Cell(two_digits(score), reached ? Style::kGood : Style::kPlain),
               threshold > 0 ? two_digits(threshold) : "–", taken ? "←" : ""});
  }
  return table.text(session.terminal.out);
}

std::string list_text(const Json& list, const char* key) {
  std::string text;
  for (const Json& item : list) text += (text.empty() ? "" : ", ") + text_in(item, key);
  return text;
}

// Language, sentiment, entities and what could not be judged.
std::string understood_text(const Session& session, const Json& annotations) {
  if (!annotations.is_object()) return {};
  Table table({{""}, {""}});
  const auto add = [&](Text title, const std::string& text) {
    if (!text.empty()) table.add({session.say(title), text});
  };
  add(Text::kCliWhyLanguage, text_in(annotations, "language"));
  const Json& sentiment = part(annotations, "sentiment");
  if (sentiment.is_object()) {
    add(Text::kCliWhySentiment, text_in(sentiment, "label") + " " +
                                    two_digits(json_number(sentiment, "score").value_or(0)));
  }
  const Json& intents = part(annotations, "intents");
  if (intents.is_array() && !intents.empty()) {
    add(Text::kCliWhyIntent, text_in(intents[0], "label") + " " +
                                 two_digits(json_number(intents[0], "score").value_or(0)));
  }
  add(Text::kCliWhyEntities, list_text(part(annotations, "entities"), "text"));
  add(Text::kCliWhyNearest, text_in(annotations, "nearest_example"));
  std::string missing;
  for (const Json& item : part(annotations, "missing"))
    if (item.is_string()) missing += (missing.empty() ? "" : ", ") + item.get<std::string>();
  add(Text::kCliWhyMissing, missing);
  return table.text(session.terminal.out);
}

// What is shown whole above is named only.
std::string event_summary(const Json& event) {
  const std::string type = text_in(event, "type");
  if (type == "understood" || type == "decision") return {};
  return cut_to_width(one_line(dump_json(part(event, "data"))), kEventColumns);
}

std::string events_text(const Session& session, const Json& events) {
  if (!events.is_array() || events.empty()) return {};
  Table table({{session.say(Text::kCliColumnTime)},
               {session.say(Text::kCliColumnEvent)},
               {session.say(Text::kCliColumnData)}});
  for (const Json& event : events) {
    table.add({clock_time(json_integer(event, "time_ms").value_or(0)), text_in(event, "type"),
               Cell(event_summary(event), Style::kDim)});
  }
  return table.text(session.terminal.out);
}

std::string decision_text(const Session& session, const Json& why) {
  const Json& decision = part(why, "decision");
  if (!decision.is_object()) return session.say(Text::kCliWhyUndecided) + "\n";
  const Output& out = session.terminal.out;
  std::string text = out.paint(Style::kBold, text_in(why, "explanation")) + "\n";
  return text +
         session.say(Text::kCliWhyRoute, {text_in(decision, "route"), text_in(decision, "to"),
                                          text_in(decision, "tier")}) +
         "\n";
}

}  // namespace

Result<Json> ask_why(const Session& session, const Client& client, const std::string& message_id) {
  const std::string path = "/v1/messages/" + url_escape(message_id) +
                           "/why?lang=" + (session.language == Language::kChinese ? "zh" : "en");
  for (int asks = 1;; ++asks) {
    auto why = client.get(path);
    const bool early = !why && why.error().code == Code::kNotFound;
    if (!early || asks == kAsksMax) return why;
    std::this_thread::sleep_for(kAskPause);
  }
}

std::string why_text(const Session& session, const Json& why) {
  std::string text;
  const auto message = message_from_json(part(why, "message"));
  if (message) {
    text += session.terminal.out.paint(Style::kDim, message->subject) + "  " +
            message_summary(*message) + "\n";
  }
  text += decision_text(session, why);
  for (const std::string& block : {scores_text(session, part(why, "decision")),
                                   understood_text(session, part(why, "annotations")),
                                   events_text(session, part(why, "events"))}) {
    if (!block.empty()) text += "\n" + block;
  }
  return text;
}

std::string route_line(const Json& why, double ms) {
  const Json& decision = part(why, "decision");
  if (!decision.is_object()) return {};
  char time[32];
  std::snprintf(time, sizeof time, "%.0f ms", ms);
  return "[route " + text_in(decision, "route") + " · " + text_in(decision, "tier") + " · " + time +
         "]";
}

}  // namespace qiao::cli
