// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace qiao::learn {

// The MinHash of a text (Broder 1997) by one permutation (Li, Owen, Zhang 2012) with optimal
// densification (Shrivastava 2017), one byte each (b-bit, Li and König 2010): two texts agree in
// about that share of places in which their sets of five words in a row (Han characters count as
// words) overlap.
inline constexpr std::size_t kMinHashPlaces = 126;
using MinHash = std::array<std::uint8_t, kMinHashPlaces>;
MinHash min_hash(std::string_view text);
// The estimate of the overlap, in [0, 1].
double overlap(const MinHash& a, const MinHash& b);

// 64 bits of a text for comparing it with others.
std::uint64_t text_hash(std::string_view text);

// Remembers texts in bounded memory: two halves; when the newer one is full, the older one is
// forgotten. So each text is compared with at least remembered_min() texts that were added before
// it, and with all as long as nothing was forgotten. One thread at a time.
class SeenTexts {
 public:
  // About `bytes_max` of memory when full. `threshold`: overlap from which texts are nearly the
  // same; 0: only equal ones are looked for.
  SeenTexts(std::size_t bytes_max, double threshold);

  enum class Verdict : std::uint8_t { kNew, kSame, kNearlySame };
  // Compares only.
  [[nodiscard]] Verdict find(std::uint64_t hash, const MinHash& min_hash) const;
  void add(std::uint64_t hash, const MinHash& min_hash);

  [[nodiscard]] std::size_t remembered_min() const { return texts_max_; }
  [[nodiscard]] bool forgot() const { return forgot_; }

 private:
  // A table of (key, text) with open addressing that doubles until it is as large as it may be.
  class Table {
   public:
    void add(std::uint32_t key, std::uint32_t text);
    template <class Use>  // bool(std::uint32_t text): true ends the search
    bool any(std::uint32_t key, const Use& use) const;

   private:
    struct Slot {
      std::uint32_t key = 0;
      std::uint32_t text = 0;  // number + 1; 0: free
    };
    void grow();
    std::vector<Slot> slots_;
    std::size_t used_ = 0;
  };
  struct Half {
    Table hashes;
    Table bands;
    std::vector<std::uint64_t> full;
    std::vector<MinHash> places;
  };
  [[nodiscard]] Verdict find_in(const Half& half, std::uint64_t hash,
                                const MinHash& min_hash) const;

  double threshold_;
  std::size_t texts_max_;  // of a half
  Half newer_;
  Half older_;
  bool forgot_ = false;
};

}  // namespace qiao::learn
