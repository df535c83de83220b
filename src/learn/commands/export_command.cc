// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/files/decoder_gguf.h"
#include "learn/training/threads.h"

namespace qiao::learn {

Status run_export(const Session& session, const std::vector<std::string>& words) {
  std::string place;
  std::string out;
  bool full = false;
  Arguments arguments("train export");
  arguments.add("--bundle", "BUNDLE", place, Text::kLearnBaseHelp, true);
  arguments.add("--out", "FILE.gguf", out, Text::kLearnExportOutHelp, true);
  arguments.add_flag("--full", full, Text::kLearnFullHelp);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(0);
  SystemDisk disk;
  if (disk.exists(out)) return Error{Code::kAlreadyExists, out + " is there already"};
  QIAO_ASSIGN(const DecoderBase base, open_decoder(place, 0));
  const GgufNumbers numbers = full ? GgufNumbers::kFull : GgufNumbers::kHalf;
  QIAO_ASSIGN(const double difference, export_decoder(disk, out, base.bundle, numbers, base.name));
  std::cout << dump_json({{"file", out},
                          {"bytes", std::filesystem::file_size(out)},
                          {"difference", difference}})
            << "\n";
  return {};
}

}  // namespace qiao::learn
