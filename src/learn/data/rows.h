// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

enum class Task { kClassify, kTag, kPair, kRegress, kHeads };
// Whether an answer is one label.
constexpr bool gives_label(Task task) {
  return task == Task::kClassify || task == Task::kPair;
}
// What the one output of a regression is called, in the place of a label.
inline constexpr const char* kNumberLabel = "number";

// One labelled text, or two of them. `tags` has one entry per character (code point) of `text`.
struct Row {
  std::string text;
  std::string label;
  std::vector<std::string> tags;
  std::size_t line = 0;                            // in its file, from 1
  std::string second;                              // the other text of a pair
  double number = 0;                               // what a regression shall tell
  std::map<std::string, std::string> labels = {};  // of several heads: head → label
};

struct RowFile {
  std::string path;
  std::string sha256;
  std::vector<Row> rows;
};

inline constexpr std::size_t kRowBytesMax = 1 << 20;
inline constexpr std::size_t kRowsMax = 10'000'000;

// Reads JSON lines, plain or gzipped: `text` and `label` (of a regression a number), `text` and
// `tags` (BIO, one per character), or `text` and `labels` (head → label, at least one). For pairs
// `text` holds two texts with a tab between them. Blank lines are passed over. The first bad row is
// `invalid_argument` with file, line and what is wrong; so is one whose label, tag or head has
// control characters, which terminals and pictures do not bear.
Result<RowFile> read_rows(const std::string& path, Task task);

}  // namespace qiao::learn
