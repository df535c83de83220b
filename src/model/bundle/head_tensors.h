// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace qiao::model {

// The head's tensors in a bundle's safetensors file: the layer by Hugging Face's names, and of tags
// the scores of each after each.
inline constexpr const char* kHeadWeight = "classifier.weight";
inline constexpr const char* kHeadBias = "classifier.bias";
inline constexpr const char* kHeadTransitions = "classifier.transitions";

}  // namespace qiao::model
