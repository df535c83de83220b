// SPDX-License-Identifier: Apache-2.0
#include "message/message.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "message/annotations.h"
#include "message/wire.h"

namespace qiao {
namespace {

Message full_message() {
  Message message = text_message("support.in", "我要退款", "c1");
  message.id = "01ARYZ6S41TSV4RRFFQ69G5FAV";
  message.parts.push_back({Part::Kind::kImage, "image/png", std::string("\x89PNG\0\xff", 6)});
  message.parts.push_back({Part::Kind::kJson, "application/json", R"({"a":[1,2]})"});
  message.headers = {{"x-a", "1"}, {"x-b", ""}};
  message.reply_to = "support.out";
  message.correlation = "m0";
  message.cause = "m1";
  message.source = "user";
  message.time_ms = 1'700'000'000'123;
  message.deadline_ms = -1;
  message.priority = 9;
  message.budget = {8, 4'000, -1, 3, 2'500, 16};
  message.deliver_at_ms = 1'700'000'030'000;
  message.key = "order-7";
  message.chain = {"user", "flow/shop"};
  return message;
}

TEST(MessageText, JoinsTheTextParts) {
  Message message = text_message("a", "one");
  message.parts.push_back({Part::Kind::kFile, "", "bytes"});
  message.parts.push_back({Part::Kind::kText, "", "two"});
  EXPECT_EQ(message.text(), "one\ntwo");
}

TEST(MessageCodec, RoundTrip) {
  for (const Message& message : {Message{}, full_message()}) {
    std::string bytes;
    encode(message, bytes);
    EXPECT_EQ(decode_message(bytes).value(), message);
  }
}

TEST(MessageCodec, RefusesEveryCutAndTrailingBytes) {
  std::string bytes;
  encode(full_message(), bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto decoded = decode_message(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(decoded) << size;
    EXPECT_EQ(decoded.error().code, Code::kCorrupt);
  }
  EXPECT_FALSE(decode_message(bytes + "x"));
}

// Damage may decode to another message (the log's CRC finds it) but never crashes or hangs.
TEST(MessageCodec, SurvivesRandomDamage) {
  std::string good;
  encode(full_message(), good);
  Rng rng(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = good;
    for (std::uint64_t k = 0; k <= rng.below(4); ++k)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.next());
    if (const auto decoded = decode_message(bytes)) {
      std::string again;
      encode(*decoded, again);
      EXPECT_EQ(decode_message(again).value(), *decoded);
    }
  }
}

// A log written before version 2 is read: its messages lack what came later.
TEST(MessageCodec, ReadsTheVersionBefore) {
  Message message = text_message("a.b", "hi");
  message.id = "m";
  std::string bytes;
  encode(message, bytes);
  // version 1 ended behind the parts: deliver_at, key, chain and three budgets, a byte each
  std::string before = bytes.substr(0, bytes.size() - 6);
  before[0] = 1;
  EXPECT_EQ(decode_message(before).value(), message);
  EXPECT_FALSE(decode_message(bytes.substr(0, bytes.size() - 6)));
}

TEST(MessageJson, RoundTrip) {
  Message message = full_message();
  message.deadline_ms = 1'700'000'060'000;
  const Json json = parse_json(dump_json(to_json(message))).value();
  EXPECT_EQ(message_from_json(json).value(), message);
}

TEST(MessageJson, PlainTextStaysPlain) {
  Message message = text_message("a.b", "hi");
  message.id = "m";
  EXPECT_EQ(dump_json(to_json(message)), R"({"id":"m","subject":"a.b","text":"hi","time_ms":0})");
  const auto read = message_from_json(parse_json(R"({"text":"hi","headers":{"X-A":"1"}})").value());
  EXPECT_EQ(read->text(), "hi");
  EXPECT_EQ(read->headers.at("x-a"), "1");
}

TEST(MessageJson, FaultsNameTheField) {
  const auto fault = [](const char* text) {
    const auto message = message_from_json(parse_json(text).value());
    return message ? std::string("no fault") : message.error().message;
  };
  EXPECT_NE(fault(R"([])").find("object"), std::string::npos);
  EXPECT_NE(fault(R"({"id":7})").find("'id'"), std::string::npos);
  EXPECT_NE(fault(R"({"priority":10})").find("'priority'"), std::string::npos);
  EXPECT_NE(fault(R"({"text":1})").find("'text'"), std::string::npos);
  EXPECT_NE(fault(R"({"text":"a","parts":[]})").find("not both"), std::string::npos);
  EXPECT_NE(fault(R"({"headers":{"a":1}})").find("header 'a'"), std::string::npos);
  EXPECT_NE(fault(R"({"budget":{"hops":"x"}})").find("'hops'"), std::string::npos);
  EXPECT_NE(fault(R"({"chain":"user"})").find("'chain'"), std::string::npos);
  EXPECT_NE(fault(R"({"chain":[1]})").find("'chain'"), std::string::npos);
  EXPECT_NE(fault(R"({"parts":[{"kind":"smell"}]})").find("'kind'"), std::string::npos);
  EXPECT_NE(fault(R"({"parts":[{"kind":"file","data":"a==="}]})").find("base64"),
            std::string::npos);
  EXPECT_NE(fault(R"({"parts":[{"kind":"file","data":"AB=="}]})").find("base64"),
            std::string::npos);
  EXPECT_NE(fault(R"({"parts":[7]})").find("text"), std::string::npos);
}

TEST(ValidateMessage, NamesWhatIsWrong) {
  EXPECT_TRUE(validate(full_message()));
  const auto fault = [](auto change) {
    Message message = full_message();
    change(message);
    const Status status = validate(message);
    return status ? std::string("no fault") : status.error().message;
  };
  EXPECT_NE(fault([](Message& m) { m.subject = "a.*"; }).find("wildcard"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.reply_to = "a..b"; }).find("a..b"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.id = std::string(129, 'x'); }).find("id"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.source = "a\nb"; }).find("source"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.parts[0].data = "\xff"; }).find("UTF-8"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.headers["a"] = "\xff"; }).find("'a'"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.priority = 10; }).find("priority"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.key = "a\nb"; }).find("key"), std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.chain.resize(kChainMax + 1); }).find("chain"),
            std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.parts[1].data.assign(kMessageBytesMax, 'x'); }).find("bytes"),
            std::string::npos);
  EXPECT_NE(fault([](Message& m) {
              for (int i = 0; i < 65; ++i) m.headers["h" + std::to_string(i)] = "";
            }).find("headers"),
            std::string::npos);
  EXPECT_NE(fault([](Message& m) { m.parts.resize(kPartsMax + 1); }).find("parts"),
            std::string::npos);
}

// Sequences from the Unicode standard's table 3-7 and its borders.
TEST(ValidUtf8, AcceptsExactlyWellFormedText) {
  for (const char* good : {"", "a", "桥", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf4\x8f\xbf\xbf", "\xc2\x80", "\xe0\xa0\x80"})
    EXPECT_TRUE(valid_utf8(good)) << good;
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe6\xa1", "\xe6", "a\xff", "\xf0\x9f\x98"})
    EXPECT_FALSE(valid_utf8(bad)) << bad;
}

TEST(Wire, NumbersRoundTripAndOverlongOnesAreRefused) {
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{127},
                                   std::int64_t{128}, INT64_MAX, INT64_MIN}) {
    std::string out;
    put_signed(out, value);
    put_varint(out, static_cast<std::uint64_t>(value));
    WireReader in(out);
    EXPECT_EQ(in.signed_varint(), value);
    EXPECT_EQ(in.varint(), static_cast<std::uint64_t>(value));
    EXPECT_TRUE(in.ok() && in.at_end());
  }
  WireReader wide(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10));
  EXPECT_EQ(wide.varint(), 0U);
  EXPECT_FALSE(wide.ok());
  WireReader cut(
      std::string_view("\x05"
                       "ab",
                       3));
  EXPECT_EQ(cut.bytes(), "");
  EXPECT_FALSE(cut.ok());
}

TEST(AnnotationsJson, LeavesOutTheEmbedding) {
  Annotations annotations;
  annotations.language = Language::kChinese;
  annotations.intents = {{"refund", 0.91}};
  annotations.entities = {{"phone", "138", "138", 1, 4}};
  annotations.embedding = {1, 2, 3};
  annotations.missing = {"encoder-zh"};
  const Json json = to_json(annotations);
  EXPECT_EQ(json_string(json, "language"), "zh");
  EXPECT_EQ(json["intents"][0]["label"], "refund");
  EXPECT_EQ(json["entities"][0]["kind"], "phone");
  EXPECT_EQ(json["missing"][0], "encoder-zh");
  EXPECT_FALSE(json.contains("embedding"));
}

}  // namespace
}  // namespace qiao
