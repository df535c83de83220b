// SPDX-License-Identifier: Apache-2.0
#include "learn/training/quantise.h"

#include <ATen/Parallel.h>

#include <filesystem>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "learn/data/gzip_reader.h"
#include "learn/evaluation/served_decoder.h"
#include "learn/files/bundle.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/free_place.h"
#include "learn/files/model_place.h"
#include "learn/training/finetune.h"
#include "learn/training/shrink.h"
#include "model/llama/llama_quantise.h"

namespace qiao::learn {
namespace {

constexpr const char* kInt8 = "int8";
constexpr const char* kDecoderType = "q8_0";

Result<Json> quantise_bundle(Disk& disk, const QuantiseOptions& options, Progress& progress,
                             const std::atomic<bool>& stop) {
  if (!options.type.empty() && options.type != kInt8) {
    return invalid_argument("a bundle's weights become int8, not " + options.type);
  }
  QIAO_ASSIGN(Bundle bundle, load_bundle(options.bundle));
  if (bundle.int8) {
    return Error{Code::kPrecondition, options.bundle + " holds eight-bit numbers already"};
  }
  QIAO_ASSIGN(const RowFile dev, read_rows(options.dev, bundle.task));
  QIAO_TRY(check_labels(dev, bundle.labels, options.bundle, progress));
  QIAO_ASSIGN(const std::string made, begin_unmeasured(disk, options.out));
  QIAO_ASSIGN(const std::string sum, sha256_file_hex(options.bundle + "/model.safetensors"));
  bundle.int8 = true;
  forget_figures(bundle.card);
  bundle.card["shrunk"] = shrunk_card(options.bundle, sum, "quantise", {{"type", kInt8}});
  QIAO_TRY(save_bundle(disk, made, bundle));
  return finish_shrunk(disk, {options.bundle, made, options.out, options.allow_loss}, dev, progress,
                       stop);
}

Result<Json> quantise_decoder(Disk& disk, const QuantiseOptions& options, Progress& progress,
                              const std::atomic<bool>& stop) {
  const std::string type = options.type.empty() ? kDecoderType : options.type;
  QIAO_TRY(model::check_gguf_numbers(type));
  QIAO_TRY(check_free(disk, options.out));
  QIAO_ASSIGN(const bool encoder, is_encoder(options.bundle));
  if (encoder) {
    return Error{Code::kUnsupported, options.bundle +
                                         " is an encoder without labels: what is lost "
                                         "is measured on a task's bundle"};
  }
  QIAO_ASSIGN(const std::string from, decoder_file(options.bundle));
  QIAO_ASSIGN(const std::string text, read_gzip_file(options.dev, kDecoderTextBytesMax));
  const std::string made = unmeasured(options.out);
  if (disk.exists(made)) QIAO_TRY(disk.remove(made));
  const int threads = at::get_num_threads();
  QIAO_TRY(model::quantise_gguf(disk, from, made, type, threads));
  QIAO_ASSIGN(const Json told, measure_shrunk_decoder(from, made, text, threads, stop));
  QIAO_TRY(
      pass_gate(disk, {options.bundle, made, options.out, options.allow_loss}, told, progress));
  return told;
}

}  // namespace

Result<Json> quantise(Disk& disk, const QuantiseOptions& options, Progress& progress,
                      const std::atomic<bool>& stop) {
  return is_bundle(disk, options.bundle) ? quantise_bundle(disk, options, progress, stop)
                                         : quantise_decoder(disk, options, progress, stop);
}

}  // namespace qiao::learn
