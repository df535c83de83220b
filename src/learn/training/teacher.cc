// SPDX-License-Identifier: Apache-2.0
#include "learn/training/teacher.h"

#include <cmath>

#include "learn/models/attention.h"
#include "learn/training/precision.h"
#include "learn/training/task_loss.h"

namespace qiao::learn {
namespace {

constexpr double kHidden = -1e4;  // added to the scores of padding
constexpr double kTemperature = 3;
constexpr double kTeacherPart = 0.7;  // of the loss; the rest is the rows' own answers
constexpr double kVectorPart = 1;     // times the distance between the vectors

// log softmax(A·Bᵀ/√d) of every part, [batch, parts, tokens, tokens].
torch::Tensor relation(const torch::Tensor& a, const torch::Tensor& b, std::int64_t parts,
                       const torch::Tensor& mask) {
  const torch::Tensor left = split_heads(a.to(torch::kFloat), parts);
  const torch::Tensor right = split_heads(b.to(torch::kFloat), parts);
  const double scale = 1 / std::sqrt(static_cast<double>(left.size(-1)));
  return torch::log_softmax(torch::matmul(left * scale, right.transpose(-2, -1)) + mask, -1);
}

// Mean of KL(teacher ‖ student) over the parts and the tokens that are there.
torch::Tensor distance(const torch::Tensor& teacher, const torch::Tensor& student,
                       const torch::Tensor& present) {
  const torch::Tensor rows = (teacher.exp() * (teacher - student)).sum(-1).mean(1);
  const torch::Tensor there = present.to(torch::kFloat);
  return (rows * there).sum() / there.sum();
}

torch::Tensor of_rows(const torch::Tensor& table, const std::vector<std::size_t>& rows,
                      torch::Device device) {
  const torch::Tensor at = torch::tensor(std::vector<std::int64_t>(rows.begin(), rows.end()));
  return table.index_select(0, at).to(device);
}

}  // namespace

Result<Teacher> Teacher::make(Bundle& bundle, const Exam& lessons, double relations, bool bfloat16,
                              const std::atomic<bool>& stop) {
  Teacher teacher(bundle, lessons, relations);
  bundle.model->eval();
  if (bundle.task != Task::kTag && relations == 0) {
    QIAO_TRY(teacher.ask_all(bfloat16, stop));
  }
  return teacher;
}

Status Teacher::ask_all(bool bfloat16, const std::atomic<bool>& stop) {
  const torch::Tensor& head = bundle_->model->head->weight;
  const auto rows = static_cast<std::int64_t>(lessons_->examples.size());
  scores_ = torch::zeros({rows, head.size(0)});
  vectors_ = torch::zeros({rows, head.size(1)});
  for (const auto& chosen : plan_batches_in_order(lessons_->examples, kAskedTexts, kAskedTokens)) {
    if (stop.load()) return Error{Code::kCancelled, "stopped while the teacher answered"};
    const Bfloat16Scope scope(bfloat16);
    const TextOutput output = ask(chosen, nullptr);
    const torch::Tensor places =
        torch::tensor(std::vector<std::int64_t>(chosen.begin(), chosen.end()));
    scores_.index_copy_(0, places, output.scores.cpu());
    vectors_.index_copy_(0, places, output.vectors.cpu());
  }
  return {};
}

TextOutput Teacher::ask(const std::vector<std::size_t>& chosen, Relations* known) const {
  const torch::NoGradGuard no_grad;
  const Batch batch =
      make_batch(lessons_->examples, chosen, lessons_->task, bundle_->tokenizer.pad());
  const TextOutput output = bundle_->model->run(batch.ids, batch.present, batch.segments, known);
  return {output.scores.to(torch::kFloat), output.vectors.to(torch::kFloat)};
}

torch::Tensor Teacher::loss(const Bundle& student, const torch::Tensor& own, const Batch& batch,
                            const std::vector<std::size_t>& chosen, const TextOutput& output,
                            const Relations& seen) const {
  Relations known;
  const torch::Device here = output.scores.device();
  const TextOutput wanted = scores_.defined() ? TextOutput{of_rows(scores_, chosen, here),
                                                           of_rows(vectors_, chosen, here)}
                                              : ask(chosen, wants_relations() ? &known : nullptr);
  // Squared, so that the gradients of softened scores stay as large; numbers are not softened.
  const double scale = student.task == Task::kRegress ? 1 : kTemperature * kTemperature;
  const torch::Tensor apart = answers_apart(student, wanted.scores, output.scores.to(torch::kFloat),
                                            batch.targets, kTemperature);
  torch::Tensor sum = (1 - kTeacherPart) * own + kTeacherPart * scale * apart;
  if (output.vectors.size(-1) == wanted.vectors.size(-1)) {
    const torch::Tensor near =
        torch::cosine_similarity(output.vectors.to(torch::kFloat), wanted.vectors, -1);
    const bool pieces = near.dim() == 2;
    sum = sum +
          kVectorPart * (1 - (pieces ? near.masked_select(batch.present.to(here)) : near).mean());
  }
  if (!wants_relations()) return sum;
  const std::int64_t parts = bundle_->shape.heads_of(bundle_->model->encoder->layers.size() - 1);
  return sum + relations_ * relations_apart(known, seen, batch.present.to(here), parts);
}

torch::Tensor relations_apart(const Relations& teacher, const Relations& student,
                              const torch::Tensor& present, std::int64_t parts) {
  while (teacher.query.size(-1) % parts != 0 || student.query.size(-1) % parts != 0) --parts;
  // Finite: a difference of two -inf is no number.
  const torch::Tensor mask = padding_mask(present).clamp_min(kHidden);
  const auto apart = [&](const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& c,
                         const torch::Tensor& d) {
    return distance(relation(a, b, parts, mask), relation(c, d, parts, mask), present);
  };
  return apart(teacher.query, teacher.key, student.query, student.key) +
         apart(teacher.value, teacher.value, student.value, student.value);
}

}  // namespace qiao::learn
