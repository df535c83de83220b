// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/corpus_report.h"

#include <utility>

namespace qiao::learn {
namespace {

// The counts by their names, for writing and reading.
template <class Report, class Use>
void each_count(Report& report, const Use& use) {
  use("texts_read", report.texts_read);
  use("bytes_read", report.bytes_read);
  use("texts_kept", report.texts_kept);
  use("bytes_kept", report.bytes_kept);
  use("characters_kept", report.characters_kept);
  use("texts_masked", report.texts_masked);
  use("places_masked", report.places_masked);
  use("pieces_cut", report.pieces_cut);
  use("texts_mended", report.texts_mended);
}

}  // namespace

void CorpusReport::add(const Judged& judged, const std::string& file) {
  if (judged.drop) return add_dropped(*judged.drop, file, judged.line);
  ++texts_kept;
  bytes_kept += judged.text.size();
  characters_kept += judged.characters;
  texts_masked += judged.masked > 0 ? 1 : 0;
  places_masked += judged.masked;
  pieces_cut += judged.cut ? 1 : 0;
  texts_mended += judged.mended ? 1 : 0;
}

void CorpusReport::add_dropped(Drop drop, const std::string& file, std::size_t line) {
  Dropped& one = dropped[static_cast<std::size_t>(drop)];
  if (one.texts++ == 0) one.first = file + ":" + std::to_string(line);
}

Json to_json(const CorpusReport& report) {
  Json json;
  each_count(report, [&](const char* name, std::uint64_t count) { json[name] = count; });
  Json& dropped = json["dropped"] = Json::object();
  for (std::size_t i = 0; i < kDrops; ++i) {
    dropped[std::string(name_of(static_cast<Drop>(i)))] = {{"texts", report.dropped[i].texts},
                                                           {"first", report.dropped[i].first}};
  }
  return json;
}

CorpusReport corpus_report_of(const Json& json) {
  CorpusReport report;
  const auto count_of = [](const Json& from, std::string_view name) {
    return static_cast<std::uint64_t>(json_integer(from, name).value_or(0));
  };
  each_count(report, [&](const char* name, std::uint64_t& count) { count = count_of(json, name); });
  const Json dropped = json.value("dropped", Json::object());
  for (std::size_t i = 0; i < kDrops; ++i) {
    const Json one = dropped.value(std::string(name_of(static_cast<Drop>(i))), Json::object());
    report.dropped[i] = {count_of(one, "texts"), json_string(one, "first").value_or("")};
  }
  return report;
}

}  // namespace qiao::learn
