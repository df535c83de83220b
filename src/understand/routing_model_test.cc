// SPDX-License-Identifier: Apache-2.0
// The same as routing_test.cc with the encoders that `qiao model pull` gets.
#include <gtest/gtest.h>

#include "model/testing/pulled_model.h"
#include "understand/testing/shop.h"

namespace qiao {
namespace {

constexpr double kThreshold = 0.62;

class RoutingByEncoder : public testing::PulledModelTest {
 protected:
  testing::Judged judge(const std::string& model, Language language) {
    const auto encoder = open(options_for(model, "in-process"));
    const bool chinese = language == Language::kChinese;
    auto made = Understander::make(*testing::shop_spec(),
                                   {chinese ? encoder : nullptr, chinese ? nullptr : encoder});
    EXPECT_TRUE(made) << made.error().message;
    return testing::judge(**made, testing::read_probes("shop_probes.tsv"), language, kThreshold);
  }
};

TEST_F(RoutingByEncoder, ChineseProbes) {
  QIAO_SKIP_WITHOUT_MODEL(options_for("bge-small-zh", "in-process"));
  const testing::Judged judged = judge("bge-small-zh", Language::kChinese);
  judged.print(::testing::UnitTest::GetInstance()->current_test_info()->name());
  EXPECT_GE(judged.accuracy(), 0.90) << judged.faults;
  EXPECT_GE(judged.refusal(), 0.94) << judged.faults;
}

TEST_F(RoutingByEncoder, EnglishProbes) {
  QIAO_SKIP_WITHOUT_MODEL(options_for("minilm-l6", "in-process"));
  const testing::Judged judged = judge("minilm-l6", Language::kEnglish);
  judged.print(::testing::UnitTest::GetInstance()->current_test_info()->name());
  EXPECT_GE(judged.accuracy(), 0.90) << judged.faults;
  EXPECT_GE(judged.refusal(), 0.90) << judged.faults;
}

}  // namespace
}  // namespace qiao
