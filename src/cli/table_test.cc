// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"

#include <gtest/gtest.h>

namespace qiao::cli {
namespace {

class TableTest : public ::testing::Test {
 protected:
  Output plain_{stdout, false, false};
};

TEST_F(TableTest, ColumnsLineUpWithChineseInThem) {
  Table table({{"route"}, {"score", Align::kRight}, {"title"}});
  table.add({"refund", "0.91", "退款"});
  table.add({"转人工", "0.7", "person"});
  EXPECT_EQ(table.text(plain_),
            "route   score  title\n"
            "refund   0.91  退款\n"
            "转人工    0.7  person\n");
}

TEST_F(TableTest, WithoutTitlesThereIsNoTitleLine) {
  Table table({{""}, {""}});
  table.add({"a", "b"});
  EXPECT_EQ(table.text(plain_), "a  b\n");
}

TEST_F(TableTest, ColoursDoNotMoveColumns) {
  const Output coloured(stdout, false, true);
  Table table({{""}, {""}});
  table.add({Cell("ok", Style::kGood), "x"});
  table.add({"fail", "y"});
  EXPECT_EQ(table.text(coloured), "\x1b[32mok  \x1b[0m  x\nfail  y\n");
}

TEST_F(TableTest, InAPipeNothingIsCut) {
  Table table({{""}, {""}});
  const std::string wide(300, 'x');
  table.add({"a", wide});
  EXPECT_EQ(table.text(plain_), "a  " + wide + "\n");
}

}  // namespace
}  // namespace qiao::cli
