// SPDX-License-Identifier: Apache-2.0
#include "learn/evaluation/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "learn/models/tag_chain.h"
#include "learn/training/precision.h"
#include "model/bundle/tag_decoder.h"

namespace qiao::learn {
namespace {

constexpr std::string_view kOutOfScope = "oos";

// Gathers the answers of all batches.
class Examiner {
 public:
  // `transitions` of tags, or undefined.
  Examiner(const Exam& exam, const Labels& labels, const torch::Tensor& transitions)
      : exam_(exam), labels_(labels) {
    if (transitions.defined()) transitions_ = transitions.detach().to(torch::kFloat).contiguous();
    report_.rows = exam.examples.size();
    report_.answers.resize(gives_label(exam.task) ? report_.rows : 0);
    report_.numbers.resize(exam.task == Task::kRegress ? report_.rows : 0);
    report_.tagged.resize(exam.task == Task::kTag ? report_.rows : 0);
    for (const LabelHead& head : labels.heads()) {
      HeadReport& made = report_.heads.emplace_back();
      made.name = head.name;
      made.labels = head.labels.size();
      made.answers.resize(report_.rows);
    }
  }

  void add(const std::vector<std::size_t>& chosen, const torch::Tensor& scores,
           const torch::Tensor& targets) {
    const torch::Tensor plain = scores.to(torch::kFloat).contiguous();
    if (exam_.task == Task::kTag) return add_tagged(chosen, plain, targets);
    if (exam_.task == Task::kRegress) return add_numbers(chosen, plain);
    if (exam_.task == Task::kHeads) return add_heads(chosen, plain, targets);
    const torch::Tensor logs = torch::log_softmax(plain / exam_.temperature, -1);
    add_loss(logs, targets);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      add_label(chosen[i], logs[static_cast<std::int64_t>(i)]);
    }
  }

  Report take() {
    if (exam_.task == Task::kRegress) {
      report_.regression = regression_score(report_.numbers);
      report_.loss = 1 - report_.regression.r2;
      return std::move(report_);
    }
    if (exam_.task == Task::kHeads) {
      set_heads();
      return std::move(report_);
    }
    report_.loss = targets_ == 0 ? 0 : loss_ / static_cast<double>(targets_);
    if (exam_.task == Task::kTag) {
      set_tagged();
      return std::move(report_);
    }
    report_.accuracy = accuracy(report_.answers);
    report_.macro_f1 = macro_f1(report_.answers, labels_.size());
    report_.calibration_error = calibration_error(report_.answers);
    set_in_scope();
    return std::move(report_);
  }

 private:
  void add_tagged(const std::vector<std::size_t>& chosen, const torch::Tensor& scores,
                  const torch::Tensor& targets) {
    const std::int64_t pieces = targets.ne(kNoTarget).sum().item<std::int64_t>();
    loss_ += chain_loss(scores, targets, transitions_).item<double>() * static_cast<double>(pieces);
    targets_ += pieces;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      add_tags(chosen[i], scores[static_cast<std::int64_t>(i)]);
    }
  }

  void add_numbers(const std::vector<std::size_t>& chosen, const torch::Tensor& scores) {
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      report_.numbers[chosen[i]] = {exam_.examples[chosen[i]].number,
                                    scores[static_cast<std::int64_t>(i)].item<double>()};
    }
  }

  // A head's sum of losses stands in its report until set_heads().
  void add_heads(const std::vector<std::size_t>& chosen, const torch::Tensor& scores,
                 const torch::Tensor& targets) {
    for (std::size_t h = 0; h < report_.heads.size(); ++h) {
      HeadReport& head = report_.heads[h];
      const LabelHead& known = labels_.heads()[h];
      const auto outputs = static_cast<std::int64_t>(known.labels.size());
      const double temperature = exam_.head_temperatures.empty() ? 1 : exam_.head_temperatures[h];
      const torch::Tensor logs =
          torch::log_softmax(scores.narrow(1, known.begin, outputs) / temperature, -1);
      head.loss -=
          picked(logs, targets.select(1, static_cast<std::int64_t>(h))).sum().item<double>();
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        if (!exam_.file->rows[chosen[i]].labels.contains(head.name)) continue;
        head.answers[chosen[i]] =
            answer_of(logs[static_cast<std::int64_t>(i)], exam_.examples[chosen[i]].targets[h]);
      }
    }
  }

  void set_heads() {
    double count = 0;
    for (HeadReport& head : report_.heads) {
      const std::vector<Classified> answers = told(head);
      head.rows = answers.size();
      if (answers.empty()) continue;
      const auto unknown = std::count_if(answers.begin(), answers.end(),
                                         [](const Classified& one) { return one.expected < 0; });
      head.loss /= std::max(1.0, static_cast<double>(head.rows) - static_cast<double>(unknown));
      head.accuracy = learn::accuracy(answers);
      head.macro_f1 = learn::macro_f1(answers, head.labels);
      head.calibration_error = learn::calibration_error(answers);
      ++count;
    }
    for (const HeadReport& head : report_.heads) {
      if (head.rows == 0) continue;
      report_.loss += head.loss / count;
      report_.accuracy += head.accuracy / count;
      report_.macro_f1 += head.macro_f1 / count;
      report_.calibration_error += head.calibration_error / count;
    }
  }

  // The logarithms of what was expected, where it is known.
  static torch::Tensor picked(const torch::Tensor& logs, const torch::Tensor& targets) {
    return logs.gather(-1, targets.clamp_min(0).unsqueeze(-1))
        .squeeze(-1)
        .masked_select(targets.ne(kNoTarget));
  }

  void add_loss(const torch::Tensor& logs, const torch::Tensor& targets) {
    const torch::Tensor known = picked(logs, targets);
    loss_ -= known.sum().item<double>();
    targets_ += known.numel();
  }

  Classified answer_of(const torch::Tensor& logs, std::int64_t target) {
    if (target == kNoTarget) ++report_.unknown_labels;
    const std::int64_t given = logs.argmax().item<std::int64_t>();
    return {target == kNoTarget ? -1 : target, given, std::exp(logs[given].item<double>())};
  }

  void add_label(std::size_t row, const torch::Tensor& logs) {
    report_.answers[row] = answer_of(logs, exam_.examples[row].targets.front());
  }

  void add_tags(std::size_t row, const torch::Tensor& scores) {
    const std::vector<std::string>& expected = exam_.file->rows[row].tags;
    const std::vector<std::string> given =
        model::decode_tags({scores.data_ptr<float>(), transitions_.data_ptr<float>()},
                           exam_.examples[row].text, labels_.names(), expected.size());
    Tagged& tagged = report_.tagged[row];
    tagged.entities.add(expected, given);
    tagged.characters = expected.size();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      tagged.right += expected[i] == given[i] ? 1U : 0U;
    }
  }

  void set_tagged() {
    EntityScore entities;
    std::size_t characters = 0;
    std::size_t right = 0;
    for (const Tagged& row : report_.tagged) {
      entities += row.entities;
      characters += row.characters;
      right += row.right;
    }
    report_.entity_f1 = entities.f1();
    report_.accuracy =
        characters == 0 ? 0 : static_cast<double>(right) / static_cast<double>(characters);
  }

  // By the rows' own labels: a model that does not know `oos` is right on none of them.
  void set_in_scope() {
    std::vector<Classified> inside;
    std::vector<Classified> outside;
    for (std::size_t row = 0; row < report_.answers.size(); ++row) {
      const bool out = exam_.file->rows[row].label == kOutOfScope;
      (out ? outside : inside).push_back(report_.answers[row]);
    }
    if (outside.empty() && labels_.find(std::string(kOutOfScope)) < 0) return;
    if (!inside.empty()) report_.in_scope_accuracy = accuracy(inside);
    if (!outside.empty()) report_.out_of_scope_recall = accuracy(outside);
  }

  const Exam& exam_;
  const Labels& labels_;
  torch::Tensor transitions_;
  Report report_;
  double loss_ = 0;
  std::int64_t targets_ = 0;
};

}  // namespace

Exam make_exam(const RowFile& file, Task task, const model::WordPiece& tokenizer,
               const Labels& labels, std::size_t tokens_max) {
  Exam exam{task, &file, {}, 1};
  exam.examples.reserve(file.rows.size());
  for (const Row& row : file.rows) {
    exam.examples.push_back(make_example(row, task, tokenizer, labels, tokens_max));
  }
  return exam;
}

std::vector<Classified> told(const HeadReport& head, const std::vector<std::size_t>& rows) {
  std::vector<Classified> out;
  for (const std::size_t row : rows) {
    if (head.answers[row]) out.push_back(*head.answers[row]);
  }
  return out;
}

std::vector<Classified> told(const HeadReport& head) {
  std::vector<Classified> out;
  for (const auto& answer : head.answers) {
    if (answer) out.push_back(*answer);
  }
  return out;
}

bool is_right(const Report& report, std::size_t row) {
  for (const HeadReport& head : report.heads) {
    const auto& answer = head.answers[row];
    if (answer && answer->expected != answer->given) return false;
  }
  if (!report.heads.empty()) return true;
  if (report.tagged.empty()) return report.answers[row].expected == report.answers[row].given;
  return report.tagged[row].right == report.tagged[row].characters;
}

double quality(const Report& report, Task task) {
  if (task == Task::kRegress) return report.regression.r2;
  return task == Task::kTag ? report.entity_f1 : report.accuracy;
}

const char* quality_name(Task task) {
  if (task == Task::kRegress) return "r2";
  return task == Task::kTag ? "entity_f1" : "accuracy";
}

Json to_json(const Report& report, Task task) {
  if (task == Task::kRegress) {
    const RegressionScore& score = report.regression;
    return {{"n", report.rows},         {"rmse", score.rmse},       {"mae", score.mae},
            {"r2", score.r2},           {"pearson", score.pearson}, {"spearman", score.spearman},
            {"seconds", report.seconds}};
  }
  const bool tags = task == Task::kTag;
  Json json = {{"n", report.rows}, {"accuracy", report.accuracy}};
  json["macro_f1"] = tags ? Json() : Json(report.macro_f1);
  json["entity_f1"] = tags ? Json(report.entity_f1) : Json();
  json["loss"] = report.loss;
  json["calibration_error"] = tags ? Json() : Json(report.calibration_error);
  if (report.in_scope_accuracy >= 0) json["in_scope_accuracy"] = report.in_scope_accuracy;
  if (report.out_of_scope_recall >= 0) json["out_of_scope_recall"] = report.out_of_scope_recall;
  json["unknown_labels"] = report.unknown_labels;
  for (const HeadReport& head : report.heads) {
    if (head.rows == 0) continue;
    json["heads"][head.name] = {{"n", head.rows},
                                {"accuracy", head.accuracy},
                                {"macro_f1", head.macro_f1},
                                {"calibration_error", head.calibration_error}};
  }
  json["seconds"] = report.seconds;
  return json;
}

Result<Report> evaluate(TextModel& model, const Exam& exam, const Labels& labels, std::int64_t pad,
                        bool bfloat16, const std::function<bool(double)>& progress) {
  const torch::NoGradGuard no_grad;
  const auto begin = std::chrono::steady_clock::now();
  const bool was_training = model->is_training();
  model->eval();
  Examiner examiner(exam, labels,
                    model->transitions.defined() ? model->transitions.cpu() : torch::Tensor());
  std::size_t done = 0;
  Status stopped;
  for (const auto& chosen : plan_batches_in_order(exam.examples, kAskedTexts, kAskedTokens)) {
    const Batch batch = make_batch(exam.examples, chosen, exam.task, pad);
    const Bfloat16Scope scope(bfloat16);
    examiner.add(chosen, model(batch.ids, batch.present, batch.segments).cpu(), batch.targets);
    done += chosen.size();
    const double share = static_cast<double>(done) / static_cast<double>(exam.examples.size());
    if (progress && !progress(share)) {
      stopped = Error{Code::kCancelled, "the evaluation was stopped"};
      break;
    }
  }
  model->train(was_training);
  QIAO_TRY(stopped);
  Report report = examiner.take();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace qiao::learn
