// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <torch/torch.h>

namespace qiao::learn {

// A linear-chain conditional random field over tags (Lafferty, McCallum, Pereira 2001). A sequence
// of tags scores the sum of its pieces' own scores and of a transition for each neighbouring pair.
//
// Returns the mean over all tagged pieces of the negative log-likelihood of their rows' tags: [].
// `scores` [batch, tokens, tags]; `targets` [batch, tokens], pieces without one (kNoTarget) are
// passed over; `transitions` [tags, tags], from the tag before to the tag after. Computed in
// binary64, with gradients for scores and transitions. 0 when nothing is tagged. Thread-safe.
torch::Tensor chain_loss(const torch::Tensor& scores, const torch::Tensor& targets,
                         const torch::Tensor& transitions);

}  // namespace qiao::learn
