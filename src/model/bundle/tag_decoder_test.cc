// SPDX-License-Identifier: Apache-2.0
#include "model/bundle/tag_decoder.h"

#include <gtest/gtest.h>

namespace qiao::model {
namespace {

// The scores alone would say I-LOC after B-PER; the path may not.
TEST(DecodeTags, KeepsTagsTogether) {
  const std::vector<std::string> tags = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC"};
  const Encoded text{{2, 5, 6, 3}, {{-1, -1}, {0, 1}, {1, 4}, {-1, -1}}};
  const std::vector<float> scores = {9, 0, 0, 0, 0,  // [CLS]
                                     0, 5, 0, 4, 0,  //
                                     0, 0, 3, 0, 5,  //
                                     9, 0, 0, 0, 0};
  // B-LOC I-LOC (9) beats B-PER I-PER (8); the second piece has three characters, then a blank.
  EXPECT_EQ(decode_tags({scores.data()}, text, tags, 5),
            (std::vector<std::string>{"B-LOC", "I-LOC", "I-LOC", "I-LOC", "O"}));
}

// What was learnt of neighbours turns a close decision, but never joins what cannot be joined.
TEST(DecodeTags, TransitionsWeighIn) {
  const std::vector<std::string> tags = {"O", "B-PER", "I-PER"};
  const Encoded text{{2, 5, 6, 3}, {{-1, -1}, {0, 1}, {1, 2}, {-1, -1}}};
  const std::vector<float> scores = {9, 0, 0,  // [CLS]
                                     2, 3, 0,  //
                                     2, 0, 1,  //
                                     9, 0, 0};
  std::vector<float> transitions = {0, 0, 90,  // after O: I-PER, which may not follow
                                    0, 0, 2,   // after B-PER
                                    0, 0, 0};
  using Tags = std::vector<std::string>;
  EXPECT_EQ(decode_tags({scores.data()}, text, tags, 2), (Tags{"B-PER", "O"}));
  EXPECT_EQ(decode_tags({scores.data(), transitions.data()}, text, tags, 2),
            (Tags{"B-PER", "I-PER"}));
}

}  // namespace
}  // namespace qiao::model
