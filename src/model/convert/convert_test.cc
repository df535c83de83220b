// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/testing/temp_folder.h"
#include "model/convert/convert_onnx.h"
#include "model/convert/convert_protobuf.h"
#include "model/convert/convert_safetensors.h"
#include "model/convert/convert_vocabulary.h"
#include "model/convert/convert_weights.h"
#include "model/testing/tiny_bert.h"

namespace qiao::model {
namespace {

using namespace qiao::testing;

TEST(Half, RoundsToNearestEvenAndBack) {
  const std::pair<float, std::uint16_t> rows[] = {
      {0.0F, 0x0000},     {-0.0F, 0x8000},      {1.0F, 0x3C00},           {-2.0F, 0xC000},
      {65504.0F, 0x7BFF}, {65520.0F, 0x7C00},   {0x1p-14F, 0x0400},       {0x1p-24F, 0x0001},
      {0x1p-25F, 0x0000}, {0x1.8p-24F, 0x0002}, {1.00048828125F, 0x3C00}, {1.00146484375F, 0x3C02}};
  for (const auto& [value, bits] : rows) EXPECT_EQ(half_of_float(value), bits) << value;
  EXPECT_EQ(half_of_float(std::numeric_limits<float>::infinity()), 0x7C00);
  EXPECT_TRUE(std::isnan(float_of_half(half_of_float(std::nanf("")))));
  for (std::uint32_t bits = 0; bits < 0x7C00; ++bits) {  // every finite half goes round
    const auto half = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(half_of_float(float_of_half(half)), half);
  }
}

TEST(Protobuf, ReadsEveryWireTypeAndRefusesDamage) {
  const std::string text = proto_number(1, 300) + proto_bytes(2, "abc") +
                           std::string("\x1d\x01\x00\x00\x00", 5) +
                           std::string("\x21\x02\x00\x00\x00\x00\x00\x00\x00", 9);
  ProtoReader reader(text);
  EXPECT_EQ(reader.next()->value, 300U);
  EXPECT_EQ(reader.next()->bytes, "abc");
  EXPECT_EQ(reader.next()->value, 1U);
  EXPECT_EQ(reader.next()->value, 2U);
  EXPECT_TRUE(reader.done());
  for (const std::string bad :
       {"\x08",
        "\x12\x05"
        "ab",
        "\x0b", "\x01", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x1d\x01"}) {
    ProtoReader broken(bad);
    EXPECT_EQ(broken.next().error().code, Code::kCorrupt);
  }
}

void expect_same(WeightFile& file, const std::vector<TinyTensor>& tensors) {
  for (const TinyTensor& tensor : tensors) {
    const auto read = file.read(tensor.name);
    ASSERT_TRUE(read.has_value()) << tensor.name << read.error().message;
    EXPECT_EQ(read->shape, tensor.shape) << tensor.name;
    EXPECT_EQ(read->values, tensor.values) << tensor.name;
  }
  EXPECT_FALSE(file.has("no.such.tensor"));
  EXPECT_EQ(file.read("no.such.tensor").error().code, Code::kNotFound);
}

TEST(Onnx, NamesAndTurnsTheWeightsThatExportersFold) {
  const TempFolder folder;
  const auto file = open_onnx(folder.write("m.onnx", tiny_onnx(tiny_bert())));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  expect_same(**file, tiny_bert());
}

TEST(Safetensors, ReadsTensorsByPlainNames) {
  const TempFolder folder;
  const auto file = open_safetensors(folder.write("m.safetensors", tiny_safetensors(tiny_bert())));
  ASSERT_TRUE(file.has_value()) << file.error().message;
  expect_same(**file, tiny_bert());
}

TEST(Safetensors, ReadsShortNumbers) {
  std::string file = R"({"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                     R"("b.gamma":{"dtype":"BF16","shape":[1,2],"data_offsets":[4,8]},)"
                     R"("c":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})";
  file = std::string(1, static_cast<char>(file.size())) + std::string(7, '\0') + file;
  file += std::string("\x00\x3c\x00\xc0", 4) + std::string("\x80\x3f\x00\xc0", 4);
  const TempFolder folder;
  const auto opened = open_safetensors(folder.write("m", file));
  ASSERT_TRUE(opened.has_value()) << opened.error().message;
  EXPECT_EQ((*opened)->read("a")->values, (std::vector<float>{1, -2}));
  EXPECT_EQ((*opened)->read("b.weight")->values, (std::vector<float>{1, -2}));
  EXPECT_EQ((*opened)->read("c").error().code, Code::kUnsupported);
}

// Whatever byte a file is cut at, or whichever byte is wrong: an Error or other values, no crash.
template <class Open>
void damage_everywhere(const std::string& whole, const Open& open, std::size_t step) {
  const TempFolder folder;
  const auto read_all = [&](const std::string& bytes) {
    const auto file = open(folder.write("damaged", bytes));
    if (!file) return false;
    bool complete = true;
    for (const TinyTensor& tensor : tiny_bert()) complete &= (*file)->read(tensor.name).has_value();
    return complete;
  };
  ASSERT_TRUE(read_all(whole));
  for (std::size_t cut = 0; cut < whole.size(); cut += step) {
    EXPECT_FALSE(read_all(whole.substr(0, cut))) << cut;
  }
  for (std::size_t at = 0; at < whole.size(); at += step) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    (void)read_all(bytes);
  }
}

TEST(Onnx, DamageIsAnError) {
  damage_everywhere(tiny_onnx(tiny_bert()), open_onnx, 7);
}

TEST(Safetensors, DamageIsAnError) {
  damage_everywhere(tiny_safetensors(tiny_bert()), open_safetensors, 7);
}

TEST(Safetensors, RefusesRangesOutsideTheFile) {
  const TempFolder folder;
  for (const char* const json :
       {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,99]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[-1,3]}})", R"({"a":7})", "[]",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551615,4]}})"}) {
    std::string file(8, '\0');
    file[0] = static_cast<char>(std::string(json).size());
    const auto opened = open_safetensors(folder.write("m", file + json + "\0\0\0\0"));
    EXPECT_FALSE(opened.has_value()) << json;
  }
  std::string impossible(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],)"
                         R"("data_offsets":[0,4]}})");
  std::string head(8, '\0');
  head[0] = static_cast<char>(impossible.size());
  const auto opened = open_safetensors(folder.write("m", head + impossible + std::string(4, '\0')));
  EXPECT_EQ((*opened)->read("a").error().code, Code::kCorrupt);
}

TEST(Vocabulary, TakesThePhantomForm) {
  const TempFolder folder;
  const auto vocabulary =
      read_vocabulary(folder.write("tokenizer.json", tiny_tokenizer(false)), -1);
  ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->pieces, (std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                                          "[MASK]", "\u2581ab", "c"}));
  EXPECT_EQ(vocabulary->kinds, (std::vector<std::int32_t>{3, 2, 3, 3, 3, 1, 1}));
  EXPECT_EQ(vocabulary->separator, 3);
  EXPECT_FALSE(vocabulary->lowercase);
}

TEST(Vocabulary, TheHintOverrulesTheFile) {
  const TempFolder folder;
  const std::string path = folder.write("tokenizer.json", tiny_tokenizer(false));
  EXPECT_TRUE(read_vocabulary(path, 1)->lowercase);
  EXPECT_TRUE(read_vocabulary(path, 1)->strip_accents);
  EXPECT_FALSE(read_vocabulary(path, 0)->lowercase);
}

TEST(Vocabulary, ReadsLines) {
  const TempFolder folder;
  const auto vocabulary =
      read_vocabulary(folder.write("vocab.txt", "[PAD]\n[UNK]\r\n[CLS]\n[SEP]\nab\n##c"), -1);
  ASSERT_TRUE(vocabulary.has_value()) << vocabulary.error().message;
  EXPECT_EQ(vocabulary->pieces.size(), 6U);
  EXPECT_EQ(vocabulary->pieces[5], "c");
  EXPECT_EQ(vocabulary->mask, -1);
}

TEST(Vocabulary, RefusesOtherTokenizersAndHoles) {
  const TempFolder folder;
  const std::string good = tiny_tokenizer(true);
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return read_vocabulary(folder.write("tokenizer.json", text), -1);
  };
  EXPECT_EQ(changed("WordPiece", "BPE").error().code, Code::kUnsupported);
  EXPECT_EQ(changed("BertNormalizer", "NFC").error().code, Code::kUnsupported);
  EXPECT_EQ(changed("\"##c\":6", "\"##c\":9").error().code, Code::kCorrupt);
  EXPECT_EQ(changed("\"##c\":6", "\"##c\":5").error().code, Code::kCorrupt);
  EXPECT_EQ(changed("\"##c\":6", "\"##c\":\"6\"").error().code, Code::kCorrupt);
  EXPECT_EQ(changed("[CLS]", "[XXX]").error().code, Code::kUnsupported);
  EXPECT_FALSE(read_vocabulary(folder.write("tokenizer.json", "[]"), -1).has_value());
  EXPECT_FALSE(read_vocabulary(folder / "missing.json", -1).has_value());
}

}  // namespace
}  // namespace qiao::model
