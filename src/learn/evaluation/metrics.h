// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace qiao::learn {

// How well labels were told. `expected` -1: a label the model does not know, always wrong.
struct Classified {
  std::int64_t expected = -1;
  std::int64_t given = 0;
  double confidence = 0;  // the softmax of the given label
};

double accuracy(const std::vector<Classified>& rows);
// Mean over the labels that occur (expected or given) of the harmonic mean of precision and recall.
double macro_f1(const std::vector<Classified>& rows, std::size_t labels);
// Expected calibration error (Guo et al. 2017) over ten equal ranges of confidence.
double calibration_error(const std::vector<Classified>& rows);

// A named stretch of characters, [begin, end).
struct Entity {
  std::string kind;
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const Entity&, const Entity&) = default;
};
// The entities of BIO tags; an `I-` after something else begins one, as conlleval reads it.
std::vector<Entity> entities_of(const std::vector<std::string>& tags);

// Counts of entities that are equal in kind, begin and end.
struct EntityScore {
  std::size_t expected = 0;
  std::size_t given = 0;
  std::size_t right = 0;

  void add(const std::vector<std::string>& expected_tags,
           const std::vector<std::string>& given_tags);
  [[nodiscard]] double f1() const;  // over all kinds together; 0 when there is no entity
};

}  // namespace qiao::learn
