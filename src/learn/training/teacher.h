// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>

#include "learn/evaluation/evaluate.h"
#include "learn/files/bundle.h"
#include "learn/training/finetuner.h"

namespace qiao::learn {

// The teacher's scores and vectors of all rows of `exam`, which its tokenizer must have made.
// Requires: the task classify. `cancelled` at `stop`.
Result<TeacherAnswers> ask_teacher(Bundle& teacher, const Exam& exam, bool bfloat16,
                                   const std::atomic<bool>& stop);

// MiniLM (Wang et al. 2020, 2021): the student's tokens shall stand to each other as the teacher's
// do. Of the last layers' queries and keys, and of the values with themselves, cut into as many
// parts as the teacher has heads (fewer, where that does not divide both widths): the mean over
// texts, parts and tokens of KL(teacher ‖ student) of softmax(A·Bᵀ/√d), times `weight`. The teacher
// runs on each batch; `teacher` must outlive the function. Requires: both of one tokenizer, no
// tables.
std::function<torch::Tensor(const Batch& batch, const Relations& seen)> relations_loss(
    Bundle& teacher, double weight);

}  // namespace qiao::learn
