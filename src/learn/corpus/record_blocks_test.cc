// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/record_blocks.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/disk.h"
#include "base/testing/temp_folder.h"

namespace qiao::learn {
namespace {

using testing::TempFolder;

std::string gzipped(const TempFolder& folder, const char* name, const std::string& text) {
  const std::string path = folder / name;
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  return path;
}
std::string zstandard(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 1));
  return out;
}

struct Found {
  std::string text;
  std::string place;
  friend bool operator==(const Found&, const Found&) = default;
};
void PrintTo(const Found& found, std::ostream* out) {
  *out << found.place << " " << found.text;
}

Result<std::vector<Found>> read(const TextFiles& files, const RecordRules& rules) {
  BlockLanes lanes(files.files, rules);
  std::vector<Found> all;
  for (std::uint64_t item = 0; lanes.more(); ++item) {
    QIAO_ASSIGN(const auto block, lanes.block(item));
    if (!block) continue;
    const TextFile& file = files.files[block->file];
    for (const RawText& raw : parse_block(*block, file.format, rules)) {
      const std::string name = file.path.substr(file.path.rfind('/') + 1);
      all.push_back({raw.readable ? raw.text : "?", name + ":" + std::to_string(raw.line)});
    }
  }
  return all;
}
std::vector<Found> read_one(const std::string& path, const RecordRules& rules) {
  auto all = read(find_text_files({path}, "").value(), rules);
  EXPECT_TRUE(all) << all.error().message;
  return all.value_or(std::vector<Found>());
}

TEST(RecordBlocks, JsonLinesWithBadRows) {
  const TempFolder folder;
  const std::string path = folder.write(
      "a.jsonl", "{\"text\":\"one\\ntwo\"}\n\nno json\n{\"other\":1}\r\n{\"text\":\"last\"}");
  EXPECT_EQ(read_one(path, {}), (std::vector<Found>{{"one\ntwo", "a.jsonl:1"},
                                                    {"?", "a.jsonl:3"},
                                                    {"?", "a.jsonl:4"},
                                                    {"last", "a.jsonl:5"}}));
  RecordRules other;
  other.field = "other";
  EXPECT_EQ(read_one(path, other).size(), 4U);
}

TEST(RecordBlocks, CsvWithQuotesAndLineEnds) {
  const TempFolder folder;
  const std::string path = folder.write("a.csv",
                                        "\xef\xbb\xbfid,\"text\",x\r\n1,plain,\r\n"
                                        "2,\"a \"\"b\"\",\nc\",y\n3\n\n4,末,\n");
  EXPECT_EQ(
      read_one(path, {}),
      (std::vector<Found>{
          {"plain", "a.csv:2"}, {"a \"b\",\nc", "a.csv:3"}, {"?", "a.csv:5"}, {"末", "a.csv:7"}}));
  RecordRules rules;
  rules.field = "nothing";
  const auto wrong = read(find_text_files({path}, "").value(), rules);
  EXPECT_NE(wrong.error().message.find("no column \"nothing\""), std::string::npos);
}

// A quote within a field that does not begin with one is a letter, and blocks end behind rows.
TEST(RecordBlocks, QuotesWithinCsvFieldsAreLetters) {
  const TempFolder folder;
  constexpr std::size_t kRows = 50'000;
  std::string text = "text\n5\" wide\n";
  for (std::size_t i = 0; i < kRows; ++i) text += "\"one line\nand the next\"\n";
  const auto found = read_one(folder.write("a.csv", text), {});
  ASSERT_EQ(found.size(), kRows + 1);
  EXPECT_EQ(found.front(), (Found{"5\" wide", "a.csv:2"}));
  for (std::size_t i = 1; i < found.size(); ++i) ASSERT_EQ(found[i].text, "one line\nand the next");
}

TEST(RecordBlocks, PlainTextBySeparator) {
  const TempFolder folder;
  const std::string path = folder.write("a.txt", "one\ntwo\n\nthree\n\n\n\nfour\n");
  EXPECT_EQ(read_one(path, {}).size(), 1U);
  EXPECT_EQ(
      read_one(path, {"text", "\n\n"}),
      (std::vector<Found>{{"one\ntwo", "a.txt:1"}, {"three", "a.txt:4"}, {"four\n", "a.txt:8"}}));
}

// Rows across many blocks, in plain, gzip and zstd, are those that were written.
TEST(RecordBlocks, PackedFilesAreTheSame) {
  const TempFolder folder;
  std::string text;
  std::vector<std::string> rows;
  for (int i = 0; i < 20'000; ++i) {
    rows.push_back("行 " + std::to_string(i * 7919) +
                   std::string(static_cast<std::size_t>(i % 90), 'x'));
    text += "{\"text\":\"" + rows.back() + "\"}\n";
  }
  for (const std::string& path :
       {folder.write("a.jsonl", text), gzipped(folder, "b.jsonl.gz", text),
        folder.write("c.jsonl.zst",
                     zstandard(text.substr(0, 1000)) + zstandard(text.substr(1000)))}) {
    const auto found = read_one(path, {});
    ASSERT_EQ(found.size(), rows.size()) << path;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ASSERT_EQ(found[i].text, rows[i]);
      ASSERT_TRUE(found[i].place.ends_with(":" + std::to_string(i + 1)));
    }
  }
}

TEST(RecordBlocks, CutStreamsAreNamed) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "{\"text\":\"" + std::to_string(i * 7919) + "\"}\n";
  const std::string gzip = read_file(gzipped(folder, "whole.gz", text)).value();
  const std::string zstd = zstandard(text);
  for (const auto& [name, bytes] : {std::pair{"cut.jsonl.gz", gzip.substr(0, gzip.size() / 2)},
                                    std::pair{"cut.jsonl.zst", zstd.substr(0, zstd.size() / 2)}}) {
    const auto found = read(find_text_files({folder.write(name, bytes)}, "").value(), {});
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, Code::kCorrupt);
    EXPECT_NE(found.error().message.find(name), std::string::npos);
  }
}

TEST(RecordBlocks, EndlessRowsAreCut) {
  const TempFolder folder;
  const std::string path =
      folder.write("a.jsonl", "{\"text\":\"" + std::string(kRecordBytesMax + 9, 'x') +
                                  "\"}\n{\"text\":\"b\"}\n");
  const auto found = read_one(path, {});
  ASSERT_GE(found.size(), 2U);
  EXPECT_EQ(found.front().text, "?");
  EXPECT_EQ(found.back(), (Found{"b", "a.jsonl:2"}));
}

// A text without a line's end is cut, too, but not within a character.
TEST(RecordBlocks, LongPlainTextIsCutBetweenCharacters) {
  const TempFolder folder;
  std::string text = "a";
  while (text.size() < 3 * kPlainTextBytesMax) text += "长";
  const TextFiles files = find_text_files({folder.write("a.txt", text)}, "").value();
  BlockLanes lanes(files.files, {});
  std::string all;
  for (std::uint64_t item = 0; lanes.more(); ++item) {
    const auto block = lanes.block(item).value();
    if (!block) continue;
    for (const RawText& raw : parse_block(*block, TextFormat::kPlain, {})) {
      EXPECT_EQ(raw.cut, !all.empty());
      all += raw.text;
      EXPECT_EQ(all.size() % 3, 1U);
    }
  }
  EXPECT_TRUE(all == text);
}

TEST(TextFiles, FoldersAreSortedAndOthersLeftAlone) {
  const TempFolder folder;
  folder.write("d/b.txt", "b");
  folder.write("d/a/z.jsonl.gz", "z");
  folder.write("d/picture.png", "p");
  folder.write("d/.hidden.txt", "h");
  const std::string other = folder.write("first.bin", "f");
  const TextFiles files = find_text_files({other, folder / "d"}, "").value();
  ASSERT_EQ(files.files.size(), 3U);
  EXPECT_EQ(files.files[0].format, TextFormat::kPlain);
  EXPECT_TRUE(files.files[1].path.ends_with("d/a/z.jsonl.gz"));
  EXPECT_EQ(files.files[1].format, TextFormat::kJsonLines);
  EXPECT_EQ(files.left_alone, 1U);
  EXPECT_EQ(find_text_files({folder / "none"}, "").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace qiao::learn
