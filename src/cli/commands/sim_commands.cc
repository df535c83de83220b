// SPDX-License-Identifier: Apache-2.0
// sim: plays seeds of the deterministic simulation in this process.
#include <fstream>

#include "base/i18n.h"
#include "base/logging.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/interrupts.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "sim/campaign.h"

namespace qiao::cli {
namespace {

constexpr std::int64_t kSeedsMax = 10'000'000;

struct Given {
  std::int64_t seed = 1;
  std::int64_t seeds = 1;
  std::string trace;
};

// One line for each broken promise, where people look for errors.
void tell(Session& session, const sim::SimResult& result) {
  for (const sim::Violation& violation : result.violations) {
    session.note(Text::kCliSimViolation, {std::to_string(result.seed), violation.checker,
                                          violation.what, sim::replay_command(result.seed)});
  }
}

Result<sim::Campaign> trace_one(Session& session, const Given& given) {
  if (given.seeds != 1) return invalid_argument("--trace writes one seed: leave --seeds out");
  sim::SimOptions options;
  options.seed = static_cast<std::uint64_t>(given.seed);
  options.keep_trace = true;
  sim::SimResult result = sim::simulate(options);
  std::ofstream file(given.trace, std::ios::binary);
  if (!(file << result.trace << std::flush))
    return unavailable("cannot write the trace to " + given.trace);
  tell(session, result);
  sim::Campaign campaign;
  campaign.add(std::move(result));
  return campaign;
}

sim::Campaign play(Session& session, const Given& given) {
  const SystemClock clock;
  Progress progress(session.terminal.err, clock);
  Interrupts interrupts;
  const StopOnInterrupt stop(interrupts);
  const bool draws = session.terminal.err.is_terminal() && !session.json;
  const auto total = static_cast<std::uint64_t>(given.seeds);
  std::uint64_t done = 0;
  return sim::play_seeds(static_cast<std::uint64_t>(given.seed), total,
                         [&](const sim::SimResult& result) {
                           tell(session, result);
                           ++done;
                           if (draws) progress.show(session.say(Text::kCliSimStep), done, total);
                           return !stop.stopped();
                         });
}

void print(Session& session, const sim::Campaign& campaign) {
  if (session.json) return session.print_json(sim::to_json(campaign));
  Table table({{""}, {"", Align::kRight}});
  for (const auto& [name, count] : campaign.faults) table.add({name, std::to_string(count)});
  session.terminal.out.write(table.text(session.terminal.out));
  session.terminal.out.line(session.say(
      Text::kCliSimDone, {std::to_string(campaign.seeds),
                          human_seconds(static_cast<double>(campaign.simulated_ms) / 1e3),
                          std::to_string(campaign.lives), std::to_string(campaign.violations)}));
}

Action prepare_sim(Options& options) {
  const auto given = std::make_shared<Given>();
  options.option("--seed", "N", given->seed, Text::kCliSimSeedHelp);
  options.option("--seeds", "N", given->seeds, Text::kCliSimSeedsHelp);
  options.option("--trace", "FILE", given->trace, Text::kCliSimTraceHelp);
  return [given](Session& session) -> Result<int> {
    if (given->seed < 0) return invalid_argument("--seed is not negative");
    if (given->seeds < 1 || given->seeds > kSeedsMax)
      return invalid_argument("--seeds is 1 to " + std::to_string(kSeedsMax));
    set_log_level(LogLevel::kOff);  // the servers that crash there are not this program
    sim::Campaign campaign;
    if (given->trace.empty()) {
      campaign = play(session, *given);
    } else {
      QIAO_ASSIGN(campaign, trace_one(session, *given));
    }
    print(session, campaign);
    return campaign.violations == 0 ? kExitOk : kExitNegative;
  };
}

}  // namespace

std::vector<Command> sim_commands() {
  return {{"sim", Text::kCliSim, "qiao sim --seed 1 --seeds 2000 --json", prepare_sim}};
}

}  // namespace qiao::cli
