// SPDX-License-Identifier: Apache-2.0
#include "flow/agents/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/agents/figures.h"

namespace qiao {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kSales =
    "Report:\nmonth,region,sales\n2026-01,North,12000\n2026-01,South,9800\n2026-02,North,13400\n"
    "2026-02,South,11200\n2026-03,North,15100\n2026-03,South,12700\n";

TableFigures figures_of(std::string_view text) {
  return compute_figures(parse_table(text).value());
}

TEST(Table, FindsTheCsvInAMessage) {
  const Table table = parse_table(std::string("Please, look at this, thanks.\n") + kSales).value();
  EXPECT_THAT(table.columns, ElementsAre("month", "region", "sales"));
  EXPECT_EQ(table.rows.size(), 6U);
  EXPECT_EQ(table.skipped, 0U);
}

TEST(Table, OtherSeparatorsAndQuotes) {
  EXPECT_THAT(parse_table("a\tb\n1\t2\n").value().columns, ElementsAre("a", "b"));
  EXPECT_THAT(parse_table("月份，销售额\n1月，100\n").value().rows[0], ElementsAre("1月", "100"));
  const Table quoted = parse_table("name,note\n\"Wang, Li\",\"said \"\"hi\"\"\"\n").value();
  EXPECT_THAT(quoted.rows[0], ElementsAre("Wang, Li", "said \"hi\""));
}

TEST(Table, RowsOfAnotherWidthAreCounted) {
  const Table table = parse_table("a,b\n1,2\n3,4,5\n6,7\n").value();
  EXPECT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.skipped, 1U);
  EXPECT_EQ(table.skipped_line, 3U);
}

TEST(Table, ARowWithoutSeparatorsDoesNotEndTheTable) {
  const Table table = parse_table("Report:\na,b\n1,2\nbroken\n5,6\n7,8\n").value();
  EXPECT_THAT(table.columns, ElementsAre("a", "b"));
  EXPECT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.skipped, 1U);
  EXPECT_EQ(table.skipped_line, 4U);
}

TEST(Table, NoTableIsAnError) {
  for (const char* text : {"", "just words", "a,b\n", "one line, with a comma"}) {
    EXPECT_FALSE(parse_table(text)) << text;
  }
}

TEST(Table, NumbersAsPeopleWriteThem) {
  EXPECT_EQ(parse_number("1,200"), 1200);
  EXPECT_EQ(parse_number("12.5%"), 12.5);
  EXPECT_EQ(parse_number("¥-99"), -99);
  EXPECT_EQ(parse_number("7.4万"), 74000);
  EXPECT_EQ(parse_number("３０"), 30);
  EXPECT_EQ(parse_number("35元"), 35);
  for (const char* text : {"", "-", "abc", "1.2.3", "nan", "1e400", "2026-01"}) {
    EXPECT_EQ(parse_number(text), std::nullopt) << text;
  }
  EXPECT_EQ(number_text(74200), "74200");
  EXPECT_EQ(number_text(12.5), "12.5");
  EXPECT_EQ(number_text(-0.001), "0");
}

TEST(Figures, SumsGroupsAndPeriods) {
  const TableFigures figures = figures_of(kSales);
  ASSERT_EQ(figures.columns.size(), 1U);
  const ColumnFigures& sales = figures.columns[0];
  EXPECT_EQ(sales.sum, 74200);
  EXPECT_EQ(sales.count, 6U);
  EXPECT_EQ(sales.max.value, 15100);
  EXPECT_EQ(sales.max.label, "2026-03 North");
  ASSERT_EQ(sales.groups.size(), 1U);
  EXPECT_EQ(sales.groups[0].first, "region");
  EXPECT_EQ(sales.groups[0].second[0].value, 40500);
  ASSERT_EQ(sales.periods.size(), 3U);
  EXPECT_EQ(sales.periods[2].value, 27800);
}

TEST(Figures, AColumnOfYearsIsNotSummed) {
  const TableFigures figures = figures_of("year,count\n2024,3\n2025,4\n");
  ASSERT_EQ(figures.columns.size(), 1U);
  EXPECT_EQ(figures.columns[0].name, "count");
  EXPECT_EQ(figures.columns[0].periods.size(), 2U);
}

TEST(Figures, EmptyCellsAreLeftOut) {
  const TableFigures figures = figures_of("name,score\na,1\nb,\nc,2\n");
  ASSERT_EQ(figures.columns.size(), 1U);
  EXPECT_EQ(figures.columns[0].count, 2U);
  EXPECT_EQ(figures.columns[0].mean, 1.5);
}

TEST(Figures, AFewCellsThatAreNoNumbersAreLeftOutAndTold) {
  const TableFigures figures = figures_of("name,score\na,1\nb,abc\nc,2\nd,3\ne,4,5\n");
  ASSERT_EQ(figures.columns.size(), 1U);
  EXPECT_EQ(figures.columns[0].sum, 6);
  EXPECT_EQ(figures.columns[0].count, 3U);
  EXPECT_EQ(figures.columns[0].left_out, 1U);
  EXPECT_EQ(describe_left_out(figures, Language::kEnglish),
            "Rows left out because they have another number of cells than the header line: 1; the "
            "first is line 6 of the message.\n"
            "score: cells left out because they are no numbers: 1; the first is “abc”.");
  EXPECT_EQ(describe_left_out(figures, Language::kChinese),
            "单元格数与表头不同而未计入的行：1 行，第一行是消息的第 6 行。\n"
            "score：不是数字而未计入的单元格：1 个，第一个是“abc”。");
  EXPECT_EQ(describe_left_out(figures_of(kSales), Language::kEnglish), "");
}

TEST(Figures, LabelsAndYearsAreNotSummedForSomeNumbersAmongThem) {
  EXPECT_TRUE(figures_of("name,code\na,1\nb,x2\nc,y\nd,4\n").columns.empty());
  EXPECT_TRUE(figures_of("name,year\na,2024\nb,2025\nc,n/a\n").columns.empty());
}

TEST(Figures, DescribedInBothLanguages) {
  EXPECT_THAT(describe(figures_of(kSales), Language::kEnglish), HasSubstr("total 74200"));
  EXPECT_THAT(describe(figures_of(kSales), Language::kChinese), HasSubstr("合计 74200"));
}

std::optional<std::string> unknown_in(std::string_view words, std::string_view request = kSales) {
  const Table table = parse_table(request).value();
  return unknown_number(words, table, compute_figures(table), request);
}

TEST(Figures, NumbersThatCodeDidNotComputeAreFound) {
  EXPECT_EQ(unknown_in("Sales reached 74,200 in total; North made 40500 of it (54.6%)."),
            std::nullopt);
  EXPECT_EQ(unknown_in("三个月合计 7.42 万，最高 15100。"), std::nullopt);
  EXPECT_EQ(unknown_in("Sales reached 74300."), "74300");
  EXPECT_EQ(unknown_in("They grew by 31%."), "31");
  // 27800 - 21800 = 6000, 27.5 % more.
  EXPECT_EQ(unknown_in("From 21800 to 27800, up 6000 or 27.5%."), std::nullopt);
}

}  // namespace
}  // namespace qiao
