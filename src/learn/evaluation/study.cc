// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/study.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <map>
#include <numeric>
#include <utility>

#include "learn/evaluation/intervals.h"
#include "text/language.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

using Rows = std::vector<std::size_t>;
using Answers = std::vector<Classified>;

constexpr std::size_t kWarmTexts = 5;  // not timed: caches and threads wake
constexpr const char* kUnknown = "?";

// Upper ends of the bands of length, in characters.
constexpr std::array<std::size_t, 5> kLengths = {8, 16, 32, 64, 128};

// What a slice is called, after the place it stands at in a list.
using SliceName = std::pair<std::size_t, std::string>;

SliceName length_band(std::string_view text) {
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++characters) next_code_point(text, at);
  std::size_t from = 1;
  for (const std::size_t to : kLengths) {
    if (characters <= to) return {from, std::to_string(from) + "–" + std::to_string(to)};
    from = to + 1;
  }
  return {from, "> " + std::to_string(kLengths.back())};
}

SliceName language_name(std::string_view text) {
  const auto language = detect_language(text);
  if (!language) return {0, "other"};
  return {0, *language == Language::kChinese ? "zh" : "en"};
}

// Of those heads that one of `rows` has a label for.
template <class FigureOfHead>
double mean_of_heads(const Report& report, const Rows& rows, const FigureOfHead& figure_of) {
  double sum = 0;
  double count = 0;
  for (const HeadReport& head : report.heads) {
    const Answers answers = told(head, rows);
    if (answers.empty()) continue;
    sum += figure_of(head, answers);
    ++count;
  }
  return count == 0 ? 0 : sum / count;
}

double accuracy_of(const Report& report, const Rows& rows) {
  if (!report.heads.empty()) {
    return mean_of_heads(
        report, rows, [](const HeadReport&, const Answers& answers) { return accuracy(answers); });
  }
  std::size_t right = 0;
  std::size_t all = 0;
  for (const std::size_t row : rows) {
    const bool tags = !report.tagged.empty();
    right += tags ? report.tagged[row].right : (is_right(report, row) ? 1U : 0U);
    all += tags ? report.tagged[row].characters : 1U;
  }
  return all == 0 ? 0 : static_cast<double>(right) / static_cast<double>(all);
}

double entity_f1_of(const Report& report, const Rows& rows) {
  EntityScore sum;
  for (const std::size_t row : rows) sum += report.tagged[row].entities;
  return sum.f1();
}

double macro_f1_of(const Report& report, const Rows& rows, std::size_t labels) {
  if (!report.heads.empty()) {
    return mean_of_heads(report, rows, [](const HeadReport& head, const Answers& answers) {
      return macro_f1(answers, head.labels);
    });
  }
  std::vector<Classified> chosen;
  chosen.reserve(rows.size());
  for (const std::size_t row : rows) chosen.push_back(report.answers[row]);
  return macro_f1(chosen, labels);
}

RegressionScore regression_of(const Report& report, const Rows& rows) {
  std::vector<Regressed> chosen;
  chosen.reserve(rows.size());
  for (const std::size_t row : rows) chosen.push_back(report.numbers[row]);
  return regression_score(chosen);
}

struct NamedFigure {
  const char* name;
  Figure of;
};

// The figures of a task that are told with an interval. `report` must outlive them.
std::array<NamedFigure, 2> main_figures(const Report& report, std::size_t labels) {
  if (!report.numbers.empty()) {
    return {{{"rmse", [&](const Rows& rows) { return regression_of(report, rows).rmse; }},
             {"pearson", [&](const Rows& rows) { return regression_of(report, rows).pearson; }}}};
  }
  const NamedFigure right = {"accuracy",
                             [&](const Rows& rows) { return accuracy_of(report, rows); }};
  if (!report.tagged.empty()) {
    return {right, {"entity_f1", [&](const Rows& rows) { return entity_f1_of(report, rows); }}};
  }
  return {right, {"macro_f1", [&report, labels](const Rows& rows) {
                    return macro_f1_of(report, rows, labels);
                  }}};
}

Json to_json(const Interval& interval) {
  return {interval.low, interval.high};
}

std::string label_name(const Labels& labels, std::int64_t id) {
  return id < 0 ? kUnknown : labels.names()[static_cast<std::size_t>(id)];
}

Json classes_json(const Answers& answers, const Labels& labels) {
  const std::vector<LabelScore> scores = label_scores(answers, labels.size());
  Json out = Json::array();
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const LabelScore& score = scores[i];
    if (score.expected + score.given == 0) continue;
    out.push_back({{"label", labels.names()[i]},
                   {"n", score.expected},
                   {"given", score.given},
                   {"precision", score.precision()},
                   {"recall", score.recall()},
                   {"f1", score.f1()}});
  }
  return out;
}

Json confused_json(const Answers& answers, const Labels& labels) {
  Json out = Json::array();
  for (const Confused& pair : confused_pairs(answers)) {
    if (out.size() == kConfusedShown) break;
    out.push_back({{"expected", label_name(labels, pair.expected)},
                   {"given", label_name(labels, pair.given)},
                   {"n", pair.rows}});
  }
  return out;
}

Json confusion_json(const Answers& answers, const Labels& labels) {
  std::vector<std::vector<std::size_t>> rows(labels.size(),
                                             std::vector<std::size_t>(labels.size()));
  for (const Classified& row : answers) {
    if (row.expected < 0) continue;
    ++rows[static_cast<std::size_t>(row.expected)][static_cast<std::size_t>(row.given)];
  }
  return {{"labels", labels.names()}, {"rows", rows}};
}

Json reliability_json(const Answers& answers) {
  Json out = Json::array();
  const auto ranges = confidence_ranges(answers);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const ConfidenceRange& range = ranges[i];
    if (range.rows == 0) continue;
    const auto rows = static_cast<double>(range.rows);
    out.push_back({{"from", static_cast<double>(i) / double(ranges.size())},
                   {"to", static_cast<double>(i + 1) / double(ranges.size())},
                   {"n", range.rows},
                   {"confidence", range.confidence / rows},
                   {"accuracy", static_cast<double>(range.right) / rows}});
  }
  return out;
}

void add_labels(const Answers& answers, const Labels& labels, bool whole_confusion, Json& out) {
  out["classes"] = classes_json(answers, labels);
  out["confused"] = confused_json(answers, labels);
  if (whole_confusion) out["confusion"] = confusion_json(answers, labels);
  out["reliability"] = reliability_json(answers);
}

// The rows by what `name_of_row` calls them.
template <class NameOfRow>
Json slices_json(const Report& report, const RowFile& file, const NameOfRow& name_of_row) {
  std::map<SliceName, Rows> slices;
  for (std::size_t row = 0; row < file.rows.size(); ++row) {
    slices[name_of_row(file.rows[row])].push_back(row);
  }
  Json out = Json::array();
  for (const auto& [name, rows] : slices) {
    out.push_back({{"name", name.second}, {"n", rows.size()}});
    if (!report.numbers.empty()) {
      out.back()["rmse"] = regression_of(report, rows).rmse;
      continue;
    }
    out.back()["accuracy"] = accuracy_of(report, rows);
    if (!report.tagged.empty()) out.back()["entity_f1"] = entity_f1_of(report, rows);
  }
  return out;
}

}  // namespace

Json study(const Report& report, const Exam& exam, const Labels& labels,
           const StudyOptions& options) {
  Json out = to_json(report, exam.task);
  if (options.intervals) {
    for (const NamedFigure& figure : main_figures(report, labels.size())) {
      out["intervals"][figure.name] = to_json(bootstrap(report.rows, figure.of, options.seed));
    }
  }
  const bool classify = gives_label(exam.task);
  if (classify) add_labels(report.answers, labels, options.whole_confusion, out);
  for (std::size_t i = 0; i < report.heads.size(); ++i) {
    const LabelHead& head = labels.heads()[i];
    if (report.heads[i].rows == 0) continue;
    add_labels(told(report.heads[i]), head.labels, options.whole_confusion,
               out["heads"][head.name]);
  }
  Json& slices = out["slices"];
  slices["language"] =
      slices_json(report, *exam.file, [](const Row& row) { return language_name(row.text); });
  slices["length"] =
      slices_json(report, *exam.file, [](const Row& row) { return length_band(row.text); });
  if (classify) {
    slices["label"] = slices_json(report, *exam.file, [](const Row& row) {
      return SliceName{0, row.label};
    });
  }
  return out;
}

Result<Json> time_texts(Bundle& bundle, const RowFile& file, const std::atomic<bool>& stop) {
  const torch::NoGradGuard no_grad;
  bundle.model->eval();
  const std::size_t texts = std::min(kTimedTextsMax, file.rows.size());
  std::vector<double> times;
  for (std::size_t i = 0; i < texts + kWarmTexts; ++i) {
    if (stop.load()) return Error{Code::kCancelled, "the evaluation was stopped"};
    const Row& row = file.rows[i % texts * file.rows.size() / texts];
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<Example> one = {
        make_example(row, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max)};
    const Batch batch = make_batch(one, {0}, bundle.task, bundle.tokenizer.pad());
    bundle.model(batch.ids, batch.present, batch.segments);
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - begin;
    if (i >= kWarmTexts) times.push_back(taken.count());
  }
  return Json{
      {"p50", percentile(times, 0.5)}, {"p99", percentile(times, 0.99)}, {"texts", times.size()}};
}

std::uint64_t folder_bytes(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code fault;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, fault)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

Json compare_reports(const Report& first, std::size_t first_labels, const Report& second,
                     std::size_t second_labels, std::uint64_t seed) {
  Json out;
  if (first.numbers.empty()) {
    std::size_t first_alone = 0;
    std::size_t second_alone = 0;
    for (std::size_t row = 0; row < first.rows; ++row) {
      const bool one = is_right(first, row);
      const bool other = is_right(second, row);
      first_alone += one && !other ? 1U : 0U;
      second_alone += other && !one ? 1U : 0U;
    }
    out = {{"first_alone_right", first_alone},
           {"second_alone_right", second_alone},
           {"p_value", mcnemar(first_alone, second_alone)}};
  }
  Rows all(first.rows);
  std::iota(all.begin(), all.end(), 0);
  const auto ours = main_figures(first, first_labels);
  const auto theirs = main_figures(second, second_labels);
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const Figure apart = [&](const Rows& rows) { return ours[i].of(rows) - theirs[i].of(rows); };
    out["difference"][ours[i].name] = apart(all);
    out["intervals"][ours[i].name] = to_json(bootstrap(first.rows, apart, seed));
  }
  return out;
}

}  // namespace qiao::learn
