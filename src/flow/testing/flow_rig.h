// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/testing/manual_executor.h"
#include "base/testing/temp_folder.h"
#include "flow/engine.h"
#include "log/memory_log.h"

namespace qiao::testing {

// A model whose answers wait until a test gives them.
class HeldModel : public Model {
 public:
  [[nodiscard]] ModelInfo info() const override { return {}; }
  RequestId generate(GenerateRequest request, OnText on_text, OnGenerated on_done) override {
    last = std::move(request);
    text = std::move(on_text);
    done = std::move(on_done);
    return ++asked;
  }
  void cancel(RequestId) override { ++cancelled; }
  void embed(std::vector<std::string>, OnEmbedded on_done) override {
    on_done(unavailable("no encoder"));
  }
  Result<std::int32_t> count_tokens(std::string_view) override { return unavailable("no counter"); }

  void answer(std::string words) {
    Generated generated;
    generated.text = std::move(words);
    done(std::move(generated));
  }

  GenerateRequest last;
  OnText text;
  OnGenerated done;
  RequestId asked = 0;
  int cancelled = 0;
};

// One flow with broker and engine on one thread and a clock that stands still: time and order are
// the test's. crash() loses everything but the log.
class FlowRig {
 public:
  explicit FlowRig(std::string yaml) { folder.write("flow.yaml", yaml); }
  ~FlowRig() { crash(); }

  void start() {
    crash();
    loop = std::make_unique<ManualExecutor>(clock);
    streams = std::make_unique<Streams>(clock);
    metrics = std::make_unique<Metrics>();
    auto opened = Broker::open(log, *loop, clock, ids, *metrics);
    ASSERT_TRUE(opened) << opened.error().message;
    broker = std::move(*opened);
    auto config = load_flow(folder.path());
    ASSERT_TRUE(config) << config.error().message;
    input = config->input;
    if (with_history) {
      auto kept = History::open(folder.path() + "/history.sqlite", log);
      ASSERT_TRUE(kept) << kept.error().message;
      history = std::move(*kept);
    }
    FlowServices services{*broker, *streams, history.get(), models, *loop, clock, *metrics};
    services.bundles = bundles;
    services.fetch = fetch;
    if (fetch) services.workers = loop.get();
    auto made = FlowEngine::make(std::move(*config), services, options);
    ASSERT_TRUE(made) << made.error().message;
    engine = std::move(*made);
    std::optional<Status> started;
    engine->start([&started](Status status) { started = std::move(status); });
    loop->run();
    ASSERT_TRUE(started && *started);
  }
  void crash() {
    engine.reset();
    history.reset();
    broker.reset();
    loop.reset();
  }

  // Publishes and runs until nothing more happens.
  void say(const std::string& text, const std::string& conversation = "c1") {
    publish(text_message(input, text, conversation));
  }
  void publish(Message message) {
    if (message.id.empty()) message.id = ids.next();
    last_id = message.id;
    broker->publish({std::move(message)}, [](const auto& done) { ASSERT_TRUE(done); });
    if (history) history->wake();
    loop->run();
  }
  // Runs the loop until `holds`, for what other threads do (tools).
  template <class Holds>
  bool run_until(Holds holds) {
    for (int i = 0; i < 2'000 && !holds(); ++i) {
      loop->run();
      if (!holds()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return holds();
  }

  // Messages of a subject, in order.
  std::vector<Message> messages(const std::string& subject) {
    std::vector<Message> found;
    for (const Record& record : records()) {
      const auto* published = std::get_if<record::Published>(&record);
      if (published && published->message.subject == subject) found.push_back(published->message);
    }
    return found;
  }
  std::vector<std::string> replies(const std::string& subject = "f.out") {
    std::vector<std::string> texts;
    for (const Message& message : messages(subject)) texts.push_back(message.text());
    return texts;
  }
  std::string reply() {
    const auto all = replies();
    return all.empty() ? "" : all.back();
  }
  // Data of all events of a type, in order.
  std::vector<Json> events(const std::string& type) {
    std::vector<Json> found;
    for (const Record& record : records()) {
      const auto* event = std::get_if<record::Event>(&record);
      if (event && event->type == type) found.push_back(event->data);
    }
    return found;
  }
  std::string route() {
    const auto all = events("decision");
    return all.empty() ? "" : json_string(all.back(), "route").value_or("");
  }
  std::vector<Record> records() {
    std::vector<Record> found;
    const auto entries = log.read(0, 100'000, 1 << 30);
    for (const LogEntry& entry : entries.value()) {
      found.push_back(decode_record(entry.record).value());
    }
    return found;
  }

  TempFolder folder;
  ManualClock clock;
  IdMaker ids{clock, 1};
  MemoryLog log;
  ModelSet models;
  const BundleSet* bundles = nullptr;
  FlowOptions options;
  ToolFetch fetch;  // set: tools are called by it, on the loop
  std::unique_ptr<ManualExecutor> loop;
  std::unique_ptr<Streams> streams;
  std::unique_ptr<Metrics> metrics;
  std::unique_ptr<Broker> broker;
  bool with_history = false;  // then a conversation is rebuilt on threads: run_until()
  std::unique_ptr<History> history;
  std::unique_ptr<FlowEngine> engine;
  std::string input;
  std::string last_id;
};

}  // namespace qiao::testing
