// SPDX-License-Identifier: Apache-2.0
#include "model/convert/convert_vocabulary.h"

#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/disk.h"
#include "base/json.h"

namespace qiao::model {
namespace {

constexpr std::string_view kWordStart = "\xe2\x96\x81";  // ▁, U+2581
constexpr std::string_view kContinues = "##";
constexpr std::int32_t kNormal = 1;
constexpr std::int32_t kUnknown = 2;
constexpr std::int32_t kControl = 3;

Error unsupported(std::string message) {
  return {Code::kUnsupported, std::move(message)};
}

std::string phantom(std::string_view piece) {
  if (piece.starts_with(kContinues)) return std::string(piece.substr(kContinues.size()));
  return std::string(kWordStart).append(piece);
}

// Sets the ids and kinds of the five special pieces and turns the others to phantom form.
Result<Vocabulary> finish(std::vector<std::string> pieces) {
  Vocabulary vocabulary;
  vocabulary.kinds.assign(pieces.size(), kNormal);
  struct Special {
    std::string_view piece;
    std::int32_t* id;
    std::int32_t kind;
    bool required;
  };
  const Special specials[] = {{"[PAD]", &vocabulary.pad, kControl, true},
                              {"[UNK]", &vocabulary.unknown, kUnknown, true},
                              {"[CLS]", &vocabulary.cls, kControl, true},
                              {"[SEP]", &vocabulary.separator, kControl, true},
                              {"[MASK]", &vocabulary.mask, kControl, false}};
  std::unordered_map<std::string_view, std::size_t> ids;
  for (std::size_t id = 0; id < pieces.size(); ++id) ids.emplace(pieces[id], id);
  for (const Special& special : specials) {
    const auto found = ids.find(special.piece);
    if (found == ids.end()) {
      if (!special.required) continue;
      return unsupported("the vocabulary has no piece " + std::string(special.piece) +
                         ": it is not BERT's");
    }
    *special.id = static_cast<std::int32_t>(found->second);
    vocabulary.kinds[found->second] = special.kind;
  }
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    if (vocabulary.kinds[id] == kNormal) pieces[id] = phantom(pieces[id]);
  }
  vocabulary.pieces = std::move(pieces);
  return vocabulary;
}

Result<std::vector<std::string>> pieces_by_id(const Json& vocab) {
  if (!vocab.is_object() || vocab.empty() || vocab.size() > kVocabularyMax) {
    return Error{Code::kCorrupt, "model.vocab is no table of pieces"};
  }
  std::vector<std::string> pieces(vocab.size());
  std::vector<bool> seen(vocab.size(), false);
  for (const auto& [piece, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= pieces.size() ||
        seen[id.get<std::size_t>()]) {
      return Error{Code::kCorrupt, "model.vocab: the id of \"" + piece + "\" leaves a hole"};
    }
    seen[id.get<std::size_t>()] = true;
    pieces[id.get<std::size_t>()] = piece;
  }
  return pieces;
}

Result<Vocabulary> from_json(const std::string& text) {
  QIAO_ASSIGN(const Json root, parse_json(text));
  const Json none = Json::object();
  const auto part = [&](std::string_view key) -> const Json& {
    const auto found = root.is_object() ? root.find(key) : root.end();
    return found != root.end() && found->is_object() ? *found : none;
  };
  const Json& model = part("model");
  const Json& normalizer = part("normalizer");
  if (json_string(model, "type") != "WordPiece" ||
      json_string(model, "continuing_subword_prefix").value_or("##") != kContinues) {
    return unsupported("only WordPiece tokenizers with the prefix ## are converted");
  }
  if (json_string(normalizer, "type") != "BertNormalizer" ||
      !json_bool(normalizer, "handle_chinese_chars").value_or(true)) {
    return unsupported("only BertNormalizer with handle_chinese_chars is converted");
  }
  const auto vocab = model.find("vocab");
  QIAO_ASSIGN(std::vector<std::string> pieces, pieces_by_id(vocab == model.end() ? none : *vocab));
  QIAO_ASSIGN(Vocabulary vocabulary, finish(std::move(pieces)));
  vocabulary.lowercase = json_bool(normalizer, "lowercase").value_or(true);
  vocabulary.strip_accents = json_bool(normalizer, "strip_accents").value_or(vocabulary.lowercase);
  return vocabulary;
}

Result<Vocabulary> from_lines(std::string_view text) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (pieces.size() == kVocabularyMax) return unsupported("the vocabulary is too large");
    pieces.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return finish(std::move(pieces));
}

}  // namespace

Result<Vocabulary> read_vocabulary(const std::string& path, int lowercase) {
  QIAO_ASSIGN(const std::string text, read_file(path));
  auto vocabulary = path.ends_with(".txt") ? from_lines(text) : from_json(text);
  if (!vocabulary) return std::move(vocabulary.error()).with(path);
  if (lowercase >= 0) {
    vocabulary->lowercase = lowercase != 0;
    vocabulary->strip_accents = lowercase != 0;
  }
  return vocabulary;
}

}  // namespace qiao::model
