// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "model/convert/convert_weights.h"

namespace qiao::model {

inline constexpr std::size_t kOnnxBytesMax = std::size_t{2} << 30;  // protobuf's own bound

// Reads the weights of an ONNX file (github.com/onnx/onnx, onnx.proto) that was exported from
// PyTorch. Exporters fold x·Wᵀ into a MatMul with an unnamed, transposed weight [in,out]; such a
// weight gets its name from the bias added to that MatMul's output (`….query.bias` →
// `….query.weight`) and is turned back to [out,in]. A leading `bert.` is dropped.
// Data kept outside the file is `unsupported`. Holds the file in memory.
Result<std::unique_ptr<WeightFile>> open_onnx(const std::string& path);

}  // namespace qiao::model
