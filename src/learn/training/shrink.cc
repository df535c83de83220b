// SPDX-License-Identifier: Apache-2.0
#include "learn/training/shrink.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "base/i18n.h"
#include "base/random.h"
#include "learn/evaluation/figure_name.h"
#include "learn/evaluation/intervals.h"
#include "learn/evaluation/served.h"
#include "learn/evaluation/study.h"
#include "learn/files/bundle.h"
#include "learn/files/free_place.h"
#include "learn/files/json_file.h"
#include "learn/files/model_card.h"
#include "learn/tokenizers/left_out.h"
#include "model/bundle/tag_decoder.h"

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWarmTexts = 5;
constexpr std::uint64_t kAskedSeed = 1;

// Somebody who answers one text after the other.
struct Candidate {
  std::function<Result<ServedAnswer>(const Row&)> ask;
  std::uint64_t bytes = 0;
  bool served = true;

  std::size_t right = 0;
  std::map<std::string, std::pair<std::size_t, std::size_t>> heads;  // of several: right, of rows
  EntityScore entities;
  std::vector<Regressed> numbers;
  std::vector<double> times;
};

// The label with the greatest of `scores`.
const std::string& best_label(const torch::Tensor& scores, const Labels& labels) {
  return labels.names()[static_cast<std::size_t>(scores.argmax().item<std::int64_t>())];
}

ServedAnswer answer_of(const Bundle& bundle, const torch::Tensor& scores, const Example& example,
                       std::size_t characters) {
  ServedAnswer answer;
  if (bundle.task == Task::kRegress) answer.number = scores.item<double>();
  if (gives_label(bundle.task)) answer.label = best_label(scores, bundle.labels);
  for (const LabelHead& head : bundle.labels.heads()) {
    const auto outputs = static_cast<std::int64_t>(head.labels.size());
    answer.labels[head.name] = best_label(scores.narrow(0, head.begin, outputs), head.labels);
  }
  if (bundle.task == Task::kTag) {
    answer.entities = entities_of(model::decode_tags(
        {scores.data_ptr<float>(), bundle.model->transitions.cpu().data_ptr<float>()}, example.text,
        bundle.labels.names(), characters));
  }
  return answer;
}

// The same by libtorch, where nothing else is built in.
Result<Candidate> candidate_of_torch(const std::string& folder) {
  QIAO_ASSIGN(Bundle loaded, load_bundle(folder));
  auto bundle = std::make_shared<Bundle>(std::move(loaded));
  Candidate out;
  out.served = false;
  out.bytes = folder_bytes(folder);
  out.ask = [bundle](const Row& row) -> Result<ServedAnswer> {
    const torch::NoGradGuard no_grad;
    const auto begin = std::chrono::steady_clock::now();
    const std::vector<Example> one = {
        make_example(row, bundle->task, bundle->tokenizer, bundle->labels, bundle->tokens_max)};
    const Batch batch = make_batch(one, {0}, bundle->task, bundle->tokenizer.pad());
    const torch::Tensor scores =
        bundle->model(batch.ids, batch.present, batch.segments)[0].cpu().contiguous();
    ServedAnswer answer = answer_of(*bundle, scores, one[0], row.tags.size());
    answer.milliseconds =
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    return answer;
  };
  return out;
}

// As it is served, where it is: pairs are not.
Result<Candidate> candidate_of(const std::string& folder) {
  auto opened = ServedBundle::open(folder, at::get_num_threads());
  if (!opened && opened.error().code == Code::kUnsupported) return candidate_of_torch(folder);
  if (!opened) return std::move(opened.error());
  Candidate out;
  const std::shared_ptr<ServedBundle> bundle = std::move(*opened);
  out.bytes = bundle->bytes();
  out.ask = [bundle](const Row& row) { return bundle->ask(row.text); };
  return out;
}

Result<ServedAnswer> ask(Candidate& candidate, const Row& row) {
  QIAO_ASSIGN(ServedAnswer answer, candidate.ask(row));
  candidate.times.push_back(answer.milliseconds);
  if (answer.number) {
    candidate.numbers.push_back({row.number, *answer.number});
    return answer;
  }
  for (const auto& [head, label] : row.labels) {
    auto& [right, all] = candidate.heads[head];
    right += answer.labels[head] == label ? 1U : 0U;
    ++all;
  }
  if (row.tags.empty()) {
    candidate.right += answer.label == row.label ? 1U : 0U;
    return answer;
  }
  const std::vector<Entity> wanted = entities_of(row.tags);
  candidate.entities.expected += wanted.size();
  candidate.entities.given += answer.entities.size();
  for (const Entity& entity : answer.entities) {
    candidate.entities.right +=
        std::find(wanted.begin(), wanted.end(), entity) != wanted.end() ? 1U : 0U;
  }
  return answer;
}

// What a folder or file is called.
std::string last_name(const std::string& place) {
  return fs::path(place).filename().string();
}

double mean_of_heads(const Candidate& candidate) {
  double sum = 0;
  for (const auto& [head, told] : candidate.heads) {
    sum += static_cast<double>(told.first) / static_cast<double>(told.second);
  }
  return sum / static_cast<double>(candidate.heads.size());
}

double figure_of(const Candidate& candidate, Task task, std::size_t rows) {
  if (task == Task::kRegress) return regression_score(candidate.numbers).r2;
  if (task == Task::kHeads) return mean_of_heads(candidate);
  return task == Task::kTag ? candidate.entities.f1()
                            : static_cast<double>(candidate.right) / static_cast<double>(rows);
}

Json figures(const Candidate& candidate, Task task, std::size_t rows) {
  return {{quality_name(task), figure_of(candidate, task, rows)},
          {"bytes", candidate.bytes},
          {"p50_ms", percentile(candidate.times, 0.5)},
          {"p99_ms", percentile(candidate.times, 0.99)}};
}

// What the figure that counts is called in figures().
const char* counted_figure(const Json& figures) {
  for (const char* name : {"entity_f1", "r2"}) {
    if (figures.contains(name)) return name;
  }
  return "accuracy";
}

// One line for people about what was measured.
void note_shrunk(Progress& progress, const Shrunk& shrunk, const Json& told) {
  constexpr double kMebibyte = 1 << 20;
  const char* name = counted_figure(told["before"]);
  const auto share = [&](const Json& one) { return percent_text(one[name].get<double>()); };
  const auto mebibytes = [](const Json& one) {
    return fixed_text(one["bytes"].get<double>() / kMebibyte, 1);
  };
  const auto time = [](const Json& one) {
    return fixed_text(one[one.contains("p50_ms") ? "p50_ms" : "ms_per_token"].get<double>(), 2);
  };
  const Json& had = told["before"];
  const Json& has = told["after"];
  const Language language = progress.language();
  if (const auto characters = json_integer(had, "characters")) {  // of a decoder
    note_left_out(progress,
                  {static_cast<std::size_t>(*characters),
                   static_cast<std::size_t>(json_integer(had, "characters_left_out").value_or(0))},
                  last_name(shrunk.from));
  }
  progress.note(
      tr(language, Text::kLearnShrunk,
         {last_name(shrunk.from), last_name(shrunk.out), share(had), share(has), mebibytes(had),
          mebibytes(has), time(had), time(has), figure_name(language, name),
          tr(language, had.contains("p50_ms") ? Text::kLearnPerText : Text::kLearnPerToken)}));
}

}  // namespace

std::vector<std::size_t> asked_rows(std::size_t rows) {
  std::vector<std::size_t> chosen(rows);
  std::iota(chosen.begin(), chosen.end(), 0);
  if (rows <= kAskedRowsMax) return chosen;
  Rng rng(kAskedSeed);
  for (std::size_t i = 0; i < kAskedRowsMax; ++i) {
    std::swap(chosen[i], chosen[i + rng.below(rows - i)]);
  }
  chosen.resize(kAskedRowsMax);
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

Result<Json> measure_shrunk(const std::string& before, const std::string& after, const RowFile& dev,
                            const std::atomic<bool>& stop) {
  QIAO_ASSIGN(Candidate first, candidate_of(before));
  QIAO_ASSIGN(Candidate second, candidate_of(after));
  const std::vector<std::size_t> asked = asked_rows(dev.rows.size());
  const std::size_t rows = asked.size();
  QIAO_ASSIGN(const Task task, task_of_bundle(before));
  for (std::size_t i = 0; i < std::min(rows, kWarmTexts); ++i) {
    for (const Candidate* one : {&first, &second}) QIAO_TRY(one->ask(dev.rows[asked[i]]));
  }
  std::size_t same = 0;
  for (const std::size_t i : asked) {
    if (stop.load()) return Error{Code::kCancelled, "stopped while it was measured"};
    QIAO_ASSIGN(const ServedAnswer one, ask(first, dev.rows[i]));
    QIAO_ASSIGN(const ServedAnswer other, ask(second, dev.rows[i]));
    same += one.label == other.label && one.labels == other.labels && one.entities == other.entities
                ? 1U
                : 0U;
  }
  const double had = figure_of(first, task, rows);
  const double has = figure_of(second, task, rows);
  Json told = {{"before", figures(first, task, rows)}, {"after", figures(second, task, rows)}};
  told["lost"] = 100 * (had - has);
  told["kept"] = had > 0 ? has / had : 0;
  told["faster"] = told["before"]["p50_ms"].get<double>() / told["after"]["p50_ms"].get<double>();
  if (task != Task::kRegress) {
    told["agreement"] = static_cast<double>(same) / static_cast<double>(rows);
  }
  told["rows"] = rows;
  told["threads"] = at::get_num_threads();
  told["engine"] = first.served ? "llama.cpp" : "libtorch";
  return told;
}

Status pass_gate(Disk& disk, const Shrunk& shrunk, const Json& told, Progress& progress) {
  note_shrunk(progress, shrunk, told);
  const double lost = told["lost"].get<double>();
  if (shrunk.allowed < 0 || lost <= shrunk.allowed) return disk.rename(shrunk.made, shrunk.out);
  const std::string aside = shrunk.out + ".refused";
  std::error_code ignored;
  fs::remove_all(aside, ignored);
  QIAO_TRY(disk.rename(shrunk.made, aside));
  return Error{Code::kPrecondition, "it lost " + fixed_text(lost, 2) +
                                        " points on dev, more than " +
                                        fixed_text(shrunk.allowed, 2) + ": it is in " + aside +
                                        "; --allow-loss sets what it may lose"};
}

Result<Json> finish_shrunk(Disk& disk, const Shrunk& shrunk, const RowFile& dev, Progress& progress,
                           const std::atomic<bool>& stop) {
  auto told = measure_shrunk(shrunk.from, shrunk.made, dev, stop);
  if (!told) {
    Error error = std::move(told.error());
    if (shrunk.resumes) error.message += "; the same command with --resume measures it again";
    return error;
  }
  QIAO_ASSIGN(Json card, read_json_file(shrunk.made + "/card.json"));
  card["shrunk"]["measured"] = *told;
  QIAO_TRY(write_card(disk, shrunk.made, std::move(card)));
  QIAO_TRY(pass_gate(disk, shrunk, *told, progress));
  return told;
}

std::string unmeasured(const std::string& out) {
  return out + ".unmeasured";
}

Result<std::string> free_unmeasured(Disk& disk, const std::string& out, bool resume) {
  QIAO_TRY(check_free(disk, out));
  std::string made = unmeasured(out);
  if (resume && disk.exists(made + "/card.json")) return made;
  std::error_code ignored;
  fs::remove_all(made, ignored);
  return made;
}

Result<std::string> begin_unmeasured(Disk& disk, const std::string& out) {
  QIAO_ASSIGN(std::string made, free_unmeasured(disk, out, false));
  QIAO_TRY(disk.make_directories(made));
  return made;
}

void forget_figures(Json& card) {
  for (const char* key : {"dev", "best_epoch", "epochs", "seeds", "folds"}) card.erase(key);
}

Json shrunk_card(const std::string& from, const std::string& sha256, const std::string& how,
                 const Json& options) {
  return {{"from", last_name(from)},
          {"sha256", sha256},
          {"how", how},
          {"options", options},
          {"made_ms", SystemClock().wall_ms()}};
}

Status add_to_card(Disk& disk, const std::string& folder, const std::string& key,
                   const Json& value) {
  QIAO_ASSIGN(Json card, read_json_file(folder + "/card.json"));
  card[key] = value;
  return write_card(disk, folder, std::move(card));
}

}  // namespace qiao::learn
