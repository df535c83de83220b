// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "learn/evaluation/evaluate.h"
#include "learn/files/bundle.h"

namespace qiao::learn {

inline constexpr std::size_t kTimedTextsMax = 200;
inline constexpr std::size_t kConfusedShown = 10;

// What is looked at beyond the figures of a Report.
struct StudyOptions {
  std::uint64_t seed = 1;        // of the intervals
  bool whole_confusion = false;  // the matrix of all labels, not the largest pairs alone
  bool intervals = true;
};

// A report in depth, as Json; what does not apply is left out. After the keys of to_json():
//   intervals   {accuracy, macro_f1 | entity_f1: [low, high]}  95 %; of a regression rmse, pearson
//   classes     [{label, n, given, precision, recall, f1}], labels that occur
//   confused    [{expected, given, n}], the kConfusedShown largest
//   confusion   {labels, rows}: rows[expected][given]
//   reliability [{from, to, n, confidence, accuracy}]
//   slices      {language, length, label: [{name, n, accuracy, entity_f1 | rmse}]}
// Of several heads `classes`, `confused` and `reliability` stand in each of `heads`.
Json study(const Report& report, const Exam& exam, const Labels& labels,
           const StudyOptions& options);

// Milliseconds from a text to its scores, one text at a time, of at most kTimedTextsMax rows spread
// over the file: {p50, p99, texts}. Without bfloat16.
Result<Json> time_texts(Bundle& bundle, const RowFile& file, const std::atomic<bool>& stop);

// Bytes of all files of a bundle.
std::uint64_t folder_bytes(const std::string& folder);

// Two models on the same rows: {first_alone_right, second_alone_right, p_value, difference:
// {accuracy, macro_f1 | entity_f1}, intervals: {…}}, of a regression {difference: {rmse, pearson},
// intervals}; differences are the first's figure less the
// second's. Requires: reports of one exam's rows and task.
Json compare_reports(const Report& first, std::size_t first_labels, const Report& second,
                     std::size_t second_labels, std::uint64_t seed);

}  // namespace qiao::learn
