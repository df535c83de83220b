// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "base/disk.h"
#include "base/json.h"
#include "learn/data/labels.h"
#include "learn/models/text_model.h"
#include "model/bundle/wordpiece.h"

namespace qiao::learn {

// What training leaves and what everything else takes: a folder with
//   model.safetensors  weights, by Hugging Face's names (`bert.…`, `classifier.…`); for tags also
//                      `classifier.transitions`, from the tag before to the one after; with int8
//                      the encoder's matrices as eight-bit numbers, a scale for each row beside
//                      them
//   config.json        sizes; under `qiao` pooling, task and the longest text
//   tokenizer.json     Hugging Face's form
//   labels.json        the labels, in the order of the outputs; of a regression `number`; where
//                      there are several heads an object of such lists, head → labels
//   card.json          what it was made of and how well it does
struct Bundle {
  EncoderShape shape;
  Task task = Task::kClassify;
  std::size_t tokens_max = 0;
  model::WordPiece tokenizer;
  Labels labels;
  TextModel model;
  Json card;
  bool int8 = false;  // how matrices are stored; `model` holds their values
};

// Whether the place holds one; a decoder's, else.
bool is_bundle(Disk& disk, const std::string& place);
// Writes every file into `folder`, which must exist; each appears whole or not at all.
Status save_bundle(Disk& disk, const std::string& folder, const Bundle& bundle);
// An Error names the file, and the tensor where one is missing, cut or misshapen.
Result<Bundle> load_bundle(const std::string& folder);
// What the bundle in `folder` is for, without its weights.
Result<Task> task_of_bundle(const std::string& folder);

std::string_view name_of(Task task);
Result<Task> parse_task(std::string_view name);

}  // namespace qiao::learn
