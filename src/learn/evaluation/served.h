// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/scratch_folder.h"
#include "learn/data/rows.h"
#include "learn/evaluation/metrics.h"
#include "model/bundle/text_head.h"
#include "model/model.h"

namespace qiao::learn {

// What a served bundle said of one row.
struct ServedAnswer {
  std::string label;                          // classify
  std::vector<Entity> entities;               // tag; in characters
  std::optional<double> number;               // regress
  std::map<std::string, std::string> labels;  // of several heads: head → label
  double milliseconds = 0;                    // from text to answer
};

// A bundle run the way the server runs it: converted, the encoder by llama.cpp in this process, our
// head on its vectors. Its files stand in a folder of their own until it goes. One thread at a
// time. `unsupported` where llama.cpp is not built in.
class ServedBundle {
 public:
  static Result<std::unique_ptr<ServedBundle>> open(const std::string& folder, int threads);

  Result<ServedAnswer> ask(const std::string& text);
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }  // of encoder and head

 private:
  ServedBundle(std::unique_ptr<ScratchFolder> folder, TextHead head)
      : folder_(std::move(folder)), head_(std::move(head)) {}
  std::unique_ptr<ScratchFolder> folder_;  // first: outlives the encoder
  TextHead head_;
  std::uint64_t bytes_ = 0;
  std::shared_ptr<Model> encoder_;
};

}  // namespace qiao::learn
