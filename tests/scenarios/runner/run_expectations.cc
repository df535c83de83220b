// SPDX-License-Identifier: Apache-2.0
// What a scenario expects.
#include <algorithm>
#include <utility>

#include "scenarios/runner/run.h"

namespace qiao::scenario {
namespace {

std::string list_of(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : " ") + in_quotes(text);
  return out.empty() ? "nothing" : out;
}

std::vector<std::string> rest_of_texts(Words& words) {
  std::vector<std::string> texts;
  if (words.take_if("nothing")) return texts;
  while (auto text = words.text_if()) texts.push_back(std::move(*text));
  if (texts.empty()) words.fail("here stand texts in quotes, or 'nothing'");
  return texts;
}

Status expect_texts(const std::vector<std::string>& found,
                    const std::vector<std::string>& expected) {
  if (found == expected) return {};
  return unmet("expected " + list_of(expected) + ", found " + list_of(found));
}

template <class Messages>
std::vector<std::string> texts_of(const Messages& messages) {
  std::vector<std::string> texts;
  for (const auto& stored : messages) texts.push_back(stored.message.text());
  return texts;
}

}  // namespace

const std::map<std::string, Run::Command, std::less<>>& Run::expectations() {
  static const std::map<std::string, Command, std::less<>> kExpectations = {
      {"error", &Run::expect_error},       {"duplicate", &Run::expect_duplicate},
      {"offset", &Run::expect_offset},     {"delivery", &Run::expect_delivery},
      {"no", &Run::expect_nothing},        {"dead", &Run::expect_dead},
      {"topic", &Run::expect_topic},       {"seen", &Run::expect_seen},
      {"reply", &Run::expect_reply},       {"group", &Run::expect_group},
      {"text", &Run::expect_text},         {"joined", &Run::expect_joined},
      {"ended", &Run::expect_ended},       {"parked", &Run::expect_parked},
      {"receipts", &Run::expect_receipts}, {"budget", &Run::expect_budget}};
  return kExpectations;
}

Status Run::expect(Words& words) {
  const std::string what = words.word("what is expected");
  const auto found = expectations().find(what);
  if (found == expectations().end())
    return invalid_argument("there is nothing called '" + what + "' to expect");
  const bool of_the_past = what == "error" || what == "reply";
  if (failed_ && !of_the_past) return unmet("the command before failed with " + describe(*failed_));
  if (!bus_.is_open() && !of_the_past) return unmet("the broker is not open");
  return (this->*found->second)(words);
}

Status Run::expect_error(Words& words) {
  const std::string code = words.word("an error's name");
  QIAO_TRY(words.finish());
  if (!failed_) return unmet("the command before did not fail");
  const Error error = *std::exchange(failed_, std::nullopt);
  if (qiao::name_of(error.code) == code) return {};
  return unmet("expected the error " + code + ", found " + describe(error));
}

Status Run::expect_duplicate(Words& words) {
  QIAO_TRY(words.finish());
  return published_.duplicate ? Status() : Status(unmet("the last publish was no duplicate"));
}

Status Run::expect_offset(Words& words) {
  const std::uint64_t offset = words.number("an offset");
  QIAO_TRY(words.finish());
  if (published_.offset == offset) return {};
  return unmet("the last publish got offset " + std::to_string(published_.offset));
}

Status Run::expect_delivery(Words& words) {
  const std::string group = words.word("the group's name");
  const std::string text = words.text();
  std::uint64_t attempt = 0;
  if (words.take_if("attempt")) attempt = words.number("an attempt");
  std::vector<std::string> with;
  if (words.take_if("with")) with = rest_of_texts(words);
  QIAO_TRY(words.finish());
  std::deque<Delivery>& waiting = delivered_[group];
  if (waiting.empty()) return unmet("group " + group + " delivered nothing");
  const Delivery delivery = std::move(waiting.front());
  waiting.pop_front();
  QIAO_TRY(expect_texts({delivery.message.text()}, {text}));
  QIAO_TRY(expect_texts(texts_of(delivery.followers), with));
  if (attempt == 0 || attempt == delivery.attempt) return {};
  return unmet("it is attempt " + std::to_string(delivery.attempt));
}

Status Run::expect_nothing(Words& words) {
  if (words.take_if("delivery")) {
    const std::string group = words.word("the group's name");
    QIAO_TRY(words.finish());
    const std::deque<Delivery>& waiting = delivered_[group];
    if (waiting.empty()) return {};
    return unmet("group " + group + " delivered " + in_quotes(waiting.front().message.text()));
  }
  if (!words.take_if("reply")) words.fail("here stands 'delivery' or 'reply'");
  const std::string name = words.word("a request");
  QIAO_TRY(words.finish());
  const auto found = requests_.find(name);
  if (found == requests_.end()) return unmet("there is no request " + name);
  return found->second->has_value() ? Status(unmet("there is an answer")) : Status();
}

Status Run::expect_dead(Words& words) {
  if (!words.take_if("letter")) words.fail("here stands 'letter'");
  const std::string subject = words.word("a subject");
  const std::string text = words.text();
  std::map<std::string, std::string> headers;
  while (words.ok() && !words.empty()) {
    if (words.take_if("origin")) {
      headers["x-dead-origin"] = words.word("a subject");
    } else if (words.take_if("attempts")) {
      headers["x-dead-attempts"] = words.word("a number");
    } else if (words.take_if("reason")) {
      headers["x-dead-reason"] = words.text();
    } else if (words.take_if("error")) {
      headers["x-dead-error"] = words.word("a class of error");
    } else {
      break;
    }
  }
  QIAO_TRY(words.finish());
  QIAO_ASSIGN(const Page page, bus_.read(subject));
  for (const StoredMessage& stored : page.messages) {
    const auto& have = stored.message.headers;
    const bool fits = std::all_of(headers.begin(), headers.end(), [&have](const auto& header) {
      const auto found = have.find(header.first);
      return found != have.end() && found->second == header.second;
    });
    if (fits && stored.message.text() == text) return {};
  }
  return unmet("no such letter among " + std::to_string(page.messages.size()));
}

Status Run::expect_topic(Words& words) {
  const std::string pattern = words.word("a pattern");
  std::uint64_t from = 0;
  if (words.take_if("from")) from = words.number("an offset");
  const std::vector<std::string> expected = rest_of_texts(words);
  QIAO_TRY(words.finish());
  QIAO_ASSIGN(const Page page, bus_.read(pattern, from));
  return expect_texts(texts_of(page.messages), expected);
}

// Of the newest message of that text in that topic: exactly these limits.
Status Run::expect_budget(Words& words) {
  const std::string pattern = words.word("a pattern");
  const std::string text = words.text();
  Budget expected;
  take_budget(words, expected);
  QIAO_TRY(words.finish());
  QIAO_ASSIGN(const Page page, bus_.read(pattern, 0));
  for (auto stored = page.messages.rbegin(); stored != page.messages.rend(); ++stored) {
    if (stored->message.text() != text) continue;
    if (stored->message.budget == expected) return {};
    const Json json = to_json(stored->message);
    return unmet("its budget is " + (json.contains("budget") ? json["budget"].dump() : "none"));
  }
  return unmet("there is no message " + in_quotes(text));
}

Status Run::expect_seen(Words& words) {
  const std::string name = words.word("a subscriber");
  const std::vector<std::string> expected = rest_of_texts(words);
  QIAO_TRY(words.finish());
  const auto found = subscribers_.find(name);
  if (found == subscribers_.end()) return unmet("there is no subscriber " + name);
  const std::vector<std::string> seen = std::exchange(*found->second.seen, {});
  return expect_texts(seen, expected);
}

Status Run::expect_reply(Words& words) {
  const std::string name = words.word("a request");
  const bool error = words.take_if("error");
  const std::string expected = error ? words.word("an error's name") : words.text();
  QIAO_TRY(words.finish());
  const auto found = requests_.find(name);
  if (found == requests_.end()) return unmet("there is no request " + name);
  if (!found->second->has_value()) return unmet("there is no answer yet");
  const Result<Message>& answer = **found->second;
  const std::string got = answer ? in_quotes(answer->text()) : describe(answer.error());
  const bool fits = error ? !answer && qiao::name_of(answer.error().code) == expected
                          : answer && answer->text() == expected;
  return fits ? Status() : Status(unmet("expected " + expected + ", found " + got));
}

Status Run::expect_group(Words& words) {
  const std::string name = words.word("the group's name");
  std::map<std::string, std::uint64_t> expected;
  while (words.ok() && !words.empty()) {
    const std::string what = words.word("waiting, leased, acked or parked");
    expected[what] = words.number("a number");
  }
  QIAO_TRY(words.finish());
  QIAO_ASSIGN(const std::vector<GroupInfo> groups,
              bus_.call<std::vector<GroupInfo>>([&](auto done) { bus_.broker().groups(done); }));
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const GroupInfo& info) { return info.spec.name == name; });
  if (found == groups.end()) return unmet("there is no group " + name);
  const std::map<std::string, std::uint64_t> counts = {{"waiting", found->waiting},
                                                       {"leased", found->leased},
                                                       {"acked", found->acked},
                                                       {"parked", found->parked}};
  for (const auto& [what, count] : expected) {
    const auto have = counts.find(what);
    if (have == counts.end()) return invalid_argument("a group does not count '" + what + "'");
    if (have->second != count) return unmet(what + " is " + std::to_string(have->second));
  }
  return {};
}

Status Run::expect_joined(Words& words) {
  const std::string group = words.word("the group's name");
  const std::string text = words.text();
  const std::vector<std::string> expected = rest_of_texts(words);
  QIAO_TRY(words.finish());
  const auto found = joins_.find({group, text});
  if (found == joins_.end()) return unmet("nobody joins the lease of " + in_quotes(text));
  if (!found->second->has_value()) return expect_texts({}, expected);
  const Result<std::vector<StoredMessage>> answer = std::move(**found->second);
  joins_.erase(found);
  if (!answer) return unmet("found " + describe(answer.error()));
  return expect_texts(texts_of(*answer), expected);
}

// Who waited for what joins its lease was told that the lease is over.
Status Run::expect_ended(Words& words) {
  const std::string group = words.word("the group's name");
  const std::string text = words.text();
  QIAO_TRY(words.finish());
  const auto found = joins_.find({group, text});
  if (found == joins_.end() || !found->second->has_value()) return unmet("it was not told");
  const Result<std::vector<StoredMessage>> answer = std::move(**found->second);
  joins_.erase(found);
  if (answer) return unmet("found " + list_of(texts_of(*answer)));
  return answer.error().code == Code::kConflict
             ? Status()
             : Status(unmet("found " + describe(answer.error())));
}

// GROUP "TEXT" STEP "DATA" … | nothing: in this order
Status Run::expect_receipts(Words& words) {
  const std::string group = words.word("the group's name");
  const std::string text = words.text();
  std::vector<std::string> expected;
  while (words.ok() && !words.empty() && !words.take_if("nothing")) {
    const StepReceipt receipt = step_receipt(words);
    expected.push_back(receipt.step + " " + receipt.data);
  }
  QIAO_TRY(words.finish());
  const std::vector<Delivery>& seen = known_[group][text];
  if (seen.empty()) return unmet("group " + group + " never delivered " + in_quotes(text));
  std::vector<std::string> found;
  for (const StepReceipt& receipt : seen.back().receipts)
    found.push_back(receipt.step + " " + receipt.data);
  return expect_texts(found, expected);
}

Status Run::expect_parked(Words& words) {
  const std::string group = words.word("the group's name");
  const std::vector<std::string> expected = rest_of_texts(words);
  QIAO_TRY(words.finish());
  QIAO_ASSIGN(
      const std::vector<ParkedMessage> parked,
      bus_.call<std::vector<ParkedMessage>>([&](auto done) { bus_.broker().parked(group, done); }));
  return expect_texts(texts_of(parked), expected);
}

}  // namespace qiao::scenario
