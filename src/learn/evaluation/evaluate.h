// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "learn/data/examples.h"
#include "learn/evaluation/metrics.h"
#include "learn/models/text_model.h"

namespace qiao::learn {

// What a model is asked about, ready to be run.
struct Exam {
  Task task = Task::kClassify;
  const RowFile* file = nullptr;  // must outlive the exam
  std::vector<Example> examples;  // one a row
  double temperature = 1;         // by which a label's scores are divided, as they are served
  std::vector<double> head_temperatures = {};  // the same of each of several heads; empty: 1
};
Exam make_exam(const RowFile& file, Task task, const model::WordPiece& tokenizer,
               const Labels& labels, std::size_t tokens_max);

// How one row of a tagging went.
struct Tagged {
  EntityScore entities;
  std::size_t characters = 0;
  std::size_t right = 0;  // of them
};

// How one head among several did.
struct HeadReport {
  std::string name;
  std::size_t labels = 0;                          // that it knows
  std::vector<std::optional<Classified>> answers;  // one a row; none where the row has no label
  std::size_t rows = 0;                            // that have one
  double loss = 0;
  double accuracy = 0;
  double macro_f1 = 0;
  double calibration_error = 0;
};
// Its answers to those of `rows` (of all) that have a label.
std::vector<Classified> told(const HeadReport& head, const std::vector<std::size_t>& rows);
std::vector<Classified> told(const HeadReport& head);

struct Report {
  std::size_t rows = 0;
  // Mean negative log-likelihood of what was expected; of numbers the mean squared error over their
  // variance. Of several heads this and the others are means over those that a row has a label for.
  double loss = 0;
  double accuracy = 0;  // of texts, or of characters' tags
  double macro_f1 = 0;
  double entity_f1 = 0;
  double calibration_error = 0;
  // Where a row has the label `oos` or the model knows it, else -1: of the other rows; and the
  // share of the `oos` rows that were told so.
  double in_scope_accuracy = -1;
  double out_of_scope_recall = -1;
  std::size_t unknown_labels = 0;  // rows (of heads: labels) the model does not know: wrong
  double seconds = 0;
  std::vector<Classified> answers;  // one a row (classification)
  std::vector<Tagged> tagged;       // one a row (tags)
  std::vector<Regressed> numbers;   // one a row (regression)
  RegressionScore regression;
  std::vector<HeadReport> heads;  // several
};
// Told right: the label, every tag, or every head's label.
bool is_right(const Report& report, std::size_t row);

// The number by which epochs are compared, at most 1, and its key: accuracy, entity_f1, r2.
double quality(const Report& report, Task task);
const char* quality_name(Task task);
// Keys accuracy, macro_f1, entity_f1, n and the others; what does not apply is null. Of a
// regression n, rmse, mae, r2, pearson, spearman. Of several heads also `heads`: {name: {n,
// accuracy, macro_f1, calibration_error}}, without those that no row has a label for.
Json to_json(const Report& report, Task task);

// Runs the model without dropout. `progress` gets the share done; false stops and gives
// `cancelled`.
Result<Report> evaluate(TextModel& model, const Exam& exam, const Labels& labels, std::int64_t pad,
                        bool bfloat16, const std::function<bool(double)>& progress = {});

}  // namespace qiao::learn
