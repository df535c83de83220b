// SPDX-License-Identifier: Apache-2.0
// Trains a sentiment head on the vectors of an encoder and writes models/sentiment-*.json:
//   qiao_train_sentiment --encoder bge-small-zh --out models/sentiment-zh.json --about "…"
//     --train reviews.tsv --train models/sentiment-zh.tsv@4 --folds models/sentiment-zh.tsv@4
//     --dev reviews-dev.tsv --cache /tmp/vectors
// A file has one `label<TAB>text` a line; FILE@W gives each of its rows the weight W. `--folds`
// tells the accuracy on one of the training files by ten-fold cross-validation.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "model/catalogue/catalogue.h"
#include "model/open_model.h"
#include "understand/sentiment_head.h"
#include "understand/train_layer.h"
#include "understand/training_vectors.h"

namespace qiao {
namespace {

constexpr std::size_t kFolds = 10;
constexpr const char* kProbe = "Qiao 小桥 123";

struct Source {
  std::string path;
  double weight = 1;
};

struct Plan {
  std::string encoder;
  std::string out;
  std::string about;
  std::string cache;
  std::vector<Source> train;
  std::vector<Source> folds;
  std::vector<Source> dev;
  double l2 = 1e-4;
};

struct Rows {
  std::vector<std::string> texts;
  std::vector<std::size_t> labels;
};

Source source_of(const std::string& argument) {
  const std::size_t at = argument.rfind('@');
  if (at == std::string::npos) return {argument, 1};
  return {argument.substr(0, at), std::atof(argument.c_str() + at + 1)};
}

Result<Plan> read_plan(int argc, char** argv) {
  Plan plan;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    const std::string value = argv[i + 1];
    if (key == "--encoder")
      plan.encoder = value;
    else if (key == "--out")
      plan.out = value;
    else if (key == "--about")
      plan.about = value;
    else if (key == "--cache")
      plan.cache = value;
    else if (key == "--l2")
      plan.l2 = std::atof(value.c_str());
    else if (key == "--train")
      plan.train.push_back(source_of(value));
    else if (key == "--folds")
      plan.folds.push_back(source_of(value));
    else if (key == "--dev")
      plan.dev.push_back(source_of(value));
    else
      return invalid_argument(key + " is no option: see the head of train_sentiment_main.cc");
  }
  if (plan.encoder.empty() || plan.train.empty()) {
    return invalid_argument("--encoder and --train are needed");
  }
  return plan;
}

Result<Rows> read_rows(const std::string& path) {
  std::ifstream file(path);
  if (!file) return not_found(path + " cannot be read");
  Rows rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t tab = line.find('\t');
    const auto label = std::find(kSentiments.begin(), kSentiments.end(), line.substr(0, tab));
    if (tab == std::string::npos || label == kSentiments.end()) {
      return invalid_argument(path + ": not `label<TAB>text`: " + line);
    }
    rows.labels.push_back(static_cast<std::size_t>(label - kSentiments.begin()));
    rows.texts.push_back(line.substr(tab + 1));
  }
  return rows;
}

Status add(TrainingSet& set, const Source& source, TrainingVectors& vectors,
           std::size_t fold = kFolds) {
  QIAO_ASSIGN(const Rows rows, read_rows(source.path));
  QIAO_ASSIGN(Embeddings made, vectors.of(rows.texts));
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (i % kFolds == fold) continue;
    set.vectors.push_back(std::move(made[i]));
    set.labels.push_back(rows.labels[i]);
    set.weights.push_back(source.weight);
  }
  return {};
}

// From this probability on the examples' rules call a message negative.
constexpr double kSure = 0.9;

// How one file was judged.
struct Tally {
  int rows = 0;
  int right = 0;
  int charged = 0;     // negative or positive rows …
  int right_side = 0;  // … with the right one of these two the more probable
  int negative = 0;
  int caught = 0;   // negative rows that are surely negative
  int accused = 0;  // other rows that are

  void count(const SentimentHead& head, const std::vector<float>& vector, std::size_t label) {
    const auto chances = head.chances(vector);
    const auto best = std::max_element(chances.begin(), chances.end()) - chances.begin();
    const bool is_negative = label == 0;
    ++rows;
    right += best == static_cast<std::ptrdiff_t>(label) ? 1 : 0;
    if (kSentiments[label] != "neutral") {
      ++charged;
      right_side += (chances[0] > chances[2]) == is_negative ? 1 : 0;
    }
    negative += is_negative ? 1 : 0;
    if (chances[0] >= kSure) ++(is_negative ? caught : accused);
  }
  [[nodiscard]] Json json() const {
    const auto share = [](int part, int whole) { return std::round(1000.0 * part / whole) / 1000; };
    Json json{{"rows", rows}, {"accuracy", share(right, rows)}};
    if (charged > 0) json["negative_or_positive"] = share(right_side, charged);
    if (negative > 0) json["negative_found_at_0.9"] = share(caught, negative);
    if (negative < rows) json["others_taken_for_negative_at_0.9"] = share(accused, rows - negative);
    return json;
  }
};

SentimentHead head_of(const LinearLayer& layer, const std::string& encoder) {
  return SentimentHead(LinearHead({encoder, kProbe, {}}, layer));
}

Result<Json> judge_folds(const Plan& plan, const Source& own, TrainingVectors& vectors) {
  QIAO_ASSIGN(const Rows rows, read_rows(own.path));
  QIAO_ASSIGN(const Embeddings made, vectors.of(rows.texts));
  Tally tally;
  for (std::size_t fold = 0; fold < kFolds; ++fold) {
    TrainingSet set;
    for (const Source& source : plan.train) {
      QIAO_TRY(add(set, source, vectors, source.path == own.path ? fold : kFolds));
    }
    const SentimentHead head =
        head_of(train_layer(set, kSentiments.size(), {plan.l2, 150}), plan.encoder);
    for (std::size_t i = fold; i < made.size(); i += kFolds)
      tally.count(head, made[i], rows.labels[i]);
  }
  return tally.json();
}

Status run(const Plan& plan) {
  SystemClock clock;
  Metrics metrics;
  QIAO_ASSIGN(const std::shared_ptr<Model> encoder, open_encoder(plan.encoder, clock, metrics));
  TrainingVectors vectors(*encoder, plan.encoder, plan.cache);

  TrainingSet set;
  for (const Source& source : plan.train) QIAO_TRY(add(set, source, vectors));
  const LinearLayer layer = train_layer(set, kSentiments.size(), {plan.l2, 400});
  const SentimentHead head = head_of(layer, plan.encoder);
  Json about{{"text", plan.about}, {"rows", set.labels.size()}, {"l2", plan.l2}};
  for (const Source& source : plan.dev) {
    QIAO_ASSIGN(const Rows rows, read_rows(source.path));
    QIAO_ASSIGN(const Embeddings made, vectors.of(rows.texts));
    Tally tally;
    for (std::size_t i = 0; i < made.size(); ++i) tally.count(head, made[i], rows.labels[i]);
    about["dev"][source.path.substr(source.path.rfind('/') + 1)] = tally.json();
  }
  for (const Source& source : plan.folds) {
    QIAO_ASSIGN(Json judged, judge_folds(plan, source, vectors));
    about["ten_folds"][source.path.substr(source.path.rfind('/') + 1)] = std::move(judged);
  }
  std::cout << dump_json(about, 2) << '\n';
  if (plan.out.empty()) return {};
  QIAO_ASSIGN(Embeddings probe, embed_and_wait(*encoder, {kProbe}));
  std::ofstream(plan.out) << head_json({plan.encoder, kProbe, std::move(probe.front())}, about,
                                       kSentiments, layer);
  return {};
}

}  // namespace
}  // namespace qiao

int main(int argc, char** argv) {
  const auto plan = qiao::read_plan(argc, argv);
  const auto done = plan ? qiao::run(*plan) : qiao::Status(plan.error());
  if (done) return 0;
  std::cerr << "qiao_train_sentiment: " << done.error().message << '\n';
  return 1;
}
