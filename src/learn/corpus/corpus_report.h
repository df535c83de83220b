// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/json.h"
#include "learn/corpus/corpus_rules.h"

namespace qiao::learn {

// What became of the texts that were read. Places are `file:line`; no text stands in it. A value.
struct CorpusReport {
  struct Dropped {
    std::uint64_t texts = 0;
    std::string first;  // the place of the first one
  };
  std::uint64_t texts_read = 0;
  std::uint64_t bytes_read = 0;  // unpacked
  std::uint64_t texts_kept = 0;
  std::uint64_t bytes_kept = 0;
  std::uint64_t characters_kept = 0;
  std::array<Dropped, kDrops> dropped{};
  // Of those kept:
  std::uint64_t texts_masked = 0;
  std::uint64_t places_masked = 0;
  std::uint64_t pieces_cut = 0;
  std::uint64_t texts_mended = 0;

  void add(const Judged& judged, const std::string& file);
  void add_dropped(Drop drop, const std::string& file, std::size_t line);
};
Json to_json(const CorpusReport& report);
// Of what to_json() made; what is missing is 0.
CorpusReport corpus_report_of(const Json& json);

}  // namespace qiao::learn
