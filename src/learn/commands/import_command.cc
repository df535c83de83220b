// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iostream>

#include "base/clock.h"
#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/files/base_model.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/encoder_bundle.h"
#include "learn/files/free_place.h"
#include "learn/files/model_place.h"
#include "learn/models/masked_model.h"
#include "learn/training/threads.h"
#include "model/catalogue/pull_place.h"

namespace qiao::learn {
namespace {

// Of a BaseModel or a DecoderBase.
template <class Base>
Json imported_card(const char* kind, const Base& base) {
  return {{"kind", kind},
          {"licence", base.licence},
          {"base", {{"name", base.name}, {"licence", base.licence}, {"sha256", base.sha256}}},
          {"made_ms", SystemClock().wall_ms()}};
}

// With the head that guesses hidden pieces, where there is one.
Result<Json> import_encoder(Disk& disk, const std::string& from, const std::string& folder) {
  QIAO_ASSIGN(BaseModel base, open_base(from));
  const MaskedModel model(base.shape, 0);
  const NamedTensors head = head_weights_of(model);
  const bool guesses = std::all_of(head.begin(), head.end(),
                                   [&](const auto& one) { return base.weights->has(one.first); });
  NamedTensors weights = guesses ? weights_of(model) : weights_of(model->encoder);
  QIAO_TRY(load_weights(weights, *base.weights));
  Json card = imported_card("encoder", base);
  std::int64_t count = 0;
  for (const auto& [name, tensor] : weights) count += tensor.numel();
  card["weights"] = count;
  QIAO_TRY(save_encoder(disk, folder,
                        {base.shape, std::move(base.tokenizer), std::move(weights), card}));
  return card;
}

// With the GGUF that is served, where llama.cpp is built in: that it gives the same scores shows
// that the file was read as it was meant.
Result<Json> import_decoder(Disk& disk, const std::string& from, const std::string& folder) {
  QIAO_ASSIGN(DecoderBase base, open_decoder(from, 0));
  base.bundle.card = imported_card("language-model", base);
  base.bundle.card["weights"] = count_weights(*base.bundle.model);
  QIAO_TRY(save_language_bundle(disk, folder, base.bundle));
  if (is_decoder(base.bundle.shape.architecture)) {
    auto exported =
        export_decoder(disk, folder + "/model.gguf", base.bundle, GgufNumbers::kHalf, base.name);
    if (!exported && exported.error().code != Code::kUnsupported) {
      return std::move(exported.error());
    }
  }
  return base.bundle.card;
}

}  // namespace

Status run_import(const Session& session, const std::vector<std::string>& words) {
  std::string from;
  std::string out;
  Arguments arguments("import");
  arguments.add("--from", "NAME|DIR|FILE.gguf", from, Text::kLearnImportFromHelp, true);
  arguments.add("--out", "BUNDLE", out, Text::kLearnOutHelp, true);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(0);
  SystemDisk disk;
  QIAO_TRY(check_free(disk, out));
  QIAO_ASSIGN(const bool encoder, is_encoder(from));
  const std::string made = out + ".partial";
  QIAO_TRY(model::remove_tree(made));
  QIAO_TRY(disk.make_directories(made));
  auto card = encoder ? import_encoder(disk, from, made) : import_decoder(disk, from, made);
  if (!card) {
    QIAO_TRY(model::remove_tree(made));
    return std::move(card.error());
  }
  QIAO_TRY(disk.rename(made, out));
  std::cout << dump_json({{"folder", out},
                          {"kind", (*card)["kind"]},
                          {"weights", (*card)["weights"]},
                          {"base", (*card)["base"]}})
            << "\n";
  return {};
}

}  // namespace qiao::learn
