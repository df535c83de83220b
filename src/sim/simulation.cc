// SPDX-License-Identifier: Apache-2.0
#include "sim/simulation.h"

#include <algorithm>

#include "sim/actor.h"
#include "sim/sim_flow.h"
#include "sim/supervisor.h"

namespace qiao::sim {
namespace {

constexpr std::int64_t kFaultsMsMin = 10'000;
constexpr std::uint64_t kFaultsMsMore = 20'000;
constexpr std::int64_t kFinishMsMax = 240'000;  // with the faults over, everything is done by then
constexpr std::int64_t kLookMs = 500;
constexpr std::int64_t kQuietMs = 6'000;  // so long nothing is open: readers have seen the end
constexpr std::int64_t kFollowMs = 1'500;
constexpr std::size_t kPageMessages = 1 << 16;

// One run, from the empty disk to the last check.
class Simulation {
 public:
  explicit Simulation(const SimOptions& options)
      : rng_(options.seed),
        faults_(rng_.next()),
        trace_(agenda_, options.keep_trace),
        disk_(faults_, rng_.next()),
        tool_(faults_, journal_),
        server_({agenda_, clock_, disk_, faults_, trace_, tool_, archive_, make_flow(rng_),
                 options.wrap_log},
                rng_.next()),
        wire_(agenda_, faults_, server_, rng_.next()),
        supervisor_(world_, disk_, rng_.next()),
        cast_(make_cast(world_, rng_.next())) {
    faults_.on_strike([this](Fault fault) { trace_.line("fault", name_of(fault)); });
  }

  SimResult run(std::uint64_t seed);

 private:
  void play(std::int64_t ms);
  void finish();
  void note_unfinished();
  bool is_finished();
  void look_at_groups();
  void follow_log();
  void list_kept();
  void read_back();

  Rng rng_;
  Agenda agenda_;
  SimClock clock_{agenda_};
  FaultPlan faults_;
  Trace trace_;
  Journal journal_{trace_};
  SimDisk disk_;
  SimTool tool_;
  Archive archive_;
  Server server_;
  Wire wire_;
  World world_{agenda_, clock_, faults_, journal_, server_, wire_, tool_};
  Supervisor supervisor_;
  std::vector<std::unique_ptr<Actor>> cast_;
  std::vector<std::string> open_groups_;  // as the broker told when last asked
  bool groups_told_ = false;
};

void Simulation::play(std::int64_t ms) {
  const std::int64_t end_us = agenda_.now_us() + ms * 1'000;
  while (!supervisor_.has_given_up() && agenda_.step(end_us)) supervisor_.look();
}

SimResult Simulation::run(std::uint64_t seed) {
  supervisor_.start();
  for (const auto& actor : cast_) actor->start();
  follow_log();
  play(kFaultsMsMin + static_cast<std::int64_t>(rng_.below(kFaultsMsMore)));
  finish();
  list_kept();
  read_back();

  SimResult result;
  result.seed = seed;
  result.violations = check_all(journal_);
  for (const Violation& violation : result.violations)
    trace_.line("violation", violation.checker + ": " + violation.what);
  result.simulated_ms = agenda_.now_us() / 1'000;
  result.steps = agenda_.steps();
  result.records = journal_.records.size();
  result.lives = server_.life();
  result.faults = faults_.counts();
  result.trace_sum = trace_.sum();
  result.trace = trace_.text();
  return result;
}

void Simulation::finish() {
  trace_.line("simulation", "the faults are over");
  faults_.end();
  supervisor_.settle();
  for (const auto& actor : cast_) actor->settle();
  const std::int64_t end_us = agenda_.now_us() + kFinishMsMax * 1'000;
  // Groups tell what was, not what a late call of a client brings meanwhile.
  for (std::int64_t quiet_ms = 0; quiet_ms < kQuietMs && !supervisor_.has_given_up();) {
    if (agenda_.now_us() >= end_us) return note_unfinished();
    look_at_groups();
    play(kLookMs);
    quiet_ms = is_finished() ? quiet_ms + kLookMs : 0;
  }
}

void Simulation::note_unfinished() {
  for (const auto& actor : cast_) {
    if (const std::string left = actor->unfinished(); !left.empty())
      journal_.unfinished.push_back(actor->name() + ": " + left);
  }
  for (const std::string& group : open_groups_) journal_.unfinished.push_back(group);
}

bool Simulation::is_finished() {
  const auto done = [](const auto& actor) { return actor->unfinished().empty(); };
  return server_.is_up() && groups_told_ && open_groups_.empty() &&
         std::all_of(cast_.begin(), cast_.end(), done);
}

void Simulation::look_at_groups() {
  groups_told_ = false;
  if (!server_.is_up()) return;
  server_.broker().groups([this](const Result<std::vector<GroupInfo>>& groups) {
    if (!groups) return;
    groups_told_ = true;
    open_groups_.clear();
    for (const GroupInfo& group : *groups) {
      if (group.waiting + group.leased == 0 || !journal_.groups.contains(group.spec.name)) continue;
      open_groups_.push_back("group " + group.spec.name + " has " + std::to_string(group.waiting) +
                             " waiting and " + std::to_string(group.leased) + " leased");
    }
  });
}

void Simulation::follow_log() {
  if (server_.is_up()) {
    if (const Status followed = archive_.follow(server_.log()); !followed)
      journal_.strange.push_back("the log cannot be followed: " + followed.error().message);
  }
  agenda_.after_ms(kFollowMs, [this] { follow_log(); });
}

// What the broker says that it keeps, all on one page.
void Simulation::list_kept() {
  if (!server_.is_up()) return;
  server_.broker().read(">", 0, kPageMessages, [this](const Result<Page>& page) {
    if (!page) return;
    journal_.kept.emplace(Journal::Kept{server_.log().bounds().next, {}});
    for (const StoredMessage& stored : page->messages)
      journal_.kept->offsets.push_back(stored.offset);
  });
  play(kLookMs);
}

void Simulation::read_back() {
  if (server_.is_up()) {
    trace_.line("simulation", "the log begins at " + std::to_string(server_.log().bounds().first));
    const auto differences = archive_.settle(server_.log());
    if (!differences) {
      journal_.strange.push_back("the log cannot be read: " + differences.error().message);
      return;
    }
    journal_.strange.insert(journal_.strange.end(), differences->begin(), differences->end());
  }
  std::uint64_t offset = 0;
  for (const LogRecord& entry : archive_.entries()) {
    Result<Record> record = decode_record(entry);
    if (!record) {
      journal_.strange.push_back("record " + std::to_string(offset) + " is damaged");
      return;
    }
    journal_.records.emplace_back(offset++, std::move(*record));
  }
}

}  // namespace

SimResult simulate(const SimOptions& options) {
  return Simulation(options).run(options.seed);
}

}  // namespace qiao::sim
