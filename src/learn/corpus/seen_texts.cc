// SPDX-License-Identifier: Apache-2.0
#include "learn/corpus/seen_texts.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "text/utf8.h"

namespace qiao::learn {
namespace {

constexpr std::size_t kShingleWords = 5;
// Places that must all agree for two texts to be compared: 21 bands of six find 0.998 of the texts
// that overlap by 0.8.
constexpr std::size_t kBandPlaces = 6;
constexpr std::size_t kBands = kMinHashPlaces / kBandPlaces;
constexpr std::size_t kCandidatesMax = 32;  // looked at for one band
constexpr std::size_t kLeastSlots = 1 << 10;

std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31U);
}

std::uint64_t hash_word(std::string_view word) {
  std::uint64_t hash = 0xCBF29CE484222325U;  // FNV-1a
  for (const char c : word) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    hash = (hash ^ static_cast<unsigned char>(lower)) * 0x100000001B3U;
  }
  return mix(hash);
}

std::vector<std::uint64_t> word_hashes(std::string_view text) {
  std::vector<std::uint64_t> words;
  for (const Run& run : runs_of(text)) {
    words.push_back(hash_word(text.substr(run.begin, run.end - run.begin)));
  }
  if (words.empty()) words.push_back(hash_word(text));  // signs alone
  return words;
}

std::array<std::uint32_t, kBands> band_keys(const MinHash& places) {
  std::array<std::uint32_t, kBands> keys{};
  for (std::size_t band = 0; band < kBands; ++band) {
    std::uint64_t key = band;
    for (std::size_t i = 0; i < kBandPlaces; ++i) {
      key = key << 8U | places[band * kBandPlaces + i];
    }
    keys[band] = static_cast<std::uint32_t>(mix(key * 0x9E3779B97F4A7C15U));
  }
  return keys;
}

}  // namespace

MinHash min_hash(std::string_view text) {
  constexpr auto kNone = std::numeric_limits<std::uint64_t>::max();
  std::array<std::uint64_t, kMinHashPlaces> least;
  least.fill(kNone);
  const std::vector<std::uint64_t> words = word_hashes(text);
  const std::size_t length = std::min(kShingleWords, words.size());
  for (std::size_t begin = 0; begin + length <= words.size(); ++begin) {
    std::uint64_t shingle = 0;
    for (std::size_t i = 0; i < length; ++i) shingle = mix(shingle * 3 + words[begin + i]);
    // The high half chooses the place, the rest is the value there.
    const std::size_t place = ((shingle >> 32U) * kMinHashPlaces) >> 32U;
    least[place] = std::min(least[place], shingle << 32U);
  }
  MinHash out{};
  for (std::size_t place = 0; place < kMinHashPlaces; ++place) {
    std::size_t from = place;
    for (std::uint64_t tried = 1; least[from] == kNone; ++tried) {
      from = ((mix(place << 32U | tried) >> 32U) * kMinHashPlaces) >> 32U;
    }
    out[place] = static_cast<std::uint8_t>(mix(least[from]) >> 56U);
  }
  return out;
}

double overlap(const MinHash& a, const MinHash& b) {
  std::size_t same = 0;
  for (std::size_t i = 0; i < kMinHashPlaces; ++i) same += a[i] == b[i] ? 1 : 0;
  constexpr double kChance = 1.0 / 256;  // a byte agrees by itself
  const double share = static_cast<double>(same) / static_cast<double>(kMinHashPlaces);
  return std::max(0.0, (share - kChance) / (1 - kChance));
}

std::uint64_t text_hash(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return mix(hash ^ text.size());
}

void SeenTexts::Table::grow() {
  std::vector<Slot> old(std::max(kLeastSlots, 2 * slots_.size()));
  std::swap(old, slots_);
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.text != 0) add(slot.key, slot.text - 1);
  }
}

void SeenTexts::Table::add(std::uint32_t key, std::uint32_t text) {
  if (2 * (used_ + 1) > slots_.size()) grow();
  std::size_t at = key & (slots_.size() - 1);
  while (slots_[at].text != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {key, text + 1};
  ++used_;
}

template <class Use>
bool SeenTexts::Table::any(std::uint32_t key, const Use& use) const {
  if (slots_.empty()) return false;
  std::size_t looked = 0;
  for (std::size_t at = key & (slots_.size() - 1); slots_[at].text != 0;
       at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].key != key) continue;
    if (use(slots_[at].text - 1)) return true;
    if (++looked == kCandidatesMax) return false;
  }
  return false;
}

SeenTexts::SeenTexts(std::size_t bytes_max, double threshold) : threshold_(threshold) {
  // Tables are at most half full just before they double, and at least a quarter full: four slots
  // for each entry at worst.
  constexpr std::size_t kSlots = 4 * 2 * sizeof(std::uint32_t);
  const std::size_t a_text =
      sizeof(std::uint64_t) + kSlots + (threshold > 0 ? sizeof(MinHash) + kBands * kSlots : 0);
  texts_max_ = std::clamp<std::size_t>(bytes_max / 2 / a_text, 1, 1U << 31U);
}

SeenTexts::Verdict SeenTexts::find_in(const Half& half, std::uint64_t hash,
                                      const MinHash& min_hash) const {
  const auto same = [&](std::uint32_t text) { return half.full[text] == hash; };
  if (half.hashes.any(static_cast<std::uint32_t>(hash), same)) return Verdict::kSame;
  if (threshold_ <= 0) return Verdict::kNew;
  const auto near = [&](std::uint32_t text) {
    return overlap(half.places[text], min_hash) >= threshold_;
  };
  for (const std::uint32_t key : band_keys(min_hash)) {
    if (half.bands.any(key, near)) return Verdict::kNearlySame;
  }
  return Verdict::kNew;
}

SeenTexts::Verdict SeenTexts::find(std::uint64_t hash, const MinHash& min_hash) const {
  const Verdict newer = find_in(newer_, hash, min_hash);
  if (newer == Verdict::kSame) return newer;
  const Verdict older = find_in(older_, hash, min_hash);
  return older == Verdict::kSame || newer == Verdict::kNew ? older : newer;
}

void SeenTexts::add(std::uint64_t hash, const MinHash& min_hash) {
  if (newer_.full.size() == texts_max_) {
    forgot_ = forgot_ || !older_.full.empty();
    older_ = std::exchange(newer_, Half());
  }
  const auto text = static_cast<std::uint32_t>(newer_.full.size());
  newer_.full.push_back(hash);
  newer_.hashes.add(static_cast<std::uint32_t>(hash), text);
  if (threshold_ <= 0) return;
  newer_.places.push_back(min_hash);
  for (const std::uint32_t key : band_keys(min_hash)) newer_.bands.add(key, text);
}

}  // namespace qiao::learn
