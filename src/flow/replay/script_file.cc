// SPDX-License-Identifier: Apache-2.0
#include "flow/replay/script_file.h"

#include <algorithm>
#include <filesystem>

#include "flow/config/faults.h"

namespace qiao::flow {
namespace {

constexpr std::size_t kTextsMax = 64;  // of one list in a script
constexpr std::int64_t kRepeatMax = 10'000;

// "model" and the like; an unknown one is a fault, or the script would never run.
void check_needs(const YamlNode& node, const std::vector<std::string>& needs, Faults& faults) {
  static const std::vector<std::string> kKnown{"model", "encoder-zh", "encoder-en", "tools"};
  for (const std::string& need : needs) {
    if (std::find(kKnown.begin(), kKnown.end(), need) == kKnown.end()) {
      faults.at(node,
                "unknown need \"" + need + "\" (known: model, encoder-zh, encoder-en, tools)");
    }
  }
}

Expectation read_expectation(const YamlNode& node, Faults& faults) {
  Expectation expect;
  if (node.kind != YamlNode::Kind::kMap) {
    faults.at(node, "`expect` is a map: { route: …, words: [ … ] }");
    return expect;
  }
  YamlReader reader(node);
  expect.route = reader.get_string("route");
  expect.tools = read_texts(reader.get_node("tool"), kTextsMax, faults);
  expect.words = read_texts(reader.get_node("words"), kTextsMax, faults);
  expect.not_words = read_texts(reader.get_node("not_words"), kTextsMax, faults);
  expect.language = reader.get_string("language");
  expect.agent = reader.get_string("agent");
  expect.filter = reader.get_string("filter");
  expect.ended = reader.get_bool("ended");
  expect.to = reader.get_string("to");
  faults.take(reader.finish());
  if (expect.language && *expect.language != "zh" && *expect.language != "en") {
    faults.at(node, "language is zh or en");
  }
  return expect;
}

// `repeat: 500` says the text that many times: how scripts write long texts.
std::string repeated(const std::string& text, const YamlNode& node, YamlReader& reader,
                     Faults& faults) {
  const auto count = reader.get_integer("repeat").value_or(1);
  if (count < 1 || count > kRepeatMax) {
    faults.at(node, "repeat is a number from 1 to " + std::to_string(kRepeatMax));
    return text;
  }
  std::string whole;
  for (std::int64_t i = 0; i < count; ++i) whole += text;
  return whole;
}

std::vector<ScriptTurn> read_turns(const YamlNode& node, Faults& faults) {
  std::vector<ScriptTurn> turns;
  for (const YamlNode& item : node.items) {
    if (turns.size() == kScriptTurnsMax) {
      faults.at(item, "more than " + std::to_string(kScriptTurnsMax) + " turns");
      break;
    }
    if (item.kind != YamlNode::Kind::kMap) {
      faults.at(item, "a turn is { say: …, expect: { … } }");
      continue;
    }
    YamlReader reader(item);
    ScriptTurn turn;
    turn.where = item.where();
    turn.decide = reader.get_string("decide").value_or("");
    turn.note = reader.get_string("note").value_or("");
    if (turn.decide.empty()) reader.require("say");
    if (!turn.decide.empty() && turn.decide != "approve" && turn.decide != "deny")
      faults.at(item, "decide is approve or deny");
    turn.say = repeated(reader.get_string("say").value_or(""), item, reader, faults);
    if (const YamlNode* expect = reader.get_node("expect")) {
      turn.expect = read_expectation(*expect, faults);
    }
    faults.take(reader.finish());
    turns.push_back(std::move(turn));
  }
  return turns;
}

Script read_script(const YamlNode& node, Faults& faults) {
  Script script;
  script.file = node.file;
  if (node.kind != YamlNode::Kind::kMap) {
    faults.at(node, "a script is a map: { name: …, turns: [ { say: …, expect: { … } } ] }");
    return script;
  }
  YamlReader reader(node);
  reader.require("name");
  reader.require("turns");
  script.name = reader.get_string("name").value_or("");
  script.needs = read_texts(reader.get_node("needs"), kTextsMax, faults);
  check_needs(node, script.needs, faults);
  if (const YamlNode* lines = reader.get_node("script")) {
    auto read = qiao::read_script(*lines);
    if (read) script.lines = std::move(*read);
    if (!read) faults.take(read.error());
  }
  if (const YamlNode* turns = reader.get_node("turns")) script.turns = read_turns(*turns, faults);
  faults.take(reader.finish());
  return script;
}

std::vector<std::string> files_of(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  const std::filesystem::path tests = std::filesystem::path(directory) / "tests";
  for (const auto& entry : std::filesystem::directory_iterator(tests, error)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<std::vector<Script>> load_scripts(const std::string& directory) {
  std::vector<Script> scripts;
  Faults faults;
  for (const std::string& path : files_of(directory)) {
    const auto root = load_yaml(path);
    if (!root) {
      faults.take(root.error());
      continue;
    }
    const bool list = root->kind == YamlNode::Kind::kList;
    const std::vector<YamlNode> single{*root};
    for (const YamlNode& node : list ? root->items : single) {
      if (scripts.size() == kScriptsMax) {
        faults.at(node, "more than " + std::to_string(kScriptsMax) + " scripts");
        break;
      }
      scripts.push_back(read_script(node, faults));
    }
  }
  QIAO_TRY(faults.finish());
  return scripts;
}

}  // namespace qiao::flow
