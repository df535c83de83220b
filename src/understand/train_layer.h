// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "model/model.h"

namespace qiao {

// Vectors of frozen texts with their classes, and how much each counts.
struct TrainingSet {
  Embeddings vectors;               // all of one size
  std::vector<std::size_t> labels;  // classes from 0 on, one per vector
  std::vector<double> weights;      // one per vector
};

struct TrainingOptions {
  double l2 = 1e-4;  // of the weights, not of the biases
  int steps = 400;
};

struct LinearLayer {
  std::vector<std::vector<float>> weights;  // one row per class
  std::vector<float> biases;
};

// Multinomial logistic regression with L2 by full-batch gradient descent with Nesterov's momentum
// (the loss is convex, so there is one answer and no seed). Vectors are centred and scaled
// inside; the layer that comes back takes them as they are. Requires: the set is not empty.
LinearLayer train_layer(const TrainingSet& set, std::size_t classes,
                        const TrainingOptions& options = {});

}  // namespace qiao
