// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "base/i18n.h"
#include "base/result.h"

namespace qiao::learn {

// What every verb gets. `stop` becomes true at Ctrl-C.
struct Session {
  Language language = Language::kEnglish;
  bool terminal = false;  // standard error is one
  const std::atomic<bool>& stop;
  char** program = nullptr;  // its own words, as main() got them
};

struct Verb {
  const char* name;
  Text about;
  Status (*run)(const Session& session, const std::vector<std::string>& arguments);
};

// All verbs of qiao-learn, in the order of the help.
const std::vector<Verb>& verbs();

Status run_finetune(const Session& session, const std::vector<std::string>& arguments);
Status run_eval(const Session& session, const std::vector<std::string>& arguments);
Status run_distil(const Session& session, const std::vector<std::string>& arguments);
Status run_prune(const Session& session, const std::vector<std::string>& arguments);
Status run_quantise(const Session& session, const std::vector<std::string>& arguments);
Status run_pretrain(const Session& session, const std::vector<std::string>& arguments);
Status run_instruct(const Session& session, const std::vector<std::string>& arguments);
Status run_export(const Session& session, const std::vector<std::string>& arguments);
Status run_import(const Session& session, const std::vector<std::string>& arguments);
Status run_compare(const Session& session, const std::vector<std::string>& arguments);
Status run_sample(const Session& session, const std::vector<std::string>& arguments);
Status run_corpus(const Session& session, const std::vector<std::string>& arguments);
Status run_tokenizer(const Session& session, const std::vector<std::string>& arguments);
Status run_example_verb(const Session& session, const std::vector<std::string>& arguments);
Status run_about(const Session& session, const std::vector<std::string>& arguments);

}  // namespace qiao::learn
