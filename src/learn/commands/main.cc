// SPDX-License-Identifier: Apache-2.0
// qiao-learn: training and evaluation. `qiao train …`, `qiao eval …` and their like run it.
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <ctime>
#include <exception>
#include <iostream>
#include <string_view>

#include "base/i18n.h"
#include "base/json.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/training/threads.h"
#include "text/display_width.h"

namespace qiao::learn {
namespace {

std::atomic<bool> stop_requested{false};
std::atomic<std::int64_t> stop_second{0};

// The first Ctrl-C asks the work to save and end; another one, a second later or more, ends at
// once. The same one may come twice, from the terminal and from `qiao`.
void on_signal(int signal) {
  constexpr std::int64_t kSameUntil = 1;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  if (!stop_requested.exchange(true)) {
    stop_second = now.tv_sec;
  } else if (now.tv_sec - stop_second > kSameUntil) {
    std::signal(signal, SIG_DFL);
    static_cast<void>(std::raise(signal));
  }
}

// As `qiao` ends (docs/reference/cli.md): the error's number plus 2, so 2 for kUsage.
int exit_status(Code code) {
  return static_cast<int>(code) + 2;
}

// On standard error, as `qiao` tells its own. Returns the exit status.
int tell(const Error& error, std::string_view verb, Language language, bool as_json) {
  const bool usage = error.code == kUsage;
  if (as_json) {
    std::cerr << dump_json(error_json(usage ? invalid_argument(error.message) : error)) << "\n";
    return exit_status(error.code);
  }
  std::string label = tr(language, Text::kCliError);
  if (colours_wanted(STDERR_FILENO)) label = "\x1b[31m" + label + "\x1b[0m";
  std::cerr << label << printable(error.message) << "\n";
  if (usage) std::cerr << tr(language, Text::kCliSeeHelp, {verb}) << "\n";
  return exit_status(error.code);
}

int print_help(Language language) {
  std::cout << tr(language, Text::kLearnAbout) << "\n\n";
  for (const Verb& verb : verbs()) {
    std::string name = "  " + std::string(verb.name);
    constexpr std::size_t kColumn = 14;
    name.resize(std::max(kColumn, name.size() + 2), ' ');
    std::cout << name << tr(language, verb.about) << "\n";
  }
  return 0;
}

// What a person writes before a verb's options: `qiao` has those of training in a family.
std::string called(std::string_view verb) {
  constexpr std::array kAlone = {"eval", "distil", "prune", "quantise", "export", "import"};
  const bool alone = std::find(kAlone.begin(), kAlone.end(), verb) != kAlone.end();
  return (alone ? "qiao " : "qiao train ") + std::string(verb);
}

// libtorch's own words, for the CPU and for CUDA.
bool tells_of_memory(std::string_view what) {
  for (const char* words : {"can't allocate memory", "not enough memory", "out of memory"}) {
    if (what.find(words) != std::string_view::npos) return true;
  }
  return false;
}

Status run_verb(const Verb& verb, const Session& session,
                const std::vector<std::string>& arguments) {
  std::string what = "out of memory";
  try {
    return verb.run(session, arguments);
  } catch (const std::bad_alloc&) {
  } catch (const std::exception& fault) {  // libtorch throws
    what = fault.what();
  }
  if (tells_of_memory(what))
    return overloaded("out of memory: lower --batch, --context or --tokens");
  return internal(what.substr(0, what.find('\n')));
}

int run(int argc, char** argv) {
  const Language language = environment_language();
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    print_help(language);
    return exit_status(kUsage);
  }
  if (words[0] == "--help" || words[0] == "-h") return print_help(language);
  const bool as_json = std::find(words.begin(), words.end(), "--json") != words.end();
  for (const Verb& verb : verbs()) {
    if (words[0] != verb.name) continue;
    const Session session{language, ::isatty(STDERR_FILENO) != 0, stop_requested, argv};
    const Status done = run_verb(verb, session, {words.begin() + 1, words.end()});
    return done ? 0 : tell(done.error(), called(verb.name), language, as_json);
  }
  return tell({kUsage, "qiao-learn does not know \"" + words[0] + "\""}, "qiao-learn", language,
              as_json);
}

}  // namespace

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {
      {"finetune", Text::kLearnFinetune, &run_finetune},
      {"eval", Text::kLearnEval, &run_eval},
      {"distil", Text::kLearnDistil, &run_distil},
      {"prune", Text::kLearnPrune, &run_prune},
      {"quantise", Text::kLearnQuantise, &run_quantise},
      {"corpus", Text::kLearnCorpus, &run_corpus},
      {"tokenizer", Text::kLearnTokenizer, &run_tokenizer},
      {"pretrain", Text::kLearnPretrain, &run_pretrain},
      {"instruct", Text::kLearnInstruct, &run_instruct},
      {"export", Text::kLearnExport, &run_export},
      {"import", Text::kLearnImport, &run_import},
      {"compare", Text::kLearnCompare, &run_compare},
      {"sample", Text::kLearnSample, &run_sample},
      {"example", Text::kLearnExample, &run_example_verb},
      {"about", Text::kLearnAboutVerb, &run_about},
  };
  return all;
}

// A step asks for the same tensors as the one before: the heap keeps their pages, which the kernel
// would have to clear anew each time (mallopt(3); up to a tenth of a step).
void keep_pages() {
  constexpr int kMappedFrom = 32 << 20;  // the highest that glibc takes
  constexpr int kTrimmedFrom = 1 << 30;
  constexpr int kTakenAtOnce = 64 << 20;
  ::mallopt(M_MMAP_THRESHOLD, kMappedFrom);
  ::mallopt(M_TRIM_THRESHOLD, kTrimmedFrom);
  ::mallopt(M_TOP_PAD, kTakenAtOnce);
}

}  // namespace qiao::learn

int main(int argc, char** argv) {
  qiao::learn::restart_with_passive_waiting(argv);
  qiao::learn::keep_pages();
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, qiao::learn::on_signal);
  // nohup(1) has it ignored, and so it stays.
  if (std::signal(SIGHUP, qiao::learn::on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);
  return qiao::learn::run(argc, argv);
}
