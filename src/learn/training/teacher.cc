// SPDX-License-Identifier: Apache-2.0
#include "learn/training/teacher.h"

#include <cmath>

#include "learn/models/attention.h"
#include "learn/training/precision.h"

namespace qiao::learn {
namespace {

constexpr double kHidden = -1e4;  // added to the scores of padding

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

}  // namespace

Result<TeacherAnswers> ask_teacher(Bundle& teacher, const Exam& exam, bool bfloat16,
                                   const std::atomic<bool>& stop) {
  const torch::NoGradGuard no_grad;
  TextModel& model = teacher.model;
  model->eval();
  const auto rows = static_cast<std::int64_t>(exam.examples.size());
  TeacherAnswers answers{torch::zeros({rows, model->head->weight.size(0)}),
                         torch::zeros({rows, model->head->weight.size(1)}),
                         {}};
  for (const auto& chosen : plan_batches_in_order(exam.examples, kAskedTexts, kAskedTokens)) {
    if (stop.load()) return Error{Code::kCancelled, "stopped while the teacher answered"};
    const Batch batch = make_batch(exam.examples, chosen, exam.task, teacher.tokenizer.pad());
    const Bfloat16Scope scope(bfloat16);
    const TextOutput output = model->run(batch.ids, batch.present, batch.segments);
    const torch::Tensor places =
        torch::tensor(std::vector<std::int64_t>(chosen.begin(), chosen.end()));
    answers.scores.index_copy_(0, places, output.scores.to(torch::kFloat));
    answers.vectors.index_copy_(0, places, output.vectors.to(torch::kFloat));
  }
  return answers;
}

std::function<torch::Tensor(const Batch&, const Relations&)> relations_loss(Bundle& teacher,
                                                                            double weight) {
  return [&teacher, weight](const Batch& batch, const Relations& seen) {
    Relations known;
    {
      const torch::NoGradGuard no_grad;
      teacher.model->eval();
      teacher.model->run(batch.ids, batch.present, batch.segments, &known);
    }
    // As many as the teacher has heads, or the next number that divides both widths.
    std::int64_t parts = teacher.shape.heads_of(teacher.model->encoder->layers.size() - 1);
    while (known.query.size(-1) % parts != 0 || seen.query.size(-1) % parts != 0) --parts;
    // Finite: a difference of two -inf is no number.
    const torch::Tensor mask = padding_mask(batch.present).clamp_min(kHidden);
    const auto apart = [&](const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& c,
                           const torch::Tensor& d) {
      return distance(relation(a, b, parts, mask), relation(c, d, parts, mask), batch.present);
    };
    return weight * (apart(known.query, known.key, seen.query, seen.key) +
                     apart(known.value, known.value, seen.value, seen.value));
  };
}

}  // namespace qiao::learn
