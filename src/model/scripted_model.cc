// SPDX-License-Identifier: Apache-2.0
#include "model/scripted_model.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "text/utf8.h"

namespace qiao {
namespace {

constexpr std::size_t kEmbeddingSize = 256;
constexpr std::int32_t kContextTokens = 8192;

// A run of characters or a sign is a token here: near enough to count with.
std::vector<std::size_t> token_ends(std::string_view text) {
  std::vector<std::size_t> ends;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto kind = class_of(next_code_point(text, at));
    const bool letter = kind == CharClass::kLatin || kind == CharClass::kDigit;
    if (!ends.empty() && (kind == CharClass::kSpace || (letter && in_word))) {
      ends.back() = at;
    } else {
      ends.push_back(at);
    }
    in_word = letter;
  }
  return ends;
}

std::int32_t tokens_of(std::string_view text) {
  return static_cast<std::int32_t>(token_ends(text).size());
}

std::string_view last_user_turn(const GenerateRequest& request) {
  const auto turn = std::find_if(request.turns.rbegin(), request.turns.rend(),
                                 [](const ChatTurn& t) { return t.role == Role::kUser; });
  return turn == request.turns.rend() ? std::string_view() : std::string_view(turn->content);
}

// Where the first of the stop strings begins, or the text's end.
std::size_t stop_at(std::string_view text, const std::vector<std::string>& stops) {
  std::size_t end = text.size();
  for (const auto& stop : stops) {
    if (!stop.empty()) end = std::min(end, text.find(stop));
  }
  return end;
}

std::vector<float> embed_one(std::string_view text) {
  std::vector<float> vector(kEmbeddingSize, 0.0F);
  char32_t before = '^';
  const auto count = [&](char32_t code) {
    const std::uint64_t pair = (std::uint64_t{before} << 32) | code;
    vector[(pair * 0x9E3779B97F4A7C15ULL) >> 56] += 1.0F;
    before = code;
  };
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = next_code_point(text, at);
    count(code >= 'A' && code <= 'Z' ? code + 32 : code);
  }
  count('$');
  float sum = 0;
  for (const float x : vector) sum += x * x;
  for (float& x : vector) x /= std::sqrt(sum);
  return vector;
}

// A map, or JSON as text.
std::string arguments_of(const YamlNode* node) {
  if (node == nullptr) return "{}";
  return node->kind == YamlNode::Kind::kScalar ? node->scalar : dump_json(node->to_json());
}

Result<ScriptLine> read_line(const YamlNode& node) {
  YamlReader reader(node);
  ScriptLine line;
  line.when = reader.get_string("when").value_or("");
  line.say = reader.get_string("say").value_or("");
  if (const auto* calls = reader.get_node("tool_calls")) {
    for (const auto& item : calls->items) {
      YamlReader call(item);
      call.require("name");
      ToolCall made;
      made.name = call.get_string("name").value_or("");
      made.id = "call_" + std::to_string(line.tool_calls.size() + 1);
      made.arguments = arguments_of(call.get_node("arguments"));
      line.tool_calls.push_back(std::move(made));
      reader.merge(call);
    }
  }
  QIAO_TRY(reader.finish());
  return line;
}

}  // namespace

Result<std::vector<ScriptLine>> load_script(const std::string& path) {
  QIAO_ASSIGN(const YamlNode root, load_yaml(path));
  const YamlNode* script = root.find("script");
  return read_script(script == nullptr ? root : *script);
}

Result<std::vector<ScriptLine>> read_script(const YamlNode& list) {
  if (list.kind != YamlNode::Kind::kList) {
    return invalid_argument(list.where() + "expected `script:` with a list of { when, say }");
  }
  std::vector<ScriptLine> lines;
  for (const auto& item : list.items) {
    QIAO_ASSIGN(auto line, read_line(item));
    lines.push_back(std::move(line));
  }
  return lines;
}

ScriptedModel::ScriptedModel(std::vector<ScriptLine> lines, std::uint64_t seed, ScriptFaults faults)
    : lines_(std::move(lines)), faults_(faults), rng_(seed) {}

ModelInfo ScriptedModel::info() const {
  ModelInfo info;
  info.name = "scripted";
  info.kind = "generator";
  info.where = "scripted";
  info.context_tokens = kContextTokens;
  info.embedding_size = kEmbeddingSize;
  info.slots = 1;
  info.ready = true;
  return info;
}

ScriptedModel::Fault ScriptedModel::draw_fault() {
  const double drawn = rng_.unit();
  double edge = 0;
  const std::pair<double, Fault> chances[] = {{faults_.fail, Fault::kFail},
                                              {faults_.refuse, Fault::kRefuse},
                                              {faults_.cut, Fault::kCut},
                                              {faults_.garbage, Fault::kGarbage},
                                              {faults_.hang, Fault::kHang}};
  for (const auto& [chance, fault] : chances) {
    edge += chance;
    if (drawn < edge) return fault;
  }
  return Fault::kNone;
}

const ScriptLine* ScriptedModel::line_for(const GenerateRequest& request) const {
  const auto said = last_user_turn(request);
  const auto line = std::find_if(lines_.begin(), lines_.end(), [&](const ScriptLine& l) {
    return said.find(l.when) != std::string_view::npos;
  });
  return line == lines_.end() ? nullptr : &*line;
}

Result<Generated> ScriptedModel::answer(const GenerateRequest& request, Fault fault) const {
  if (fault == Fault::kFail) {
    return Error{Code::kModelFailed, "the scripted model fails, as its faults say"};
  }
  if (fault == Fault::kHang) {
    return Error{Code::kDeadline, "the scripted model hangs, as its faults say"};
  }
  const ScriptLine* line = line_for(request);
  if (line == nullptr) {
    return Error{Code::kModelFailed, "no line of the script fits '" +
                                         std::string(last_user_turn(request).substr(0, 80)) +
                                         "': add one with `when: \"\"`"};
  }
  Generated answer;
  if (fault == Fault::kGarbage) {
    answer.text = "}{ [[ <|garbage|> ,,";
  } else {
    answer.text = line->say;
    answer.tool_calls = line->tool_calls;
  }
  answer.text.resize(stop_at(answer.text, request.stop));
  const auto ends = token_ends(answer.text);
  auto kept = std::min(ends.size(), static_cast<std::size_t>(std::max(0, request.tokens_max)));
  if (fault == Fault::kCut) kept /= 2;
  if (kept < ends.size()) {
    answer.finish = Finish::kLength;
    answer.tool_calls.clear();
    answer.text.resize(kept == 0 ? 0 : ends[kept - 1]);
  }
  if (!answer.tool_calls.empty()) answer.finish = Finish::kToolCalls;
  for (const auto& turn : request.turns) answer.usage.prompt_tokens += tokens_of(turn.content);
  answer.usage.completion_tokens = static_cast<std::int32_t>(kept);
  return answer;
}

Model::RequestId ScriptedModel::generate(GenerateRequest request, OnText on_text,
                                         OnGenerated on_done) {
  const RequestId id = ++calls_;
  Fault fault = Fault::kNone;
  {
    const std::lock_guard lock(mutex_);
    last_ = request;
    fault = draw_fault();
  }
  if (fault == Fault::kRefuse) {
    on_done(overloaded("the scripted model refuses, as its faults say"));
    return 0;
  }
  auto answered = answer(request, fault);
  if (answered && on_text) {
    std::size_t begin = 0;
    for (const std::size_t end : token_ends(answered->text)) {
      on_text(std::string_view(answered->text).substr(begin, end - begin));
      begin = end;
    }
  }
  on_done(std::move(answered));
  return id;
}

void ScriptedModel::cancel(RequestId /*request*/) {}  // every answer has ended by now

void ScriptedModel::embed(std::vector<std::string> texts, OnEmbedded on_done) {
  Embeddings vectors;
  vectors.reserve(texts.size());
  std::transform(texts.begin(), texts.end(), std::back_inserter(vectors), embed_one);
  on_done(std::move(vectors));
}

Result<std::int32_t> ScriptedModel::count_tokens(std::string_view text) {
  return tokens_of(text);
}

std::optional<GenerateRequest> ScriptedModel::last_request() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace qiao
