// SPDX-License-Identifier: Apache-2.0
// How well the shop example is routed by BM25 alone, at the threshold its flow.yaml uses. The
// bounds are what was measured less a little; docs/concepts/understanding.md has the figures.
#include <gtest/gtest.h>

#include "understand/testing/shop.h"

namespace qiao {
namespace {

constexpr double kThreshold = 0.62;

class RoutingByTerms : public ::testing::Test {
 protected:
  void SetUp() override {
    auto spec = testing::shop_spec();
    ASSERT_TRUE(spec) << spec.error().message;
    auto made = Understander::make(*spec, {});
    ASSERT_TRUE(made) << made.error().message;
    understander_ = *made;
  }
  testing::Judged judge(Language language) {
    return testing::judge(*understander_, testing::read_probes("shop_probes.tsv"), language,
                          kThreshold);
  }
  std::shared_ptr<const Understander> understander_;
};

TEST_F(RoutingByTerms, ChineseProbes) {
  const testing::Judged judged = judge(Language::kChinese);
  judged.print(::testing::UnitTest::GetInstance()->current_test_info()->name());
  EXPECT_GE(judged.accuracy(), 0.65) << judged.faults;
  EXPECT_GE(judged.refusal(), 0.88) << judged.faults;
}

TEST_F(RoutingByTerms, EnglishProbes) {
  const testing::Judged judged = judge(Language::kEnglish);
  judged.print(::testing::UnitTest::GetInstance()->current_test_info()->name());
  EXPECT_GE(judged.accuracy(), 0.80) << judged.faults;
  EXPECT_GE(judged.refusal(), 0.88) << judged.faults;
}

}  // namespace
}  // namespace qiao
