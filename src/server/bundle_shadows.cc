// SPDX-License-Identifier: Apache-2.0
// Bundles: a candidate that is asked beside what is served, and never heard by a message.
#include <algorithm>
#include <future>
#include <utility>

#include "base/i18n.h"
#include "base/logging.h"
#include "server/bundles.h"
#include "understand/shadow.h"

namespace qiao::server {
namespace {

// Of several heads "head=label".
std::vector<std::string> all_labels(const TextHead& head) {
  std::vector<std::string> all = head.labels();
  for (const TextHead::Part& part : head.parts()) {
    for (const std::string& label : head.labels_of(part)) all.push_back(part.name + "=" + label);
  }
  return all;
}

// Labels of `head` that `other` lacks.
Json labels_only_of(const TextHead& head, const TextHead& other) {
  const std::vector<std::string> all = all_labels(other);
  Json only = Json::array();
  for (const std::string& label : all_labels(head)) {
    if (std::find(all.begin(), all.end(), label) != all.end()) continue;
    if (only.size() == Bundles::kLabelsTold) break;
    only.push_back(label);
  }
  return only;
}

Json version_json(const Classifier& classifier) {
  return {{"version", classifier.version()}, {"task", name_of(classifier.head().task())}};
}

}  // namespace

void Bundles::begin_shadow(ShadowWish wish, Done done) {
  run(std::move(done), [this, wish = std::move(wish)] { return begin_shadow_now(wish); });
}

void Bundles::end_shadow(std::string name, Language language, Done done) {
  run(std::move(done),
      [this, name = std::move(name), language] { return end_shadow_now(name, language); });
}

Result<Json> Bundles::shadow_report(const std::string& name, Language language) const {
  QIAO_ASSIGN(const auto slot, asked_slot(name, language));
  if (const auto shadow = slot->shadow()) return shadow->report();
  return not_found(tr(language, Text::kShadowNone, {name}));
}

Result<Json> Bundles::begin_shadow_now(const ShadowWish& wish) {
  QIAO_ASSIGN(const auto slot, asked_slot(wish.name, wish.language));
  const auto version = find_or_import(options_.models_directory, wish.name, wish.what);
  if (!version && version.error().code == Code::kNotFound) {
    return not_found(tr(wish.language, Text::kShadowNoBundle, {wish.what, wish.name}));
  }
  if (!version) return version.error();
  const auto current = slot->current();
  if (*version == current->version()) {
    return Error{Code::kPrecondition,
                 tr(wish.language, Text::kShadowServed, {wish.name, *version})};
  }
  std::unique_ptr<LoopThread> thread = Shadow::make_thread();
  QIAO_ASSIGN(auto candidate, load_shadow(*thread, wish.name, *version));
  Json about = about_shadow(wish, *current, *candidate);
  const Json before = end_shadow_of(*slot);
  if (!before.is_null()) about["replaced"] = before["candidate"]["version"];
  const Shadow::Options options{wish.name, *version, wish.percent, std::move(about)};
  const auto shadow =
      std::make_shared<Shadow>(options, std::move(candidate), std::move(thread), clock_, metrics_);
  slot->set_shadow(shadow);
  log_info("bundles", wish.name + ": version " + *version + " is asked beside " +
                          current->version() + " about " + std::to_string(wish.percent) +
                          " % of the messages");
  if (audit_) audit_("bundle.shadow_began", options.about);
  return shadow->report();
}

Result<Json> Bundles::end_shadow_now(const std::string& name, Language language) {
  QIAO_ASSIGN(const auto slot, asked_slot(name, language));
  Json compared = end_shadow_of(*slot);
  if (compared.is_null()) return not_found(tr(language, Text::kShadowNone, {name}));
  return compared;
}

Json Bundles::end_shadow_of(BundleSlot& slot) {
  const auto shadow = slot.shadow();
  if (!shadow) return nullptr;
  slot.set_shadow(nullptr);
  Json compared = shadow->report();
  log_info("bundles", slot.name() + ": the shadow " + shadow->version() + " has ended");
  if (audit_) audit_("bundle.shadow_ended", compared);
  return compared;
}

// Its metrics are its own, under another name than those of what is served.
Bundles::Loaded Bundles::load_shadow(LoopThread& thread, const std::string& name,
                                     const std::string& version) const {
  QIAO_ASSIGN(const std::string folder, version_folder(options_.models_directory, name, version));
  std::promise<Loaded> loaded;
  QIAO_TRY(thread.post([&] {
    loaded.set_value(
        Classifier::open(folder, version, options_of(name + ".shadow"), clock_, metrics_));
  }));
  QIAO_ASSIGN(auto candidate, loaded.get_future().get());
  QIAO_TRY(try_out(*candidate));
  return candidate;
}

Json Bundles::about_shadow(const ShadowWish& wish, const Classifier& current,
                           const Classifier& candidate) const {
  Json about = {{"bundle", wish.name},
                {"percent", wish.percent},
                {"since_ms", clock_.wall_ms()},
                {"current", version_json(current)},
                {"candidate", version_json(candidate)},
                {"labels_only_current", labels_only_of(current.head(), candidate.head())},
                {"labels_only_candidate", labels_only_of(candidate.head(), current.head())}};
  if (const Status fits = check_flows(wish.name, candidate.head()); !fits) {
    about["unfit"] = fits.error().message;
  }
  return about;
}

Result<std::shared_ptr<BundleSlot>> Bundles::asked_slot(const std::string& name,
                                                        Language language) const {
  const auto slot = slots_.find(name);
  if (slot != slots_.end()) return slot->second;
  std::string all;
  for (const auto& [other, ignored] : slots_) all += (all.empty() ? "" : ", ") + other;
  return not_found(tr(language, Text::kShadowNoHead, {name, all.empty() ? "–" : all}));
}

}  // namespace qiao::server
