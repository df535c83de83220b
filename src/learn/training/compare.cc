// SPDX-License-Identifier: Apache-2.0
#include "learn/training/compare.h"

#include <cstdlib>

#include "learn/data/token_corpus.h"
#include "learn/evaluation/curve_chart.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kWidthMax = 4096;

Curve curve_of(const Contestant& contestant, const Json& card) {
  Curve curve{contestant.name, {}};
  for (const Json& point : card["curve"]) {
    curve.points.emplace_back(point["step"].get<double>(), point["held_out"].get<double>());
  }
  return curve;
}

}  // namespace

Result<LanguageModelShape> shape_of_size(LanguageModelShape shape, std::int64_t weights) {
  std::int64_t nearest = -1;
  // A rotary head has an even width.
  const std::int64_t stride = is_llama_like(shape.architecture) ? 2 * shape.heads
                              : is_decoder(shape.architecture)  ? shape.heads
                                                                : 4;
  for (std::int64_t width = stride; width <= kWidthMax; width += stride) {
    LanguageModelShape tried = shape;
    tried.width = width;
    tried = completed(tried);
    QIAO_TRY(check_shape(tried));
    const std::int64_t off = count_weights(*make_language_model(tried, 0)) - weights;
    if (nearest >= 0 && std::abs(off) >= nearest) break;  // it only grows from here
    nearest = std::abs(off);
    shape.width = width;
  }
  return completed(shape);
}

Result<std::vector<Contestant>> compare(Disk& disk, const CompareOptions& options,
                                        Progress& progress, const std::atomic<bool>& stop) {
  std::int64_t vocabulary = 0;
  {
    QIAO_ASSIGN(const CorpusSource source, CorpusSource::open(options.each.text));
    QIAO_ASSIGN(const auto codec, source.codec(options.each.tokenizer));
    vocabulary = codec->size();
  }
  QIAO_TRY(disk.make_directories(options.each.out));
  std::vector<Contestant> table;
  std::vector<Curve> curves;
  for (const Architecture architecture : options.architectures) {
    PretrainOptions own = options.each;
    own.out.append("/").append(name_of(architecture));
    own.shape.architecture = architecture;
    own.shape.vocabulary = vocabulary;
    QIAO_ASSIGN(own.shape, shape_of_size(own.shape, options.weights));
    QIAO_ASSIGN(const Json card, pretrain(disk, own, progress, stop));
    table.push_back({std::string(name_of(architecture)), own.shape.width,
                     card["weights"].get<std::int64_t>(), card["validation_loss"].get<double>(),
                     card["seconds"].get<double>(), card["tokens_per_second"].get<double>()});
    curves.push_back(curve_of(table.back(), card));
  }
  const std::string at = options.each.out + "/curves.";
  QIAO_TRY(write_file_atomic(disk, at + "csv", curve_table(curves, "step", "held_out")));
  QIAO_TRY(write_file_atomic(disk, at + "svg", curve_chart(curves, "step", "held-out loss")));
  return table;
}

}  // namespace qiao::learn
