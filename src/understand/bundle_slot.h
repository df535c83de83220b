// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "understand/classifier.h"

namespace qiao {

class Shadow;

// What a bundle said, and which version of it.
struct Judged {
  HeadAnswer answer;
  std::string id;  // "intents@3fa9c1d20b7e"
};

// The place of a bundle that flows ask by its name: the version in it can be changed while
// messages come. Each question is answered as a whole by the version that was there when it came.
//
// Thread-safe; shared by the flows and whoever changes the version. judge() never waits.
class BundleSlot {
 public:
  using OnJudged = std::function<void(Result<Judged>)>;

  BundleSlot(std::string name, std::shared_ptr<const Classifier> first);
  ~BundleSlot();  // blocks until every question is answered and the shadow has ended
  BundleSlot(const BundleSlot&) = delete;
  BundleSlot& operator=(const BundleSlot&) = delete;

  void judge(AskedText asked, OnJudged done) const;
  // Puts `next` in; what is asked from now on is answered by it. Blocks until the version before
  // has answered all it was asked, and lets it go with its shadow. Not on a thread that answers
  // questions.
  void swap(std::shared_ptr<const Classifier> next);
  // From now on `shadow` (null: none) hears what is asked, as long as this version is here. Ends
  // the one that heard before, and blocks meanwhile.
  void set_shadow(std::shared_ptr<Shadow> shadow);

  [[nodiscard]] std::shared_ptr<const Classifier> current() const;
  [[nodiscard]] std::shared_ptr<Shadow> shadow() const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  // A version and the questions under way with it.
  struct Seat {
    std::shared_ptr<const Classifier> classifier;
    std::shared_ptr<Shadow> shadow;  // under the slot's mutex_
    std::mutex mutex;
    std::condition_variable idle;
    std::size_t asked = 0;
  };
  static void wait_until_idle(Seat& seat);
  static void clear(Seat& seat);

  const std::string name_;
  mutable std::mutex mutex_;  // of seat_ and its shadow
  std::shared_ptr<Seat> seat_;
};

// The bundles of one server, by the names flows use.
using BundleSet = std::map<std::string, std::shared_ptr<BundleSlot>>;

// Opens the version of `options.name` that is to be served. not_found says how to install it.
Result<std::shared_ptr<BundleSlot>> open_bundle(const std::string& models_directory,
                                                const ModelOptions& options, const Clock& clock,
                                                Metrics& metrics);

}  // namespace qiao
