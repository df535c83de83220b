// SPDX-License-Identifier: Apache-2.0
#include "understand/fusion.h"

#include <algorithm>
#include <cmath>

namespace qiao {
namespace {

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

double fuse(const Evidence& evidence) {
  if (!evidence.cosine) return std::clamp(logistic(7 * (evidence.lexical - 0.43)) * 1.02, 0.0, 1.0);
  const double mixed = 0.75 * *evidence.cosine + 0.25 * evidence.lexical;
  return logistic(9 * (mixed - 0.5));
}

}  // namespace qiao
