// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "base/language.h"
#include "base/metrics.h"
#include "flow/config/flow_config.h"
#include "model/bundle/bundle_store.h"
#include "understand/bundle_slot.h"

namespace qiao::server {

// The bundles that the flows' heads name: opens the versions that are to be served, and changes
// them while messages come. A new version is loaded and tried beside the old one first; what does
// not fit the flows or fails is refused, and everything stays as it was. A candidate may be asked
// as a shadow (understand/shadow.h) before it is promoted; a shadow ends with the version that it
// is compared with, and with the server.
//
// Owned by server/app. need() before the flows start, on one thread; then set() is only read, and
// the rest may be called from any thread: what takes a `done` runs one after another on a thread
// of their own and calls it there. At most kWaitingMax wait, and each bundle has one shadow.
class Bundles {
 public:
  static constexpr std::size_t kWaitingMax = 16;
  static constexpr std::int64_t kLoadMsMax = 60'000;
  static constexpr std::size_t kSelfTestsMax = 64;
  // Of the texts whose labels a card tells, so many must be told the same here.
  static constexpr double kSelfTestShare = 0.9;
  static constexpr std::size_t kLabelsTold = 50;  // of those that only one version has

  struct Options {
    std::string models_directory;
    std::string engine = "worker";
  };
  // What happened, for the record: "bundle.promoted", "bundle.rolled_back", "bundle.shadow_began"
  // or "bundle.shadow_ended".
  using Audit = std::function<void(std::string type, Json data)>;
  using Done = std::function<void(Result<Json>)>;
  struct ShadowWish {
    std::string name;
    std::string what;  // as for promote()
    int percent = 100;
    Language language = Language::kEnglish;  // of errors
  };

  Bundles(Options options, Audit audit, const Clock& clock, Metrics& metrics);
  ~Bundles();
  Bundles(const Bundles&) = delete;
  Bundles& operator=(const Bundles&) = delete;

  // Waits for what is under way; then nothing is changed any more.
  void stop() { worker_->stop(); }

  // Opens what `flow` names. Errors: a bundle that is not installed or damaged.
  Status need(const FlowConfig& flow);
  [[nodiscard]] const BundleSet& set() const { return slots_; }

  // `what`: a folder that `qiao train finetune` wrote, or a version that is here already.
  void promote(std::string name, std::string what, Done done);
  void roll_back(std::string name, Done done);

  // Asks `wish.what` beside what is served, in the place of a shadow that runs already; `done` gets
  // the report, which says what only one of both has and why the flows could not use it.
  void begin_shadow(ShadowWish wish, Done done);
  // `done` gets the last report.
  void end_shadow(std::string name, Language language, Done done);
  // What was compared so far (Shadow::report). At once; not_found when no shadow runs.
  [[nodiscard]] Result<Json> shadow_report(const std::string& name, Language language) const;

  // One object for each bundle served, as GET /v1/status shows models.
  [[nodiscard]] Json list() const;
  // What is not ready, one sentence each.
  [[nodiscard]] std::vector<std::string> waiting() const;

 private:
  using Loaded = Result<std::shared_ptr<const Classifier>>;

  void run(Done done, std::function<Result<Json>()> work);
  [[nodiscard]] ModelOptions options_of(const std::string& name) const;
  [[nodiscard]] Loaded load(const std::string& name, const std::string& version) const;
  // Loaded, ready, fit for the flows, and right on the texts of its card.
  Loaded load_and_try(const std::string& name, const std::string& version) const;
  // The same at the low priority of `thread`, whether it fits the flows or not.
  Loaded load_shadow(LoopThread& thread, const std::string& name, const std::string& version) const;
  static Status try_out(const Classifier& loaded);
  [[nodiscard]] Status check_flows(const std::string& name, const TextHead& head) const;
  Result<Json> promote_now(const std::string& name, const std::string& what);
  Result<Json> roll_back_now(const std::string& name);
  Json put_in(const std::string& name, std::shared_ptr<const Classifier> next,
              const std::string& before, const char* event);
  Result<Json> begin_shadow_now(const ShadowWish& wish);
  Result<Json> end_shadow_now(const std::string& name, Language language);
  // The slot's last report; null when it has no shadow.
  Json end_shadow_of(BundleSlot& slot);
  [[nodiscard]] Json about_shadow(const ShadowWish& wish, const Classifier& current,
                                  const Classifier& candidate) const;
  [[nodiscard]] Result<std::shared_ptr<BundleSlot>> asked_slot(const std::string& name,
                                                               Language language) const;

  const Options options_;
  const Audit audit_;
  const Clock& clock_;
  Metrics& metrics_;
  std::vector<FlowConfig> flows_;  // those with heads
  BundleSet slots_;
  std::unique_ptr<LoopThread> worker_;
};

}  // namespace qiao::server
