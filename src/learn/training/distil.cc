// SPDX-License-Identifier: Apache-2.0
#include "learn/training/distil.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "base/digest.h"
#include "base/i18n.h"
#include "learn/models/encoder_cut.h"
#include "learn/training/finetuner.h"
#include "learn/training/importance.h"
#include "learn/training/option_check.h"
#include "learn/training/precision.h"
#include "learn/training/shrink.h"
#include "learn/training/teacher.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kPiecesAtOnce = 512;

// The teacher's layers that a student of `layers` begins with.
EncoderCut::Chosen kept_layers(std::int64_t of, std::int64_t layers) {
  EncoderCut::Chosen kept;
  for (std::int64_t i = 0; i < layers; ++i) kept.push_back((i + 1) * of / layers - 1);
  return kept;
}

Result<EncoderCut> plan_student(Bundle& teacher, const DistilOptions& options, const Exam& lessons,
                                const std::atomic<bool>& stop) {
  const EncoderShape& shape = teacher.shape;
  EncoderCut cut;
  cut.layers = kept_layers(shape.layers, options.layers);
  const bool narrower = options.width > 0 && options.width < shape.width;
  const bool leaner = options.inner > 0 && options.inner < shape.inner;
  if (!narrower && !leaner) return cut;
  QIAO_ASSIGN(const Importance importance, importance_of(teacher, lessons, stop));
  const auto count = [](std::int64_t size) { return static_cast<std::size_t>(size); };
  if (narrower) cut.columns = most_important(importance.columns, count(options.width));
  for (const std::int64_t layer : cut.layers) {
    const std::size_t at = count(layer);
    if (narrower) {
      cut.heads.push_back(
          most_important(importance.heads[at], count(options.width / shape.head_width())));
    }
    if (leaner) cut.neurons.push_back(most_important(importance.neurons[at], count(options.inner)));
  }
  return cut;
}

Bundle bundle_like(const Bundle& teacher, const EncoderShape& shape, TextModel model) {
  return Bundle{
      shape, teacher.task, teacher.tokens_max, teacher.tokenizer, teacher.labels, std::move(model),
      {}};
}

// A table of what the teacher makes of each piece standing alone. [CLS] and [SEP] stand in every
// text and begin with nothing.
Result<Bundle> make_table(Bundle& teacher, const std::atomic<bool>& stop) {
  const torch::NoGradGuard no_grad;
  EncoderShape shape = teacher.shape;
  shape.layers = 0;
  shape.layer_heads.clear();
  shape.layer_inner.clear();
  shape.pooling = Pooling::kMean;
  TextModel model(shape, teacher.task, static_cast<std::int64_t>(teacher.labels.size()), 0.0);
  const std::vector<std::int32_t> frame = teacher.tokenizer.encode("", 2).ids;
  teacher.model->eval();
  torch::Tensor& table = model->encoder->words->weight;
  for (std::int64_t first = 0; first < shape.vocabulary; first += kPiecesAtOnce) {
    if (stop.load()) return Error{Code::kCancelled, "stopped while the teacher answered"};
    const std::int64_t count = std::min(kPiecesAtOnce, shape.vocabulary - first);
    const torch::Tensor pieces = torch::arange(first, first + count).unsqueeze(1);
    const torch::Tensor ids = torch::cat(
        {torch::full_like(pieces, frame.front()), pieces, torch::full_like(pieces, frame.back())},
        1);
    const TextOutput output = teacher.model->run(ids, torch::ones_like(ids, torch::kBool));
    table.narrow(0, first, count).copy_(output.vectors);
  }
  for (const std::int32_t id : frame) table[id].zero_();
  model->head->weight.copy_(teacher.model->head->weight);
  model->head->bias.copy_(teacher.model->head->bias);
  return bundle_like(teacher, shape, model);
}

Status check(const Bundle& teacher, const DistilOptions& options) {
  const EncoderShape& shape = teacher.shape;
  if (shape.is_table()) {
    return Error{Code::kUnsupported, options.teacher + " is a table: it has no layers to teach"};
  }
  if (options.table && (teacher.task == Task::kPair || teacher.task == Task::kTag)) {
    return Error{Code::kUnsupported,
                 "--static knows no order of words: pairs and tags are not told by a table"};
  }
  QIAO_TRY(check_numbers({{"--relations", options.relations}}));
  if (!std::isfinite(options.allow_loss)) return invalid_argument("--allow-loss must be a number");
  if (options.table) return {};
  const bool narrower = options.width > 0 && options.width < shape.width;
  const bool leaner = options.inner > 0 && options.inner < shape.inner;
  if (options.layers < 1 || options.layers > shape.layers ||
      (options.layers == shape.layers && !narrower && !leaner)) {
    return invalid_argument("--layers must be from 1 to one less than the teacher's " +
                            std::to_string(shape.layers) +
                            ", or the student narrower (--width, --inner)");
  }
  if (options.width < 0 || options.width > shape.width || options.width % shape.head_width() != 0) {
    return invalid_argument("--width must be a multiple of " + std::to_string(shape.head_width()) +
                            " (the width of a head), at most " + std::to_string(shape.width));
  }
  if (options.inner < 0 || options.inner > shape.inner) {
    return invalid_argument("--inner must be at most " + std::to_string(shape.inner));
  }
  if (narrower && !shape.layer_heads.empty()) {
    return Error{Code::kUnsupported, "a bundle with pruned heads cannot become narrower"};
  }
  return {};
}

// What the student begins with.
Result<Bundle> make_student(Bundle& teacher, const DistilOptions& options, const Exam& lessons,
                            const std::atomic<bool>& stop) {
  torch::manual_seed(static_cast<std::uint64_t>(options.train.seed));
  if (options.table) return make_table(teacher, stop);
  QIAO_ASSIGN(const EncoderCut cut, plan_student(teacher, options, lessons, stop));
  return bundle_like(teacher, shape_after(teacher.shape, cut),
                     cut_model(teacher.model, teacher.task, cut, options.train.dropout));
}

// What makes it another distillation. A table has neither layers nor relations.
Json options_json(const DistilOptions& options) {
  return {{"layers", options.table ? 0 : options.layers},
          {"width", options.width},
          {"inner", options.inner},
          {"static", options.table},
          {"relations", options.table ? 0 : options.relations},
          {"seed", options.train.seed}};
}

}  // namespace

Result<Json> distil(Disk& disk, const DistilOptions& options, Progress& progress,
                    const std::atomic<bool>& stop) {
  QIAO_ASSIGN(Bundle teacher, load_bundle(options.teacher));
  QIAO_TRY(check(teacher, options));
  FinetuneOptions how = options.train;
  how.task = teacher.task;
  how.r_drop = 0;  // the teacher's answers are what two of the student's would agree on
  QIAO_TRY(check_options(how));
  QIAO_ASSIGN(RowFile train, read_rows(options.train.train, teacher.task));
  QIAO_ASSIGN(const RowFile dev, read_rows(options.train.dev, teacher.task));
  QIAO_TRY(check_labels(train, teacher.labels, options.teacher, progress));
  QIAO_TRY(check_labels(dev, teacher.labels, options.teacher, progress));
  QIAO_ASSIGN(const std::string sum, sha256_file_hex(options.teacher + "/model.safetensors"));
  const std::string name = std::filesystem::path(options.teacher).filename().string();
  progress.note(tr(progress.language(), Text::kLearnPlan,
                   {name, std::to_string(train.rows.size()), std::to_string(dev.rows.size()),
                    std::to_string(teacher.labels.size()), std::to_string(at::get_num_threads())}));
  QIAO_ASSIGN(how.out, free_unmeasured(disk, options.train.out, how.resume));
  const Exam lessons =
      make_exam(train, teacher.task, teacher.tokenizer, teacher.labels, teacher.tokens_max);
  QIAO_ASSIGN(Bundle student, make_student(teacher, options, lessons, stop));
  const Json base = {{"name", name},
                     {"sha256", sum},
                     {"licence", json_string(teacher.card, "licence").value_or("")}};
  const auto tutor = [&] {
    return Teacher::make(teacher, lessons, options.table ? 0 : options.relations,
                         how.bfloat16 && has_bfloat16(), stop);
  };
  const Json made_by = options_json(options);
  Finetuner finetuner(disk, how, progress, stop,
                      {std::move(train), dev, base, std::move(student), tutor, made_by});
  QIAO_TRY(finetuner.run());
  QIAO_TRY(
      add_to_card(disk, how.out, "shrunk", shrunk_card(options.teacher, sum, "distil", made_by)));
  return finish_shrunk(disk,
                       {options.teacher, how.out, options.train.out, options.allow_loss, true}, dev,
                       progress, stop);
}

}  // namespace qiao::learn
