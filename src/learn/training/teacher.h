// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <vector>

#include "learn/evaluation/evaluate.h"
#include "learn/files/bundle.h"

namespace qiao::learn {

// A finished bundle that teaches a student of the same pieces and labels (Hinton et al. 2015).
// What the student shall learn is a mixture of the rows' own answers and of
// - the teacher's, softened by a temperature (answers_apart() in task_loss.h);
// - the vectors its head reads, by cosine, where the student is as wide;
// - with `relations`, how tokens stand to each other: relations_apart(), times `relations`.
// One thread.
class Teacher {
 public:
  // `lessons`: the student's rows as the teacher reads them; a student may have fewer pieces in its
  // vocabulary, so the same ones by other ids. Where a text has one answer and no relations are
  // wanted, the teacher is asked about all of them here; else about those of each batch. Both must
  // outlive it. Requires: with relations, no table. `cancelled` at `stop`.
  static Result<Teacher> make(Bundle& bundle, const Exam& lessons, double relations, bool bfloat16,
                              const std::atomic<bool>& stop);

  [[nodiscard]] bool wants_relations() const { return relations_ > 0; }

  // The loss of the student's `batch` of the rows `chosen`, of which it said `output` and computed
  // `seen` (empty without relations); `own` is its loss by the rows' own answers.
  torch::Tensor loss(const Bundle& student, const torch::Tensor& own, const Batch& batch,
                     const std::vector<std::size_t>& chosen, const TextOutput& output,
                     const Relations& seen) const;

 private:
  Teacher(Bundle& bundle, const Exam& lessons, double relations)
      : bundle_(&bundle), lessons_(&lessons), relations_(relations) {}
  Status ask_all(bool bfloat16, const std::atomic<bool>& stop);
  TextOutput ask(const std::vector<std::size_t>& chosen, Relations* known) const;

  Bundle* bundle_;
  const Exam* lessons_;
  double relations_;
  // Of all rows, where they were asked: [rows, outputs] and [rows, width]; else undefined.
  torch::Tensor scores_;
  torch::Tensor vectors_;
};

// How far a student's tokens stand to each other otherwise than the teacher's (MiniLM, Wang et al.
// 2020, 2021): of the last layers' queries and keys, and of the values with themselves, cut into
// `parts` (or the next lower number that divides both widths), the mean over texts, parts and
// tokens of KL(teacher ‖ student) of softmax(A·Bᵀ/√d): [].
torch::Tensor relations_apart(const Relations& teacher, const Relations& student,
                              const torch::Tensor& present, std::int64_t parts);

}  // namespace qiao::learn
