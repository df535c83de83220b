// SPDX-License-Identifier: Apache-2.0
// train …, eval, distil, prune, quantise, export, import: they run qiao-learn, the program that
// knows libtorch.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/i18n.h"
#include "cli/command.h"
#include "cli/learn_program.h"

namespace qiao::cli {
namespace {

using Arguments = std::vector<std::string>;

constexpr int kSignalStatus = 128;  // as shells count a death by signal

// The words without `--lang`, which the session has read already.
Arguments without_language(const Arguments& words) {
  Arguments out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--lang") {
      ++i;
    } else if (!words[i].starts_with("--lang=")) {
      out.push_back(words[i]);
    }
  }
  return out;
}

volatile std::sig_atomic_t child_to_end = 0;

// The child saves its work at these, so they are passed on and we wait for its end; it may get one
// twice, from the terminal, too. They are held back until there is a child.
class SignalsLeftToTheChild {
 public:
  SignalsLeftToTheChild() {
    ::sigemptyset(&passed_on_);
    for (const int signal : kPassedOn) ::sigaddset(&passed_on_, signal);
    ::pthread_sigmask(SIG_BLOCK, &passed_on_, &mask_);
    for (std::size_t i = 0; i < kPassedOn.size(); ++i) {
      before_[i] = std::signal(kPassedOn[i], [](int signal) {
        if (child_to_end > 0) ::kill(child_to_end, signal);
      });
      if (kPassedOn[i] != SIGHUP || before_[i] != SIG_IGN) continue;
      std::signal(SIGHUP, SIG_IGN);  // nohup(1): the child shall not hear it either
      ::sigdelset(&passed_on_, SIGHUP);
    }
  }
  ~SignalsLeftToTheChild() {
    child_to_end = 0;
    for (std::size_t i = 0; i < kPassedOn.size(); ++i) std::signal(kPassedOn[i], before_[i]);
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  SignalsLeftToTheChild(const SignalsLeftToTheChild&) = delete;
  SignalsLeftToTheChild& operator=(const SignalsLeftToTheChild&) = delete;

  void go_to(pid_t child) {
    child_to_end = child;
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  // The child begins with these as they were for us.
  void declare(posix_spawnattr_t& how) const {
    ::posix_spawnattr_setsigdefault(&how, &passed_on_);
    ::posix_spawnattr_setsigmask(&how, &mask_);
    ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }

 private:
  static constexpr std::array kPassedOn = {SIGINT, SIGTERM, SIGHUP};

  std::array<void (*)(int), kPassedOn.size()> before_{};
  sigset_t passed_on_{};
  sigset_t mask_{};
};

// Starts the program with our own standard streams and waits for its end.
Result<int> run_program(const Arguments& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  SignalsLeftToTheChild signals;
  posix_spawnattr_t how;
  ::posix_spawnattr_init(&how);
  signals.declare(how);
  pid_t child = 0;
  const int fault = ::posix_spawnp(&child, argv.front(), nullptr, &how, argv.data(), environ);
  ::posix_spawnattr_destroy(&how);
  if (fault != 0) {
    return Error{Code::kUnsupported,
                 std::string(kLearnProgram) + " cannot be started (" + std::strerror(fault) +
                     "): it is built where libtorch is found, see docs/learning.md"};
  }
  signals.go_to(child);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return internal("lost the child process");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalStatus + WTERMSIG(status);
}

Result<int> pass_on(Session& session, const std::string& verb, const Arguments& words) {
  // It takes its language from the environment alone.
  ::setenv("LC_ALL", session.language == Language::kChinese ? "zh_CN.UTF-8" : "C.UTF-8", 1);
  std::fflush(nullptr);  // what we wrote stands before what it writes
  Arguments all = without_language(words);
  all.insert(all.begin(), {learn_program(), verb});
  return run_program(all);
}

struct Row {
  const char* name;
  Text help;
  const char* example;
};

constexpr std::array kRows = {
    Row{"train finetune", Text::kLearnFinetune,
        "qiao train finetune --base bge-small-zh --train train.jsonl --dev dev.jsonl --out "
        "intents"},
    Row{"train corpus", Text::kLearnCorpus,
        "qiao train corpus --in texts --tokenizer words --out tokens"},
    Row{"train tokenizer", Text::kLearnTokenizer,
        "qiao train tokenizer --kind bpe --vocab 8000 --in texts --out words"},
    Row{"train pretrain", Text::kLearnPretrain,
        "qiao train pretrain --text input.txt --out shakespeare"},
    Row{"train instruct", Text::kLearnInstruct,
        "qiao train instruct --base smollm2-135m --train conversations.jsonl --out tuned"},
    Row{"train compare", Text::kLearnCompare,
        "qiao train compare --text input.txt --arch rnn,lstm,transformer --out table"},
    Row{"train sample", Text::kLearnSample,
        "qiao train sample --bundle shakespeare --prompt \"ROMEO:\""},
    Row{"train example", Text::kLearnExample, "qiao train example"},
    Row{"train about", Text::kLearnAboutVerb, "qiao train about"},
    Row{"eval", Text::kLearnEval, "qiao eval --bundle intents --data test.jsonl --json"},
    Row{"distil", Text::kLearnDistil,
        "qiao distil --teacher intents --train train.jsonl --dev dev.jsonl --out small"},
    Row{"prune", Text::kLearnPrune,
        "qiao prune --bundle intents --data train.jsonl --dev dev.jsonl --inner 0.5 --out lean"},
    Row{"quantise", Text::kLearnQuantise,
        "qiao quantise --bundle intents --dev dev.jsonl --out intents-int8"},
    Row{"export", Text::kLearnExport, "qiao export --bundle shakespeare --out shakespeare.gguf"},
    Row{"import", Text::kLearnImport, "qiao import --from ./bert-base-chinese --out bert-zh"},
};

}  // namespace

std::vector<Command> learn_commands() {
  std::vector<Command> all;
  for (const Row& row : kRows) {
    const std::string name = row.name;
    const std::string verb = name.substr(name.find(' ') + 1);  // npos + 1: the whole name
    all.push_back({name, row.help, row.example, [](Options&) { return Action(); }, false,
                   [verb](Session& session, const Arguments& words) {
                     return pass_on(session, verb, words);
                   }});
  }
  return all;
}

}  // namespace qiao::cli
