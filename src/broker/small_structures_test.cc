// SPDX-License-Identifier: Apache-2.0
// SubjectTree, OffsetList, KeyIndex, DedupeWindow, BodyCache against plain models of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/random.h"
#include "broker/body_cache.h"
#include "broker/dedupe_window.h"
#include "broker/hash.h"
#include "broker/key_index.h"
#include "broker/offset_list.h"
#include "broker/subject_tree.h"
#include "message/subject.h"

namespace qiao::broker {
namespace {

std::set<int> found(const SubjectTree<int>& tree, std::string_view subject) {
  std::set<int> values;
  tree.match(subject, [&](int value) { EXPECT_TRUE(values.insert(value).second); });
  return values;
}

// Every pattern over a small alphabet against every subject: the tree must agree with matches().
TEST(SubjectTree, AgreesWithMatches) {
  const std::vector<std::string> tokens = {"a", "b", "*", ">"};
  std::vector<std::string> patterns;
  std::vector<std::string> subjects;
  const auto take = [&](const std::string& text) {
    if (validate_pattern(text)) patterns.push_back(text);
    if (validate_subject(text)) subjects.push_back(text);
  };
  for (const auto& x : tokens) {
    take(x);
    for (const auto& y : tokens) {
      take(x + "." + y);
      for (const auto& z : tokens) take(x + "." + y + "." + z);
    }
  }
  SubjectTree<int> tree;
  for (std::size_t i = 0; i < patterns.size(); ++i) tree.insert(patterns[i], static_cast<int>(i));
  ASSERT_EQ(subjects.size(), 14U);
  for (int round = 0; round < 2; ++round) {
    for (const std::string& subject : subjects) {
      std::set<int> expected;
      for (std::size_t i = 0; i < patterns.size(); ++i) {
        if ((round == 0 || i % 2 == 0) && matches(patterns[i], subject))
          expected.insert(static_cast<int>(i));
      }
      EXPECT_EQ(found(tree, subject), expected) << subject;
      EXPECT_EQ(tree.any(subject), !expected.empty());
    }
    for (std::size_t i = 1; i < patterns.size(); i += 2)
      tree.erase(patterns[i], static_cast<int>(i));
  }
  for (std::size_t i = 0; i < patterns.size(); ++i) tree.erase(patterns[i], static_cast<int>(i));
  EXPECT_EQ(tree.size(), 0U);
}

TEST(SubjectTree, KeepsSeveralValuesOfOnePattern) {
  SubjectTree<int> tree;
  tree.insert("a.>", 1);
  tree.insert("a.>", 2);
  EXPECT_EQ(found(tree, "a.b.c"), (std::set<int>{1, 2}));
  EXPECT_TRUE(found(tree, "a").empty());
  tree.erase("a.>", 1);
  EXPECT_EQ(found(tree, "a.b"), std::set<int>{2});
}

TEST(OffsetList, GivesBackWhatWentInFromAnyPlace) {
  Rng rng(3);
  OffsetList list;
  std::vector<Listed> places;
  std::uint64_t offset = 5;
  std::uint64_t bytes_sum = 0;
  std::int64_t time_ms = 1'000;
  for (int i = 0; i < 2'000; ++i) {
    offset += 1 + rng.below(i % 100 == 0 ? 1'000'000 : 3);
    time_ms += static_cast<std::int64_t>(rng.below(100));
    places.push_back({{offset, rng.below(2) == 0 ? 0 : rng.next()},
                      rng.below(2) == 0 ? 0 : rng.next(),
                      time_ms,
                      rng.below(3'000)});
    bytes_sum += places.back().bytes;
    list.append(places.back());
  }
  EXPECT_EQ(list.bytes(), bytes_sum);
  EXPECT_EQ(list.count(), places.size());
  EXPECT_EQ(list.first(), places.front().place.offset);
  EXPECT_EQ(list.last(), places.back().place.offset);
  std::string bytes;
  list.write(bytes);
  WireReader in(bytes);
  const auto again = OffsetList::read(in);
  ASSERT_TRUE(again);
  const OffsetList* const lists[] = {&list, &*again};
  for (const OffsetList* one : lists) {
    for (std::size_t start = 0; start < places.size(); start += 37) {
      std::size_t i = start;
      for (OffsetList::Cursor at(*one, places[start].place.offset); !at.at_end(); at.next(), ++i) {
        ASSERT_EQ(at.place().offset, places[i].place.offset);
        ASSERT_EQ(at.place().lane, places[i].place.lane);
        ASSERT_EQ(at.listed().key, places[i].key);
        ASSERT_EQ(at.listed().time_ms, places[i].time_ms);
        ASSERT_EQ(at.listed().bytes, places[i].bytes);
      }
      EXPECT_EQ(i, places.size());
    }
    EXPECT_TRUE(OffsetList::Cursor(*one, offset + 1).at_end());
    EXPECT_EQ(OffsetList::Cursor(*one, 0).place().offset, places.front().place.offset);
  }
  const OffsetList empty;
  EXPECT_TRUE(OffsetList::Cursor(empty, 0).at_end());
}

// Random removals and additions against a plain list.
TEST(OffsetList, RemovesFromAnyPlaceAndGoesOn) {
  Rng rng(5);
  OffsetList list;
  std::vector<Listed> model;
  std::uint64_t offset = 0;
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 100; ++i) {
      model.push_back({{++offset, rng.below(3)}, rng.below(2), 1'000 + round * 7, rng.below(50)});
      list.append(model.back());
    }
    std::vector<std::uint64_t> gone;
    for (std::uint64_t i = 1; i <= offset; ++i) {
      const bool front = round % 3 == 0 && i < offset / 2;
      const bool back = round % 7 == 6 && i + 40 > offset;
      if (front || back || rng.below(20) == 0) gone.push_back(i);
    }
    const std::size_t removed = std::erase_if(model, [&](const Listed& one) {
      return std::binary_search(gone.begin(), gone.end(), one.place.offset);
    });
    EXPECT_EQ(list.remove(gone), removed);
    std::uint64_t bytes = 0;
    std::size_t i = 0;
    for (OffsetList::Cursor at(list, 0); !at.at_end(); at.next(), ++i) {
      ASSERT_LT(i, model.size());
      ASSERT_EQ(at.place().offset, model[i].place.offset);
      ASSERT_EQ(at.place().lane, model[i].place.lane);
      ASSERT_EQ(at.listed().key, model[i].key);
      ASSERT_EQ(at.listed().time_ms, model[i].time_ms);
      bytes += model[i].bytes;
    }
    ASSERT_EQ(i, model.size());
    EXPECT_EQ(list.count(), model.size());
    EXPECT_EQ(list.bytes(), bytes);
    EXPECT_EQ(list.last(), model.empty() ? 0 : model.back().place.offset);
  }
}

// Lists of the form before had neither keys nor times nor sizes: their messages count from then on.
TEST(OffsetList, ReadsTheFormBefore) {
  std::string block;
  for (const std::uint64_t step : {0U, 3U, 1U})
    put_varint(block, step << 1 | 1), put_varint(block, 9);
  std::string bytes;
  for (const std::uint64_t number : {3U, 14U, 1U, 10U, 3U}) put_varint(bytes, number);
  put_bytes(bytes, block);
  WireReader in(bytes);
  auto list = OffsetList::read(in, 1);
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_TRUE(in.at_end());
  list->assume_time(5'000);
  list->append({{20, 0}, 0, 6'000, 1});
  std::vector<std::pair<std::uint64_t, std::int64_t>> found;
  for (OffsetList::Cursor at(*list, 0); !at.at_end(); at.next())
    found.emplace_back(at.place().offset, at.listed().time_ms);
  EXPECT_EQ(found, (std::vector<std::pair<std::uint64_t, std::int64_t>>{
                       {10, 5'000}, {13, 5'000}, {14, 5'000}, {20, 6'000}}));
  WireReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
  EXPECT_FALSE(OffsetList::read(cut, 1));
}

TEST(OffsetList, CutOffBytesAreCorrupt) {
  OffsetList list;
  for (std::uint64_t i = 1; i < 600; ++i) list.append({{i * 2, i % 3}, i % 5, 1'000, 7});
  std::string bytes;
  list.write(bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    WireReader in(std::string_view(bytes).substr(0, length));
    EXPECT_FALSE(OffsetList::read(in)) << length;
  }
}

TEST(DedupeWindow, KnowsTheNewestAndForgetsTheOldest) {
  constexpr std::size_t kIds = 3'000;
  DedupeWindow window(kIds, 42);
  std::vector<std::uint64_t> hashes;
  Rng rng(9);
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    // Some share their low bits, so that they meet in the table.
    hashes.push_back(rng.below(4) == 0 ? rng.next() << 32 : rng.next());
    window.insert(hashes.back(), i);
    if (i % 997 != 0) continue;
    const std::size_t oldest = hashes.size() > kIds ? hashes.size() - kIds : 0;
    for (std::size_t h = oldest; h < hashes.size(); ++h) ASSERT_EQ(window.find(hashes[h]), h);
    EXPECT_TRUE(oldest == 0 || !window.find(hashes[oldest - 1]).has_value());
  }
  EXPECT_EQ(window.size(), kIds);
  std::string bytes;
  window.write(bytes);
  DedupeWindow again(kIds, 7);  // another seed gives the same answers
  WireReader in(bytes);
  ASSERT_TRUE(again.read(in));
  for (std::size_t h = hashes.size() - kIds; h < hashes.size(); ++h)
    ASSERT_EQ(again.find(hashes[h]), h);
  std::string bytes_again;
  again.write(bytes_again);
  EXPECT_EQ(bytes, bytes_again);
}

TEST(DedupeWindow, AKnownHashMovesToItsNewPlace) {
  DedupeWindow window(2);
  window.insert(1, 10);
  window.insert(1, 20);
  EXPECT_EQ(window.find(1), 20U);
  EXPECT_EQ(window.size(), 1U);
}

// A snapshot has no index: what it is after any removals must be what the list alone gives.
TEST(KeyIndex, IsAsIfMadeOfWhatIsKept) {
  Rng rng(7);
  std::map<std::uint64_t, Listed> kept;
  KeyIndex index{OffsetList()};
  for (std::uint64_t offset = 0; offset < 2'000; ++offset) {
    const Listed listed{{offset, 0}, rng.below(4), 0, 0};
    index.add(listed);
    kept.emplace(offset, listed);
    while (rng.below(2) == 0 && !kept.empty()) {
      const auto gone =
          std::next(kept.begin(),
                    static_cast<std::ptrdiff_t>(rng.below(std::min<std::size_t>(kept.size(), 9))));
      index.remove(gone->second);
      kept.erase(gone);
    }
    OffsetList list;
    for (const auto& [at, one] : kept) list.append(one);
    ASSERT_EQ(index.replaced(), KeyIndex(list).replaced()) << offset;
  }
}

// Stored in snapshots: a change of these values would make old ones useless.
TEST(StableHash, DoesNotChange) {
  EXPECT_EQ(stable_hash(""), stable_hash(std::string()));
  EXPECT_NE(stable_hash("a"), stable_hash("b"));
  EXPECT_NE(stable_hash("12345678"), stable_hash("123456789"));
  EXPECT_EQ(stable_hash("conversation-1"), 15036465145545363421U);
}

TEST(LaneKey, ZeroIsNoConversation) {
  EXPECT_EQ(lane_of(""), 0U);
  EXPECT_NE(lane_of("c1"), 0U);
  EXPECT_NE(lane_of("c1"), lane_of("c2"));
}

TEST(BodyCache, KeepsTheNewestWithinItsBytes) {
  BodyCache cache(4'000);
  for (std::uint64_t i = 0; i < 10; ++i) {
    cache.insert(i, std::make_shared<const Message>(
                        text_message("in", std::string(500, 'x') + std::to_string(i))));
  }
  EXPECT_EQ(cache.find(0), nullptr);
  EXPECT_EQ(cache.find(6), nullptr);
  ASSERT_NE(cache.find(9), nullptr);
  EXPECT_EQ(cache.find(9)->text().back(), '9');
  ASSERT_NE(cache.find(7), nullptr);
}

}  // namespace
}  // namespace qiao::broker
