// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/encoder_gguf.h"
#include "learn/files/free_place.h"
#include "learn/files/model_place.h"
#include "learn/training/threads.h"

namespace qiao::learn {
namespace {

Result<double> open_and_export(Disk& disk, const std::string& out, const std::string& place,
                               GgufNumbers numbers) {
  QIAO_ASSIGN(DecoderBase base, open_decoder(place, 0));
  base.bundle.card["licence"] = base.licence;
  return export_decoder(disk, out, base.bundle, numbers, base.name);
}

}  // namespace

Status run_export(const Session& session, const std::vector<std::string>& words) {
  std::string place;
  std::string out;
  bool full = false;
  Arguments arguments("export");
  arguments.add("--bundle", "BUNDLE", place, Text::kLearnExportBundleHelp, true);
  arguments.add("--out", "FILE.gguf", out, Text::kLearnExportOutHelp, true);
  arguments.add_flag("--full", full, Text::kLearnFullHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(0);
  SystemDisk disk;
  QIAO_TRY(check_free(disk, out));
  QIAO_ASSIGN(const bool encoder, is_encoder(place));
  const GgufNumbers numbers = full ? GgufNumbers::kFull : GgufNumbers::kHalf;
  QIAO_ASSIGN(const double difference, encoder ? export_encoder(disk, out, place, numbers)
                                               : open_and_export(disk, out, place, numbers));
  std::cout << dump_json({{"file", out},
                          {"bytes", std::filesystem::file_size(out)},
                          {"difference", difference}})
            << "\n";
  return {};
}

}  // namespace qiao::learn
