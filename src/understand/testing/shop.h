// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.h"
#include "text/language.h"
#include "understand/understander.h"

namespace qiao::testing {

// The shop example's intents and semantic routes, read from its flow.yaml.
inline Result<UnderstandSpec> shop_spec() {
  QIAO_ASSIGN(const YamlNode flow, load_yaml(QIAO_SOURCE "/examples/customer-service/flow.yaml"));
  const auto texts_of = [](const YamlNode& list) {
    std::vector<std::string> texts;
    for (const YamlNode& item : list.items) texts.push_back(item.scalar);
    return texts;
  };
  UnderstandSpec spec;
  for (const auto& [name, examples] : flow.find("understand")->find("intents")->entries) {
    spec.intents[name] = texts_of(examples);
  }
  for (const YamlNode& route : flow.find("routes")->items) {
    const YamlNode* like = route.find("like");
    if (like != nullptr && route.find("when") == nullptr)
      spec.likes[route.find("name")->scalar] = texts_of(*like);
  }
  return spec;
}

// The routes that ask for more than the flow's threshold.
inline std::map<std::string, double> shop_thresholds() {
  std::map<std::string, double> out;
  const YamlNode flow = load_yaml(QIAO_SOURCE "/examples/customer-service/flow.yaml").value();
  for (const YamlNode& route : flow.find("routes")->items) {
    const YamlNode* own = route.find("threshold");
    if (own != nullptr) out[route.find("name")->scalar] = std::stod(own->scalar);
  }
  return out;
}

struct Probe {
  std::string label;  // "oos": none
  std::string text;
};

// Lines of `label<TAB>text` in src/understand/testdata.
inline std::vector<Probe> read_probes(const std::string& name) {
  std::vector<Probe> probes;
  std::ifstream file(QIAO_SOURCE "/src/understand/testdata/" + name);
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    if (line.empty() || line[0] == '#' || tab == std::string::npos) continue;
    probes.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return probes;
}

inline Annotations annotate_and_wait(const Understander& understander, const std::string& text) {
  std::promise<Annotations> promise;
  understander.annotate({text}, [&](Annotations found) { promise.set_value(std::move(found)); });
  return promise.get_future().get();
}

// How probes were judged: by the best intent or route, or none under `threshold` or its own.
struct Judged {
  int right = 0;  // in scope, with the right label
  int in_scope = 0;
  int refused = 0;  // out of scope, and no label reached the threshold
  int outside = 0;
  std::string faults;  // one line each

  [[nodiscard]] double accuracy() const { return in_scope ? 1.0 * right / in_scope : 0; }
  [[nodiscard]] double refusal() const { return outside ? 1.0 * refused / outside : 0; }
  // The figures of docs/concepts/understanding.md.
  void print(std::string_view what) const {
    std::cout << what << ": " << right << " of " << in_scope << " right, " << refused << " of "
              << outside << " refused\n";
  }
};

inline Judged judge(const Understander& understander, const std::vector<Probe>& probes,
                    Language language, double threshold) {
  Judged judged;
  const std::map<std::string, double> own = shop_thresholds();
  for (const Probe& probe : probes) {
    if (detect_language(probe.text) != language) continue;
    const Annotations found = annotate_and_wait(understander, probe.text);
    Scored best{"oos", 0};
    for (const auto* group : {&found.intents, &found.likes}) {
      if (!group->empty() && group->front().score > best.score) best = group->front();
    }
    const auto higher = own.find(best.label);
    const double needed = higher == own.end() ? threshold : std::max(threshold, higher->second);
    const std::string label = best.score >= needed ? best.label : "oos";
    const bool right = label == probe.label;
    const bool outside = probe.label == "oos";
    ++(outside ? judged.outside : judged.in_scope);
    if (right) ++(outside ? judged.refused : judged.right);
    if (right) continue;
    judged.faults += probe.label + " <- " + probe.text + ": " + best.label + " " +
                     std::to_string(best.score) + " (" + found.nearest_example + ")\n";
  }
  return judged;
}

}  // namespace qiao::testing
