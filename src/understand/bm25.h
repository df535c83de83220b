// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/terms.h"

namespace qiao {

// How alike a text is to each text of a fixed list, by the terms they share (text/terms.h) with
// BM25's weights: rare terms count more, repeats less and less. BM25 has no upper end, so the sum
// of the shared weights is set against what either text has: 0 shares nothing, 1 has the same
// terms. Words that only hold a sentence together (我, 的, the, is) weigh little.
//
// Immutable, thread-safe. Bound: kTermsMax terms of each text.
class Bm25 {
 public:
  // Terms of a text, ready to be compared.
  struct Weighed {
    double weight = 0;                                    // of all its terms
    std::vector<std::pair<std::uint32_t, double>> terms;  // those the list knows: term, repeats
  };

  explicit Bm25(const std::vector<std::string>& texts);

  [[nodiscard]] Weighed weigh(std::string_view text) const;
  // One value in [0,1] for each text of the list.
  [[nodiscard]] std::vector<double> likeness(const Weighed& query) const;

 private:
  struct Posting {
    std::uint32_t text = 0;
    double repeats = 0;  // saturated
  };
  struct Term {
    double weight = 0;
    std::vector<Posting> postings;
  };

  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<Term> terms_;
  std::vector<double> weights_;  // of each text
  double unknown_weight_ = 0;    // of a term that no text of the list has
};

}  // namespace qiao
