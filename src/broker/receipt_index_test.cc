// SPDX-License-Identifier: Apache-2.0
#include "broker/receipt_index.h"

#include <gtest/gtest.h>

namespace qiao::broker {
namespace {

ReceiptIndex::Entries of_steps(std::size_t count, std::size_t bytes, std::size_t from = 0) {
  ReceiptIndex::Entries entries;
  for (std::size_t i = from; i < from + count; ++i)
    entries.push_back({0, bytes, "step." + std::to_string(i)});
  return entries;
}

TEST(ReceiptIndex, OfOneStepTheNewestCounts) {
  ReceiptIndex index;
  index.add(7, {8, 3, "a"});
  index.add(7, {9, 3, "b"});
  index.add(7, {12, 5, "a"});
  ASSERT_EQ(index.of(7).size(), 2U);
  EXPECT_EQ(index.of(7)[0].step, "b");
  EXPECT_EQ(index.of(7)[1].at, 12U);
  EXPECT_EQ(index.newest(7), 12U);
  EXPECT_EQ(index.newest(8), 0U);
  index.forget(7);
  EXPECT_TRUE(index.of(7).empty());
}

TEST(ReceiptIndex, AMessageHasBounds) {
  ReceiptIndex index;
  const auto most = of_steps(ReceiptIndex::kPerMessageMax, 10);
  EXPECT_TRUE(index.room_for(7, most));
  for (const auto& entry : most) index.add(7, entry);
  EXPECT_EQ(index.room_for(7, of_steps(1, 1, 99)).error().code, Code::kPrecondition);
  EXPECT_TRUE(index.room_for(7, of_steps(1, 1)));  // it takes the place of one
  EXPECT_TRUE(index.room_for(8, of_steps(1, 1, 99)));
  const std::size_t too_much = ReceiptIndex::kBytesPerMessageMax / 4 + 1;
  EXPECT_EQ(index.room_for(8, of_steps(4, too_much)).error().code, Code::kPrecondition);
  EXPECT_TRUE(index.room_for(8, of_steps(3, too_much)));
}

TEST(ReceiptIndex, AGroupHasABound) {
  ReceiptIndex index;
  for (std::uint64_t i = 0; i < ReceiptIndex::kInGroupMax; ++i)
    index.add(i / 32, {i, 1, std::to_string(i)});
  EXPECT_EQ(index.room_for(1 << 20, of_steps(1, 1)).error().code, Code::kOverloaded);
  index.forget(0);
  EXPECT_TRUE(index.room_for(1 << 20, of_steps(32, 1)));
  EXPECT_EQ(index.room_for(1 << 20, of_steps(33, 1)).error().code, Code::kOverloaded);
}

TEST(ReceiptIndex, ItsBytesComeBack) {
  ReceiptIndex index;
  index.add(7, {8, 3, "a"});
  index.add(7, {9, 300, "b"});
  std::string bytes;
  index.write(7, bytes);
  index.write(8, bytes);
  ReceiptIndex again;
  WireReader in(bytes);
  again.read(7, in);
  again.read(8, in);
  EXPECT_TRUE(in.ok() && in.at_end());
  std::string same;
  again.write(7, same);
  again.write(8, same);
  EXPECT_EQ(same, bytes);
}

}  // namespace
}  // namespace qiao::broker
