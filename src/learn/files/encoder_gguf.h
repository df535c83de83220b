// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/disk.h"
#include "learn/files/base_model.h"
#include "learn/files/decoder_gguf.h"

namespace qiao::learn {

// Writes the encoder of a folder (open_base()) as a GGUF, as the server converts it; what is eight
// bits wide stays so in kHalf. llama.cpp runs the file on a probe; it gets its name only when its
// vectors are ours, and the greatest difference is returned. `internal` when they are not,
// `precondition` for what is a GGUF already; `unsupported` for a table, and where llama.cpp is not
// built in.
Result<double> export_encoder(Disk& disk, const std::string& path, const std::string& place,
                              GgufNumbers numbers);

// The greatest difference of our vectors of a probe's tokens and llama.cpp's from the file, and the
// greatest number in them.
Result<ScoreDistance> encoder_distance(const BaseModel& base, const std::string& path);

}  // namespace qiao::learn
