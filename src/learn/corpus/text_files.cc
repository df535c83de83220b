// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/text_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

namespace qiao::learn {
namespace {

namespace fs = std::filesystem;

struct KnownName {
  std::string_view ending;
  TextFormat format;
};
constexpr std::array kKnown = {
    KnownName{".txt", TextFormat::kPlain},        KnownName{".text", TextFormat::kPlain},
    KnownName{".md", TextFormat::kPlain},         KnownName{".jsonl", TextFormat::kJsonLines},
    KnownName{".ndjson", TextFormat::kJsonLines}, KnownName{".csv", TextFormat::kCsv},
    KnownName{".tsv", TextFormat::kCsv}};

std::optional<TextFormat> format_of(std::string_view name) {
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (name.ends_with(packed)) name.remove_suffix(packed.size());
  }
  const auto* const found = std::find_if(kKnown.begin(), kKnown.end(), [&](const KnownName& known) {
    return name.ends_with(known.ending);
  });
  return found == kKnown.end() ? std::nullopt : std::optional(found->format);
}

Status add_file(TextFiles& all, const fs::path& path, TextFormat format) {
  if (all.files.size() == kTextFilesMax) return invalid_argument("there are too many files");
  std::error_code fault;
  const auto bytes = fs::file_size(path, fault);
  if (fault) return not_found("cannot read " + path.string() + ": " + fault.message());
  all.files.push_back({path.string(), format, bytes});
  return {};
}

Status add_folder(TextFiles& all, const std::string& folder, std::optional<TextFormat> wanted) {
  std::vector<fs::path> paths;
  std::error_code fault;
  for (fs::recursive_directory_iterator at(folder, fault), end; !fault && at != end;
       at.increment(fault)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(".")) {
      if (at->is_directory(fault)) at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file(fault)) continue;
    paths.push_back(at->path());
    if (paths.size() > kTextFilesMax) return invalid_argument(folder + " holds too many files");
  }
  if (fault) return not_found("cannot read " + folder + ": " + fault.message());
  std::sort(paths.begin(), paths.end());
  for (const fs::path& path : paths) {
    const auto format = wanted ? wanted : format_of(path.filename().string());
    if (format) {
      QIAO_TRY(add_file(all, path, *format));
    } else if (all.left_alone++ == 0) {
      all.first_left_alone = path.string();
    }
  }
  return {};
}

}  // namespace

Result<TextFormat> parse_text_format(std::string_view name) {
  if (name == "text") return TextFormat::kPlain;
  if (name == "jsonl") return TextFormat::kJsonLines;
  if (name == "csv") return TextFormat::kCsv;
  return invalid_argument("a format is text, jsonl or csv, not \"" + std::string(name) + "\"");
}

std::uint64_t TextFiles::bytes() const {
  std::uint64_t sum = 0;
  for (const TextFile& file : files) sum += file.bytes;
  return sum;
}

Result<TextFiles> find_text_files(const std::vector<std::string>& places,
                                  const std::string& format) {
  std::optional<TextFormat> wanted;
  if (!format.empty()) {
    QIAO_ASSIGN(wanted, parse_text_format(format));
  }
  TextFiles all;
  for (const std::string& place : places) {
    std::error_code ignored;
    if (fs::is_directory(place, ignored)) {
      QIAO_TRY(add_folder(all, place, wanted));
    } else {
      const auto told = format_of(fs::path(place).filename().string());
      QIAO_TRY(add_file(all, place, wanted ? *wanted : told.value_or(TextFormat::kPlain)));
    }
  }
  if (all.files.empty()) {
    return not_found(
        "there is no text file: names end in .txt, .jsonl or .csv, perhaps with .gz "
        "or .zst, or give --format");
  }
  return all;
}

}  // namespace qiao::learn
