// SPDX-License-Identifier: Apache-2.0
// init: the folder of a new flow.
#include <algorithm>
#include <filesystem>

#include "base/disk.h"
#include "base/i18n.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/init_files.h"

namespace qiao::cli {
namespace {

constexpr std::size_t kNameBytesMax = 64;

// The name becomes a folder, the first token of subjects and a model's name.
Status check_name(const std::string& name) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  };
  if (!name.empty() && name.size() <= kNameBytesMax && name.front() != '-' &&
      std::all_of(name.begin(), name.end(), good))
    return {};
  return invalid_argument("'" + name +
                          "' is no name for a flow; use up to 64 letters, digits, - and _");
}

Action prepare_init(Options& options) {
  const auto name = std::make_shared<std::string>();
  options.positional("NAME", *name, Text::kCliInitNameHelp);
  return [name](Session& session) -> Result<int> {
    QIAO_TRY(check_name(*name));
    SystemDisk disk;
    if (disk.exists(*name))
      return Error{Code::kAlreadyExists,
                   "there is a " + *name + " here already; nothing was written"};
    Json written = Json::array();
    for (const InitFile& file : init_files(*name)) {
      const std::filesystem::path path = std::filesystem::path(*name) / file.path;
      QIAO_TRY(disk.make_directories(path.parent_path().string()));
      QIAO_TRY(write_file_atomic(disk, path.string(), file.text));
      written.push_back(path.string());
      if (!session.json) session.terminal.out.line(path.string());
    }
    if (session.json) {
      session.print_json(Json{{"flow", *name}, {"files", written}});
    } else {
      session.note(Text::kCliInitNext, {*name});
    }
    return kExitOk;
  };
}

}  // namespace

std::vector<Command> init_commands() {
  return {{"init", Text::kCliInit, "qiao init shop && qiao validate shop", prepare_init}};
}

}  // namespace qiao::cli
