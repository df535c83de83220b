// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/i18n.h"
#include "base/result.h"

namespace qiao::learn {

// The code of what parse() refuses. Below all others, as a wrong command line's exit status is
// (docs/reference/cli.md); main.cc tells it as invalid_argument.
inline constexpr Code kUsage = static_cast<Code>(0);

// The options of one verb: each is declared with the variable that gets its value, then parse()
// fills them. What a variable holds when it is declared is the standard that the help tells. The
// variables must outlive it.
class Arguments {
 public:
  explicit Arguments(std::string verb) : verb_(std::move(verb)) {}

  // `value` is the word that stands for the value in the help.
  void add(std::string name, std::string value, std::string& into, Text help, bool needed = false);
  // May be given several times; each value is appended.
  void add(std::string name, std::string value, std::vector<std::string>& into, Text help,
           bool needed = false);
  void add(std::string name, std::string value, std::int64_t& into, Text help);
  void add(std::string name, std::string value, double& into, Text help);
  void add_flag(std::string name, bool& into, Text help);

  // `--name value`, `--name=value`, `--flag`. Errors (kUsage) name the option.
  Status parse(const std::vector<std::string>& arguments);
  // Whether parse() met that option.
  [[nodiscard]] bool given(std::string_view name) const;
  [[nodiscard]] bool help_wanted() const { return help_wanted_; }
  [[nodiscard]] std::string help(Language language) const;

 private:
  struct Option {
    std::string name;
    std::string value;  // "" for a flag
    std::variant<std::string*, std::vector<std::string>*, std::int64_t*, double*, bool*> into;
    Text help;
    std::string standard;  // what it is when it is not given
    bool needed = false;
    bool given = false;
  };
  Option* find(std::string_view name);
  static Status set(const Option& option, const std::string& value);

  std::string verb_;
  std::vector<Option> options_;
  bool help_wanted_ = false;
};

// `\\n` in a separator is a line's end.
std::string with_line_ends(std::string_view text);

}  // namespace qiao::learn
