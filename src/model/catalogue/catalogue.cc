// SPDX-License-Identifier: Apache-2.0
#include "model/catalogue/catalogue.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "base/yaml.h"
#include "model/catalogue/pull_place.h"

namespace qiao {
namespace model {
// models/catalogue.json, made into a source file by CMake.
extern const std::string_view kCatalogueJson;

namespace {

constexpr std::size_t kModelsMax = 1024;
constexpr std::size_t kPartsMax = 4096;

// A JSON object, the place it stands at, and the first fault found in it.
class Reader {
 public:
  Reader(const Json& json, std::string place, std::initializer_list<std::string_view> known)
      : json_(json), place_(std::move(place)) {
    if (!json.is_object()) fault("", "an object is needed");
    for (const auto& [key, value] : json.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) fault(key, "unknown key");
    }
  }

  std::string text(std::string_view key, bool required = true) {
    const auto value = json_string(json_, key);
    if (required && value.value_or("").empty()) fault(key, "a text is needed");
    return value.value_or("");
  }
  std::uint64_t count(std::string_view key) {
    const auto value = json_integer(json_, key);
    if (!value || *value <= 0) fault(key, "a number over 0 is needed");
    return static_cast<std::uint64_t>(value.value_or(0));
  }
  // Calls `item` with each element and its place. Empty and over-long lists are faults.
  template <class Item>
  void list(std::string_view key, std::size_t items_max, const Item& item) {
    const auto found = json_.is_object() ? json_.find(key) : json_.end();
    if (found == json_.end() || !found->is_array() || found->empty() || found->size() > items_max) {
      return fault(key, "a list of 1 to " + std::to_string(items_max) + " is needed");
    }
    for (std::size_t i = 0; i < found->size(); ++i) {
      item((*found)[i], place_of(key) + "[" + std::to_string(i) + "]");
    }
  }
  void fault(std::string_view key, std::string_view what) {
    if (error_.empty()) error_ = place_of(key) + ": " + std::string(what);
  }
  void merge(const Reader& inner) {
    if (error_.empty()) error_ = inner.error_;
  }
  [[nodiscard]] const Json& json() const { return json_; }
  [[nodiscard]] Status finish() const {
    if (error_.empty()) return {};
    return invalid_argument("catalogue: " + error_);
  }

 private:
  [[nodiscard]] std::string place_of(std::string_view key) const {
    if (key.empty()) return place_;
    return place_.empty() ? std::string(key) : place_ + "." + std::string(key);
  }

  const Json& json_;
  std::string place_;
  std::string error_;
};

bool is_sha256(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> allowed) {
  return std::find(allowed.begin(), allowed.end(), text) != allowed.end();
}

void read_file_row(Reader& outer, const Json& json, const std::string& place,
                   CatalogueEntry& entry) {
  Reader reader(json, place, {"name", "bytes", "sha256"});
  ModelFile file{reader.text("name"), reader.count("bytes"), reader.text("sha256")};
  if (!model::is_model_name(file.name)) reader.fault("name", "a plain file name is needed");
  if (!is_sha256(file.sha256)) reader.fault("sha256", "64 hexadecimal digits are needed");
  outer.merge(reader);
  entry.bytes += file.bytes;
  entry.files.push_back(std::move(file));
}

void read_source(Reader& outer, const Json& json, const std::string& place, CatalogueEntry& entry) {
  Reader reader(json, place, {"client", "verified", "parts"});
  ModelSource source;
  source.client = reader.text("client");
  if (!one_of(source.client, {"pypi", "maven", "npm", "url"})) {
    reader.fault("client", "pypi, maven, npm or url is needed");
  }
  source.verified = json_bool(json, "verified").value_or(false);
  reader.list("parts", kPartsMax, [&](const Json& item, const std::string& where) {
    Reader part(item, where, {"package", "member", "file"});
    source.parts.push_back(
        {part.text("package"), part.text("member", source.client != "url"), part.text("file")});
    const auto named = [&](const ModelFile& file) { return file.name == source.parts.back().file; };
    if (std::none_of(entry.files.begin(), entry.files.end(), named)) {
      part.fault("file", "must be one of the model's files");
    }
    reader.merge(part);
  });
  outer.merge(reader);
  entry.sources.push_back(std::move(source));
}

void read_convert(Reader& outer, CatalogueEntry& entry) {
  const auto found = outer.json().find("convert");
  if (found == outer.json().end()) return;
  Reader reader(*found, "convert", {"from", "pooling", "heads", "epsilon", "lowercase"});
  entry.convert = reader.text("from");
  if (!one_of(entry.convert, {"bert-onnx", "bert-safetensors"})) {
    reader.fault("from", "bert-onnx or bert-safetensors is needed");
  }
  entry.hints.pooling = reader.text("pooling");
  if (!one_of(entry.hints.pooling, {"cls", "mean"})) {
    reader.fault("pooling", "cls or mean is needed");
  }
  entry.pooling = entry.hints.pooling;
  entry.hints.attention_heads = static_cast<std::int32_t>(
      std::clamp<std::int64_t>(json_integer(*found, "heads").value_or(0), 0, 1024));
  entry.hints.norm_epsilon = json_number(*found, "epsilon").value_or(0);
  if (const auto lower = json_bool(*found, "lowercase")) entry.hints.lowercase = *lower ? 1 : 0;
  outer.merge(reader);
}

Result<CatalogueEntry> read_entry(const Json& json, const std::string& place) {
  Reader reader(
      json, place,
      {"name", "kind", "title", "licence", "homepage", "languages", "convert", "files", "sources"});
  QIAO_TRY(reader.finish());
  CatalogueEntry entry;
  entry.name = reader.text("name");
  entry.kind = reader.text("kind");
  entry.title = reader.text("title");
  entry.licence = reader.text("licence");
  entry.homepage = reader.text("homepage", false);
  if (!model::is_model_name(entry.name)) reader.fault("name", "letters, digits, . _ - are needed");
  if (!one_of(entry.kind, {"generator", "encoder"})) {
    reader.fault("kind", "generator or encoder is needed");
  }
  reader.list("languages", 64, [&](const Json& item, const std::string& where) {
    if (!item.is_string()) return reader.fault("languages", where + " is no text");
    entry.languages.push_back(item.get<std::string>());
  });
  read_convert(reader, entry);
  reader.list("files", 16, [&](const Json& item, const std::string& where) {
    read_file_row(reader, item, where, entry);
  });
  reader.list("sources", 16, [&](const Json& item, const std::string& where) {
    read_source(reader, item, where, entry);
  });
  QIAO_TRY(reader.finish());
  entry.sha256 = entry.files.front().sha256;
  return entry;
}

}  // namespace
}  // namespace model

Result<std::vector<CatalogueEntry>> parse_catalogue(std::string_view json) {
  auto root = parse_json(json);
  if (!root) return std::move(root.error()).with("in the catalogue");
  model::Reader reader(*root, "", {"models"});
  std::vector<CatalogueEntry> entries;
  Status fault;
  reader.list("models", model::kModelsMax, [&](const Json& item, const std::string& place) {
    if (!fault) return;
    auto entry = model::read_entry(item, place);
    if (!entry) {
      fault = std::move(entry.error());
      return;
    }
    entries.push_back(std::move(*entry));
  });
  QIAO_TRY(reader.finish());
  QIAO_TRY(std::move(fault));
  return entries;
}

const std::vector<CatalogueEntry>& builtin_catalogue() {
  static const std::vector<CatalogueEntry> entries = [] {
    auto parsed = parse_catalogue(model::kCatalogueJson);
    QIAO_CHECK(parsed.has_value());  // compiled in and tested
    return std::move(*parsed);
  }();
  return entries;
}

Result<CatalogueEntry> find_model(std::string_view name) {
  std::vector<std::string> known;
  for (const CatalogueEntry& entry : builtin_catalogue()) {
    if (entry.name == name) return entry;
    known.push_back(entry.name);
  }
  std::string message = "no model is called " + std::string(name);
  if (const auto near = nearest(name, known)) message += "; did you mean " + *near + "?";
  return not_found(std::move(message));
}

}  // namespace qiao
