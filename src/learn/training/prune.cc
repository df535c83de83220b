// SPDX-License-Identifier: Apache-2.0
#include "learn/training/prune.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/i18n.h"
#include "learn/data/gzip_reader.h"
#include "learn/evaluation/served_decoder.h"
#include "learn/files/bundle.h"
#include "learn/files/decoder_gguf.h"
#include "learn/models/encoder_cut.h"
#include "learn/training/decoder_cut.h"
#include "learn/training/finetuner.h"
#include "learn/training/importance.h"
#include "learn/training/option_check.h"
#include "learn/training/precision.h"
#include "learn/training/shrink.h"
#include "learn/training/teacher.h"

namespace qiao::learn {
namespace {

using Chosen = std::vector<std::int64_t>;

constexpr std::size_t kNeuronStep = 32;  // a quantised row comes in blocks of 32

// How many of `all` stay, in steps; at least one step, or all of fewer.
std::size_t staying(double share, std::size_t all, std::size_t step) {
  const double wanted = share * static_cast<double>(all) / static_cast<double>(step);
  const auto steps = static_cast<std::size_t>(std::max(1.0, std::round(wanted)));
  return std::min(all, steps * step);
}

// The parts of each layer that stay; empty when all do.
std::vector<Chosen> chosen_parts(const std::vector<std::vector<double>>& importance, double share,
                                 bool per_layer, std::size_t step) {
  if (share >= 1) return {};
  if (per_layer) return most_important_of_all(importance, share, step, step);
  std::vector<Chosen> out;
  for (const auto& layer : importance) {
    out.push_back(most_important(layer, staying(share, layer.size(), step)));
  }
  return out;
}

// The same for the layers that stay alone.
void keep_layers(std::vector<Chosen>& parts, const Chosen& layers) {
  if (parts.empty()) return;
  std::vector<Chosen> kept;
  for (const std::int64_t layer : layers) kept.push_back(parts[static_cast<std::size_t>(layer)]);
  parts = std::move(kept);
}

// What stays, by its importance.
void choose(const Importance& importance, const PruneOptions& options, std::vector<Chosen>& heads,
            std::vector<Chosen>& neurons, Chosen& layers) {
  heads = chosen_parts(importance.heads, options.heads, options.per_layer, 1);
  neurons = chosen_parts(importance.neurons, options.inner, options.per_layer, kNeuronStep);
  if (options.layers == 0) return;
  layers = most_important(importance.layers, static_cast<std::size_t>(options.layers));
  keep_layers(heads, layers);
  keep_layers(neurons, layers);
}

Status check_options(const PruneOptions& options, std::int64_t layers) {
  QIAO_TRY(check_numbers(
      {{"--heads", options.heads}, {"--inner", options.inner}, {"--rate", options.rate}}));
  if (!std::isfinite(options.allow_loss)) return invalid_argument("--allow-loss must be a number");
  if (options.resume && options.recover == 0) {
    return invalid_argument("--resume goes on with the training of --recover");
  }
  if (options.heads <= 0 || options.heads > 1 || options.inner <= 0 || options.inner > 1) {
    return invalid_argument("--heads and --inner are shares: more than 0, at most 1");
  }
  if (options.layers < 0 || options.layers > layers || options.recover < 0 || options.rate <= 0) {
    return invalid_argument("--layers must be from 1 to the " + std::to_string(layers) +
                            " there are; --recover and --rate must be positive");
  }
  return {};
}

bool cuts_nothing(const PruneOptions& options, std::int64_t layers) {
  return options.heads == 1 && options.inner == 1 && !options.vocabulary &&
         (options.layers == 0 || options.layers == layers);
}

bool is_control(const std::string& piece) {
  static const std::set<std::string> control = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  return control.contains(piece);
}

bool is_letter(const std::string& piece) {
  const bool inside = piece.starts_with("##");
  return piece.size() == (inside ? 3U : 1U);
}

// The pieces that stay, by id: what the rows use, and what a word unknown to them is cut into.
Chosen used_pieces(const model::WordPiece& tokenizer, const Exam& exam) {
  std::vector<bool> used(tokenizer.pieces().size(), false);
  for (const Example& example : exam.examples) {
    for (const std::int32_t id : example.text.ids) used[static_cast<std::size_t>(id)] = true;
  }
  Chosen kept;
  for (std::size_t id = 0; id < used.size(); ++id) {
    const std::string& piece = tokenizer.pieces()[id];
    if (used[id] || is_control(piece) || is_letter(piece)) {
      kept.push_back(static_cast<std::int64_t>(id));
    }
  }
  return kept;
}

Result<model::WordPiece> tokenizer_of(const model::WordPiece& tokenizer, const Chosen& pieces) {
  if (pieces.empty()) return tokenizer;
  std::vector<std::string> kept;
  for (const std::int64_t id : pieces) {
    kept.push_back(tokenizer.pieces()[static_cast<std::size_t>(id)]);
  }
  return model::WordPiece::make(std::move(kept), tokenizer.rules());
}

Json options_json(const PruneOptions& options) {
  return {{"heads", options.heads},
          {"inner", options.inner},
          {"layers", options.layers},
          {"vocabulary", options.vocabulary},
          {"per_layer", options.per_layer},
          {"recover", options.recover},
          {"seed", options.seed}};
}

Result<EncoderCut> plan_cut(Bundle& bundle, const PruneOptions& options, const Exam& exam,
                            const std::atomic<bool>& stop) {
  QIAO_ASSIGN(const Importance importance, importance_of(bundle, exam, stop));
  EncoderCut cut;
  choose(importance, options, cut.heads, cut.neurons, cut.layers);
  if (options.vocabulary) cut.pieces = used_pieces(bundle.tokenizer, exam);
  return cut;
}

// A short training of what is left, taught by what it was. Writes the bundle into `made`. The cut
// is the same each time: only the training is resumed.
Status recover(Disk& disk, const PruneOptions& options, Progress& progress,
               const std::atomic<bool>& stop, Bundle& teacher, Bundle pruned, const Exam& exam,
               RowFile data, const RowFile& dev, const std::string& made) {
  FinetuneOptions train;
  train.train = options.data;
  train.dev = options.dev;
  train.out = made;
  train.task = pruned.task;
  train.seed = options.seed;
  train.epochs = options.recover;
  train.rate = options.rate;
  train.head_rate = 1;  // it has learnt already
  train.smoothing = 0;
  train.r_drop = 0;
  train.bfloat16 = options.bfloat16;
  train.resume = options.resume;
  const auto lessons = [&] {
    return Teacher::make(teacher, exam, 0, options.bfloat16 && has_bfloat16(), stop);
  };
  const Json shrunk = pruned.card["shrunk"];
  Finetuner finetuner(disk, train, progress, stop,
                      {std::move(data),
                       dev,
                       {{"name", shrunk["from"]},
                        {"sha256", shrunk["sha256"]},
                        {"licence", json_string(teacher.card, "licence").value_or("")}},
                       std::move(pruned),
                       lessons,
                       options_json(options)});
  QIAO_TRY(finetuner.run());
  return add_to_card(disk, made, "shrunk", shrunk);
}

Result<Json> prune_bundle(Disk& disk, const PruneOptions& options, Progress& progress,
                          const std::atomic<bool>& stop) {
  QIAO_ASSIGN(Bundle bundle, load_bundle(options.bundle));
  QIAO_TRY(check_options(options, bundle.shape.layers));
  if (bundle.shape.is_table()) {
    return Error{Code::kUnsupported, options.bundle + " is a table: it has nothing to prune"};
  }
  if (cuts_nothing(options, bundle.shape.layers)) {
    return invalid_argument(tr(progress.language(), Text::kLearnCutNothing));
  }
  QIAO_ASSIGN(RowFile data, read_rows(options.data, bundle.task));
  QIAO_ASSIGN(const RowFile dev, read_rows(options.dev, bundle.task));
  QIAO_TRY(check_labels(data, bundle.labels, options.bundle, progress));
  QIAO_TRY(check_labels(dev, bundle.labels, options.bundle, progress));
  QIAO_ASSIGN(const std::string sum, sha256_file_hex(options.bundle + "/model.safetensors"));
  const bool trained = options.recover > 0;
  QIAO_ASSIGN(const std::string made, trained ? free_unmeasured(disk, options.out, options.resume)
                                              : begin_unmeasured(disk, options.out));
  const Exam exam =
      make_exam(data, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max);
  QIAO_ASSIGN(const EncoderCut cut, plan_cut(bundle, options, exam, stop));
  QIAO_ASSIGN(model::WordPiece tokenizer, tokenizer_of(bundle.tokenizer, cut.pieces));
  constexpr double kDropout = 0.1;
  torch::manual_seed(static_cast<std::uint64_t>(options.seed));
  Bundle pruned{shape_after(bundle.shape, cut),
                bundle.task,
                bundle.tokens_max,
                std::move(tokenizer),
                bundle.labels,
                cut_model(bundle.model, bundle.task, cut, kDropout),
                bundle.card,
                bundle.int8};
  forget_figures(pruned.card);
  pruned.card["shrunk"] = shrunk_card(options.bundle, sum, "prune", options_json(options));
  if (trained) {
    QIAO_TRY(recover(disk, options, progress, stop, bundle, std::move(pruned), exam,
                     std::move(data), dev, made));
  } else {
    QIAO_TRY(save_bundle(disk, made, pruned));
  }
  return finish_shrunk(disk, {options.bundle, made, options.out, options.allow_loss, trained}, dev,
                       progress, stop);
}

Result<DecoderCut> plan_cut(const LanguageBundle& bundle, const PruneOptions& options,
                            const std::string& text, const std::atomic<bool>& stop) {
  QIAO_ASSIGN(const std::vector<std::int64_t> ids, bundle.codec->encode(text));
  QIAO_ASSIGN(const Importance importance, importance_of(bundle, ids, stop));
  DecoderCut cut;
  choose(importance, options, cut.groups, cut.neurons, cut.layers);
  return cut;
}

Result<Json> prune_decoder(Disk& disk, const PruneOptions& options, Progress& progress,
                           const std::atomic<bool>& stop) {
  QIAO_ASSIGN(DecoderBase base, open_decoder(options.bundle, 0));
  const LanguageModelShape& shape = base.bundle.shape;
  QIAO_TRY(check_options(options, shape.layers));
  if (!is_llama_like(shape.architecture) || options.vocabulary || options.recover > 0) {
    return Error{Code::kUnsupported,
                 "of decoders only llama and qwen2 are pruned, their vocabulary stays, and `qiao "
                 "train pretrain --base` lets them recover"};
  }
  if (cuts_nothing(options, shape.layers)) {
    return invalid_argument(tr(progress.language(), Text::kLearnCutNothing));
  }
  const bool uneven = options.per_layer || options.heads < 1;
  if (uneven && shape.architecture != Architecture::kLlama) {
    return Error{Code::kUnsupported,
                 "llama.cpp has layers of different widths for llama alone: a qwen2 can lose "
                 "layers, and neurons without --per-layer"};
  }
  QIAO_ASSIGN(const std::string text, read_gzip_file(options.data, kDecoderTextBytesMax));
  QIAO_ASSIGN(const std::string dev, read_gzip_file(options.dev, kDecoderTextBytesMax));
  QIAO_ASSIGN(const std::string made, begin_unmeasured(disk, options.out));
  QIAO_ASSIGN(const DecoderCut cut, plan_cut(base.bundle, options, text, stop));
  LanguageBundle pruned = cut_decoder(base.bundle, cut);
  pruned.card = {
      {"kind", "language-model"},
      {"licence", base.licence},
      {"weights", count_weights(*pruned.model)},
      {"shrunk", shrunk_card(options.bundle, base.sha256, "prune", options_json(options))}};
  // Both in binary16, so that their sizes and times can be compared.
  const std::string whole = made + "/whole.gguf";
  QIAO_TRY(export_decoder(disk, whole, base.bundle, GgufNumbers::kHalf, base.name));
  const std::string name = std::filesystem::path(options.out).filename().string();
  QIAO_TRY(export_decoder(disk, made + "/model.gguf", pruned, GgufNumbers::kHalf, name));
  QIAO_ASSIGN(const Json told, measure_shrunk_decoder(whole, made + "/model.gguf", dev,
                                                      at::get_num_threads(), stop));
  QIAO_TRY(disk.remove(whole));
  pruned.card["shrunk"]["measured"] = told;
  QIAO_TRY(save_language_bundle(disk, made, pruned));
  QIAO_TRY(
      pass_gate(disk, {options.bundle, made, options.out, options.allow_loss}, told, progress));
  return told;
}

}  // namespace

Result<Json> prune(Disk& disk, const PruneOptions& options, Progress& progress,
                   const std::atomic<bool>& stop) {
  return is_bundle(disk, options.bundle) ? prune_bundle(disk, options, progress, stop)
                                         : prune_decoder(disk, options, progress, stop);
}

}  // namespace qiao::learn
