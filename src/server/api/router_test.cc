// SPDX-License-Identifier: Apache-2.0
#include "server/api/router.h"

#include <gtest/gtest.h>

#include "base/testing/manual_clock.h"
#include "server/api/fields.h"
#include "server/api/guard.h"
#include "server/testing/captured_answer.h"

namespace qiao::server {
namespace {

using qiao::testing::ManualClock;
using server::testing::CapturedAnswer;

HttpRequest request_to(std::string method, std::string path) {
  HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

// Routes that answer with their own name and parameter.
class Routing : public ::testing::Test {
 protected:
  Routing() {
    for (const char* pattern : {"/a", "/a/{id}", "/a/{id}/why", "/a/fixed"}) add("GET", pattern);
    add("PUT", "/a/{id}");
  }
  void add(const std::string& method, const std::string& pattern) {
    router_.add(method, pattern, [method, pattern](const Call& call) {
      call.writer->respond(200, {}, method + " " + pattern + " " + call.parameter);
    });
  }
  std::shared_ptr<CapturedAnswer> send(std::string method, std::string path) {
    auto answer = std::make_shared<CapturedAnswer>();
    router_.dispatch(request_to(std::move(method), std::move(path)), answer);
    return answer;
  }

  Metrics metrics_;
  Router router_{[](const HttpRequest&, Access) { return Status(); }, metrics_};
};

TEST_F(Routing, TheMostFixedTextWins) {
  EXPECT_EQ(send("GET", "/a")->body(), "GET /a ");
  EXPECT_EQ(send("GET", "/a/x")->body(), "GET /a/{id} x");
  EXPECT_EQ(send("GET", "/a/fixed")->body(), "GET /a/fixed ");
  EXPECT_EQ(send("GET", "/a/x/why")->body(), "GET /a/{id}/why x");
  EXPECT_EQ(send("PUT", "/a/x")->body(), "PUT /a/{id} x");
}

TEST_F(Routing, AParameterMayHaveSlashesButMustNotBeEmpty) {
  EXPECT_EQ(send("GET", "/a/desk/ann/why")->body(), "GET /a/{id}/why desk/ann");
  EXPECT_EQ(send("GET", "/a/")->status(), 404);
}

TEST_F(Routing, UnknownPathsAndMethodsAreJsonErrors) {
  const auto lost = send("GET", "/b");
  EXPECT_EQ(lost->status(), 404);
  EXPECT_EQ(lost->json()["error"]["code"], "not_found");
  const auto wrong = send("DELETE", "/a/x");
  EXPECT_EQ(wrong->status(), 405);
  EXPECT_EQ(wrong->header("Allow"), "GET, PUT");
  EXPECT_EQ(wrong->json()["error"]["code"], "invalid_argument");
}

TEST_F(Routing, AnswersAreCountedByRouteAndStatus) {
  send("GET", "/a/x");
  send("GET", "/b");
  const std::string text = metrics_.text();
  EXPECT_NE(text.find("qiao_http_requests_total{route=\"GET /a/{id}\",status=\"200\"} 1"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("route=\"none\",status=\"404\"} 1"), std::string::npos) << text;
}

// The guard

class Guarded : public ::testing::Test {
 protected:
  static HttpRequest with(std::map<std::string, std::string> headers) {
    HttpRequest request = request_to("POST", "/x");
    request.headers = std::move(headers);
    return request;
  }
  Code refusal(Guard& guard, std::map<std::string, std::string> headers,
               Access access = Access::kKey) {
    const Status passed = guard.check(with(std::move(headers)), access);
    return passed ? Code::kInternal : passed.error().code;  // kInternal: it passed
  }
  static constexpr Code kPassed = Code::kInternal;
  ManualClock clock_;
};

TEST_F(Guarded, OnlyTheKeyOpens) {
  Guard guard({"the-key", true, 0}, clock_);
  EXPECT_EQ(refusal(guard, {}), Code::kUnauthenticated);
  EXPECT_EQ(refusal(guard, {{"authorization", "Bearer wrong"}}), Code::kUnauthenticated);
  EXPECT_EQ(refusal(guard, {{"authorization", "Bearer the-key2"}}), Code::kUnauthenticated);
  EXPECT_EQ(refusal(guard, {{"authorization", "Basic the-key"}}), Code::kUnauthenticated);
  EXPECT_EQ(refusal(guard, {{"authorization", "Bearer the-key"}}), kPassed);
  EXPECT_EQ(refusal(guard, {{"authorization", "bearer the-key"}}), kPassed);
  EXPECT_EQ(refusal(guard, {}, Access::kOpen), kPassed);
}

TEST_F(Guarded, PagesOfOtherSitesAreRefused) {
  Guard loopback({"the-key", true, 0}, clock_);
  const auto from = [&](Guard& guard, const char* origin, const char* host) {
    return refusal(guard, {{"origin", origin}, {"host", host}}, Access::kOpen);
  };
  EXPECT_EQ(from(loopback, "http://127.0.0.1:7411", "127.0.0.1:7411"), kPassed);
  EXPECT_EQ(from(loopback, "http://localhost:7411", "localhost:7411"), kPassed);
  EXPECT_EQ(from(loopback, "http://[::1]:7411", "[::1]:7411"), kPassed);
  EXPECT_EQ(from(loopback, "https://evil.example", "127.0.0.1:7411"), Code::kPermission);
  EXPECT_EQ(from(loopback, "null", "127.0.0.1:7411"), Code::kPermission);
  // A name that was made to point at us.
  EXPECT_EQ(from(loopback, "http://evil.example:7411", "evil.example:7411"), Code::kPermission);
  Guard open({"the-key", false, 0}, clock_);
  EXPECT_EQ(from(open, "https://qiao.example", "qiao.example"), kPassed);
  EXPECT_EQ(from(open, "https://evil.example", "qiao.example"), Code::kPermission);
}

TEST_F(Guarded, TheRateIsATokenBucket) {
  Guard guard({"the-key", true, 2}, clock_);
  const std::map<std::string, std::string> key = {{"authorization", "Bearer the-key"}};
  EXPECT_EQ(refusal(guard, key), kPassed);
  EXPECT_EQ(refusal(guard, key), kPassed);
  EXPECT_EQ(refusal(guard, key), Code::kOverloaded);
  clock_.advance_ms(500);
  EXPECT_EQ(refusal(guard, key), kPassed);
  EXPECT_EQ(refusal(guard, key), Code::kOverloaded);
}

// Fields of a body and of a query

TEST(FieldsOf, TheFirstFaultIsTold) {
  const Json body{{"count", "three"}, {"name", 7}};
  Fields fields(body);
  EXPECT_FALSE(fields.integer("count", 0, 9));
  EXPECT_FALSE(fields.text("name"));
  EXPECT_EQ(fields.finish().error().message, "'count' must be an integer");
}

TEST(FieldsOf, UnknownKeysNameTheNearest) {
  const Json body{{"lease_sm", 5}};
  Fields fields(body);
  (void)fields.integer("lease_ms", 1, 9);
  EXPECT_EQ(fields.finish().error().message, "unknown key 'lease_sm'; did you mean 'lease_ms'?");
}

TEST(FieldsOf, RangesHoldAndNullCountsAsAbsent) {
  const Json body{{"a", 10}, {"b", nullptr}, {"c", 1.5}};
  Fields fields(body);
  EXPECT_FALSE(fields.integer("b", 0, 9));
  EXPECT_EQ(fields.number("c", 0, 2), 1.5);
  EXPECT_FALSE(fields.integer("a", 0, 9));
  EXPECT_EQ(fields.finish().error().message, "'a' must be from 0 to 9");
}

TEST(FieldsOf, BoundsReadAsPeopleWriteThem) {
  const Json body{{"temperature", 3}, {"share", 2}};
  Fields temperature(body);
  EXPECT_FALSE(temperature.number("temperature", 0, 2));
  EXPECT_EQ(temperature.finish().error().message, "'temperature' must be from 0 to 2");
  Fields share(body);
  EXPECT_FALSE(share.number("share", -0.5, 0.5));
  EXPECT_EQ(share.finish().error().message, "'share' must be from -0.5 to 0.5");
}

TEST(QueryOf, NumbersMustBeWhole) {
  const std::map<std::string, std::string> values = {{"from", "7"}, {"limit", "1x"}};
  Query query(values);
  EXPECT_EQ(query.integer("from", 0, 100), 7u);
  EXPECT_FALSE(query.integer("limit", 1, 100));
  EXPECT_FALSE(query.finish());
}

}  // namespace
}  // namespace qiao::server
