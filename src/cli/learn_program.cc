// SPDX-License-Identifier: Apache-2.0
#include "cli/learn_program.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/disk.h"
#include "base/process.h"
#include "base/scratch_folder.h"

namespace qiao::cli {
namespace {

// Of what it wrote: libraries may have warned before.
std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1: all of it
}

}  // namespace

std::string learn_program() {
  if (const char* given = std::getenv("QIAO_LEARN")) return given;
  std::error_code fault;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", fault);
  const auto beside = own.parent_path() / kLearnProgram;
  return !fault && ::access(beside.c_str(), X_OK) == 0 ? beside.string() : kLearnProgram;
}

Result<Json> about_learning() {
  const std::string program = learn_program();
  const ScratchFolder scratch;
  SystemDisk disk;
  QIAO_TRY(disk.make_directories(scratch.path()));
  ProcessOptions options;
  options.arguments = {program, "about"};
  options.environment = {{"OMP_WAIT_POLICY", "PASSIVE"}};  // else it starts itself again for it
  options.output_file = scratch.path() + "/said";
  QIAO_ASSIGN(const auto child, ChildProcess::start(options));
  const auto status = child->wait(kLearnStartMsMax);
  if (!status) return Error{Code::kDeadline, program + " does not come to an end"};
  const std::string said = last_line(read_file(options.output_file).value_or(""));
  const auto told = parse_json(said);
  if (*status == 0 && told && told->is_object()) return *told;
  return Error{Code::kUnavailable,
               program + " ends with status " + std::to_string(*status) + ": " + said};
}

}  // namespace qiao::cli
