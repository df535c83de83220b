// SPDX-License-Identifier: Apache-2.0
#include "cli/init_files.h"

namespace qiao::cli {
namespace {

constexpr std::string_view kFlow =
    R"(# A flow: how conversations are understood, routed and answered. `qiao validate` checks this file,
# `qiao flow test` runs tests/*.yaml. Every key is explained in docs/reference/flow.md.
flow: @NAME@
title: { zh: @NAME@ 助手, en: The @NAME@ assistant }
input: @NAME@.in                      # users' messages arrive here
output: @NAME@.out                    # answers leave here
greeting: { zh: 您好，请问有什么可以帮您？, en: "Hello, how can I help you?" }

turn: { settle: 0ms }                 # > 0: messages sent within that time become one turn
end:                                  # the conversation ends at a goodbye, in silence, or after 40 turns
  intent: goodbye
  idle: 30m
  turns: 40
  text: { zh: 再见，欢迎再来！, en: "Goodbye, see you again!" }

understand:
  intents:                            # a label and what people say when they mean it
    greeting: [ 你好, 您好, 在吗, hello, hi there, good morning ]
    goodbye: [ 再见, 拜拜, 没有别的问题了, goodbye, bye for now, that is all thanks ]

routes:                               # rules in this order first, then the nearest examples
  - { name: greeting, when: { intent: greeting, score: 0.75 }, to: agent.greeting }
  - name: person-asked
    like: [ 转人工, 我要找真人客服, 人工服务, talk to a person, connect me to a human agent ]
    to: human.desk                    # any subject: `qiao desk` answers it, or a program
  - name: contact
    like: [ 怎么联系你们, 你们的电话是多少, 有没有客服邮箱, how can I contact you, what is your phone number ]
    to: agent.contact
  - { name: other, otherwise: true, to: agent.helper }
thresholds: { semantic: 0.62, margin: 0.0 }

knowledge:                            # answers that are known need no model
  files: [ knowledge/*.yaml ]
  certain: 0.86                       # this near: the entry is the answer
  clear: { score: 0.65, ahead: 0.05 } # and so, when it leads the next one so clearly
  related: 0.55                       # this near: the entry goes into the model's context

agents:
  greeting: { kind: template, template: { zh: 您好！请告诉我您的问题。, en: "Hello! Please tell me your question." } }
  contact:
    kind: template
    template: { zh: 工作日 9 点到 18 点可以拨打 400-000-0000。, en: "Call 400-000-0000 on working days from 9 to 18." }
  helper:
    kind: model                       # needs a model called `chat`; without one the template answers
    model: chat
    prompt: prompts/helper.md
    knowledge: true
    history: 6
    tokens: 180
    filter: [ language, no-pii, length, repetition ]
    retries: 1
    template: { zh: 这个问题我还不会回答，您可以说“转人工”。, en: "I cannot answer this yet; you can say: talk to a person." }

fallback:
  to: human.desk
  text: { zh: 已经为您转接人工，请稍候。, en: "I have passed this to a person, please wait a moment." }
budget: { hops: 8, tokens: 4000, wall: 60s }
)";

constexpr std::string_view kPrompt =
    R"(You are the assistant of @NAME@. Answer in the language of the user, in at most three short sentences.
Use only what stands in the given entries and in the conversation. If they do not answer the question, say so and offer
to pass it to a person. 用用户的语言回答，不超过三句话；资料里没有的就直说，并建议转人工。
)";

constexpr std::string_view kKnowledge =
    R"(# One entry answers one question, in both languages.
- id: hours
  topic: shop
  questions:
    zh: [ 几点开门, 营业时间是几点到几点, 你们周末营业吗 ]
    en: [ what are your opening hours, when do you open, are you open at the weekend ]
  answer:
    zh: 我们每天 9 点到 21 点营业，周末也不休息。
    en: "We are open every day from 9:00 to 21:00, also at the weekend."
- id: place
  topic: shop
  questions:
    zh: [ 你们店在哪里, 地址是什么 ]
    en: [ where is your shop, what is your address ]
  answer:
    zh: 我们在示例路 1 号。
    en: "We are at 1 Example Road."
)";

constexpr std::string_view kTests =
    R"(# Conversation scripts: what is said, and what is expected. `script` is what the model says in tests.
- name: a greeting is answered by a template
  turns:
    - say: 你好
      expect: { route: greeting, agent: greeting, language: zh }
- name: opening hours come from the knowledge
  turns:
    - say: what are your opening hours
      expect: { route: knowledge, words: [ "21:00" ], language: en }
    - say: 营业时间是几点到几点
      expect: { words: [ 每天 ], language: zh }
- name: somebody asks for a person
  turns:
    - say: 转人工
      expect: { route: person-asked, to: human.desk }
- name: the model answers the rest
  script:
    - { when: "", say: "I do not know that, but I can pass it to a person." }
  turns:
    - say: could you explain quantum physics to me please
      expect: { route: other, agent: helper, words: [ person ], language: en }
- name: goodbye ends the conversation
  turns:
    - say: goodbye
      expect: { ended: true }
)";

std::string filled(std::string_view text, const std::string& name) {
  constexpr std::string_view kPlace = "@NAME@";
  std::string out(text);
  for (std::size_t at = 0; (at = out.find(kPlace, at)) != std::string::npos; at += name.size())
    out.replace(at, kPlace.size(), name);
  return out;
}

}  // namespace

std::vector<InitFile> init_files(const std::string& name) {
  return {{"flow.yaml", filled(kFlow, name)},
          {"prompts/helper.md", filled(kPrompt, name)},
          {"knowledge/shop.yaml", filled(kKnowledge, name)},
          {"tests/first.yaml", filled(kTests, name)}};
}

}  // namespace qiao::cli
