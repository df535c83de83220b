// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace qiao::learn {

enum class TextFormat : std::uint8_t { kPlain, kJsonLines, kCsv };
Result<TextFormat> parse_text_format(std::string_view name);  // text, jsonl, csv

struct TextFile {
  std::string path;
  TextFormat format = TextFormat::kPlain;
  std::uint64_t bytes = 0;  // on disk
};

struct TextFiles {
  std::vector<TextFile> files;
  std::size_t left_alone = 0;  // files in folders whose names tell no format
  std::string first_left_alone;
  [[nodiscard]] std::uint64_t bytes() const;
};

inline constexpr std::size_t kTextFilesMax = 1'000'000;

// The files named by `places`, in this order; those of a folder and its sub-folders sorted by
// path. The format is told by the name, perhaps before .gz or .zst: .txt .text .md, .jsonl
// .ndjson, .csv .tsv; or it is `format` ("": none) for all. Files named themselves and not known
// are plain text; in a folder they are left alone, as are hidden ones and what `train corpus`
// writes beside its texts. Errors: not_found; nothing to read.
Result<TextFiles> find_text_files(const std::vector<std::string>& places,
                                  const std::string& format);

}  // namespace qiao::learn
