// SPDX-License-Identifier: Apache-2.0
#include "net/request_reader.h"

#include <gtest/gtest.h>

namespace qiao::net {
namespace {

HttpServerOptions small_limits() {
  HttpServerOptions options;
  options.header_bytes_max = 512;
  options.body_bytes_max = 1'000;
  return options;
}

// Offers `text` in pieces of `piece` bytes, as a socket would, and keeps what was not taken.
// Returns what is left over.
std::string feed(RequestReader& reader, std::string_view text, std::size_t piece) {
  std::string held;
  const auto reading = [&] {
    return reader.stage() == RequestReader::Stage::kHeader ||
           reader.stage() == RequestReader::Stage::kBody;
  };
  while (reading() && !text.empty()) {
    held += text.substr(0, piece);
    text.remove_prefix(std::min(piece, text.size()));
    for (std::size_t used = 1; used > 0 && reading() && !held.empty();) {
      used = reader.feed(held);
      held.erase(0, used);
    }
  }
  return held + std::string(text);
}

int fault_of(std::string_view text, std::size_t piece = 7) {
  RequestReader reader(small_limits());
  (void)feed(reader, text, piece);
  return reader.stage() == RequestReader::Stage::kFault ? reader.fault().status : 0;
}

constexpr std::string_view kChunked =
    "POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-one: 2\r\n"
    "Transfer-Encoding: chunked\r\n\r\n"
    "5;name=value\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n";

TEST(RequestReader, ARequestCutAnywhereReadsTheSame) {
  for (std::size_t piece = 1; piece <= kChunked.size() + 6; ++piece) {
    RequestReader reader(small_limits());
    EXPECT_EQ(feed(reader, std::string(kChunked) + "GET / ", piece), "GET / ") << piece;
    ASSERT_EQ(reader.stage(), RequestReader::Stage::kDone) << piece;
    const HttpRequest request = reader.take("peer");
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path, "/a b");
    EXPECT_EQ(request.query.at("c"), "d");
    EXPECT_EQ(request.headers.at("x-one"), "1, 2");
    EXPECT_EQ(request.headers.count("trailer"), 0U);
    EXPECT_EQ(request.body, "hello world");
    EXPECT_EQ(request.peer, "peer");
  }
}

// Beast's assertions fail on this, where they are compiled in.
TEST(RequestReader, AnEmptyChunkedBodyMayComeByteByByte) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"0\r\n\r\n", "0\r\nTrailer: t\r\n\r\n", "1\r\na\r\n0\r\n\r\n"}) {
    for (std::size_t piece = 1; piece <= 8; ++piece) {
      RequestReader reader(small_limits());
      EXPECT_EQ(feed(reader, head + body, piece), "") << body << piece;
      ASSERT_EQ(reader.stage(), RequestReader::Stage::kDone) << body << piece;
      EXPECT_EQ(reader.take("peer").body, body[0] == '1' ? "a" : "");
    }
  }
}

TEST(RequestReader, LimitsHoldHoweverTheBytesCome) {
  for (const std::size_t piece : {1U, 2U, 100U, 100'000U}) {
    EXPECT_EQ(fault_of("GET /" + std::string(600, 'a'), piece), 431) << piece;
    EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(600, 'a'), piece), 431);
    std::string many = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 100; ++i) many += "X-" + std::to_string(i) + ": 1\r\n";
    EXPECT_EQ(fault_of(many + "\r\n", piece), 431) << piece;
    const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
    EXPECT_EQ(fault_of(post + "Content-Length: 1001\r\n\r\n", piece), 413) << piece;
    EXPECT_EQ(fault_of(post + "Content-Length: 1000\r\n\r\n", piece), 0) << piece;
    EXPECT_EQ(fault_of(post + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", piece), 413) << piece;
    std::string chunks = post + "Transfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 101; ++i) chunks += "a\r\n0123456789\r\n";
    EXPECT_EQ(fault_of(chunks, piece), 413) << piece;
    const std::string endless =
        post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(600, 'x');
    EXPECT_EQ(fault_of(endless, piece), 431) << piece;
  }
}

// Requests that two servers could read differently, and so be used to smuggle one past the other.
TEST(RequestReader, AmbiguousFramingIsRefused) {
  const std::string post = "POST / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(fault_of(post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(fault_of(post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"), 400);
  EXPECT_EQ(fault_of(post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n"), 400);
  EXPECT_EQ(fault_of(post + "Content-Length: -3\r\n\r\n"), 400);
  EXPECT_EQ(fault_of(post + "Content-Length: 99999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(fault_of(post + "Transfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(fault_of(post + "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(fault_of("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), 400);
  EXPECT_EQ(fault_of("GET / HTTP/1.0\r\n\r\n"), 0);
}

TEST(RequestReader, GarbageIsRefused) {
  EXPECT_EQ(fault_of("\r\n\r\n\r\n\r\n"), 400);
  EXPECT_EQ(fault_of(std::string("\x16\x03\x01\x02\x00\x01\x00", 7)), 400);  // a TLS hello
  EXPECT_EQ(fault_of("GET / HTTP/2.0\r\n\r\n"), 400);
  EXPECT_EQ(fault_of("GET /\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(fault_of("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            400);
  EXPECT_EQ(fault_of("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(fault_of("POST / HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n"), 417);
}

}  // namespace
}  // namespace qiao::net
