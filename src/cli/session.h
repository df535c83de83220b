// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/i18n.h"
#include "base/json.h"
#include "base/result.h"
#include "cli/terminal.h"
#include "client/client.h"

namespace qiao::cli {

// One run of one verb: where it writes, in which language and form, and which server it means.
// Made by main, filled by the command line, then handed to the verb.
struct Session {
  Terminal terminal;
  Language language = Language::kEnglish;
  bool json = false;
  ServerAddress server;  // as given; empty fields are looked for
  std::string data;      // the data directory; "": QIAO_DATA or .qiao

  [[nodiscard]] std::string say(Text text,
                                std::initializer_list<std::string_view> args = {}) const {
    return tr(language, text, args);
  }
  // A sentence on the standard error.
  void note(Text text, std::initializer_list<std::string_view> args = {}) {
    terminal.err.line(say(text, args));
  }
  void print_json(const Json& json_value) { terminal.out.line(dump_json(json_value)); }
  [[nodiscard]] std::string data_directory() const {
    return data.empty() ? default_data_directory() : data;
  }
  [[nodiscard]] Result<Client> client() const {
    QIAO_ASSIGN(ServerAddress found, find_server(server, data_directory()));
    return Client(std::move(found));
  }
};

// The error as a line (or, with --json, as an object) on the standard error; returns the exit
// status of its class.
int report(Session& session, const Error& error);

}  // namespace qiao::cli
