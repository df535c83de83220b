// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/i18n.h"
#include "base/result.h"
#include "cli/session.h"

namespace qiao::cli {

// One thing a verb takes on its command line, as its help shows it.
struct OptionInfo {
  std::string names;  // "-n,--limit"; for a positional its word, "SUBJECT"
  std::string value;  // "N", "DURATION" …; "" for a flag
  std::string help;
  bool positional = false;
  bool required = false;
};

// What a verb takes: it declares each option with the variable that gets its value, then parse()
// fills them. The only class that knows CLI11. The variables must outlive it.
class Options {
 public:
  explicit Options(Session& session);  // declares --json, --lang and --help, which all verbs take
  ~Options();
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  void positional(const std::string& word, std::string& into, Text help, bool required = true);
  void positionals(const std::string& word, std::vector<std::string>& into, Text help,
                   bool required = true);
  void option(const std::string& names, const std::string& value, std::string& into, Text help);
  void option(const std::string& names, const std::string& value, std::int64_t& into, Text help);
  void option(const std::string& names, const std::string& value, std::vector<std::string>& into,
              Text help);
  // One of `choices`.
  void choice(const std::string& names, std::string& into, std::vector<std::string> choices,
              Text help);
  // "800ms", "5s", "2m" or milliseconds.
  void duration(const std::string& names, std::int64_t& into_ms, Text help);
  void flag(const std::string& names, bool& into, Text help);
  // --server, --key and --data, for verbs that talk to a server.
  void server();

  // Errors (invalid_argument) say what is wrong with the command line, with the nearest option.
  Status parse(const std::vector<std::string>& arguments);
  [[nodiscard]] bool help_wanted() const;
  [[nodiscard]] const std::vector<OptionInfo>& all() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qiao::cli
