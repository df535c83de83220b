// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "base/disk.h"
#include "learn/files/language_bundle.h"

namespace qiao::learn {

// A trained decoder to go on from.
struct DecoderBase {
  LanguageBundle bundle;
  std::string name;
  std::string licence;  // "" when nothing says it
  std::string sha256;   // of the file with the weights, or with the list of their parts
};

// `place`: the name of a model that `qiao model pull` got, a folder of one, a GGUF file, a folder
// in Hugging Face's form (decoder_folder.h), or a bundle of ours. A GGUF's architecture is gpt2,
// llama or qwen2, its numbers of any kind ggml reads; what our modules do not compute (scaled
// positions, another width of a head, biases that the architecture has not) is `unsupported`.
Result<DecoderBase> open_decoder(const std::string& place, double dropout);

// The GGUF file of the decoder at `place`; not_found when it has none.
Result<std::string> decoder_file(const std::string& place);

// Of a plain text that a decoder is judged by.
inline constexpr std::size_t kDecoderTextBytesMax = std::size_t{8} << 20;

// Bytes of the weights at `place`, as open_decoder() finds them; 0 when it does not.
std::uint64_t model_bytes(const std::string& place);

// GGUF's name of the architecture; "" of what is no decoder.
std::string gguf_architecture(Architecture architecture);

// How exact the file is: binary32, or binary16 for the matrices.
enum class GgufNumbers { kFull, kHalf };

// Writes the decoder as a GGUF that llama.cpp runs (its own tokenizer and chat form within), lets
// llama.cpp run it and compares the scores of a probe with ours. Returns the greatest difference.
// `internal` when that is more than the numbers' width explains: then no file is left.
Result<double> export_decoder(Disk& disk, const std::string& path, const LanguageBundle& bundle,
                              GgufNumbers numbers, const std::string& name);

// The greatest difference of our scores for `ids` and llama.cpp's from the file (with an adapter,
// or ""), and the greatest score.
struct ScoreDistance {
  double difference = 0;
  double greatest = 0;
};
Result<ScoreDistance> distance_to_llama(LanguageModel& model, const std::string& path,
                                        const std::string& adapter,
                                        const std::vector<std::int64_t>& ids);

}  // namespace qiao::learn
