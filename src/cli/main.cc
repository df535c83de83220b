// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/session.h"

namespace {

// The language is needed before the options are read, for their texts.
qiao::Language language_of(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const std::string value = word == "--lang" && i + 1 < arguments.size() ? arguments[i + 1]
                              : word.starts_with("--lang=")                ? word.substr(7)
                                                                           : "";
    if (value == "zh") return qiao::Language::kChinese;
    if (value == "en") return qiao::Language::kEnglish;
  }
  return qiao::environment_language();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  qiao::cli::Session session;
  session.language = language_of(arguments);
  return qiao::cli::run_command_line(session, arguments);
}
