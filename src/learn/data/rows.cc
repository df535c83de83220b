// SPDX-License-Identifier: Apache-2.0
#include "learn/data/rows.h"

#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/json.h"
#include "learn/data/gzip_reader.h"
#include "text/display_width.h"
#include "text/utf8.h"

namespace qiao::learn {
namespace {

// Lines of a file, gzipped or not.
class LineReader {
 public:
  explicit LineReader(GzipReader reader) : reader_(std::move(reader)) {}

  // False at the end of the file.
  Result<bool> next(std::string& line) {
    line.clear();
    while (true) {
      const std::size_t end = buffer_.find('\n', at_);
      line.append(buffer_, at_, end == std::string::npos ? end : end - at_);
      if (line.size() > kRowBytesMax) return invalid_argument("the line is longer than 1 MiB");
      if (end != std::string::npos) {
        at_ = end + 1;
        return true;
      }
      at_ = 0;
      QIAO_ASSIGN(buffer_, reader_.next());
      if (buffer_.empty()) return !line.empty();
    }
  }

 private:
  GzipReader reader_;
  std::string buffer_;
  std::size_t at_ = 0;
};

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) next_code_point(text, at);
  return count;
}

bool is_bio(std::string_view tag) {
  return tag == "O" || ((tag.starts_with("B-") || tag.starts_with("I-")) && tag.size() > 2);
}

// `what` names a label, tag or head in the error. Requires: UTF-8.
Status check_name(const std::string& name, const char* what) {
  if (one_line(name) == name) return {};
  return invalid_argument(std::string(what) + " has control characters: " + dump_json(name));
}

Status read_tags(const Json& json, Row& row) {
  const auto tags = json.find("tags");
  if (tags == json.end() || !tags->is_array()) return invalid_argument("there is no list `tags`");
  for (const Json& tag : *tags) {
    if (!tag.is_string() || !is_bio(tag.get_ref<const std::string&>())) {
      return invalid_argument("the tag " + dump_json(tag) + " is not O, B-… or I-…");
    }
    QIAO_TRY(check_name(tag.get_ref<const std::string&>(), "the tag"));
    row.tags.push_back(tag.get<std::string>());
  }
  const std::size_t characters = count_characters(row.text);
  if (row.tags.size() != characters) {
    return invalid_argument(std::to_string(row.tags.size()) + " tags for " +
                            std::to_string(characters) + " characters");
  }
  return {};
}

// "" when it is none.
std::string label_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  return json.is_number_integer() ? dump_json(json) : "";
}

Status read_label(const Json& json, Row& row) {
  const auto label = json.find("label");
  if (label == json.end()) return invalid_argument("there is no `label`");
  row.label = label_of(*label);
  if (row.label.empty()) return invalid_argument("`label` is neither a text nor a whole number");
  return check_name(row.label, "`label`");
}

Status read_labels(const Json& json, Row& row) {
  const auto labels = json.find("labels");
  if (labels == json.end() || !labels->is_object() || labels->empty()) {
    return invalid_argument("there is no object `labels` with a label for a head");
  }
  for (const auto& [head, value] : labels->items()) {
    const std::string label = label_of(value);
    if (head.empty()) return invalid_argument("a head in `labels` has no name");
    if (label.empty()) {
      return invalid_argument("the label of \"" + head + "\" is neither a text nor a whole number");
    }
    QIAO_TRY(check_name(head, "a head in `labels`"));
    QIAO_TRY(check_name(label, "a label in `labels`"));
    row.labels[head] = label;
  }
  return {};
}

Status read_number(const Json& json, Row& row) {
  const auto label = json.find("label");
  if (label == json.end()) return invalid_argument("there is no `label`");
  if (!label->is_number()) return invalid_argument("`label` is no number: " + dump_json(*label));
  row.number = label->get<double>();
  row.label = kNumberLabel;
  return {};
}

Status read_target(const Json& json, Task task, Row& row) {
  if (task == Task::kTag) return read_tags(json, row);
  if (task == Task::kHeads) return read_labels(json, row);
  return task == Task::kRegress ? read_number(json, row) : read_label(json, row);
}

Status split_pair(Row& row) {
  const std::size_t tab = row.text.find('\t');
  if (tab == std::string::npos || row.text.find('\t', tab + 1) != std::string::npos) {
    return invalid_argument("`text` must hold two texts with one tab between them");
  }
  row.second = row.text.substr(tab + 1);
  row.text.resize(tab);
  return {};
}

Result<Row> parse_row(std::string_view line, Task task) {
  QIAO_ASSIGN(const Json json, parse_json(line));
  const auto text = json_string(json, "text");
  if (!text) return invalid_argument("there is no text `text`");
  Row row;
  row.text = *text;
  if (task == Task::kPair) QIAO_TRY(split_pair(row));
  QIAO_TRY(read_target(json, task, row));
  return row;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

Result<RowFile> read_rows(const std::string& path, Task task) {
  RowFile file{path, {}, {}};
  QIAO_ASSIGN(GzipReader reader, GzipReader::open(path));  // first: it tells a folder from a file
  QIAO_ASSIGN(file.sha256, sha256_file_hex(path));
  LineReader lines(std::move(reader));
  std::string line;
  for (std::size_t number = 1;; ++number) {
    const std::string place = path + ":" + std::to_string(number);
    auto more = lines.next(line);
    if (!more) return Error{more.error().code, place + ": " + more.error().message};
    if (!*more) break;
    if (is_blank(line)) continue;
    auto row = parse_row(line, task);
    if (!row) return Error{row.error().code, place + ": " + row.error().message};
    if (file.rows.size() == kRowsMax) return invalid_argument(path + " has too many rows");
    row->line = number;
    file.rows.push_back(std::move(*row));
  }
  if (file.rows.empty()) return invalid_argument(path + " holds no row");
  return file;
}

}  // namespace qiao::learn
