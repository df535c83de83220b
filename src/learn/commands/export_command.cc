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

// Asked between the parts of the work, none of which can be left half done.
Status go_on(const Session& session) {
  if (!session.stop.load()) return {};
  return Error{Code::kCancelled, "stopped: nothing was written"};
}

Result<double> open_and_export(Disk& disk, const std::string& out, const std::string& place,
                               GgufNumbers numbers, const Session& session) {
  QIAO_ASSIGN(DecoderBase base, open_decoder(place, 0));
  QIAO_TRY(go_on(session));
  base.bundle.card["licence"] = base.licence;
  return export_decoder(disk, out, base.bundle, numbers, base.name);
}

// Into `made`, which gets its name `out` when llama.cpp agrees and nobody has asked to stop.
Result<double> export_model(Disk& disk, const std::string& place, const std::string& out,
                            GgufNumbers numbers, const Session& session) {
  QIAO_ASSIGN(const bool encoder, is_encoder(place));
  const std::string made = out + ".partial";
  if (disk.exists(made)) QIAO_TRY(disk.remove(made));
  QIAO_ASSIGN(const double difference, encoder
                                           ? export_encoder(disk, made, place, numbers)
                                           : open_and_export(disk, made, place, numbers, session));
  if (Status wanted = go_on(session); !wanted) {
    QIAO_TRY(disk.remove(made));
    return std::move(wanted.error());
  }
  QIAO_TRY(disk.rename(made, out));
  return difference;
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
  const GgufNumbers numbers = full ? GgufNumbers::kFull : GgufNumbers::kHalf;
  QIAO_ASSIGN(const double difference, export_model(disk, place, out, numbers, session));
  std::cout << dump_json({{"file", out},
                          {"bytes", std::filesystem::file_size(out)},
                          {"difference", difference}})
            << "\n";
  return {};
}

}  // namespace qiao::learn
