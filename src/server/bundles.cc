// SPDX-License-Identifier: Apache-2.0
#include "server/bundles.h"

#include <algorithm>
#include <utility>

#include "base/logging.h"
#include "flow/config/head_check.h"
#include "understand/shadow.h"

namespace qiao::server {
namespace {

// Texts that any bundle must have an answer to.
constexpr const char* kProbes[] = {"你好，我想问一下订单", "Hello, where is my order?", "1", "…"};

// Figures of a card that people compare bundles by.
Json figures_of(const Json& card) {
  Json figures = Json::object();
  if (!card.is_object()) return figures;
  for (const char* key : {"task", "accuracy", "macro_f1", "entity_f1", "calibration_error"}) {
    const auto found = card.find(key);
    if (found != card.end() && found->is_primitive()) figures[key] = *found;
  }
  if (const auto best = card.find("dev"); best != card.end() && best->is_object()) {
    figures["dev"] = *best;
  }
  return figures;
}

// A list, or of several heads an object of lists.
Json labels_json(const TextHead& head) {
  if (head.parts().empty()) return head.labels();
  Json json = Json::object();
  for (const TextHead::Part& part : head.parts()) json[part.name] = head.labels_of(part);
  return json;
}

// Whether an answer has the `label` of a text, or of several heads each of its `labels`.
bool is_told(const HeadAnswer& answer, const Json& row) {
  if (answer.heads.empty()) {
    const std::string given = answer.labels.empty() ? "" : answer.labels.front().label;
    return given == json_string(row, "label").value_or("");
  }
  const Json labels = row.is_object() ? row.value("labels", Json()) : Json();
  return std::all_of(answer.heads.begin(), answer.heads.end(), [&](const HeadLabels& head) {
    const auto wanted = labels.find(head.name);
    return wanted == labels.end() || *wanted == head.labels.front().label;
  });
}

// How many of the card's own texts get the label that the card tells.
Status try_card_texts(const Classifier& classifier) {
  const Json& card = classifier.head().card();
  const auto texts = card.is_object() ? card.find("self_test") : card.end();
  if (texts == card.end() || !texts->is_array() || texts->empty()) return {};
  std::size_t tried = 0;
  std::size_t right = 0;
  for (const Json& row : *texts) {
    if (tried == Bundles::kSelfTestsMax) break;
    ++tried;
    QIAO_ASSIGN(const HeadAnswer answer,
                judge_and_wait(classifier, json_string(row, "text").value_or("")));
    right += is_told(answer, row) ? 1U : 0U;
  }
  if (static_cast<double>(right) >= Bundles::kSelfTestShare * static_cast<double>(tried)) return {};
  return Error{Code::kPrecondition, "the bundle " + classifier.id() + " answers " +
                                        std::to_string(right) + " of the " + std::to_string(tried) +
                                        " texts of its card as it should: it is not served"};
}

Status try_probes(const Classifier& classifier) {
  for (const char* text : kProbes) {
    const auto answer = judge_and_wait(classifier, text);
    if (!answer) {
      Error error = answer.error();
      return std::move(error).with("while trying the bundle " + classifier.id());
    }
  }
  return {};
}

}  // namespace

Bundles::Bundles(Options options, Audit audit, const Clock& clock, Metrics& metrics)
    : options_(std::move(options)),
      audit_(std::move(audit)),
      clock_(clock),
      metrics_(metrics),
      worker_(std::make_unique<LoopThread>("bundles", kWaitingMax)) {}

Bundles::~Bundles() {
  worker_->stop();
}

Status Bundles::need(const FlowConfig& flow) {
  if (!flow.heads.empty()) flows_.push_back(flow);
  for (const HeadConfig& head : flow.heads) {
    if (slots_.contains(head.bundle)) continue;
    const std::string who = "flow " + flow.name + ", head " + head.name;
    auto opened = open_bundle(options_.models_directory, options_of(head.bundle), clock_, metrics_);
    if (!opened) return std::move(opened.error()).with(who);
    slots_[head.bundle] = std::move(*opened);
  }
  return {};
}

void Bundles::promote(std::string name, std::string what, Done done) {
  run(std::move(done),
      [this, name = std::move(name), what = std::move(what)] { return promote_now(name, what); });
}

void Bundles::roll_back(std::string name, Done done) {
  run(std::move(done), [this, name = std::move(name)] { return roll_back_now(name); });
}

void Bundles::run(Done done, std::function<Result<Json>()> work) {
  const Status posted = worker_->post([done, work = std::move(work)] { done(work()); });
  if (!posted) done(posted.error());
}

ModelOptions Bundles::options_of(const std::string& name) const {
  ModelOptions options;
  options.name = name;
  options.engine = options_.engine;
  return options;
}

Bundles::Loaded Bundles::load(const std::string& name, const std::string& version) const {
  QIAO_ASSIGN(const std::string folder, version_folder(options_.models_directory, name, version));
  return Classifier::open(folder, version, options_of(name), clock_, metrics_);
}

Bundles::Loaded Bundles::load_and_try(const std::string& name, const std::string& version) const {
  QIAO_ASSIGN(std::shared_ptr<const Classifier> loaded, load(name, version));
  QIAO_TRY(check_flows(name, loaded->head()));
  QIAO_TRY(try_out(*loaded));
  return loaded;
}

Status Bundles::try_out(const Classifier& loaded) {
  QIAO_TRY(loaded.wait_until_ready(kLoadMsMax));
  QIAO_TRY(try_probes(loaded));
  return try_card_texts(loaded);
}

Status Bundles::check_flows(const std::string& name, const TextHead& head) const {
  for (const FlowConfig& flow : flows_) {
    for (const HeadConfig& one : flow.heads) {
      if (one.bundle == name) QIAO_TRY(check_head(flow, one, head));
    }
  }
  return {};
}

Result<Json> Bundles::promote_now(const std::string& name, const std::string& what) {
  QIAO_ASSIGN(const std::string version, find_or_import(options_.models_directory, name, what));
  const auto state = read_bundle_state(options_.models_directory, name);
  const std::string before = state ? state->current() : "";
  QIAO_ASSIGN(auto next, load_and_try(name, version));
  QIAO_TRY(promote_version(options_.models_directory, name, version, clock_.wall_ms()));
  return put_in(name, std::move(next), before, "bundle.promoted");
}

Result<Json> Bundles::roll_back_now(const std::string& name) {
  QIAO_ASSIGN(const BundleState state, read_bundle_state(options_.models_directory, name));
  if (state.promoted.size() < 2) {
    return Error{Code::kPrecondition,
                 "the bundle " + name + " has had one version only: there is none to go back to"};
  }
  QIAO_ASSIGN(auto next, load_and_try(name, state.promoted[state.promoted.size() - 2].version));
  QIAO_TRY(roll_back_version(options_.models_directory, name));
  return put_in(name, std::move(next), state.current(), "bundle.rolled_back");
}

// The disk says so already: from here on nothing fails.
Json Bundles::put_in(const std::string& name, std::shared_ptr<const Classifier> next,
                     const std::string& before, const char* event) {
  Json done = {{"bundle", name},
               {"version", next->version()},
               {"before", before},
               {"task", name_of(next->head().task())},
               {"labels", labels_json(next->head())},
               {"served", slots_.contains(name)}};
  const auto slot = slots_.find(name);
  if (slot != slots_.end()) {
    if (Json compared = end_shadow_of(*slot->second); !compared.is_null()) {
      done["shadow"] = std::move(compared);
    }
    slot->second->swap(std::move(next));
  }
  log_info("bundles", name + ": version " + json_string(done, "version").value_or("") +
                          (before.empty() ? "" : " in the place of " + before));
  if (audit_)
    audit_(event, Json{{"bundle", name}, {"version", done["version"]}, {"before", before}});
  return done;
}

Json Bundles::list() const {
  Json list = Json::array();
  for (const auto& [name, slot] : slots_) {
    const auto classifier = slot->current();
    const ModelInfo info = classifier->info();
    const TextHead& head = classifier->head();
    Json bundle = {{"version", classifier->version()},
                   {"labels", labels_json(head)},
                   {"figures", figures_of(head.card())}};
    if (const auto shadow = slot->shadow()) bundle["shadow"] = shadow->version();
    list.push_back({{"name", name},
                    {"kind", head.task() == HeadTask::kTag ? "tagger" : "classifier"},
                    {"where", info.where},
                    {"context_tokens", info.context_tokens},
                    {"embedding_size", info.embedding_size},
                    {"slots", info.slots},
                    {"ready", info.ready},
                    {"note", info.note},
                    {"resident_bytes", info.resident_bytes},
                    {"restarts", info.restarts},
                    {"bundle", std::move(bundle)}});
  }
  return list;
}

std::vector<std::string> Bundles::waiting() const {
  std::vector<std::string> out;
  for (const auto& [name, slot] : slots_) {
    const ModelInfo info = slot->current()->info();
    if (!info.ready) out.push_back("bundle " + name + (info.note.empty() ? "" : ": " + info.note));
  }
  return out;
}

}  // namespace qiao::server
