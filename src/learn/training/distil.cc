// SPDX-License-Identifier: Apache-2.0
#include "learn/training/distil.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/digest.h"
#include "base/i18n.h"
#include "learn/training/finetuner.h"
#include "learn/training/precision.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kBatchTexts = 64;
constexpr std::size_t kBatchTokens = 4096;
constexpr int kTimings = 3;  // of each model, in turns; the fastest counts

// The teacher's layers that a student of `layers` begins with.
std::vector<std::size_t> kept_layers(std::size_t of, std::size_t layers) {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < layers; ++i) kept.push_back((i + 1) * of / layers - 1);
  return kept;
}

// A copy of the teacher with some of its layers.
Bundle make_student(const Bundle& teacher, std::int64_t layers, double dropout) {
  EncoderShape shape = teacher.shape;
  shape.layers = layers;
  TextModel model(shape, teacher.task, static_cast<std::int64_t>(teacher.labels.size()), dropout);
  const torch::NoGradGuard no_grad;
  const auto kept =
      kept_layers(teacher.model->encoder->layers.size(), static_cast<std::size_t>(layers));
  const auto copy = [](const torch::nn::Module& from, torch::nn::Module& to) {
    const auto source = from.named_parameters();
    for (auto& item : to.named_parameters()) {
      if (const torch::Tensor* values = source.find(item.key())) item.value().copy_(*values);
    }
  };
  copy(*teacher.model->head, *model->head);
  copy(*teacher.model->encoder->words, *model->encoder->words);
  copy(*teacher.model->encoder->positions, *model->encoder->positions);
  copy(*teacher.model->encoder->types, *model->encoder->types);
  copy(*teacher.model->encoder->norm, *model->encoder->norm);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    copy(*teacher.model->encoder->layers[kept[i]], *model->encoder->layers[i]);
  }
  return Bundle{shape, teacher.task, teacher.tokens_max, teacher.tokenizer, teacher.labels, model,
                {}};
}

Result<TeacherAnswers> ask(TextModel model, const Exam& exam, std::int64_t pad, bool bfloat16,
                           const std::atomic<bool>& stop) {
  const torch::NoGradGuard no_grad;
  model->eval();
  const auto rows = static_cast<std::int64_t>(exam.examples.size());
  TeacherAnswers answers{torch::zeros({rows, model->head->weight.size(0)}),
                         torch::zeros({rows, model->head->weight.size(1)})};
  for (const auto& chosen : plan_batches_in_order(exam.examples, kBatchTexts, kBatchTokens)) {
    if (stop.load()) return Error{Code::kCancelled, "stopped while the teacher answered"};
    const Batch batch = make_batch(exam.examples, chosen, exam.task, pad);
    const Bfloat16Scope scope(bfloat16);
    const TextOutput output = model->run(batch.ids, batch.present);
    const torch::Tensor places =
        torch::tensor(std::vector<std::int64_t>(chosen.begin(), chosen.end()));
    answers.scores.index_copy_(0, places, output.scores.to(torch::kFloat));
    answers.vectors.index_copy_(0, places, output.vectors.to(torch::kFloat));
  }
  return answers;
}

Json figures(const Report& report, double seconds, const TextModel& model) {
  std::int64_t weights = 0;
  for (const torch::Tensor& weight : model->parameters()) weights += weight.numel();
  return {
      {"accuracy", report.accuracy},
      {"macro_f1", report.macro_f1},
      {"layers", model->encoder->shape().layers},
      {"bytes", weights * static_cast<std::int64_t>(sizeof(float))},
      {"ms_per_text", 1000 * seconds / static_cast<double>(std::max<std::size_t>(1, report.rows))}};
}

// Both on dev, in turns, so that what else the machine does falls on both.
Result<Json> measure(Bundle& teacher, Bundle& student, const RowFile& dev, bool bfloat16,
                     const std::atomic<bool>& stop) {
  Bundle* const both[] = {&teacher, &student};
  Report reports[2];
  double seconds[2] = {0, 0};
  for (int timing = 0; timing < kTimings; ++timing) {
    for (int i = 0; i < 2; ++i) {
      Bundle& one = *both[i];
      const Exam exam = make_exam(dev, one.task, one.tokenizer, one.labels, one.tokens_max);
      QIAO_ASSIGN(reports[i], evaluate(one.model, exam, one.labels, one.tokenizer.pad(), bfloat16,
                                       [&](double) { return !stop.load(); }));
      const double now = reports[i].seconds;
      seconds[i] = timing == 0 ? now : std::min(seconds[i], now);
    }
  }
  return Json{{"teacher", figures(reports[0], seconds[0], teacher.model)},
              {"student", figures(reports[1], seconds[1], student.model)},
              {"kept", reports[0].accuracy > 0 ? reports[1].accuracy / reports[0].accuracy : 0},
              {"faster", seconds[1] > 0 ? seconds[0] / seconds[1] : 0}};
}

Status check_teacher(const Bundle& teacher, const DistilOptions& options) {
  if (teacher.task != Task::kClassify) {
    return Error{Code::kUnsupported, "only bundles of the task classify can be distilled"};
  }
  if (options.layers < 1 || options.layers >= teacher.shape.layers) {
    return invalid_argument("--layers must be from 1 to one less than the teacher's " +
                            std::to_string(teacher.shape.layers));
  }
  return {};
}

// Takes a bundle that lost too much out of its place.
Status refuse(Disk& disk, const std::string& out, double lost, double lost_max) {
  const std::string aside = out + ".refused";
  std::error_code ignored;
  std::filesystem::remove_all(aside, ignored);
  QIAO_TRY(disk.rename(out, aside));
  char numbers[64];
  std::snprintf(numbers, sizeof numbers, "%.2f points on dev, more than %.2f", lost, lost_max);
  return Error{Code::kPrecondition, "the student lost " + std::string(numbers) + ": it is in " +
                                        aside + "; --lost-max sets what it may lose"};
}

}  // namespace

Result<Json> distil(Disk& disk, const DistilOptions& options, Progress& progress,
                    const std::atomic<bool>& stop) {
  QIAO_TRY(RunFolder(disk, options.train.out).check());
  QIAO_ASSIGN(Bundle teacher, load_bundle(options.teacher));
  QIAO_TRY(check_teacher(teacher, options));
  QIAO_ASSIGN(RowFile train, read_rows(options.train.train, teacher.task));
  QIAO_ASSIGN(RowFile dev, read_rows(options.train.dev, teacher.task));
  QIAO_TRY(check_dev(train, train, teacher.labels, progress));
  QIAO_TRY(check_dev(train, dev, teacher.labels, progress));
  QIAO_ASSIGN(const std::string sum, sha256_file_hex(options.teacher + "/model.safetensors"));
  const std::string name = std::filesystem::path(options.teacher).filename().string();
  progress.note(tr(progress.language(), Text::kLearnPlan,
                   {name, std::to_string(train.rows.size()), std::to_string(dev.rows.size()),
                    std::to_string(teacher.labels.size()), std::to_string(at::get_num_threads())}));
  const bool bfloat16 = options.train.bfloat16 && cpu_has_bfloat16();
  const Exam lessons =
      make_exam(train, teacher.task, teacher.tokenizer, teacher.labels, teacher.tokens_max);
  QIAO_ASSIGN(TeacherAnswers answers,
              ask(teacher.model, lessons, teacher.tokenizer.pad(), bfloat16, stop));
  torch::manual_seed(static_cast<std::uint64_t>(options.train.seed));
  const Json base = {{"name", name},
                     {"sha256", sum},
                     {"licence", json_string(teacher.card, "licence").value_or("")}};
  Finetuner finetuner(
      disk, options.train, progress, stop,
      {std::move(train), dev, base, make_student(teacher, options.layers, options.train.dropout),
       std::move(answers)});
  QIAO_TRY(finetuner.run());
  QIAO_ASSIGN(Bundle student, load_bundle(options.train.out));
  QIAO_ASSIGN(const Json told, measure(teacher, student, dev, bfloat16, stop));
  const double lost =
      100 * (told["teacher"]["accuracy"].get<double>() - told["student"]["accuracy"].get<double>());
  if (options.lost_max >= 0 && lost > options.lost_max) {
    progress.note(dump_json(told));
    QIAO_TRY(refuse(disk, options.train.out, lost, options.lost_max));
  }
  return told;
}

}  // namespace qiao::learn
