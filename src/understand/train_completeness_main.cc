// SPDX-License-Identifier: Apache-2.0
// Trains a completeness head on the vectors of an encoder and writes models/completeness-*.json:
//   qiao_train_completeness --encoder bge-small-zh --out models/completeness-zh.json --about "…"
//     --train train.tsv --dev dev.tsv --cache /tmp/vectors
// A file has one `cut_off<TAB>text` or `whole<TAB>text` a line (tools/train_completeness makes
// them). It tells the area under the ROC curve and the accuracy on dev, for the head and the rules.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "understand/completeness.h"
#include "understand/train_layer.h"
#include "understand/training_vectors.h"

namespace qiao {
namespace {

constexpr const char* kProbe = "Qiao 小桥 123";

struct Rows {
  std::vector<std::string> texts;
  std::vector<std::size_t> labels;
};

Result<Rows> read_rows(const std::string& path) {
  std::ifstream file(path);
  if (!file) return not_found(path + " cannot be read");
  Rows rows;
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    const auto label = std::find(kCompleteness.begin(), kCompleteness.end(), line.substr(0, tab));
    if (tab == std::string::npos || label == kCompleteness.end()) {
      return invalid_argument(path + ": not `cut_off or whole<TAB>text`: " + line);
    }
    rows.labels.push_back(static_cast<std::size_t>(label - kCompleteness.begin()));
    rows.texts.push_back(line.substr(tab + 1));
  }
  return rows;
}

// The chance that a whole text scores higher than one that is cut off.
double area_under_curve(const std::vector<double>& scores, const std::vector<std::size_t>& labels) {
  std::vector<std::pair<double, std::size_t>> sorted;
  for (std::size_t i = 0; i < scores.size(); ++i) sorted.emplace_back(scores[i], labels[i]);
  std::sort(sorted.begin(), sorted.end());
  double ranks = 0;
  double whole = 0;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t end = i;
    while (end < sorted.size() && sorted[end].first == sorted[i].first) ++end;
    const double rank = (static_cast<double>(i + end) + 1) / 2;  // of those that are equal
    for (; i < end; ++i) {
      if (sorted[i].second == 0) continue;
      ranks += rank;
      ++whole;
    }
  }
  const double cut = static_cast<double>(sorted.size()) - whole;
  return (ranks - whole * (whole + 1) / 2) / (whole * cut);
}

Json judged(const std::vector<double>& scores, const std::vector<std::size_t>& labels) {
  double right = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) right += (scores[i] >= 0.5) == (labels[i] == 1);
  const auto rounded = [](double value) { return std::round(value * 1000) / 1000; };
  return Json{{"rows", scores.size()},
              {"auroc", rounded(area_under_curve(scores, labels))},
              {"accuracy", rounded(right / static_cast<double>(scores.size()))}};
}

Status run(std::map<std::string, std::string>& given) {
  SystemClock clock;
  Metrics metrics;
  const std::string encoder_name = given["--encoder"];
  const double l2 = given["--l2"].empty() ? 1e-4 : std::atof(given["--l2"].c_str());
  QIAO_ASSIGN(const std::shared_ptr<Model> encoder, open_encoder(encoder_name, clock, metrics));
  TrainingVectors vectors(*encoder, encoder_name, given["--cache"]);

  QIAO_ASSIGN(Rows rows, read_rows(given["--train"]));
  TrainingSet set;
  QIAO_ASSIGN(set.vectors, vectors.of(rows.texts));
  for (std::size_t i = 0; i < rows.texts.size(); ++i) {
    set.vectors[i] = completeness_input(set.vectors[i], rows.texts[i]);
  }
  set.labels = rows.labels;
  set.weights.assign(set.labels.size(), 1);
  const LinearLayer layer = train_layer(set, kCompleteness.size(), {l2, 400});

  QIAO_ASSIGN(const Rows dev, read_rows(given["--dev"]));
  QIAO_ASSIGN(const Embeddings made, vectors.of(dev.texts));
  const LinearHead head({encoder_name, kProbe, {}}, layer);
  std::vector<double> by_head;
  std::vector<double> by_rules;
  for (std::size_t i = 0; i < dev.texts.size(); ++i) {
    by_head.push_back(head.chances(completeness_input(made[i], dev.texts[i]))[1]);
    by_rules.push_back(complete_by_rules(dev.texts[i]));
  }
  const Json about{{"text", given["--about"]},
                   {"rows", set.labels.size()},
                   {"l2", l2},
                   {"dev", judged(by_head, dev.labels)},
                   {"dev_rules", judged(by_rules, dev.labels)}};
  std::cout << dump_json(about, 2) << '\n';
  if (given["--out"].empty()) return {};
  QIAO_ASSIGN(Embeddings probe, embed_and_wait(*encoder, {kProbe}));
  std::ofstream(given["--out"]) << head_json({encoder_name, kProbe, std::move(probe.front())},
                                             about, kCompleteness, layer);
  return {};
}

}  // namespace
}  // namespace qiao

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  const auto done = qiao::run(given);
  if (done) return 0;
  std::cerr << "qiao_train_completeness: " << done.error().message << '\n';
  return 1;
}
