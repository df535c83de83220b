// SPDX-License-Identifier: Apache-2.0
#include "learn/training/event_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <bit>
#include <cstring>
#include <filesystem>

#include "base/digest.h"
#include "learn/testing/letters.h"
#include "model/convert/convert_protobuf.h"

namespace qiao::learn {
namespace {

using model::ProtoField;
using model::ProtoReader;

// The record of one message as TensorFlow's own writer makes it.
TEST(TfRecord, FramesAMessageWithMaskedSums) {
  const std::string record = tf_record("abc");
  ASSERT_EQ(record.size(), 8U + 4 + 3 + 4);
  EXPECT_EQ(record.substr(0, 8), std::string("\x03\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(record.substr(12, 3), "abc");
  std::uint32_t masked = 0;
  std::memcpy(&masked, record.data() + 15, 4);
  const std::uint32_t turned = masked - 0xA282EAD8U;
  EXPECT_EQ(turned >> 17U | turned << 15U, crc32c("abc"));
}

// The messages of a file, each with its sums checked.
std::vector<std::string> messages_of(const std::string& bytes) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size();) {
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, 8);
    const std::string message = bytes.substr(at + 12, length);
    EXPECT_EQ(bytes.substr(at, length + 16), tf_record(message));
    at += length + 16;
    out.push_back(message);
  }
  return out;
}

std::vector<ProtoField> fields_of(std::string_view message) {
  std::vector<ProtoField> out;
  for (ProtoReader reader(message); !reader.done();) {
    auto next = reader.next();
    EXPECT_TRUE(next);
    if (!next) break;
    out.push_back(*next);
  }
  return out;
}

TEST(EventFile, HoldsStepsAndValues) {
  testing::TempFolder folder;
  SystemDisk disk;
  {
    EventFile file = EventFile::open(disk, folder / ".", 1700000000.5).value();
    ASSERT_TRUE(file.add(300, {{"loss/train", 0.25}, {"accuracy/dev", 0.5}}, 1700000001.0));
    ASSERT_TRUE(EventFile::open(disk, folder / ".", 1700000000.9));  // beside it
  }
  const std::vector<std::string> messages =
      messages_of(read_file(folder / "events.out.tfevents.1700000000.qiao").value());
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(fields_of(messages[0])[1].bytes, "brain.Event:2");
  const auto event = fields_of(messages[1]);
  ASSERT_EQ(event.size(), 3U);
  EXPECT_EQ(std::bit_cast<double>(event[0].value), 1700000001.0);
  EXPECT_EQ(event[1].value, 300U);
  const auto values = fields_of(event[2].bytes);
  ASSERT_EQ(values.size(), 2U);
  const auto second = fields_of(values[1].bytes);
  EXPECT_EQ(second[0].bytes, "accuracy/dev");
  EXPECT_EQ(std::bit_cast<float>(static_cast<std::uint32_t>(second[1].value)), 0.5F);
}

// A training leaves its curves and a card that people can read beside the bundle.
TEST(RunRecord, AFinetunedBundleHasCurvesAndACard) {
  testing::TempFolder folder;
  testing::write_letters_base(folder, 1);
  SystemDisk disk;
  Progress progress(Language::kEnglish, false);
  const std::atomic<bool> stop{false};
  ASSERT_TRUE(finetune(disk, testing::letters_options(folder, "bundle"), progress, stop));
  std::size_t events = 0;
  const std::vector<std::string> names = disk.list(folder / "bundle").value();
  for (const std::string& name : names) {
    if (!name.starts_with("events.out.tfevents.")) continue;
    events += messages_of(read_file(folder / ("bundle/" + name)).value()).size();
  }
  EXPECT_EQ(events, 1U + 3);  // the version, and three epochs
  const std::string curves = read_file(folder / "bundle/curves.csv").value();
  EXPECT_TRUE(curves.starts_with("name,step,value\nloss/train,7,")) << curves;
  EXPECT_EQ(std::count(curves.begin(), curves.end(), '\n'), 1 + 3 * 3);  // three of each epoch
  EXPECT_NE(curves.find("\nquality/dev,21,"), std::string::npos) << curves;
  const std::string card = read_file(folder / "bundle/README.md").value();
  const Json json = parse_json(read_file(folder / "bundle/card.json").value()).value();
  EXPECT_NE(card.find(json["data"]["train"]["sha256"].get<std::string>()), std::string::npos);
  EXPECT_NE(card.find("| accuracy |"), std::string::npos);
  EXPECT_TRUE(json["made_by"].contains("version"));
}

}  // namespace
}  // namespace qiao::learn
