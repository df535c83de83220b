// SPDX-License-Identifier: Apache-2.0
// Damage to a log: found, named by file and byte, never served as data, and nothing is deleted.
#include "log/verify.h"

#include <gtest/gtest.h>

#include "base/logging.h"
#include "log/testing/damaged_logs.h"

namespace qiao {
namespace {

using namespace testing;

LogReport verified(FaultyDisk& disk, const RecordCheck& check = {}) {
  const auto report = verify_log(disk, kDirectory, check);
  EXPECT_TRUE(report) << report.error().message;
  return report ? *report : LogReport{};
}

std::string said(const LogReport& report) {
  std::string text;
  for (const LogDamage& damage : report.damage)
    text += damage.file + "@" + std::to_string(damage.byte) + "+" + std::to_string(damage.bytes) +
            " " + damage.what + "\n";
  return text;
}

TEST(VerifyLog, CountsAWholeLogAndChangesNothing) {
  KnownLogShape shape;
  shape.snapshots = true;
  const KnownLog known = make_log(shape);
  FaultyDisk disk;
  put_files(disk, known.files);
  std::size_t seen = 0;
  const LogReport report = verified(disk, [&](const LogEntry& entry) {
    EXPECT_EQ(entry.record.bytes, known.texts.at(seen));
    EXPECT_EQ(entry.offset, seen++);
    return Status();
  });
  EXPECT_TRUE(report.is_whole()) << said(report);
  EXPECT_EQ(seen, known.texts.size());
  EXPECT_EQ(report.records, known.texts.size());
  EXPECT_EQ(report.next, known.texts.size());
  EXPECT_EQ(report.torn_bytes, 0U);
  ASSERT_GT(report.segments.size(), 2U);
  for (const SegmentReport& segment : report.segments) EXPECT_TRUE(segment.chained);
  EXPECT_TRUE(report.segments.back().sealed);
  ASSERT_EQ(report.snapshots.size(), 2U);
  EXPECT_EQ(report.snapshots.back().next_offset, known.texts.size());
  EXPECT_EQ(files_of(disk), known.files);
  EXPECT_EQ(verify_log(disk, "elsewhere").error().code, Code::kNotFound);
}

// The goal of every flip: `corrupt` from open() where and only where verify names it; what is read
// nevertheless is what was written.
void expect_flip_found(const KnownLog& known, const std::string& path, std::size_t at) {
  SCOPED_TRACE(path + " byte " + std::to_string(at));
  FaultyDisk disk;
  Files files = known.files;
  files[path][at] = static_cast<char>(files[path][at] ^ 0x10);
  put_files(disk, files);
  const LogReport report = verified(disk);
  EXPECT_EQ(files_of(disk), files);
  if (report.is_whole()) {
    // Only the end of the last file can pass for a write that was cut short.
    EXPECT_EQ(path, known.last_file);
    EXPECT_GT(report.torn_bytes, 0U);
  } else {
    ASSERT_EQ(report.damage.size(), 1U) << said(report);
    const LogDamage& damage = report.damage.front();
    EXPECT_EQ(damage.file, path);
    EXPECT_LE(damage.byte, at);
    EXPECT_GT(damage.byte + damage.bytes, at);
  }
  if (path.ends_with(".snap")) return;
  const auto opened = SegmentLog::open(disk, small());
  EXPECT_EQ(opened.has_value(), report.is_whole());
  if (opened) {
    const std::vector<std::string> texts = texts_of(**opened);
    EXPECT_TRUE(std::equal(texts.begin(), texts.end(), known.texts.begin()));
  } else {
    EXPECT_EQ(files_of(disk), files) << "opening changed a damaged log";
  }
}

TEST(VerifyLog, NamesEveryFlippedByte) {
  for (const bool clean_end : {true, false}) {
    KnownLogShape shape;
    shape.clean_end = clean_end;
    shape.snapshots = clean_end;
    const KnownLog known = make_log(shape);
    for (const auto& [path, bytes] : known.files) {
      for (std::size_t at = 0; at < bytes.size(); ++at) expect_flip_found(known, path, at);
    }
  }
}

TEST(VerifyLog, TellsHowManyRecordsAreGone) {
  const KnownLog known = make_log({});
  FaultyDisk disk;
  Files files = known.files;
  const std::size_t at = files[kFirstFile].find("1:");
  ASSERT_NE(at, std::string::npos);
  files[kFirstFile][at] = '?';
  put_files(disk, files);
  const LogReport report = verified(disk);
  ASSERT_EQ(report.damage.size(), 1U);
  EXPECT_EQ(report.damage.front().byte, at);
  EXPECT_EQ(report.damage.front().what, "a record");
  EXPECT_GT(report.damage.front().records, 0U);
  EXPECT_EQ(report.records + report.lost_records, known.texts.size());
}

TEST(VerifyLog, MissesFilesAndRecordsThatASnapshotKnows) {
  KnownLogShape shape;
  shape.snapshots = true;
  const KnownLog known = make_log(shape);
  for (const auto& [path, bytes] : known.files) {
    if (!path.ends_with(".seg")) continue;
    FaultyDisk disk;
    put_files(disk, known.files);
    ASSERT_TRUE(disk.remove(path));
    const LogReport report = verified(disk);
    // Without its first files a log looks trimmed: its snapshots hold the state before.
    EXPECT_EQ(report.is_whole(), path == kFirstFile) << path;
    EXPECT_EQ(report.next, known.texts.size());
  }
}

TEST(VerifyLog, NamesRecordsThatNobodyCanRead) {
  const KnownLog known = make_log({});
  FaultyDisk disk;
  put_files(disk, known.files);
  const LogReport report = verified(disk, [](const LogEntry& entry) {
    return entry.offset == 3 ? Status(Error{Code::kCorrupt, "no such kind"}) : Status();
  });
  ASSERT_EQ(report.damage.size(), 1U);
  EXPECT_EQ(report.damage.front().first_offset, 3U);
  EXPECT_EQ(known.files.at(report.damage.front().file).substr(report.damage.front().byte, 2), "3:");
}

// -- Repair

class RepairLog : public ::testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kError); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }
};

TEST_F(RepairLog, LeavesAWholeOrTornLogAlone) {
  KnownLogShape shape;
  shape.clean_end = false;
  KnownLog known = make_log(shape);
  known.files[known.last_file] += "half a write";
  FaultyDisk disk;
  put_files(disk, known.files);
  const auto repair = repair_log(disk, kDirectory, repair_options());
  ASSERT_TRUE(repair);
  EXPECT_EQ(repair->original, "");
  EXPECT_EQ(files_of(disk), known.files);
}

TEST_F(RepairLog, AfterAnyFlipKeepsAllThatIsProvenAndTheOriginal) {
  const KnownLog known = make_log({});
  std::size_t repaired = 0;
  for (const auto& [path, bytes] : known.files) {
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
      SCOPED_TRACE(path + " byte " + std::to_string(at));
      FaultyDisk disk;
      Files files = known.files;
      files[path][at] = static_cast<char>(files[path][at] ^ 0x10);
      put_files(disk, files);
      const bool opens = SegmentLog::open(disk, small()).has_value();
      put_files(disk, files);
      const auto repair = repair_log(disk, kDirectory, repair_options());
      ASSERT_TRUE(repair) << repair.error().message;
      EXPECT_EQ(repair->original.empty(), opens);
      if (opens) continue;
      ++repaired;
      Files moved;
      for (const auto& [old, whole] : files)
        moved[kOriginal + old.substr(kDirectory.size())] = whole;
      EXPECT_EQ(files_of(disk, kOriginal), moved);
      expect_salvaged(disk, known, *repair);
    }
  }
  EXPECT_GT(repaired, 200U);
}

TEST_F(RepairLog, KeepsSnapshotsThatSpeakOfNothingLost) {
  KnownLogShape shape;
  shape.snapshots = true;
  const KnownLog known = make_log(shape);
  FaultyDisk disk;
  Files files = known.files;
  files[kFirstFile][100] = static_cast<char>(files[kFirstFile][100] ^ 1);
  put_files(disk, files);
  const auto repair = repair_log(disk, kDirectory, repair_options());
  ASSERT_TRUE(repair);
  EXPECT_FALSE(repair->kept_snapshot);
  const auto log = open_log(disk);
  EXPECT_FALSE(log->load_snapshot()->has_value());
  // A trimmed log needs its snapshot, also when later records are lost.
  FaultyDisk trimmed;
  std::uint64_t second = 0;
  for (const auto& [path, bytes] : known.files) {
    if (path == kFirstFile) continue;
    trimmed.set_bytes(path, bytes);
    if (second == 0 && path.ends_with(".seg")) second = std::stoull(path.substr(4, 20));
  }
  std::string last = known.files.at(known.last_file);
  last[40] = static_cast<char>(last[40] ^ 1);
  trimmed.set_bytes(known.last_file, last);
  const auto kept = repair_log(trimmed, kDirectory, repair_options());
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_TRUE(kept->kept_snapshot);
  EXPECT_EQ(open_log(trimmed)->bounds().first, second);
}

// The k-th disk call of a repair fails: the original or the repaired log is there, and a second
// repair ends what the first began.
TEST_F(RepairLog, IsRepeatableAfterAFailureAtAnyCall) {
  const KnownLog known = make_log({});
  Files files = known.files;
  files[kFirstFile][60] = static_cast<char>(files[kFirstFile][60] ^ 1);
  for (const auto how : {FaultyDisk::Fault::kOnce, FaultyDisk::Fault::kForever}) {
    std::uint64_t k = 0;
    for (bool failed = true; failed;) {
      SCOPED_TRACE("call " + std::to_string(++k));
      FaultyDisk disk;
      put_files(disk, files);
      disk.fail_call(k, how);
      const auto first = repair_log(disk, kDirectory, repair_options());
      failed = disk.has_failed();
      disk.fail_call(0, how);
      EXPECT_TRUE(first || failed) << first.error().message;
      disk.crash(FaultyDisk::Crash::kKeepUnsynced);
      LogRepairOptions options = repair_options();
      options.suffix = "again";
      const auto second = repair_log(disk, kDirectory, options);
      ASSERT_TRUE(second) << second.error().message;
      ASSERT_TRUE(
          disk.exists(kOriginal + kFirstFile.substr(kDirectory.size())) ||
          disk.exists(kDirectory + ".before-repair-again" + kFirstFile.substr(kDirectory.size())));
      const auto log = open_log(disk);
      ASSERT_TRUE(log);
      EXPECT_EQ(texts_of(*log).size(), known.texts.size());
    }
    EXPECT_GT(k, 30U);
  }
}

// -- Random damage to a larger log

class DamagedLog : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { set_log_level(LogLevel::kError); }
  void TearDown() override { set_log_level(LogLevel::kInfo); }

  // A flip, a page of zeros, a cut, a lost file, a page of another place.
  static void damage(Files& files, Rng& rng) {
    auto file = std::next(files.begin(), static_cast<std::ptrdiff_t>(rng.below(files.size())));
    std::string& bytes = file->second;
    const std::size_t at = rng.below(bytes.size() + 1);
    const std::size_t page = std::min<std::size_t>(bytes.size() - at, 1 + rng.below(4'096));
    switch (rng.below(5)) {
      case 0:
        if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
        break;
      case 1:
        bytes.replace(at, page, std::string(page, '\0'));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        if (files.size() > 2) files.erase(file);
        break;
      default: {
        const std::string elsewhere = bytes.substr(rng.below(bytes.size() + 1), page);
        bytes.replace(at, elsewhere.size(), elsewhere);
      }
    }
  }
};

TEST_P(DamagedLog, IsFoundAndRepairedWithoutServingWrongData) {
  Rng rng(GetParam());
  KnownLogShape shape;
  shape.seed = GetParam();
  shape.segment_bytes = 16'000;
  shape.batches = 150;
  shape.text_bytes_max = 900;
  shape.clean_end = rng.below(2) == 0;
  const KnownLog known = make_log(shape);
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Files files = known.files;
    for (std::uint64_t left = 1 + rng.below(3); left > 0; --left) damage(files, rng);
    FaultyDisk disk;
    put_files(disk, files);
    const auto report = verify_log(disk, kDirectory);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(files_of(disk), files);
    if (report->is_whole() && report->first == 0) {
      const auto log = open_log(disk);
      ASSERT_TRUE(log) << said(*report);
      const std::vector<std::string> texts = texts_of(*log);
      EXPECT_TRUE(std::equal(texts.begin(), texts.end(), known.texts.begin()));
      continue;
    }
    const auto repair = repair_log(disk, kDirectory, repair_options());
    ASSERT_TRUE(repair) << repair.error().message << "\n" << said(*report);
    for (const auto& [path, bytes] : files)
      EXPECT_EQ(disk.bytes(kOriginal + path.substr(kDirectory.size())), bytes);
    expect_salvaged(disk, known, *repair);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DamagedLog, ::testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace qiao
