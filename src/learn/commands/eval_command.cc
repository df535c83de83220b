// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <iostream>

#include "base/i18n.h"
#include "learn/commands/arguments.h"
#include "learn/commands/commands.h"
#include "learn/commands/machine.h"
#include "learn/commands/progress.h"
#include "learn/data/gzip_reader.h"
#include "learn/evaluation/eval_page.h"
#include "learn/evaluation/eval_picture.h"
#include "learn/evaluation/perplexity.h"
#include "learn/evaluation/study.h"
#include "learn/files/decoder_gguf.h"
#include "learn/training/precision.h"
#include "model/bundle/text_head.h"

namespace qiao::learn {
namespace {

struct EvalOptions {
  std::string bundle;
  std::string data;
  std::string against;
  std::string report;
  std::int64_t seed = 1;
  std::int64_t stretches = 0;
  Machine machine;
  bool json = false;
  bool confusion = false;
  bool full_precision = false;
};

void declare(Arguments& arguments, EvalOptions& options) {
  arguments.add("--bundle", "BUNDLE", options.bundle, Text::kLearnBundleHelp, true);
  arguments.add("--data", "FILE", options.data, Text::kLearnEvalDataHelp, true);
  arguments.add("--against", "BUNDLE", options.against, Text::kLearnAgainstHelp);
  arguments.add("--report", "FILE", options.report, Text::kLearnReportHelp);
  arguments.add("--seed", "N", options.seed, Text::kLearnBootstrapSeedHelp);
  arguments.add("--stretches", "N", options.stretches, Text::kLearnStretchesHelp);
  declare(arguments, options.machine);
  arguments.add_flag("--json", options.json, Text::kLearnJsonHelp);
  arguments.add_flag("--confusion", options.confusion, Text::kLearnConfusionHelp);
  arguments.add_flag("--fp32", options.full_precision, Text::kLearnFp32Help);
}

// The file as the bundle is asked about it when it is served.
Result<Exam> exam_of(const Bundle& bundle, const RowFile& file) {
  Exam exam = make_exam(file, bundle.task, bundle.tokenizer, bundle.labels, bundle.tokens_max);
  QIAO_ASSIGN(exam.temperature, temperature_of(bundle.card));
  for (const LabelHead& head : bundle.labels.heads()) {
    QIAO_ASSIGN(exam.head_temperatures.emplace_back(), temperature_of(bundle.card, head.name));
  }
  return exam;
}

// A bundle, and how it did.
struct Examined {
  Bundle bundle;
  Report report;
};

Result<Examined> examine(const std::string& folder, const RowFile* file, const EvalOptions& options,
                         const Session& session) {
  QIAO_ASSIGN(Bundle bundle, load_bundle(folder));
  QIAO_TRY(check_heads(*file, bundle.labels));
  if (const UnknownLabels unknown = find_unknown(*file, bundle.labels); unknown.rows > 0) {
    std::cerr << tr(session.language, Text::kLearnUnknownLabel,
                    {unknown.first, std::to_string(unknown.rows)})
              << "\n";
  }
  QIAO_ASSIGN(const Exam exam, exam_of(bundle, *file));
  Progress progress(session.language, session.terminal);
  progress.begin(tr(session.language, Text::kLearnEvalStage), 100);
  QIAO_ASSIGN(Report report, evaluate(bundle.model, exam, bundle.labels, bundle.tokenizer.pad(),
                                      !options.full_precision && has_bfloat16(), [&](double share) {
                                        progress.share(share);
                                        return !session.stop.load();
                                      }));
  return Examined{std::move(bundle), std::move(report)};
}

Result<Json> compare_bundles(const Examined& first, const RowFile& file, const EvalOptions& options,
                             const Session& session) {
  // First: rows of one task are no rows of another.
  QIAO_ASSIGN(const Task task, task_of_bundle(options.against));
  if (task != first.bundle.task) {
    return invalid_argument(options.against + " has another task than " + options.bundle);
  }
  QIAO_ASSIGN(const Examined second, examine(options.against, &file, options, session));
  Json against = {{"bundle", options.against}};
  const Json figures = to_json(second.report, task);
  for (const char* name : {"accuracy", "macro_f1", "entity_f1", "rmse", "pearson"}) {
    if (const auto found = json_number(figures, name)) against[name] = *found;
  }
  against["bytes"] = folder_bytes(options.against);
  against.update(compare_reports(first.report, first.bundle.labels.size(), second.report,
                                 second.bundle.labels.size(),
                                 static_cast<std::uint64_t>(options.seed)));
  return against;
}

Result<Json> eval_bundle(const EvalOptions& options, const Session& session) {
  QIAO_ASSIGN(const Task task, task_of_bundle(options.bundle));
  QIAO_ASSIGN(const RowFile file, read_rows(options.data, task));
  QIAO_ASSIGN(Examined examined, examine(options.bundle, &file, options, session));
  Bundle& bundle = examined.bundle;
  QIAO_ASSIGN(const Exam exam, exam_of(bundle, file));
  StudyOptions how;
  how.seed = static_cast<std::uint64_t>(options.seed);
  how.whole_confusion = options.confusion || !options.report.empty();
  Json out = study(examined.report, exam, bundle.labels, how);
  QIAO_ASSIGN(out["latency_ms"], time_texts(bundle, file, session.stop));
  out["bytes"] = folder_bytes(options.bundle);
  if (!options.against.empty()) {
    QIAO_ASSIGN(out["against"], compare_bundles(examined, file, options, session));
  }
  return out;
}

Result<TextScore> score_decoder(const std::string& place, const std::string& text,
                                const EvalOptions& options, const Session& session) {
  QIAO_ASSIGN(const DecoderBase base, open_decoder(place, 0));
  Progress progress(session.language, session.terminal);
  progress.begin(tr(session.language, Text::kLearnEvalStage), 100);
  return score_text(base.bundle, text, static_cast<std::size_t>(options.stretches), session.stop,
                    [&](double share) { progress.share(share); });
}

Result<Json> eval_decoder(const EvalOptions& options, const Session& session) {
  if (options.stretches < 0) return invalid_argument("--stretches must not be negative");
  QIAO_ASSIGN(const std::string text, read_gzip_file(options.data, kDecoderTextBytesMax));
  QIAO_ASSIGN(const TextScore score, score_decoder(options.bundle, text, options, session));
  const auto seed = static_cast<std::uint64_t>(options.seed);
  Json out = to_json(score, seed);
  out["macro_f1"] = nullptr;
  out["entity_f1"] = nullptr;
  out["bytes"] = model_bytes(options.bundle);
  if (options.against.empty()) return out;
  QIAO_ASSIGN(const TextScore other, score_decoder(options.against, text, options, session));
  if (!comparable(score, other)) {
    return invalid_argument(options.against +
                            " cuts the text otherwise: only models of one tokenizer and context "
                            "can be compared token by token");
  }
  Json& against = out["against"];
  against = {{"bundle", options.against}, {"perplexity", perplexity(other)}};
  against["bytes"] = model_bytes(options.against);
  against.update(compare_scores(score, other, seed));
  return out;
}

std::string within(const Json& study, const std::string& name) {
  const Json intervals = study.value("intervals", Json::object());
  const auto found = intervals.find(name);
  if (found == intervals.end()) return "";
  char text[64];
  std::snprintf(text, sizeof text, "  [%.4f, %.4f]", (*found)[0].get<double>(),
                (*found)[1].get<double>());
  return text;
}

void print_value(const std::string& name, const Json& value, const std::string& more) {
  char line[96];
  if (value.is_number_float()) {
    std::snprintf(line, sizeof line, "%-20s %10.4f", name.c_str(), value.get<double>());
  } else {
    std::snprintf(line, sizeof line, "%-20s %10s", name.c_str(), dump_json(value).c_str());
  }
  std::cout << line << more << "\n";
}

void print_classes(const Json& study) {
  std::printf("\n%8s %9s %9s %9s  label\n", "n", "precision", "recall", "f1");
  for (const Json& row : study["classes"]) {
    std::printf("%8lld %9.4f %9.4f %9.4f  %s\n", static_cast<long long>(row["n"]),
                row["precision"].get<double>(), row["recall"].get<double>(),
                row["f1"].get<double>(), row["label"].get_ref<const std::string&>().c_str());
  }
  if (!study["confused"].empty()) std::printf("\n%8s  expected → given\n", "n");
  for (const Json& pair : study["confused"]) {
    std::printf("%8lld  %s → %s\n", static_cast<long long>(pair["n"]),
                pair["expected"].get_ref<const std::string&>().c_str(),
                pair["given"].get_ref<const std::string&>().c_str());
  }
}

void print_heads(const Json& heads) {
  std::printf("\n%8s %9s %9s  head\n", "n", "accuracy", "macro_f1");
  for (const auto& [name, head] : heads.items()) {
    std::printf("%8lld %9.4f %9.4f  %s\n", static_cast<long long>(head["n"]),
                head["accuracy"].get<double>(), head["macro_f1"].get<double>(), name.c_str());
  }
  for (const auto& [name, head] : heads.items()) {
    std::printf("\n%s:", name.c_str());
    print_classes(head);
  }
}

void print_slices(const Json& slices) {
  for (const auto& [kind, rows] : slices.items()) {
    if (kind == "label") continue;  // the table of labels says it
    for (const Json& row : rows) {
      const std::string f1 = row.contains("entity_f1")
                                 ? "  entity_f1 " + std::to_string(row["entity_f1"].get<double>())
                                 : "";
      std::printf("%8lld %9.4f%s  %s %s\n", static_cast<long long>(row["n"]),
                  row[row.contains("rmse") ? "rmse" : "accuracy"].get<double>(), f1.c_str(),
                  kind.c_str(), row["name"].get_ref<const std::string&>().c_str());
    }
  }
}

void print_study(const Json& study) {
  for (const auto& [name, value] : study.items()) {
    if (value.is_number()) print_value(name, value, within(study, name));
  }
  const Json latency = study.value("latency_ms", Json::object());
  for (const auto& [name, value] : latency.items()) {
    print_value("latency_ms " + name, value, "");
  }
  std::cout << std::flush;
  if (study.contains("classes")) print_classes(study);
  if (study.contains("heads")) print_heads(study["heads"]);
  if (study.contains("slices")) {
    std::printf("\n%8s %9s  slice\n", "n", study.contains("rmse") ? "rmse" : "accuracy");
    print_slices(study["slices"]);
  }
  if (study.contains("against")) {
    const Json& against = study["against"];
    std::printf("\n");
    std::fflush(stdout);
    for (const auto& [name, value] : against.items()) {
      if (!value.is_object()) print_value("against " + name, value, "");
    }
    for (const auto& [name, value] : against["difference"].items()) {
      print_value("difference " + name, value, within(against, name));
    }
  }
  std::fflush(stdout);
}

// A report by its name's end: .png, or .html and .htm.
bool is_picture(const std::string& report) {
  return std::filesystem::path(report).extension() == ".png";
}

Status check_report(const std::string& report) {
  const std::string end = std::filesystem::path(report).extension();
  if (report.empty() || is_picture(report) || end == ".html" || end == ".htm") return {};
  return invalid_argument("--report " + report + ": the name must end in .html or .png");
}

}  // namespace

Status run_eval(const Session& session, const std::vector<std::string>& words) {
  EvalOptions options;
  Arguments arguments("eval");
  declare(arguments, options);
  QIAO_TRY(arguments.parse(words));
  if (arguments.help_wanted()) {
    std::cout << arguments.help(session.language);
    return {};
  }
  QIAO_TRY(check_report(options.report));
  SystemDisk disk;
  Progress progress(session.language, session.terminal);
  QIAO_TRY(use(options.machine, progress));
  QIAO_ASSIGN(const Json out, is_bundle(disk, options.bundle) ? eval_bundle(options, session)
                                                              : eval_decoder(options, session));
  if (options.json) {
    std::cout << dump_json(out) << "\n";
  } else {
    print_study(out);
  }
  if (!options.report.empty()) {
    const Json about = {{"bundle", std::filesystem::path(options.bundle).filename().string()},
                        {"data", std::filesystem::path(options.data).filename().string()},
                        {"seed", options.seed}};
    std::string report;
    if (is_picture(options.report)) {
      QIAO_ASSIGN(report, eval_picture(out, about, session.language));
    } else {
      report = eval_page(out, about, session.language);
    }
    QIAO_TRY(write_file_atomic(disk, options.report, report));
  }
  return {};
}

}  // namespace qiao::learn
