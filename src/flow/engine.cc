// SPDX-License-Identifier: Apache-2.0
#include "flow/engine.h"

#include <algorithm>
#include <future>
#include <set>

#include "base/logging.h"
#include "flow/config/head_check.h"
#include "flow/engine_impl.h"
#include "flow/loop.h"

namespace qiao {
namespace {

constexpr std::int64_t kStopLateMs = 5'000;  // after the grace

flow::FlowMetrics make_metrics(Metrics& metrics, const std::string& name) {
  const std::string labels = "flow=\"" + name + "\"";
  return {metrics.counter("qiao_flow_turns_total", "Turns that ended", labels),
          metrics.counter("qiao_flow_replies_without_model_total",
                          "Replies from knowledge, templates, games", labels),
          metrics.counter("qiao_flow_drafts_rejected_total", "Drafts a filter rejected", labels),
          metrics.counter("qiao_flow_fallbacks_total", "Turns that fell back", labels),
          metrics.counter("qiao_flow_handed_over_total", "Turns given to outside subjects", labels),
          metrics.counter("qiao_flow_tool_calls_total", "Tool calls", labels),
          metrics.counter("qiao_flow_tool_failures_total", "Tool calls that failed", labels),
          metrics.counter("qiao_flow_fragments_merged_total",
                          "Messages that were answered together with others", labels),
          metrics.counter("qiao_flow_replies_saved_total",
                          "Turns that were not run because messages were merged", labels),
          metrics.histogram("qiao_flow_gate_seconds",
                            "Delay by the turn gate: from a turn's last message on", labels),
          metrics.histogram("qiao_flow_turn_seconds", "From lease to commit", labels),
          metrics.histogram("qiao_flow_first_text_seconds", "From agent to first text", labels)};
}

GroupSpec group_spec(std::string name, std::string pattern, const FlowOptions& options) {
  GroupSpec spec;
  spec.name = std::move(name);
  spec.pattern = std::move(pattern);
  spec.start.at = GroupStart::At::kOldest;  // what came before the flow's first start is answered
  spec.lease_ms = options.lease_ms;
  spec.attempts_max = options.attempts_max;
  spec.ordered = true;
  return spec;
}

}  // namespace

FlowEngine::Impl::Impl(FlowConfig config, FlowServices services, FlowOptions options)
    : config_(std::move(config)),
      services_(std::move(services)),
      options_(options),
      pool_(services_.workers),
      store_(options.conversations_max) {}

FlowEngine::Impl::~Impl() {
  pool_.stop();  // its jobs use the rest
}

Result<std::shared_ptr<FlowEngine::Impl>> FlowEngine::Impl::make(FlowConfig config,
                                                                 FlowServices services,
                                                                 FlowOptions options) {
  std::shared_ptr<Impl> impl(new Impl(std::move(config), std::move(services), options));
  QIAO_TRY(impl->make_parts());
  return impl;
}

std::shared_ptr<Model> FlowEngine::Impl::model(const std::string& name) const {
  const auto found = services_.models.find(name);
  return found == services_.models.end() ? nullptr : found->second;
}

Result<std::vector<HeadSpec>> FlowEngine::Impl::find_heads() const {
  static const BundleSet kNone;
  const BundleSet& bundles = services_.bundles != nullptr ? *services_.bundles : kNone;
  std::vector<HeadSpec> heads;
  for (const HeadConfig& head : config_.heads) {
    const auto found = bundles.find(head.bundle);
    if (found == bundles.end()) {
      return not_found("flow " + config_.name + " needs the bundle " + head.bundle +
                       "; `qiao model promote " + head.bundle + " FOLDER` installs one");
    }
    QIAO_TRY(check_head(config_, head, found->second->current()->head()));
    heads.push_back(
        {head.name, found->second, head.labels, services_.recall == nullptr, head.head});
  }
  return heads;
}

Status FlowEngine::Impl::make_parts() {
  const Encoders encoders{model("encoder-zh"), model("encoder-en")};
  UnderstandSpec spec;
  spec.intents = config_.intents;
  spec.sentiment = config_.sentiment;
  spec.entities = config_.entities;
  spec.clock = &services_.clock;
  QIAO_ASSIGN(spec.heads, find_heads());
  for (const Route& route : config_.routes.routes) {
    if (!route.like.empty()) spec.likes[route.name] = route.like;
  }
  QIAO_ASSIGN(auto understander, Understander::make(std::move(spec), encoders));
  std::shared_ptr<const KnowledgeBase> knowledge;
  if (!config_.knowledge.entries.empty()) {
    QIAO_ASSIGN(knowledge, KnowledgeBase::make(config_.knowledge, encoders));
  }
  tools_ = std::make_unique<ToolBox>(config_, pool_, options_.start_tools,
                                     ToolOutside{services_.fetch, &services_.clock});
  parts_.reset(new flow::Parts{config_,
                               services_.broker,
                               services_.streams,
                               services_.executor,
                               services_.clock,
                               std::move(understander),
                               std::move(knowledge),
                               config_.turn.judges() ? Completeness::make(encoders) : nullptr,
                               *tools_,
                               {},
                               make_metrics(services_.metrics, config_.name),
                               options_.lease_ms,
                               options_.attempts_max,
                               options_.recorded});
  for (const AgentConfig& agent : config_.agents) {
    QIAO_ASSIGN(auto processor, make_processor(config_, agent, model(agent.model), *tools_));
    parts_->agents.emplace(agent.name, std::move(processor));
  }
  return {};
}

std::vector<std::string> FlowEngine::Impl::lacks() const {
  std::set<std::string> wanted{"encoder-zh", "encoder-en"};
  for (const AgentConfig& agent : config_.agents) {
    const bool models = agent.kind == AgentKind::kModel || agent.kind == AgentKind::kTable;
    if (models) wanted.insert(agent.model);
  }
  std::vector<std::string> lacking;
  for (const std::string& name : wanted) {
    if (model(name) == nullptr) lacking.push_back(name);
  }
  return lacking;
}

void FlowEngine::Impl::start(Broker::Done<void> started) {
  const auto self = shared_from_this();
  const auto handle = [weak =
                           weak_from_this()](void (Impl::*step)(std::shared_ptr<const Delivery>)) {
    return [weak, step](Delivery delivery) {
      if (const auto impl = weak.lock()) {
        (*impl.*step)(std::make_shared<const Delivery>(std::move(delivery)));
      }
    };
  };
  const std::string group = "flow." + config_.name;
  input_ = std::make_shared<flow::Consumer>(services_.broker, services_.executor, group,
                                            options_.turns_max, handle(&Impl::begin));
  replies_ =
      std::make_shared<flow::Consumer>(services_.broker, services_.executor, group + ".replies",
                                       options_.turns_max, handle(&Impl::take_reply));
  arm_idle();
  if (!options_.recorded) {
    const std::span<const KnowledgeEntry> entries = config_.knowledge.entries;
    for (const auto& [name, agent] : parts_->agents) {
      agent->warm_up("agent." + name == config_.knowledge.to ? entries : entries.first(0));
    }
  }
  replies_->start(group_spec(group + ".replies", config_.replies, options_),
                  [self, group, started = std::move(started)](Status created) {
                    if (!created) return started(std::move(created));
                    GroupSpec spec = group_spec(group, self->config_.input, self->options_);
                    spec.busy = self->config_.turn.busy;
                    self->input_->start(std::move(spec), started);
                  });
}

void FlowEngine::Impl::stop(std::int64_t grace_ms, std::function<void()> stopped) {
  stopped_.push_back(std::move(stopped));
  if (!std::exchange(stopping_, true)) {
    if (input_) input_->stop();
    if (replies_) replies_->stop();
    services_.executor.cancel(idle_timer_);
    services_.executor.post_after(grace_ms, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->end_grace();
    });
  }
  stop_if_done();
}

void FlowEngine::Impl::end_grace() {
  handing_back_ = true;
  const auto turns = turns_;  // abandon() takes them out one by one
  for (const auto& [offset, turn] : turns) turn->abandon(true);
  // What still waits for a disk or a tool is left to its lease.
  services_.executor.post_after(kStopLateMs, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->call_stopped();
  });
}

void FlowEngine::Impl::stop_if_done() {
  const bool working = (input_ && input_->in_work() > 0) || (replies_ && replies_->in_work() > 0);
  if (stopping_ && !working) call_stopped();
}

void FlowEngine::Impl::call_stopped() {
  for (const auto& stopped : std::exchange(stopped_, {})) stopped();
}

void FlowEngine::Impl::cancel(const std::string& message_id) {
  for (const auto& [offset, turn] : turns_) {
    if (!turn->answers(message_id)) continue;
    const auto left = turn;
    return left->leave(message_id);
  }
  left_.push_back(message_id);
  if (left_.size() > kLeftMax) left_.pop_front();
}

// Only who waits at the gate is waited for.
void FlowEngine::Impl::typing(const std::string& conversation, std::int64_t for_ms) {
  const auto gate = gates_.find(conversation);
  if (gate == gates_.end()) return remember_typing(conversation, for_ms);
  const auto keep = gate->second;
  keep->typing(for_ms);
}

void FlowEngine::Impl::remember_typing(const std::string& conversation, std::int64_t for_ms) {
  const std::int64_t now_ms = services_.clock.wall_ms();
  if (typing_.size() >= kTypingMax)
    std::erase_if(typing_, [now_ms](const auto& entry) { return entry.second.until_ms <= now_ms; });
  if (typing_.size() < kTypingMax) typing_[conversation] = {now_ms, now_ms + for_ms};
}

// ---- the public face: everything goes over the executor

FlowEngine::FlowEngine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
FlowEngine::~FlowEngine() = default;

Result<std::unique_ptr<FlowEngine>> FlowEngine::make(FlowConfig config, FlowServices services,
                                                     FlowOptions options) {
  QIAO_ASSIGN(auto impl, Impl::make(std::move(config), std::move(services), options));
  return std::unique_ptr<FlowEngine>(new FlowEngine(std::move(impl)));
}

void FlowEngine::start(Broker::Done<void> started) {
  const Status posted = impl_->executor().post(
      [impl = impl_, started]() mutable { impl->start(std::move(started)); });
  if (!posted) started(posted.error());
}

void FlowEngine::stop(std::int64_t grace_ms, std::function<void()> stopped) {
  const Status posted = impl_->executor().post(
      [impl = impl_, grace_ms, stopped]() mutable { impl->stop(grace_ms, std::move(stopped)); });
  if (!posted) stopped();
}

void FlowEngine::stop_and_wait(std::int64_t grace_ms) {
  const auto stopped = std::make_shared<std::promise<void>>();
  stop(grace_ms, [stopped] { stopped->set_value(); });
  stopped->get_future().wait();
}

void FlowEngine::cancel(std::string message_id) {
  static_cast<void>(impl_->executor().post(
      [impl = impl_, message_id = std::move(message_id)] { impl->cancel(message_id); }));
}

void FlowEngine::typing(std::string conversation, std::int64_t for_ms) {
  static_cast<void>(
      impl_->executor().post([impl = impl_, conversation = std::move(conversation), for_ms] {
        impl->typing(conversation, std::clamp<std::int64_t>(for_ms, 0, kTypingMsMax));
      }));
}

const FlowConfig& FlowEngine::config() const {
  return impl_->config();
}
std::vector<std::string> FlowEngine::lacks() const {
  return impl_->lacks();
}

}  // namespace qiao
