// SPDX-License-Identifier: Apache-2.0
#include "learn/training/compare.h"

#include <cstdlib>

#include "base/digest.h"
#include "learn/data/token_corpus.h"
#include "learn/evaluation/curve_chart.h"
#include "learn/files/json_file.h"
#include "learn/training/precision.h"

namespace qiao::learn {
namespace {

constexpr std::int64_t kWidthMax = 4096;
constexpr const char* kComparisonFile = "/compare.json";

Curve curve_of(const Contestant& contestant, const Json& card) {
  Curve curve{contestant.name, {}};
  for (const Json& point : card["curve"]) {
    curve.points.emplace_back(point["step"].get<double>(), point["held_out"].get<double>());
  }
  return curve;
}

Contestant contestant_of(const LanguageModelShape& shape, const Json& card) {
  return {std::string(name_of(shape.architecture)),
          shape.width,
          card["weights"].get<std::int64_t>(),
          card["validation_loss"].get<double>(),
          card["seconds"].get<double>(),
          card["tokens_per_second"].get<double>(),
          card["options"]["bfloat16"].get<bool>() ? "bfloat16" : "binary32"};
}

// What must be equal for a stopped comparison to go on.
Result<Json> identity_of(const CompareOptions& options, const TextCodec& codec) {
  const PretrainOptions& each = options.each;
  const std::string index = each.text + "/" + kTokenIndexName;
  QIAO_ASSIGN(const std::string sum,
              sha256_file_hex(is_token_folder(each.text) ? index : each.text));
  Json names = Json::array();
  for (const Architecture one : options.architectures) names.push_back(name_of(one));
  Json identity = {{"architectures", names},
                   {"weights", options.weights},
                   {"text", sum},
                   {"separator", each.separator},
                   {"tokenizer", fingerprint(codec)},
                   {"shape", to_json(each.shape)},
                   {"at_once", each.at_once},
                   {"weight_decay", each.weight_decay},
                   {"dropout", each.dropout},
                   {"held_out", each.held_out},
                   {"bfloat16", each.bfloat16 && has_bfloat16()}};
  identity.update(identity_of(each));
  return identity;
}

// A fresh folder that tells its identity, or the one that a stopped comparison left.
Status open_comparison(Disk& disk, RunFolder& run, bool resume, const Json& identity,
                       Progress& progress) {
  const std::string& folder = run.path();
  const std::string told = folder + kComparisonFile;
  if (!resume) {
    QIAO_TRY(run.begin_anew(kComparisonFile, progress));
    return write_json_file(disk, told, Json{{"options", identity}});
  }
  if (!disk.exists(told)) {
    return not_found("there is no stopped comparison in " + folder + ": begin without --resume");
  }
  QIAO_ASSIGN(const Json kept, read_json_file(told));
  if (kept.contains("options") && kept["options"] == identity) return {};
  return Error{Code::kPrecondition,
               folder + " is of another comparison: remove it, or leave --resume away"};
}

// One of the models: begun, gone on with, or taken as it is.
Result<Json> train_contestant(Disk& disk, PretrainOptions options, Progress& progress,
                              const std::atomic<bool>& stop) {
  const std::string card = options.out + "/card.json";
  if (disk.exists(card)) return read_json_file(card);
  options.resume = disk.exists(options.out + ".partial/state.json");
  return pretrain(disk, options, progress, stop);
}

}  // namespace

Result<LanguageModelShape> shape_of_size(LanguageModelShape shape, std::int64_t weights) {
  std::int64_t nearest = -1;
  // A rotary head has an even width.
  const std::int64_t stride = is_llama_like(shape.architecture) ? 2 * shape.heads
                              : is_decoder(shape.architecture)  ? shape.heads
                                                                : 4;
  const std::int64_t narrowest = is_decoder(shape.architecture) ? 2 * shape.heads : stride;
  for (std::int64_t width = narrowest; width <= kWidthMax; width += stride) {
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

Json table_json(const std::vector<Contestant>& table) {
  Json rows = Json::array();
  for (const Contestant& row : table) {
    rows.push_back({{"architecture", row.name},
                    {"width", row.width},
                    {"weights", row.weights},
                    {"validation_loss", row.validation_loss},
                    {"seconds", row.seconds},
                    {"tokens_per_second", row.tokens_per_second},
                    {"precision", row.precision}});
  }
  return rows;
}

Result<std::vector<Contestant>> compare(Disk& disk, const CompareOptions& options,
                                        Progress& progress, const std::atomic<bool>& stop) {
  RunFolder folder(disk, options.each.out);
  if (options.weights < 1) return invalid_argument("--weights must be positive");
  QIAO_TRY(folder.check());
  std::int64_t vocabulary = 0;
  Json identity;
  {
    QIAO_ASSIGN(const CorpusSource source, CorpusSource::open(options.each.text));
    QIAO_ASSIGN(const auto codec, source.codec(options.each.tokenizer));
    QIAO_ASSIGN(identity, identity_of(options, *codec));
    vocabulary = codec->size();
  }
  QIAO_TRY(open_comparison(disk, folder, options.each.resume, identity, progress));
  std::vector<Contestant> table;
  std::vector<Curve> curves;
  for (const Architecture architecture : options.architectures) {
    PretrainOptions own = options.each;
    own.out = folder.path() + "/";
    own.out += name_of(architecture);
    own.shape.architecture = architecture;
    own.shape.vocabulary = vocabulary;
    QIAO_ASSIGN(own.shape, shape_of_size(own.shape, options.weights));
    QIAO_ASSIGN(const Json card, train_contestant(disk, own, progress, stop));
    table.push_back(contestant_of(own.shape, card));
    curves.push_back(curve_of(table.back(), card));
  }
  const std::string at = folder.path() + "/curves.";
  QIAO_TRY(write_file_atomic(disk, at + "csv", curve_table(curves, "step", "held_out")));
  QIAO_TRY(write_file_atomic(disk, at + "svg", curve_chart(curves, "step", "held-out loss")));
  QIAO_TRY(write_json_file(disk, folder.path() + kComparisonFile,
                           Json{{"options", identity}, {"table", table_json(table)}}));
  QIAO_TRY(folder.publish());
  return table;
}

}  // namespace qiao::learn
