// SPDX-License-Identifier: Apache-2.0
// Tool calls that wait for a person's consent.
#include "flow/turn/approval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "flow/testing/flow_rig.h"
#include "model/scripted_model.h"

namespace qiao {
namespace {

using flow::Approval;
using ::testing::ElementsAre;
using testing::FlowRig;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Approval, IsReadBackAsItWas) {
  Approval asked = flow::ask_first({"human.desk", 1'000, "human.boss", {}, {}}, 5);
  asked.escalated = true;
  asked.by = "desk/ann";
  asked.note = "yes";
  const Approval read = flow::approval_from_json(flow::to_json(asked));
  EXPECT_EQ(read.to, "human.desk");
  EXPECT_EQ(read.until_ms, 1'005);
  EXPECT_TRUE(read.escalated);
  EXPECT_EQ(read.by, "desk/ann");
  EXPECT_EQ(read.note, "yes");
  for (const char* text : {"null", "[]", R"({"state":7,"until_ms":"x"})"}) {
    EXPECT_EQ(flow::approval_from_json(parse_json(text).value()).state, Approval::State::kAsked);
  }
}

TEST(Approval, SilenceAsksAnotherAndThenDenies) {
  const ApproveConfig config{"human.desk", 1'000, "human.boss", {}, {}};
  const Approval second = flow::after_silence(config, flow::ask_first(config, 0), 1'000);
  EXPECT_EQ(second.state, Approval::State::kAsked);
  EXPECT_EQ(second.to, "human.boss");
  EXPECT_EQ(second.until_ms, 2'000);
  EXPECT_EQ(flow::after_silence(config, second, 2'000).state, Approval::State::kDenied);
}

constexpr const char* kFlow = R"(flow: f
end: { idle: 10m }
understand: { entities: [ order_number ] }
routes: [ { name: all, otherwise: true, to: agent.refund } ]
tools:
  refund:
    http: { method: POST, url: "http://127.0.0.1:9/refunds/{order_number}" }
    needs: [ order_number ]
    approve:
      to: human.refunds
      wait: I have asked.
      denied: "No: {note}"
      escalate: { after: 1h, to: human.boss }
agents:
  refund: { kind: template, tools: [ refund ], tool_choice: required, template: "{refund.said}" }
)";

class ApprovalFlowTest : public ::testing::Test {
 protected:
  ApprovalFlowTest() : rig_(kFlow) {
    rig_.options.start_tools = false;
    rig_.fetch = [this](const FetchRequest& request, std::stop_token) -> Result<FetchResponse> {
      calls_.push_back(request.url);
      FetchResponse response;
      response.status = 200;
      response.body = R"({"said": "Paid back."})";
      return response;
    };
    rig_.start();
    rig_.say("refund QX20260101");
    asked_ = rig_.last_id;
  }

  std::vector<ParkedMessage> parked() {
    std::vector<ParkedMessage> found;
    rig_.broker->parked("flow.f", [&found](const auto& parked) { found = *parked; });
    rig_.loop->run();
    return found;
  }
  void decide(const std::string& decision, const std::string& note = {}) {
    const auto waiting = parked();
    ASSERT_THAT(waiting, SizeIs(1));
    Message message = text_message("f.replies", note, "c1");
    message.source = "desk/ann";
    message.headers["x-approval"] = waiting[0].reason.substr(flow::kParkReason.size());
    message.headers["x-decision"] = decision;
    message.headers["x-parked"] = std::to_string(waiting[0].offset);
    decision_ = message;
    rig_.publish(message);
    rig_.run_until([&] { return rig_.replies().size() >= 2; });
  }

  FlowRig rig_;
  std::vector<std::string> calls_;
  std::string asked_;
  Message decision_;
};

TEST_F(ApprovalFlowTest, TheProposalWaitsWithItsContext) {
  EXPECT_THAT(rig_.replies(), ElementsAre("I have asked."));
  EXPECT_THAT(calls_, IsEmpty());
  ASSERT_THAT(parked(), SizeIs(1));
  const auto proposals = rig_.messages("human.refunds");
  ASSERT_THAT(proposals, SizeIs(1));
  EXPECT_THAT(proposals[0].text(), HasSubstr("QX20260101"));
  const Json context = parse_json(proposals[0].parts.at(1).data).value();
  EXPECT_EQ(context["tool"], "refund");
  EXPECT_EQ(context["arguments"]["order_number"], "QX20260101");
  EXPECT_EQ(context["decision"]["route"], "all");
  EXPECT_EQ(context["text"], "refund QX20260101");
  EXPECT_EQ(rig_.events("approval").at(0)["state"], "asked");
}

TEST_F(ApprovalFlowTest, ApprovedItIsCalledOnce) {
  decide("approve");
  EXPECT_THAT(rig_.replies(), ElementsAre("I have asked.", "Paid back."));
  EXPECT_EQ(rig_.messages("f.out")[1].headers.at("x-after"), "approval");
  EXPECT_THAT(calls_, SizeIs(1));
  EXPECT_THAT(parked(), IsEmpty());
  EXPECT_EQ(rig_.events("approval").back()["by"], "desk/ann");
  EXPECT_THAT(rig_.events("conversation"), SizeIs(1));
}

TEST_F(ApprovalFlowTest, DeniedItIsNotAndTheUserIsToldWhy) {
  decide("deny", "too late");
  EXPECT_EQ(rig_.reply(), "No: too late");
  EXPECT_THAT(calls_, IsEmpty());
}

TEST_F(ApprovalFlowTest, TheLaneWaitsAndGoesOn) {
  rig_.say("refund QX20260102");
  rig_.loop->advance_ms(60'000);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  decide("deny");
  ASSERT_TRUE(rig_.run_until([&] { return rig_.messages("human.refunds").size() == 2; }));
}

TEST_F(ApprovalFlowTest, ItOutlivesARestartAndAnIdleConversation) {
  rig_.loop->advance_ms(20 * 60'000);
  rig_.start();
  EXPECT_THAT(rig_.messages("human.refunds"), SizeIs(1));
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  decide("approve");
  EXPECT_EQ(rig_.reply(), "Paid back.");
  EXPECT_THAT(calls_, SizeIs(1));
}

TEST_F(ApprovalFlowTest, NobodyDecidesAnotherIsAskedThenItIsDenied) {
  rig_.loop->advance_ms(3'600'000);
  ASSERT_TRUE(rig_.run_until([&] { return rig_.messages("human.boss").size() == 1; }));
  EXPECT_THAT(rig_.replies(), SizeIs(1));  // the user was told once
  rig_.start();
  rig_.loop->advance_ms(3'590'000);
  EXPECT_THAT(rig_.replies(), SizeIs(1));
  rig_.loop->advance_ms(20'000);
  ASSERT_TRUE(rig_.run_until([&] { return rig_.replies().size() == 2; }));
  EXPECT_EQ(rig_.reply(), "No: ");
  EXPECT_THAT(calls_, IsEmpty());
}

TEST_F(ApprovalFlowTest, ADecisionThatComesTwiceOrLateChangesNothing) {
  decide("approve");
  Message again = decision_;
  again.id.clear();
  again.headers["x-decision"] = "deny";
  rig_.publish(again);
  rig_.loop->advance_ms(10'000);
  EXPECT_THAT(calls_, SizeIs(1));
  EXPECT_THAT(rig_.replies(), SizeIs(2));
  rig_.say("refund QX20260103");
  EXPECT_TRUE(rig_.run_until([&] { return rig_.messages("human.refunds").size() == 2; }));
}

}  // namespace
}  // namespace qiao
