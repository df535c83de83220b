// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "learn/tokenizers/bpe_codec.h"

namespace qiao::learn::testing {

inline constexpr std::int64_t kTinyBpeTokens = 300;

inline const std::vector<std::pair<std::string_view, std::string_view>>& tiny_merges() {
  static const std::vector<std::pair<std::string_view, std::string_view>> merges = {
      {" ", "t"},           {" t", "h"},          {" th", "e"},         {"i", "n"},
      {"a", "n"},           {"r", "e"},           {"o", "n"},           {"e", "r"},
      {" ", "a"},           {"l", "l"},           {"'", "s"},           {"'", "t"},
      {"'", "ll"},          {"'", "S"},           {"1", "2"},           {"12", "3"},
      {"3", "4"},           {"2", "0"},           {"\n", "\n"},         {"\n\n", "\n"},
      {" ", " "},           {"  ", "  "},         {"\r", "\n"},         {"!", "!"},
      {"!", "\n"},          {"\xe4", "\xbd"},     {"\xe4\xbd", "\xa0"}, {"\xe5", "\xa5"},
      {"\xe5\xa5", "\xbd"}, {"你", "好"},         {"\xef", "\xbc"},     {"\xef\xbc", "\x8c"},
      {"\xf0", "\x9f"},     {"\xf0\x9f", "\x98"}, {"h", "e"},           {"he", "ll"},
      {"hell", "o"},        {" ", "hello"},       {"\t", "\t"}};
  return merges;
}

// How a tokenizer.json of that kind (llama.cpp's name) cuts words.
inline Json tiny_pre_tokenizer(std::string_view kind) {
  const auto bytes = [](bool cuts) {
    return Json{{"type", "ByteLevel"},
                {"add_prefix_space", false},
                {"trim_offsets", true},
                {"use_regex", cuts}};
  };
  if (kind == "gpt-2") return bytes(true);
  Json first = {{"type", "Digits"}, {"individual_digits", true}};
  if (kind != "smollm") {
    const std::string digits = kind == "qwen2" ? "" : "{1,3}";
    const std::string pattern = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})" +
                                digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    first = {{"type", "Split"},
             {"pattern", {{"Regex", pattern}}},
             {"behavior", "Isolated"},
             {"invert", false}};
  }
  return {{"type", "Sequence"}, {"pretokenizers", {first, bytes(kind == "smollm")}}};
}

// A tokenizer.json: the bytes, what tiny_merges() makes, two words that no merge makes, and three
// added tokens.
inline Json tiny_bpe(std::string_view kind) {
  Json vocab = Json::object();
  Json merges = Json::array();
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocab[letters_of_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  }
  for (const auto& [left, right] : tiny_merges()) {
    vocab[letters_of_bytes(std::string(left) + std::string(right))] = vocab.size();
    merges.push_back({letters_of_bytes(left), letters_of_bytes(right)});
  }
  for (const char* whole : {" world", " thein"}) vocab[letters_of_bytes(whole)] = vocab.size();
  Json added = Json::array();
  for (const char* name : {"<|endoftext|>", "<|im_end|>", "<tool_call>"}) {
    added.push_back({{"id", vocab.size() + added.size()},
                     {"content", name},
                     {"special", std::string_view(name).starts_with("<|")}});
  }
  return {{"added_tokens", added},
          {"normalizer", kind == "qwen2" ? Json{{"type", "NFC"}} : Json()},
          {"pre_tokenizer", tiny_pre_tokenizer(kind)},
          {"post_processor", nullptr},
          {"model",
           {{"type", "BPE"},
            {"byte_fallback", false},
            {"ignore_merges", kind == "llama-bpe"},
            {"vocab", vocab},
            {"merges", merges}}}};
}

}  // namespace qiao::learn::testing
