// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/record_blocks.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace qiao::learn {
namespace {

std::size_t lines_in(std::string_view text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

char delimiter_of(const TextFile& file) {
  const std::string_view name = std::string_view(file.path).substr(file.path.rfind('/') + 1);
  return name.find(".tsv") != std::string_view::npos ? '\t' : ',';
}

// Moves `text` past one CSV record (RFC 4180: quoted fields may hold line ends and "") and gives
// its fields; nothing when a quote is never closed.
std::optional<std::vector<std::string>> take_csv_record(std::string_view& text, char delimiter) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      if (c != '"') {
        fields.back().push_back(c);
      } else if (at + 1 < text.size() && text[at + 1] == '"') {
        fields.back().push_back('"');
        ++at;
      } else {
        quoted = false;
      }
    } else if (c == '"' && fields.back().empty()) {
      quoted = true;
    } else if (c == delimiter) {
      fields.emplace_back();
    } else if (c == '\n') {
      text.remove_prefix(at + 1);
      return fields;
    } else if (c != '\r') {
      fields.back().push_back(c);
    }
  }
  text.remove_prefix(text.size());
  if (quoted) return std::nullopt;
  return fields;
}

// The end of the last record whose quotes are all closed, as take_csv_record() sees them: a quote
// within a field that does not begin with one is a letter. npos: none.
std::size_t last_csv_end(std::string_view text, char delimiter) {
  bool quoted = false;
  bool empty = true;  // the field so far
  std::size_t end = std::string_view::npos;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (quoted) {
      const bool quote = c == '"';
      const bool twice = quote && at + 1 < text.size() && text[at + 1] == '"';
      quoted = !quote || twice;
      empty = empty && !quoted;
      at += twice ? 1 : 0;
    } else if (c == '"' && empty) {
      quoted = true;
    } else if (c == delimiter || c == '\n') {
      empty = true;
      if (c == '\n') end = at + 1;
    } else if (c != '\r') {
      empty = false;
    }
  }
  return end;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

void parse_json_lines(const RecordBlock& block, const RecordRules& rules,
                      std::vector<RawText>& out) {
  std::string_view text = block.bytes;
  for (std::size_t line = block.first_line; !text.empty(); ++line) {
    const std::size_t size = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, size);
    text.remove_prefix(std::min(size + 1, text.size()));
    if (is_blank(row)) continue;
    const auto json = parse_json(row);
    auto found = json ? json_string(*json, rules.field) : std::nullopt;
    out.push_back({std::move(found).value_or(""), line, found.has_value()});
  }
}

void parse_csv(const RecordBlock& block, char delimiter, std::vector<RawText>& out) {
  std::string_view text = block.bytes;
  for (std::size_t line = block.first_line; !text.empty();) {
    const std::string_view before = text;
    auto fields = take_csv_record(text, delimiter);
    const std::size_t begun = line;
    line += lines_in(before.substr(0, before.size() - text.size()));
    if (fields && fields->size() == 1 && is_blank(fields->front())) continue;
    const bool readable = fields && block.column < fields->size();
    out.push_back({readable ? std::move((*fields)[block.column]) : std::string(), begun, readable});
  }
}

void parse_plain(const RecordBlock& block, const std::string& separator,
                 std::vector<RawText>& out) {
  std::string_view text = block.bytes;
  for (std::size_t line = block.first_line; !text.empty();) {
    const std::size_t size =
        separator.empty() ? text.size() : std::min(text.find(separator), text.size());
    const std::string_view one = text.substr(0, size);
    const std::size_t begin = std::min(one.find_first_not_of(" \t\r\n"), one.size());
    if (begin < one.size()) {
      const bool goes_on = block.goes_on && text.size() == block.bytes.size();
      out.push_back({std::string(one), line + lines_in(one.substr(0, begin)), true, goes_on});
    }
    const std::size_t taken = std::min(size + separator.size(), text.size());
    line += lines_in(text.substr(0, taken));
    text.remove_prefix(taken);
  }
}

}  // namespace

std::vector<RawText> parse_block(const RecordBlock& block, TextFormat format,
                                 const RecordRules& rules) {
  std::vector<RawText> out;
  if (format == TextFormat::kJsonLines) parse_json_lines(block, rules, out);
  if (format == TextFormat::kCsv) parse_csv(block, block.delimiter, out);
  if (format == TextFormat::kPlain) parse_plain(block, rules.separator, out);
  return out;
}

BlockReader::BlockReader(TextFile file, std::size_t index, RecordRules rules,
                         std::unique_ptr<ByteStream> bytes)
    : file_(std::move(file)), index_(index), rules_(std::move(rules)), bytes_(std::move(bytes)) {}

Result<std::unique_ptr<BlockReader>> BlockReader::open(const TextFile& file, std::size_t index,
                                                       const RecordRules& rules) {
  QIAO_ASSIGN(auto bytes, open_bytes(file.path));
  std::unique_ptr<BlockReader> reader(new BlockReader(file, index, rules, std::move(bytes)));
  if (file.format == TextFormat::kCsv) QIAO_TRY(reader->read_header());
  return reader;
}

Status BlockReader::fill(std::size_t bytes) {
  while (!ended_ && waiting_.size() < bytes) {
    QIAO_ASSIGN(const std::string more, bytes_->next());
    ended_ = more.empty();
    waiting_ += more;
  }
  return {};
}

Status BlockReader::read_header() {
  QIAO_TRY(fill(kBlockBytes));
  if (waiting_.starts_with("\xef\xbb\xbf")) waiting_.erase(0, 3);
  std::string_view rest = waiting_;
  const auto names = take_csv_record(rest, delimiter_of(file_));
  const std::size_t size = waiting_.size() - rest.size();
  if (names) {
    const auto found = std::find(names->begin(), names->end(), rules_.field);
    if (found != names->end()) {
      column_ = static_cast<std::size_t>(found - names->begin());
      line_ += lines_in(std::string_view(waiting_).substr(0, size));
      waiting_.erase(0, size);
      return {};
    }
  }
  return invalid_argument(file_.path + ":1: there is no column \"" + rules_.field +
                          "\": name one of the first row's with --field");
}

std::size_t BlockReader::record_bytes_max() const {
  return file_.format == TextFormat::kPlain ? kPlainTextBytesMax : kRecordBytesMax;
}

// Bytes up to the end of the last whole record that waits; 0: none is whole.
std::size_t BlockReader::whole_records() const {
  const auto behind = [](std::size_t at, std::size_t size) {
    return at == std::string::npos ? 0 : at + size;
  };
  switch (file_.format) {
    case TextFormat::kJsonLines:
      return behind(waiting_.rfind('\n'), 1);
    case TextFormat::kCsv:
      return behind(last_csv_end(waiting_, delimiter_of(file_)), 0);
    default:
      return rules_.separator.empty()
                 ? 0
                 : behind(waiting_.rfind(rules_.separator), rules_.separator.size());
  }
}

Result<std::optional<RecordBlock>> BlockReader::next() {
  QIAO_TRY(fill(kBlockBytes));
  std::size_t size = ended_ ? waiting_.size() : whole_records();
  while (size == 0 && !ended_ && waiting_.size() < record_bytes_max()) {
    QIAO_TRY(fill(std::min(2 * waiting_.size() + 1, record_bytes_max())));
    size = ended_ ? waiting_.size() : whole_records();
  }
  if (waiting_.empty()) return std::optional<RecordBlock>();
  const bool goes_on = std::exchange(cut_, size == 0 && file_.format == TextFormat::kPlain);
  if (size == 0) {
    // Too long: cut behind a line, or at least between characters.
    size = std::min(waiting_.size() - 1, record_bytes_max());
    const std::size_t line = waiting_.rfind('\n', size - 1);
    if (line != std::string::npos) size = line + 1;
    while (size > 1 && (static_cast<unsigned char>(waiting_[size]) & 0xC0U) == 0x80U) --size;
  }
  RecordBlock block{index_, line_, column_, delimiter_of(file_), waiting_.substr(0, size), goes_on};
  waiting_.erase(0, size);
  line_ += lines_in(block.bytes);
  return std::optional<RecordBlock>(std::move(block));
}

BlockLanes::BlockLanes(const std::vector<TextFile>& files, RecordRules rules)
    : files_(files), rules_(std::move(rules)), running_(std::min(files.size(), kLanesMax)) {
  for (std::size_t i = 0; i < running_; ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->file = i;
  }
}

bool BlockLanes::more() const {
  return running_ > 0;
}

Result<std::optional<RecordBlock>> BlockLanes::advance(Lane& lane) {
  while (!lane.ended) {
    if (lane.reader == nullptr) {
      if (lane.file >= files_.size()) {
        lane.ended = true;
        --running_;
        break;
      }
      QIAO_ASSIGN(lane.reader, BlockReader::open(files_[lane.file], lane.file, rules_));
      lane.file += lanes_.size();
    }
    QIAO_ASSIGN(auto block, lane.reader->next());
    if (block) return block;
    lane.reader.reset();
  }
  return std::optional<RecordBlock>();
}

Result<std::optional<RecordBlock>> BlockLanes::block(std::uint64_t ticket) {
  Lane& lane = *lanes_[ticket % lanes_.size()];
  const std::uint64_t turn = ticket / lanes_.size();
  std::unique_lock lock(lane.mutex);
  lane.turned.wait(lock, [&] { return lane.turn == turn; });
  struct PassOn {  // also when advance() throws: others wait for their turn
    Lane& its;
    ~PassOn() {
      ++its.turn;
      its.turned.notify_all();
    }
  } const pass_on{lane};
  return advance(lane);
}

Status BlockLanes::skip(std::uint64_t ticket) {
  for (std::uint64_t one = 0; one < ticket; ++one) {
    if (auto passed = block(one); !passed) return std::move(passed.error());
  }
  return {};
}

}  // namespace qiao::learn
