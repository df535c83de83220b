// SPDX-License-Identifier: Apache-2.0
#include "learn/data/conversations.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "learn/data/gzip_reader.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kBytesMax = std::size_t{1} << 30;
constexpr std::size_t kTurnsMax = 256;

Result<Conversation> turns_of(const Json& messages) {
  if (!messages.is_array() || messages.empty() || messages.size() > kTurnsMax) {
    return invalid_argument("\"messages\" must be a list of 1 to 256 turns");
  }
  Conversation turns;
  for (const Json& message : messages) {
    const auto content = json_string(message, "content");
    if (!content) return invalid_argument("a message has no \"content\"");
    ChatTurn turn;
    QIAO_ASSIGN(turn.role, parse_role(json_string(message, "role").value_or("")));
    turn.content = *content;
    turns.push_back(std::move(turn));
  }
  return turns;
}

Result<Conversation> conversation_of(std::string_view line) {
  QIAO_ASSIGN(const Json json, parse_json(line));
  if (const auto found = json.find("messages"); found != json.end()) return turns_of(*found);
  const auto text = json_string(json, "text");
  const auto answer = json_string(json, "answer");
  if (!text || !answer) {
    return invalid_argument("neither \"messages\" nor \"text\" and \"answer\" are there");
  }
  return Conversation{{Role::kUser, *text, {}, ""}, {Role::kAssistant, *answer, {}, ""}};
}

}  // namespace

Result<std::vector<Conversation>> read_conversations(const std::string& path) {
  QIAO_ASSIGN(const std::string text, read_gzip_file(path, kBytesMax));
  std::vector<Conversation> out;
  std::size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto one = conversation_of(line);
    if (!one) return std::move(one.error()).with(path + ":" + std::to_string(number));
    out.push_back(std::move(*one));
  }
  if (out.empty()) return invalid_argument(path + " has no conversation");
  return out;
}

Result<TaughtTexts> encode_conversations(const std::vector<Conversation>& conversations,
                                         const model::TokenCodec& codec, std::size_t tokens_max) {
  TaughtTexts texts;
  for (std::size_t i = 0; i < conversations.size(); ++i) {
    auto row = codec.encode_conversation(conversations[i]);
    if (!row) return std::move(row.error()).with("conversation " + std::to_string(i + 1));
    if (row->size() > tokens_max) {
      ++texts.cut;
      row->resize(tokens_max);
    }
    const bool teaches = std::any_of(row->begin() + (row->empty() ? 0 : 1), row->end(),
                                     [](const model::TaughtToken& token) { return token.taught; });
    if (teaches) {
      texts.rows.push_back(std::move(*row));
    } else {
      ++texts.left;
    }
  }
  if (texts.rows.empty()) {
    return invalid_argument("no conversation has an answer within --tokens " +
                            std::to_string(tokens_max));
  }
  return texts;
}

TaughtBatch make_taught_batch(const std::vector<const std::vector<model::TaughtToken>*>& rows) {
  std::size_t longest = 2;
  for (const auto* row : rows) longest = std::max(longest, row->size());
  const auto width = static_cast<std::int64_t>(longest) - 1;
  TaughtBatch batch{torch::zeros({std::int64_t(rows.size()), width}, torch::kLong), {}, {}};
  auto ids = batch.ids.accessor<std::int64_t, 2>();
  std::vector<std::int64_t> places;
  std::vector<std::int64_t> targets;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto& row = *rows[r];
    const auto at = static_cast<std::int64_t>(r);
    for (std::size_t t = 0; t + 1 < row.size(); ++t) {
      const auto place = static_cast<std::int64_t>(t);
      ids[at][place] = row[t].id;
      if (!row[t + 1].taught) continue;
      places.push_back(at * width + place);
      targets.push_back(row[t + 1].id);
    }
  }
  batch.places = torch::tensor(places, torch::kLong);
  batch.targets = torch::tensor(targets, torch::kLong);
  return batch;
}

}  // namespace qiao::learn
