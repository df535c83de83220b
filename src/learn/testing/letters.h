// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "base/random.h"
#include "base/testing/temp_folder.h"
#include "learn/files/bundle.h"
#include "learn/files/tensor_file.h"
#include "learn/training/finetune.h"

namespace qiao::learn::testing {

using qiao::testing::TempFolder;

// Rows whose label (or tag) is told by their letters: `a` and `b` in label x, `c` and `d` in label
// y; `e` is a name.
inline std::string letters_rows(int count, std::uint64_t seed) {
  Rng rng(seed);
  std::string out;
  for (int i = 0; i < count; ++i) {
    const bool x = rng.below(2) == 0;
    std::string text;
    Json tags = Json::array();
    const std::uint64_t words = 2 + rng.below(6);
    for (std::uint64_t w = 0; w < words; ++w) {
      const bool named = rng.below(4) == 0;
      if (w > 0) {
        text += ' ';
        tags.push_back("O");
      }
      text += named ? 'e' : static_cast<char>((x ? 'a' : 'c') + static_cast<int>(rng.below(2)));
      tags.push_back(named ? "B-NAME" : "O");
    }
    out += dump_json({{"text", text}, {"label", x ? "x" : "y"}, {"tags", tags}}) + "\n";
  }
  return out;
}

// Pairs of such texts; the label is that of the second.
inline std::string letter_pairs(int count, std::uint64_t seed) {
  Rng rng(seed);
  const auto text = [&](bool x) {
    std::string out;
    for (std::uint64_t letters = 1 + rng.below(4); letters > 0; --letters) {
      out += static_cast<char>((x ? 'a' : 'c') + static_cast<int>(rng.below(2)));
      out += ' ';
    }
    return out;
  };
  std::string rows;
  for (int i = 0; i < count; ++i) {
    const bool x = rng.below(2) == 0;
    const std::string both = text(rng.below(2) == 0) + "\t" + text(x);
    rows += dump_json({{"text", both}, {"label", x ? "x" : "y"}}) + "\n";
  }
  return rows;
}

// Texts of `a` and `b`; the number is 1,000 and the share of `a` in percent.
inline std::string letter_numbers(int count, std::uint64_t seed) {
  Rng rng(seed);
  std::string rows;
  for (int i = 0; i < count; ++i) {
    const auto letters = static_cast<int>(2 + rng.below(6));
    int found = 0;
    std::string text;
    for (int w = 0; w < letters; ++w) {
      const bool a = rng.below(2) == 0;
      found += a ? 1 : 0;
      text += a ? "a " : "b ";
    }
    rows += dump_json({{"text", text}, {"label", 1000 + 100.0 * found / letters}}) + "\n";
  }
  return rows;
}

// Such texts with two heads: `side` as the label above, and whether an `e` is in the text, `named`.
// A quarter of the rows lacks each of them, none both.
inline std::string letter_heads(int count, std::uint64_t seed) {
  Rng rng(seed);
  std::string rows;
  for (int i = 0; i < count; ++i) {
    const bool x = rng.below(2) == 0;
    const bool named = rng.below(2) == 0;
    std::string text = x ? "a" : "c";
    if (named) text += " e";
    for (std::uint64_t letters = 1 + rng.below(4); letters > 0; --letters) {
      const bool e = named && rng.below(2) == 0;
      text += ' ';
      text += e ? 'e' : static_cast<char>((x ? 'a' : 'c') + static_cast<int>(rng.below(2)));
    }
    Json labels = {{"side", x ? "x" : "y"}, {"named", named ? "yes" : "no"}};
    const std::uint64_t lacks = rng.below(4);
    if (lacks == 0) labels.erase("side");
    if (lacks == 1) labels.erase("named");
    rows += dump_json({{"text", text}, {"labels", labels}}) + "\n";
  }
  return rows;
}

// In `folder`: `base`, an encoder of chance weights over these letters, and `train.jsonl` and
// `dev.jsonl`.
inline void write_letters_base(const TempFolder& folder, std::int64_t layers,
                               std::int64_t width = 16, std::int64_t inner = 32,
                               std::int64_t heads = 2) {
  EncoderShape shape;
  shape.layers = layers;
  shape.width = width;
  shape.inner = inner;
  shape.heads = heads;
  shape.positions = 32;
  shape.vocabulary = 10;
  const auto tokenizer =
      model::WordPiece::make(
          {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e"}, {})
          .value();
  torch::manual_seed(4);
  const Encoder encoder(shape, 0.0);
  folder.write("base/config.json", dump_json(config_of_shape(shape)));
  folder.write("base/tokenizer.json", model::tokenizer_json(tokenizer));
  SystemDisk disk;
  ASSERT_TRUE(save_tensors(disk, folder / "base/model.safetensors", weights_of(encoder)));
  folder.write("train.jsonl", letters_rows(200, 1));
  folder.write("dev.jsonl", letters_rows(40, 2));
}

inline FinetuneOptions letters_options(const TempFolder& folder, const std::string& out) {
  FinetuneOptions options;
  options.base = folder / "base";
  options.train = folder / "train.jsonl";
  options.dev = folder / "dev.jsonl";
  options.out = folder / out;
  options.epochs = 3;
  options.rate = 3e-3;
  options.r_drop = 0;
  options.bfloat16 = false;
  return options;
}

}  // namespace qiao::learn::testing
