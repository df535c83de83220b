// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/unigram_trainer.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/disk.h"
#include "base/scratch_folder.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgram = "qiao-unigram";

std::string program() {
  if (const char* given = std::getenv("QIAO_UNIGRAM")) return given;
  std::error_code fault;
  const fs::path own = fs::read_symlink("/proc/self/exe", fault);
  return (own.parent_path() / kProgram).string();
}

// Its exit status.
Result<int> run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int fault = ::posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environ);
  if (fault != 0) {
    return Error{Code::kNotFound, "cannot start " + words[0] + ": " + std::strerror(fault) +
                                      "; it is built with qiao-learn and stands beside it"};
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return internal("cannot wait for " + words[0]);
  }
  return status;
}

}  // namespace

Result<std::string> learn_unigram(const std::vector<std::string>& lines,
                                  const UnigramOptions& options) {
  const ScratchFolder scratch;
  fs::create_directories(scratch.path());
  const std::string text = scratch.path() + "/lines";
  const std::string model = scratch.path() + "/model";
  {
    std::ofstream out(text, std::ios::binary);
    for (const std::string& line : lines) out << line << '\n';
    if (!out.flush())
      return Error{Code::kUnavailable, "cannot write " + text + ": is the disk full?"};
  }
  QIAO_ASSIGN(const int status, run({program(), text, model, std::to_string(options.vocabulary),
                                     std::to_string(options.coverage)}));
  if (WIFSIGNALED(status)) {
    return Error{Code::kCancelled, std::string(kProgram) + " was ended by signal " +
                                       std::to_string(WTERMSIG(status))};
  }
  if (WEXITSTATUS(status) != 0) {
    QIAO_ASSIGN(const std::string why, read_file(model + ".error"));
    return invalid_argument(
        "SentencePiece cannot learn from this text (more of it, or a smaller --vocab, may help): " +
        why);
  }
  return read_file(model);
}

}  // namespace qiao::learn
