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
#include "learn/evaluation/figure_name.h"
#include "learn/evaluation/perplexity.h"
#include "learn/evaluation/study.h"
#include "learn/files/decoder_gguf.h"
#include "learn/files/free_place.h"
#include "learn/training/precision.h"
#include "model/bundle/text_head.h"
#include "text/display_width.h"

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
  QIAO_TRY(check_some_known(*file, bundle.labels, folder));
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
  QIAO_ASSIGN(TextScore score,
              score_text(base.bundle, text, static_cast<std::size_t>(options.stretches),
                         session.stop, [&](double share) { progress.share(share); }));
  note_left_out(progress, score.left_out, place);
  return score;
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

constexpr std::size_t kNameColumns = 24;
constexpr std::size_t kCountColumns = 8;
constexpr std::size_t kFigureColumns = 12;

// Prints what eval measured as tables in one language.
class StudyPrinter {
 public:
  explicit StudyPrinter(Language language) : language_(language) {}

  void print(const Json& study) {
    for (const auto& [name, value] : study.items()) {
      if (value.is_number()) value_line(word(name), value, within(study, name));
    }
    const Json latency = study.value("latency_ms", Json::object());
    for (const auto& [name, value] : latency.items()) {
      value_line(word("latency_ms") + " " + word(name), value, "");
    }
    if (study.contains("classes")) classes(study);
    if (study.contains("heads")) heads(study["heads"]);
    if (study.contains("slices")) slices(study["slices"], study.contains("rmse"));
    if (study.contains("against")) against(study["against"]);
    std::cout << std::flush;
  }

 private:
  [[nodiscard]] std::string word(const std::string& key) const {
    return figure_name(language_, key);
  }
  [[nodiscard]] std::string count_title() const { return pad_left(word("n"), kCountColumns); }
  [[nodiscard]] std::string title(const char* key) const {
    return pad_left(word(key), kFigureColumns);
  }
  static std::string count(const Json& row) {
    return pad_left(std::to_string(row["n"].get<std::int64_t>()), kCountColumns);
  }
  static std::string figure(const Json& value) {
    return pad_left(fixed_text(value.get<double>(), 4), kFigureColumns);
  }
  static std::string name_in(const Json& row, const char* key) {
    return one_line(row[key].get_ref<const std::string&>());
  }

  void value_line(const std::string& name, const Json& value, const std::string& more) {
    const std::string text = value.is_number_float() ? fixed_text(value.get<double>(), 4)
                             : value.is_string()     ? one_line(value.get<std::string>())
                                                     : dump_json(value);
    std::cout << pad_right(name, kNameColumns) << pad_left(text, kFigureColumns) << more << "\n";
  }

  void classes(const Json& study) {
    std::cout << "\n"
              << count_title() << title("precision") << title("recall") << title("f1") << "  "
              << word("label") << "\n";
    for (const Json& row : study["classes"]) {
      std::cout << count(row) << figure(row["precision"]) << figure(row["recall"])
                << figure(row["f1"]) << "  " << name_in(row, "label") << "\n";
    }
    if (study["confused"].empty()) return;
    std::cout << "\n"
              << count_title() << "  " << word("expected") << " → " << word("given") << "\n";
    for (const Json& pair : study["confused"]) {
      std::cout << count(pair) << "  " << name_in(pair, "expected") << " → "
                << name_in(pair, "given") << "\n";
    }
  }

  void heads(const Json& all) {
    std::cout << "\n"
              << count_title() << title("accuracy") << title("macro_f1") << "  " << word("head")
              << "\n";
    for (const auto& [name, head] : all.items()) {
      std::cout << count(head) << figure(head["accuracy"]) << figure(head["macro_f1"]) << "  "
                << one_line(name) << "\n";
    }
    for (const auto& [name, head] : all.items()) {
      std::cout << "\n" << one_line(name) << ":";
      classes(head);
    }
  }

  void slices(const Json& all, bool numbers) {
    const char* key = numbers ? "rmse" : "accuracy";
    std::cout << "\n" << count_title() << title(key) << "  " << word("slice") << "\n";
    for (const auto& [kind, rows] : all.items()) {
      if (kind == "label") continue;  // the table of labels says it
      for (const Json& row : rows) {
        std::cout << count(row) << figure(row[key]) << "  " << word(kind) << " "
                  << name_in(row, "name");
        if (row.contains("entity_f1")) {
          std::cout << "  " << word("entity_f1") << figure(row["entity_f1"]);
        }
        std::cout << "\n";
      }
    }
  }

  void against(const Json& other) {
    std::cout << "\n";
    for (const auto& [name, value] : other.items()) {
      if (!value.is_object()) value_line(word("against") + " " + word(name), value, "");
    }
    for (const auto& [name, value] : other["difference"].items()) {
      value_line(word("difference") + " " + word(name), value, within(other, name));
    }
  }

  Language language_;
};

// A report by its name's end: .png, or .html and .htm.
bool is_picture(const std::string& report) {
  return std::filesystem::path(report).extension() == ".png";
}

Status check_report(Disk& disk, const std::string& report) {
  if (report.empty()) return {};
  const std::string end = std::filesystem::path(report).extension();
  if (is_picture(report) || end == ".html" || end == ".htm") return make_folder_of(disk, report);
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
  SystemDisk disk;
  QIAO_TRY(check_report(disk, options.report));
  Progress progress(session.language, session.terminal);
  QIAO_TRY(use(options.machine, progress));
  QIAO_ASSIGN(const Json out, is_bundle(disk, options.bundle) ? eval_bundle(options, session)
                                                              : eval_decoder(options, session));
  if (options.json) {
    std::cout << dump_json(out) << "\n";
  } else {
    StudyPrinter(session.language).print(out);
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
