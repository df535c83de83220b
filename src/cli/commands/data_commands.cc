// SPDX-License-Identifier: Apache-2.0
// verify, repair: the files of a data directory.
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "base/clock.h"
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/interrupts.h"
#include "cli/line_reader.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "history/check.h"
#include "log/record.h"
#include "log/repair.h"
#include "text/display_width.h"

namespace qiao::cli {
namespace {

// Where the parts of a data directory are. Also the log's own directory can be given; then there
// is no history.
struct DataPlaces {
  std::string directory;
  std::string log;
  std::string history;  // "": none
};

bool is_log(Disk& disk, const std::string& directory) {
  const auto names = disk.list(directory);
  return names && std::any_of(names->begin(), names->end(),
                              [](const std::string& name) { return name.ends_with(".seg"); });
}

DataPlaces places_of(Disk& disk, std::string directory) {
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  if (is_log(disk, directory)) return {directory, directory, ""};
  return {directory, directory + "/log", directory + "/history.db"};
}

bool is_in_use(Disk& disk, const DataPlaces& places) {
  if (!disk.exists(places.directory + "/lock")) return false;
  const auto lock = DirectoryLock::acquire(places.directory);
  return !lock && lock.error().code == Code::kConflict;
}

Status check_record(const LogEntry& entry) {
  const auto record = decode_record(entry.record);
  return record ? Status() : Status(record.error());
}

struct Findings {
  bool in_use = false;
  LogReport log;
  HistoryCheck history;

  [[nodiscard]] bool is_whole() const { return log.is_whole() && history.fault.empty(); }
};

Result<Findings> examine_data(Disk& disk, const DataPlaces& places) {
  Findings found;
  found.in_use = is_in_use(disk, places);
  QIAO_ASSIGN(found.log, verify_log(disk, places.log, check_record));
  if (places.history.empty()) return found;
  QIAO_ASSIGN(found.history, check_history(places.history));
  return found;
}

// -- As JSON

Json to_json(const LogDamage& damage) {
  return {{"file", damage.file},       {"byte", damage.byte},
          {"bytes", damage.bytes},     {"first_offset", damage.first_offset},
          {"records", damage.records}, {"what", damage.what}};
}

Json to_json(const SegmentReport& segment, const LogReport& report) {
  const bool damaged =
      std::any_of(report.damage.begin(), report.damage.end(),
                  [&](const LogDamage& damage) { return damage.file == segment.file; });
  return {{"file", segment.file},
          {"first", segment.first},
          {"next", segment.next},
          {"records", segment.records},
          {"bytes", segment.bytes},
          {"torn_bytes", segment.torn_bytes},
          {"sealed", segment.sealed},
          {"chained", segment.chained},
          {"state", damaged                  ? "damaged"
                    : segment.torn_bytes > 0 ? "torn"
                                             : "whole"}};
}

Json damage_json(const LogReport& report) {
  Json damage = Json::array();
  for (const LogDamage& place : report.damage) damage.push_back(to_json(place));
  return damage;
}

Json to_json(const DataPlaces& places, const Findings& found) {
  const LogReport& log = found.log;
  Json segments = Json::array();
  for (const SegmentReport& segment : log.segments) segments.push_back(to_json(segment, log));
  Json snapshots = Json::array();
  for (const SnapshotReport& snapshot : log.snapshots) {
    snapshots.push_back(Json{{"file", snapshot.file},
                             {"next_offset", snapshot.next_offset},
                             {"bytes", snapshot.bytes},
                             {"state", snapshot.whole ? "whole" : "damaged"}});
  }
  Json history = nullptr;
  if (found.history.there) {
    history = Json{{"file", places.history},
                   {"bytes", found.history.bytes},
                   {"state", found.history.fault.empty() ? "whole" : "damaged"},
                   {"fault", found.history.fault}};
  }
  return {{"ok", found.is_whole()},
          {"directory", places.directory},
          {"in_use", found.in_use},
          {"segments", segments},
          {"snapshots", snapshots},
          {"unfinished", log.unfinished},
          {"history", history},
          {"damage", damage_json(log)},
          {"totals",
           {{"segments", log.segments.size()},
            {"records", log.records},
            {"bytes", log.bytes},
            {"first", log.first},
            {"next", log.next},
            {"lost_records", log.lost_records},
            {"torn_bytes", log.torn_bytes},
            {"damaged", log.damage.size() + (found.history.fault.empty() ? 0 : 1)}}}};
}

// -- For people

std::string name_in(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

void print_files(Session& session, const Findings& found) {
  Table table({{session.say(Text::kCliColumnFile)},
               {session.say(Text::kCliColumnOffsets)},
               {session.say(Text::kCliColumnRecords), Align::kRight},
               {session.say(Text::kCliColumnBytes), Align::kRight},
               {session.say(Text::kCliColumnState)}});
  const auto state = [&](bool whole) {
    return Cell(session.say(whole ? Text::kCliVerifyStateWhole : Text::kCliVerifyStateBad),
                whole ? Style::kGood : Style::kBad);
  };
  for (const SegmentReport& segment : found.log.segments) {
    const bool whole = to_json(segment, found.log)["state"] != "damaged";
    const std::string offsets = segment.next > segment.first ? std::to_string(segment.first) + "–" +
                                                                   std::to_string(segment.next - 1)
                                                             : std::to_string(segment.first);
    const std::string torn = std::to_string(segment.torn_bytes);
    table.add({name_in(segment.file), offsets, std::to_string(segment.records),
               human_bytes(segment.bytes),
               whole && segment.torn_bytes > 0
                   ? Cell(session.say(Text::kCliVerifyStateTorn, {torn}), Style::kWarn)
                   : state(whole)});
  }
  for (const SnapshotReport& snapshot : found.log.snapshots) {
    table.add({name_in(snapshot.file), "< " + std::to_string(snapshot.next_offset), "",
               human_bytes(snapshot.bytes), state(snapshot.whole)});
  }
  if (found.history.there)
    table.add({"history.db", "", "", human_bytes(found.history.bytes),
               state(found.history.fault.empty())});
  session.terminal.out.write(table.text(session.terminal.out));
}

void print_damage(Session& session, const Findings& found) {
  Output& out = session.terminal.out;
  for (const LogDamage& damage : found.log.damage) {
    const std::string first = std::to_string(damage.first_offset);
    const std::string last = std::to_string(damage.first_offset + damage.records - 1);
    const std::string lost = damage.records == 0
                                 ? session.say(Text::kCliVerifyLostNone)
                                 : session.say(Text::kCliVerifyLostRange, {first, last});
    out.line(out.paint(Style::kBad,
                       session.say(Text::kCliVerifyDamage,
                                   {damage.file, std::to_string(damage.byte), damage.what, lost})));
  }
  if (!found.history.fault.empty())
    out.line(out.paint(Style::kWarn, session.say(Text::kCliVerifyHistoryDamaged,
                                                 {one_line(found.history.fault)})));
}

void print(Session& session, const DataPlaces& places, const Findings& found) {
  if (found.in_use) session.note(Text::kCliVerifyInUse);
  print_files(session, found);
  print_damage(session, found);
  const std::string records = std::to_string(found.log.records);
  if (found.is_whole()) {
    session.note(Text::kCliVerifyWhole, {records, std::to_string(found.log.segments.size())});
  } else {
    session.note(Text::kCliVerifyDamaged,
                 {std::to_string(found.log.damage.size()), std::to_string(found.log.lost_records),
                  places.directory});
  }
}

Action prepare_verify(Options& options) {
  const auto directory = std::make_shared<std::string>();
  options.positional("DIR", *directory, Text::kCliDataDirHelp, false);
  return [directory](Session& session) -> Result<int> {
    SystemDisk disk;
    const DataPlaces places =
        places_of(disk, directory->empty() ? session.data_directory() : *directory);
    QIAO_ASSIGN(const Findings found, examine_data(disk, places));
    if (session.json) {
      session.print_json(to_json(places, found));
    } else {
      print(session, places, found);
    }
    return found.is_whole() ? kExitOk : exit_status(Code::kCorrupt);
  };
}

// -- repair

struct RepairOptions {
  std::string directory;
  bool yes = false;
};

std::string time_suffix() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

// A lost record's place: nothing that happened to any conversation.
LogRecord lost_record() {
  record::Event event;
  event.time_ms = SystemClock().wall_ms();
  event.type = "log.lost";
  return encode(event);
}

Result<bool> agreed(Session& session, const std::string& question) {
  if (!session.terminal.input_is_terminal)
    return Error{Code::kPrecondition, session.say(Text::kCliRepairAsksTerminal)};
  session.terminal.err.write(question);
  Interrupts interrupts;
  LineReader lines(STDIN_FILENO, interrupts);
  const auto answer = lines.next();
  return answer && (*answer == "y" || *answer == "Y" || *answer == "yes" || *answer == "是");
}

class Repair {
 public:
  Repair(Session& session, Disk& disk, DataPlaces places, bool yes)
      : session_(session), disk_(disk), places_(std::move(places)), yes_(yes) {
    options_.suffix = time_suffix();
    options_.filler = lost_record();
    options_.check = check_record;
  }

  Result<int> run() {
    QIAO_ASSIGN(const auto lock, DirectoryLock::acquire(places_.directory));
    if (check_no_repair_is_open(disk_, places_.log)) {
      QIAO_ASSIGN(found_, examine_data(disk_, places_));
      if (found_.is_whole()) return report(false);
      if (!session_.json) print_damage(session_, found_);
      QIAO_ASSIGN(const bool go_on, yes_ ? Result<bool>(true) : agreed(session_, question()));
      if (!go_on) return report(false);
    }
    QIAO_ASSIGN(done_, repair_log(disk_, places_.log, options_));
    if (!done_.original.empty() || !found_.history.fault.empty()) QIAO_TRY(set_history_aside());
    return report(true);
  }

 private:
  [[nodiscard]] std::string question() const {
    if (found_.log.is_whole()) return session_.say(Text::kCliRepairAskHistory);
    return session_.say(Text::kCliRepairAsk, {std::to_string(found_.log.records),
                                              places_.log + ".before-repair-" + options_.suffix});
  }

  // It may know what the log has lost. The server builds a new one.
  Status set_history_aside() {
    if (places_.history.empty() || !disk_.exists(places_.history)) return {};
    history_ = places_.history + ".before-repair-" + options_.suffix;
    QIAO_TRY(disk_.rename(places_.history, history_));
    for (const std::string beside : {"-wal", "-shm"}) {
      if (disk_.exists(places_.history + beside))
        QIAO_TRY(disk_.rename(places_.history + beside, history_ + beside));
    }
    return disk_.sync_directory(places_.directory);
  }

  int report(bool agreed) {
    session_.json ? print_result(agreed) : say_result(agreed);
    return agreed || found_.is_whole() ? kExitOk : kExitNegative;
  }

  void print_result(bool agreed) {
    Json lost = Json::array();
    std::uint64_t count = 0;
    for (const OffsetRange& range : done_.lost) {
      lost.push_back(Json{{"first_offset", range.first}, {"records", range.count}});
      count += range.count;
    }
    session_.print_json(Json{{"directory", places_.directory},
                             {"damaged", !found_.is_whole()},
                             {"repaired", agreed},
                             {"damage", damage_json(found_.log)},
                             {"kept_records", agreed ? done_.kept_records : found_.log.records},
                             {"lost_records", count},
                             {"lost", lost},
                             {"kept_snapshot", done_.kept_snapshot},
                             {"original", done_.original},
                             {"history", history_}});
  }

  void say_result(bool agreed) {
    if (!agreed)
      return session_.note(found_.is_whole() ? Text::kCliRepairNothing : Text::kCliRepairUnchanged);
    Output& out = session_.terminal.out;
    std::uint64_t count = 0;
    for (const OffsetRange& range : done_.lost) {
      count += range.count;
      out.line(session_.say(Text::kCliRepairLost, {std::to_string(range.first),
                                                   std::to_string(range.first + range.count - 1)}));
    }
    if (!done_.original.empty()) {
      out.line(session_.say(Text::kCliRepairDone, {std::to_string(done_.kept_records),
                                                   std::to_string(count), done_.original}));
      if (!done_.kept_snapshot) session_.note(Text::kCliRepairNoSnapshot);
    }
    if (!history_.empty()) session_.note(Text::kCliRepairHistory, {history_});
  }

  Session& session_;
  Disk& disk_;
  const DataPlaces places_;
  const bool yes_;
  LogRepairOptions options_;
  Findings found_;
  LogRepair done_;
  std::string history_;  // where it is now
};

Action prepare_repair(Options& options) {
  const auto given = std::make_shared<RepairOptions>();
  options.positional("DIR", given->directory, Text::kCliDataDirHelp, false);
  options.flag("--yes", given->yes, Text::kCliRepairYesHelp);
  return [given](Session& session) -> Result<int> {
    SystemDisk disk;
    DataPlaces places =
        places_of(disk, given->directory.empty() ? session.data_directory() : given->directory);
    if (!disk.exists(places.directory)) return not_found("there is no " + places.directory);
    return Repair(session, disk, std::move(places), given->yes).run();
  };
}

}  // namespace

std::vector<Command> data_commands() {
  return {{"verify", Text::kCliVerify, "qiao verify .qiao --json", prepare_verify},
          {"repair", Text::kCliRepair, "qiao repair .qiao", prepare_repair}};
}

}  // namespace qiao::cli
