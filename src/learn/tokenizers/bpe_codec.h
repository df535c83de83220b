// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "learn/tokenizers/text_codec.h"

namespace qiao::learn {

// Byte-level BPE as GPT-2 has it: gpt2_words(), bytes, then the merges, the earlier ones first.
// Every text has tokens and comes back whole. `tokenizer.json` in Hugging Face's form. Control
// tokens are never made of a text.
class BpeCodec final : public TextCodec {
 public:
  struct Parts {
    std::vector<std::string> pieces;  // bytes by id; of a control token its name
    std::vector<bool> controls;       // by id
    std::vector<std::pair<std::string, std::string>> merges;  // bytes, the earlier ones first
    std::int64_t end = -1;
  };
  // `corrupt` when a piece stands twice, a merge makes no piece, or a byte has none.
  static Result<std::shared_ptr<const BpeCodec>> make(Parts parts);
  // Hugging Face's tokenizer.json; `unsupported` names what is not byte-level BPE as GPT-2's.
  static Result<std::shared_ptr<const BpeCodec>> of_json(const Json& json);

  [[nodiscard]] std::int64_t size() const override;
  [[nodiscard]] std::int64_t end() const override { return parts_.end; }
  [[nodiscard]] Result<std::vector<std::int64_t>> encode(std::string_view text) const override;
  [[nodiscard]] std::string decode(std::int64_t id) const override;
  Status save(Disk& disk, const std::string& folder) const override;
  Status describe(model::GgufWriter& gguf) const override;
  [[nodiscard]] Json json() const;

 private:
  struct Made {
    std::uint32_t rank = 0;
    std::uint32_t id = 0;
  };
  struct PairHash {
    std::size_t operator()(std::uint64_t pair) const;
  };
  BpeCodec() = default;
  [[nodiscard]] const Made* find(std::uint32_t left, std::uint32_t right) const;
  void append_short(std::string_view word, std::vector<std::int64_t>& out) const;
  void append_long(std::string_view word, std::vector<std::int64_t>& out) const;

  Parts parts_;
  std::vector<std::uint32_t> byte_ids_;  // 256
  std::unordered_map<std::uint64_t, Made, PairHash> merges_;
};

inline constexpr const char* kEndOfText = "<|endoftext|>";

// GPT-2's letters for bytes, one printable character each, and back; nothing when a character is
// none of them.
std::string letters_of_bytes(std::string_view bytes);
std::optional<std::string> bytes_of_letters(std::string_view letters);

}  // namespace qiao::learn
