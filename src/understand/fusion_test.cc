// SPDX-License-Identifier: Apache-2.0
#include "understand/fusion.h"

#include <gtest/gtest.h>

namespace qiao {
namespace {

TEST(Fusion, RisesWithTermsAndWithCosine) {
  double before = -1;
  for (const double lexical : {0.0, 0.1, 0.3, 0.6, 1.0}) {
    const double score = fuse({lexical, std::nullopt});
    EXPECT_GT(score, before);
    before = score;
  }
  before = -1;
  for (const double cosine : {0.1, 0.3, 0.5, 0.8, 1.0}) {
    const double score = fuse({0.2, Nearness{cosine, 0.1}});
    EXPECT_GT(score, before);
    before = score;
  }
}

TEST(Fusion, StaysBetweenZeroAndOne) {
  for (const double cosine : {-1.0, 0.0, 1.0}) {
    for (const double usual : {-1.0, 0.0, 0.99, 1.0}) {
      for (const double lexical : {0.0, 1.0}) {
        const double score = fuse({lexical, Nearness{cosine, usual}});
        EXPECT_GE(score, 0);
        EXPECT_LE(score, 1);
      }
    }
  }
}

// The same cosine says less for a text that is near everything.
TEST(Fusion, CountsOnlyWhatLiesAboveTheUsual) {
  EXPECT_GT(fuse({0, Nearness{0.5, 0.1}}), fuse({0, Nearness{0.5, 0.35}}));
  EXPECT_DOUBLE_EQ(fuse({0, Nearness{0.3, 0.3}}), 0);
}

TEST(Fusion, TermsDecideWhereVectorsAreUndecided) {
  EXPECT_GT(fuse({0.5, Nearness{0.4, 0.1}}), fuse({0, Nearness{0.4, 0.1}}) + 0.1);
}

}  // namespace
}  // namespace qiao
