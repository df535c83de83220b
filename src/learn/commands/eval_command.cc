// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/progress.h"
#include "learn/evaluation/evaluate.h"
#include "learn/files/bundle.h"
#include "learn/training/precision.h"
#include "learn/training/threads.h"

namespace qiao::learn {
namespace {

void print_table(const Json& scores) {
  for (const auto& [name, value] : scores.items()) {
    if (value.is_null()) continue;
    char line[96];
    if (value.is_number_float()) {
      std::snprintf(line, sizeof line, "%-20s %10.4f", name.c_str(), value.get<double>());
    } else {
      std::snprintf(line, sizeof line, "%-20s %10s", name.c_str(), dump_json(value).c_str());
    }
    std::cout << line << "\n";
  }
}

}  // namespace

Status run_eval(const Session& session, const std::vector<std::string>& words) {
  std::string folder;
  std::string data;
  bool json = false;
  std::int64_t threads = 0;
  bool full_precision = false;
  Arguments arguments("eval");
  arguments.add("--bundle", "BUNDLE", folder, Text::kLearnBundleHelp, true);
  arguments.add("--data", "FILE", data, Text::kLearnDataHelp, true);
  arguments.add_flag("--json", json, Text::kLearnJsonHelp);
  arguments.add("--threads", "N", threads, Text::kLearnThreadsHelp);
  arguments.add_flag("--fp32", full_precision, Text::kLearnFp32Help);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  set_threads(threads);
  QIAO_ASSIGN(Bundle bundle, load_bundle(folder));
  QIAO_ASSIGN(const RowFile file, read_rows(data, bundle.task));
  const Exam exam =
      make_exam(file, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max);
  Progress progress(session.language, session.terminal);
  if (const UnknownLabels unknown = find_unknown(file, bundle.labels); unknown.rows > 0) {
    progress.note(tr(session.language, Text::kLearnUnknownLabel,
                     {unknown.first, std::to_string(unknown.rows)}));
  }
  QIAO_ASSIGN(const Report report,
              evaluate(bundle.model, exam, bundle.labels, bundle.tokenizer.pad(),
                       !full_precision && cpu_has_bfloat16(),
                       [&](double) { return !session.stop.load(); }));
  const Json scores = to_json(report, bundle.task);
  if (json) {
    std::cout << dump_json(scores) << "\n";
  } else {
    print_table(scores);
  }
  return {};
}

}  // namespace qiao::learn
