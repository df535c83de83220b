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
  EXPECT_EQ(decode_tags(scores.data(), text, tags, 5),
            (std::vector<std::string>{"B-LOC", "I-LOC", "I-LOC", "I-LOC", "O"}));
}

}  // namespace
}  // namespace qiao::model
