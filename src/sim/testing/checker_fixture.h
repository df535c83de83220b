// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "sim/checker.h"

namespace qiao::sim {

// A journal that a test writes as a run would, and what a checker finds in it.
class CheckerTest : public ::testing::Test {
 protected:
  // The faults that one checker finds in the journal.
  std::size_t faults(std::unique_ptr<Checker> (*make)()) { return make()->check(journal).size(); }

  Message& store(const std::string& id, const std::string& subject = "in.a",
                 const std::string& text = "x") {
    record::Published published{text_message(subject, text)};
    published.message.id = id;
    journal.records.emplace_back(journal.records.size(), std::move(published));
    return std::get<record::Published>(journal.records.back().second).message;
  }
  void store(Record record) {
    journal.records.emplace_back(journal.records.size(), std::move(record));
  }
  HandedOut& hand_out(std::uint64_t offset, std::int64_t at_ms, const std::string& id = "m0") {
    HandedOut entry;
    entry.group = "g";
    entry.conversation = "lane";
    entry.offset = offset;
    entry.id = id;
    entry.at_ms = at_ms;
    entry.until_ms = at_ms + 1'000;
    journal.handed_out.push_back(entry);
    return journal.handed_out.back();
  }
  record::Event event(const std::string& id, const std::string& type, Json data) {
    record::Event made;
    made.message_id = id;
    made.type = type;
    made.data = std::move(data);
    return made;
  }

  Agenda agenda;
  Trace trace{agenda, false};
  Journal journal{trace};
};

// A group "g" of "in.>" from the beginning, with rules; then messages m0, m1, … of a conversation.
class GroupCheckerTest : public CheckerTest {
 protected:
  void make_group(Busy busy, bool ordered = true) {
    GroupSpec spec;
    spec.name = "g";
    spec.pattern = "in.>";
    spec.start.at = GroupStart::At::kOldest;
    spec.attempts_max = 2;
    spec.ordered = ordered;
    spec.busy = busy;
    spec.rules = {{"busy", 3, {100, 150}}};
    spec.followers_max = 2;
    store(record::GroupCreated{0, spec});
  }
  std::uint64_t say(const std::string& id, const std::string& conversation = "lane") {
    store(id).conversation = conversation;
    return journal.records.size() - 1;
  }
  void lease(std::uint64_t offset, std::uint32_t attempt = 1, std::uint64_t name = 1) {
    store(record::Leased{0, "g", "ann", offset, attempt, 0, name});
    HandedOut& entry = hand_out(offset, 0);
    entry.lease = name;
    entry.latest_ms = 1'000;
  }
  void ack(std::uint64_t offset) { store(record::Acked{0, "g", offset}); }
};

}  // namespace qiao::sim
