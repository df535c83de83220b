// SPDX-License-Identifier: Apache-2.0
#include "learn/tokenizers/bpe_keys.h"

#include <gtest/gtest.h>

#include "base/testing/temp_folder.h"
#include "learn/files/json_file.h"
#include "learn/testing/tiny_bpe.h"

namespace qiao::learn {
namespace {

using testing::kTinyBpeTokens;
using testing::tiny_bpe;
using Ids = std::vector<std::int64_t>;

class BpeKeys : public ::testing::Test {
 protected:
  Result<std::shared_ptr<const TextCodec>> read(const Json& json) {
    return read_text_codec(folder_.write("tokenizer.json", dump_json(json)));
  }
  // Of a tokenizer.json that is refused.
  Error refusal(const Json& json) {
    const auto keys = bpe_keys(json, {}, 0);
    EXPECT_FALSE(keys);
    return keys ? Error{} : keys.error();
  }
  static bool names(const Error& error, const char* what) {
    return error.message.find(what) != std::string::npos;
  }

  const qiao::testing::TempFolder folder_;
  SystemDisk disk_;
};

TEST_F(BpeKeys, OtherKindsAreRefusedByName) {
  Json other = tiny_bpe("qwen2");
  other["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "[^\\p{L}]+|\\p{Han}+";
  Error fault = refusal(other);
  EXPECT_EQ(fault.code, Code::kUnsupported);
  EXPECT_TRUE(names(fault, "[^\\p{L}]+|\\p{Han}+")) << fault.message;
  EXPECT_TRUE(names(fault, "Qwen2")) << fault.message;

  other = tiny_bpe("qwen2");
  other["model"]["ignore_merges"] = true;
  EXPECT_TRUE(names(refusal(other), "ignore_merges"));
  other = tiny_bpe("gpt-2");
  other["pre_tokenizer"]["add_prefix_space"] = true;
  EXPECT_TRUE(names(refusal(other), "ByteLevel"));
  other = tiny_bpe("gpt-2");
  other["pre_tokenizer"] = {{"type", "Metaspace"}, {"replacement", "▁"}};
  EXPECT_TRUE(names(refusal(other), "Metaspace"));
  other = tiny_bpe("gpt-2");
  other["model"]["byte_fallback"] = true;
  EXPECT_TRUE(names(refusal(other), "SentencePiece"));
  other["model"]["type"] = "Unigram";
  EXPECT_TRUE(names(refusal(other), "Unigram"));
  other = tiny_bpe("gpt-2");
  other["normalizer"] = {{"type", "Lowercase"}};
  EXPECT_TRUE(names(refusal(other), "Lowercase"));
  other = tiny_bpe("gpt-2");
  other["added_tokens"][2]["lstrip"] = true;
  EXPECT_TRUE(names(refusal(other), "lstrip"));
  other = tiny_bpe("gpt-2");
  other["model"]["vocab"]["桥"] = 299;
  other["added_tokens"].erase(2);
  EXPECT_TRUE(names(refusal(other), "桥"));
  other = tiny_bpe("gpt-2");
  other["added_tokens"] = Json::array();
  EXPECT_TRUE(names(refusal(other), "eos_token"));
  EXPECT_EQ(refusal(Json::array()).code, Code::kUnsupported);
}

// llama.cpp would abort where two tokens have one name.
TEST_F(BpeKeys, DamageIsNamed) {
  Json torn = tiny_bpe("qwen2");
  torn["model"]["vocab"]["!"] = 34;
  EXPECT_EQ(refusal(torn).code, Code::kCorrupt);
  torn = tiny_bpe("qwen2");
  torn["model"]["vocab"]["!"] = -1;
  EXPECT_EQ(refusal(torn).code, Code::kCorrupt);
  torn["model"]["vocab"]["!"] = 1'000'000'000'000;
  EXPECT_EQ(refusal(torn).code, Code::kCorrupt);
  torn = tiny_bpe("qwen2");
  torn["added_tokens"][0]["content"] = "!";
  EXPECT_EQ(refusal(torn).code, Code::kCorrupt);
  torn["added_tokens"][0]["content"] = std::string("<|\0|>", 5);
  EXPECT_EQ(refusal(torn).code, Code::kCorrupt);
  torn = tiny_bpe("qwen2");
  torn["added_tokens"][2] = {{"id", 310}, {"content", "[PAD305]"}};
  EXPECT_EQ(refusal(torn).code, Code::kCorrupt);
  for (const Json& merge : {Json("ab"), Json("q z"), Json({"a", 1}), Json("")}) {
    torn = tiny_bpe("qwen2");
    torn["model"]["merges"].push_back(merge);
    EXPECT_TRUE(names(refusal(torn), "merge 39")) << merge;
  }
  torn["model"]["vocab"] = nullptr;
  EXPECT_EQ(refusal(torn).code, Code::kCorrupt);

  BesideTokenizer beside;
  beside.config = {{"eos_token", "<|nothing|>"}};
  EXPECT_EQ(bpe_keys(tiny_bpe("qwen2"), beside, 0).error().code, Code::kCorrupt);
  beside.config = Json();
  beside.generation = {{"eos_token_id", {1, 300}}};
  EXPECT_TRUE(names(bpe_keys(tiny_bpe("qwen2"), beside, 0).error(), "generation_config.json"));
  const Error small = bpe_keys(tiny_bpe("qwen2"), {}, 299).error();
  EXPECT_EQ(small.code, Code::kCorrupt);
  EXPECT_TRUE(names(small, "299") && names(small, "300")) << small.message;
}

#ifdef QIAO_TEST_GGUF
// Made by Hugging Face's tokenizers of the same tokenizer.json.
TEST_F(BpeKeys, HuggingFaceMakesTheSameTokens) {
  const Json golden = read_json_file(QIAO_TEST_DATA "/words_golden.json").value();
  ASSERT_GT(golden["rows"].size(), 10U);
  for (const char* kind : {"gpt-2", "smollm", "llama-bpe", "smaug-bpe", "qwen2"}) {
    const std::string path = folder_.write("tokenizer.json", dump_json(tiny_bpe(kind)));
    const auto codec = read_bpe_codec(path, tiny_bpe(kind));
    ASSERT_TRUE(codec) << codec.error().message;
    EXPECT_EQ((*codec)->size(), kTinyBpeTokens);
    for (const Json& row : golden["rows"]) {
      if (!row.contains(kind)) continue;  // NFC, which llama.cpp does not apply
      const auto ids = (*codec)->encode(row["text"].get<std::string>());
      ASSERT_TRUE(ids) << ids.error().message;
      EXPECT_EQ(*ids, row[kind].get<Ids>()) << kind << " " << row["text"];
    }
  }
}

TEST_F(BpeKeys, AnythingThatIsNotGpt2sGoesThisWay) {
  const auto gpt2 = read(tiny_bpe("gpt-2"));
  ASSERT_TRUE(gpt2) << gpt2.error().message;
  EXPECT_NE(dynamic_cast<const BpeCodec*>(gpt2->get()), nullptr);
  const auto qwen2 = read(tiny_bpe("qwen2"));
  ASSERT_TRUE(qwen2) << qwen2.error().message;
  EXPECT_NE(dynamic_cast<const GgufCodec*>(qwen2->get()), nullptr);
  EXPECT_EQ((*qwen2)->end(), 297);
  EXPECT_EQ((*qwen2)->encode("e\u0301").value(), (Ids{101, 204, 129}));  // no NFC
  // What looks like a control token is text.
  EXPECT_GT((*qwen2)->encode("<|im_end|>").value().size(), 5U);
}

TEST_F(BpeKeys, WhatWasReadIsSavedAndReadAgain) {
  const Json json = tiny_bpe("llama-bpe");
  auto codec = read_bpe_codec(folder_.write("tokenizer.json", dump_json(json)), json, 310);
  ASSERT_TRUE(codec) << codec.error().message;
  EXPECT_EQ((*codec)->size(), 310);
  EXPECT_EQ((*codec)->decode(292), "hello");
  EXPECT_EQ((*codec)->decode(299), "<tool_call>");
  EXPECT_EQ((*codec)->decode(297), "");
  ASSERT_TRUE(disk_.make_directories(folder_ / "saved"));
  ASSERT_TRUE((*codec)->save(disk_, folder_ / "saved"));
  const auto again = load_text_codec(folder_ / "saved");
  ASSERT_TRUE(again) << again.error().message;
  const std::string text = "hello world, 你好 <tool_call> 1234\n";
  EXPECT_EQ((*again)->encode(text).value(), (*codec)->encode(text).value());
  EXPECT_EQ((*again)->end(), (*codec)->end());
  EXPECT_EQ((*again)->size(), 310);
}

TEST_F(BpeKeys, TheFilesBesideSayWhatEndsATextAndHowATurnLooks) {
  const Json json = tiny_bpe("qwen2");
  const auto end = [&](const BesideTokenizer& beside) {
    const auto keys = bpe_keys(json, beside, 0);
    EXPECT_TRUE(keys) << keys.error().message;
    return GgufCodec::of_keys(*keys, "tiny").value()->end();
  };
  BesideTokenizer beside;
  EXPECT_EQ(end(beside), 297);  // by its name
  beside.model = {{"eos_token_id", 5}};
  EXPECT_EQ(end(beside), 5);
  beside.generation = {{"eos_token_id", {298, 297}}};
  EXPECT_EQ(end(beside), 298);
  beside.config = {{"eos_token", {{"content", "<|endoftext|>"}}}};
  EXPECT_EQ(end(beside), 297);

  const std::string form =
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
      "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}";
  folder_.write("tokenizer_config.json",
                dump_json({{"eos_token", "<|im_end|>"},
                           {"chat_template", {{{"name", "default"}, {"template", form}}}}}));
  const auto codec = read_bpe_codec(folder_.write("tokenizer.json", dump_json(json)), json);
  ASSERT_TRUE(codec) << codec.error().message;
  const std::vector<ChatTurn> turns = {{Role::kUser, "hello", {}, {}},
                                       {Role::kAssistant, "in", {}, {}}};
  const auto tokens = (*codec)->tokens().encode_conversation(turns);
  ASSERT_TRUE(tokens) << tokens.error().message;
  Ids taught;
  for (const auto& token : *tokens) {
    if (token.taught) taught.push_back(token.id);
  }
  EXPECT_EQ(taught, (Ids{259, 298}));
}

TEST_F(BpeKeys, ATokenBeforeEveryTextIsNoted) {
  Json json = tiny_bpe("llama-bpe");
  json["post_processor"] = {
      {"type", "Sequence"},
      {"processors",
       {{{"type", "ByteLevel"}},
        {{"type", "TemplateProcessing"},
         {"single",
          {{{"SpecialToken", {{"id", "<|im_end|>"}}}}, {{"Sequence", {{"id", "A"}}}}}}}}}};
  const std::vector<ChatTurn> turns = {{Role::kUser, "a", {}, {}}, {Role::kAssistant, "b", {}, {}}};
  BesideTokenizer beside;
  beside.chat_template =
      "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
      "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}";
  for (const Json& told : {Json(), Json(true), Json(false)}) {
    beside.config = {{"add_bos_token", told}};
    const auto chat = GgufCodec::of_keys(bpe_keys(json, beside, 0).value(), "tiny").value();
    const auto tokens = chat->tokens().encode_conversation(turns).value();
    EXPECT_EQ(tokens[0].id == 298, told != false) << told;
  }
}
#endif

}  // namespace
}  // namespace qiao::learn
