# SPDX-License-Identifier: Apache-2.0
"""Turns from outside: messages that come while one is answered (refused, interrupting, merged, who types), and tool calls
that wait for a person's consent over kill -9, decided by HTTP and at the desk."""
import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

from qiao_server import KEY, QIAO, Server
from slow_model import SlowModel, write_config, write_flow
from streams_test import NO_MODELS, Reader, wait_until

SHOP = """flow: shop
understand: {{ entities: [ order_number ] }}
routes: [ {{ name: all, otherwise: true, to: agent.refund }} ]
tools:
  refund:
    describe: {{ zh: 退款, en: pay an order back }}
    http: {{ method: POST, url: "http://127.0.0.1:{port}/refunds/{{order_number}}" }}
    needs: [ order_number ]
    approve: {{ to: human.refunds, wait: I have asked., denied: "No: {{note}}", escalate: {{ after: 1h, to: human.boss }} }}
agents:
  refund: {{ kind: template, tools: [ refund ], tool_choice: required, template: "{{refund.said}}" }}
"""


class Bank(http.server.ThreadingHTTPServer):
    """The tool: counts what it did by Idempotency-Key."""

    def __init__(self):
        self.paid = []
        bank = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                bank.paid.append((self.path, self.headers.get("Idempotency-Key")))
                body = b'{"said": "Paid back."}'
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Busy(unittest.TestCase):
    def start(self, turn):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="qiao-turns-"))
        self.model = SlowModel(words=60, pause_s=0.05, word=lambda answer, index: f"a{answer}w{index} ")
        flow = write_flow(self.folder, "slow")
        (flow / "flow.yaml").write_text(f"turn: {turn}\n" + (flow / "flow.yaml").read_text(), encoding="utf-8")
        config = write_config(self.folder, self.model)
        self.server = Server(flow, environment=NO_MODELS, flags=("--config", str(config))).start()

    def tearDown(self):
        self.server.__exit__()
        self.model.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def say(self, message, text="tell me"):
        return self.server.publish("slow.in", {"id": message, "text": text, "conversation": "c1"})

    def replies(self):
        return self.server.messages("slow.out")

    def test_reject_tells_the_caller(self):
        self.start("{ busy: reject }")
        self.assertEqual(self.say("m1")[0], 200)
        self.assertTrue(wait_until(lambda: self.model.answers == 1))
        status, body = self.say("m2")
        self.assertEqual((status, body["error"]["code"]), (409, "conflict"), body)
        status, body = self.server.call("POST", "/v1/chat/completions", {"model": "slow", "messages": [{"role": "user", "content": "x"}]},
                                        headers={"Qiao-Conversation": "c1"})
        self.assertEqual((status, body["error"]["code"]), (409, "conflict"), body)
        self.assertIn("c1", body["error"]["message"])
        self.assertTrue(wait_until(lambda: len(self.replies()) == 1))
        self.assertEqual(self.say("m3")[0], 200)

    def test_interrupt_cancels_the_running_turn(self):
        self.start("{ busy: interrupt }")
        self.say("m1")
        first = Reader(self.server, "m1")
        self.assertTrue(wait_until(lambda: len(first.text) > 40))
        self.say("m2", "something else")
        self.assertTrue(wait_until(lambda: self.model.cut == 1), "the model still speaks")
        first.join(60)
        self.assertEqual(first.end["finish"], "superseded")
        self.assertTrue(first.text.startswith("a1w0 "), "the half answer stays")
        self.assertTrue(wait_until(lambda: len(self.replies()) == 1))
        self.assertEqual(self.replies()[0]["cause"], "m2")
        self.server.kill()
        self.server.start()
        time.sleep(0.5)
        self.assertEqual(len(self.replies()), 1)

    def test_who_types_is_waited_for_and_answered_once(self):
        self.start("{ settle: 400ms, max_wait: 8s }")
        self.say("m1", "I would like")
        for _ in range(3):
            status, body = self.server.call("POST", "/v1/conversations/c1/typing", {"for_ms": 1500})
            self.assertEqual((status, body), (200, {"for_ms": 1500}))
            time.sleep(0.4)
        self.assertEqual(self.model.answers, 0)
        self.say("m2", "a story")
        self.assertTrue(wait_until(lambda: len(self.replies()) == 1))
        self.assertEqual(self.model.answers, 1)
        self.assertEqual(self.server.call("POST", "/v1/conversations/c1/typing", {"for_ms": 99999})[0], 400)
        _, text = self.server.call("GET", "/metrics")
        self.assertIn('qiao_flow_fragments_merged_total{flow="slow"} 2', text.decode())
        self.assertIn('qiao_flow_replies_saved_total{flow="slow"} 1', text.decode())


DESK = """flow: desk
routes: [ { name: all, otherwise: true, to: human.desk } ]
fallback: { text: A person takes over. }
"""


class Person(unittest.TestCase):
    def test_who_writes_on_by_http_is_told_that_a_person_has_the_message(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="qiao-person-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        (folder / "flow.yaml").write_text(DESK, encoding="utf-8")
        with Server(folder, environment=NO_MODELS) as server:
            say = lambda text: server.call("POST", "/v1/chat/completions", {  # noqa: E731
                "model": "desk", "conversation": "c1", "messages": [{"role": "user", "content": text}]})[1]["choices"][0]["message"]["content"]
            self.assertEqual(say("help me"), "A person takes over.")
            self.assertIn("given your message", say("are you there?"))
            self.assertIn("已转给对方", say("在吗？我等了很久"))
            self.assertEqual(len(server.messages("human.desk")), 3)
            self.assertEqual([m["text"] for m in server.messages("desk.out")], ["A person takes over."])


class Consent(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="qiao-consent-"))
        self.bank = Bank()
        (self.folder / "flow.yaml").write_text(SHOP.format(port=self.bank.server_port), encoding="utf-8")
        self.server = Server(self.folder, environment=NO_MODELS).start()

    def tearDown(self):
        self.server.__exit__()
        self.bank.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, conversation="c1"):
        self.server.publish("shop.in", {"text": "refund QX20260101", "conversation": conversation})
        self.assertTrue(wait_until(lambda: any(a["conversation"] == conversation for a in self.waiting())))
        return next(a for a in self.waiting() if a["conversation"] == conversation)

    def waiting(self):
        status, body = self.server.call("GET", "/v1/approvals")
        self.assertEqual(status, 200, body)
        return body["approvals"]

    def decide(self, approval, decision, **more):
        return self.server.call("POST", f"/v1/approvals/{approval['id']}", {"decision": decision, **more})

    def replies(self):
        return [m["text"] for m in self.server.messages("shop.out")]

    def test_approved_after_a_crash_it_is_done_once(self):
        approval = self.ask()
        self.assertEqual((approval["tool"], approval["arguments"]), ("refund", {"order_number": "QX20260101"}))
        self.assertEqual(approval["decision"]["route"], "all")
        self.assertEqual(self.replies(), ["I have asked."])
        self.server.kill()
        self.server.start()
        self.assertEqual([a["id"] for a in self.waiting()], [approval["id"]])
        self.assertEqual(self.decide(approval, "maybe")[0], 400)
        self.assertEqual(self.decide(approval, "approve", by="ann")[0], 200)
        self.assertTrue(wait_until(lambda: len(self.replies()) == 2), self.server.errors())
        self.assertEqual(self.replies()[1], "Paid back.")
        self.assertIn(self.decide(approval, "deny")[0], (404, 409))
        self.assertEqual(len({key for _, key in self.bank.paid}), 1)
        self.assertEqual(len(self.server.messages("human.refunds")), 1)
        self.assertEqual(self.waiting(), [])

    def test_denied_at_the_desk_with_a_note(self):
        self.ask()
        desk = subprocess.run([QIAO, "desk", "human.refunds", "--as", "ann", "--server", f"http://127.0.0.1:{self.server.port}", "--key", KEY],
                              input="what\n/deny not this one\n", capture_output=True, text=True, timeout=60)
        self.assertEqual(desk.returncode, 0, desk.stderr)
        self.assertIn("QX20260101", desk.stdout)
        self.assertIn("pay an order back", desk.stdout)
        self.assertTrue(wait_until(lambda: len(self.replies()) == 2), self.server.errors())
        self.assertEqual(self.replies()[1], "No: not this one")
        self.assertEqual(self.bank.paid, [])

    def test_a_claim_may_be_handed_back(self):
        approval = self.ask()
        self.server.call("PUT", "/v1/groups/desk.refunds", {"pattern": "human.refunds", "start": "oldest"})
        lease = lambda: self.server.call("POST", "/v1/groups/desk.refunds/lease", {"consumer": "ann"})[1]["deliveries"]  # noqa: E731
        claimed = lease()[0]
        self.assertEqual(claimed["message"]["headers"]["x-approval"], approval["id"])
        self.assertEqual(lease(), [])
        self.server.call("POST", "/v1/groups/desk.refunds/nack", {"offset": claimed["offset"], "attempt": claimed["attempt"], "counts": False})
        self.assertEqual(lease()[0]["offset"], claimed["offset"])

    def test_who_asks_meanwhile_is_told_and_answered_after_the_decision(self):
        approval = self.ask()
        begun = time.monotonic()
        status, body = self.server.call("POST", "/v1/chat/completions", {
            "model": "shop", "conversation": "c1", "messages": [{"role": "user", "content": "退款到哪一步了？"}]})
        self.assertEqual(status, 200, body)
        self.assertLess(time.monotonic() - begun, 20)
        self.assertIn("等待人工审批", body["choices"][0]["message"]["content"])
        self.assertEqual((body["qiao"]["finish"], body["qiao"]["approval"]), ("waiting", approval["id"]))
        self.assertEqual(self.replies(), ["I have asked."])
        self.assertEqual(self.decide(approval, "deny", note="no")[0], 200)
        self.assertTrue(wait_until(lambda: len(self.replies()) == 3), self.server.errors())
        causes = [m["cause"] for m in self.server.messages("shop.out")]
        self.assertEqual(causes[2], body["qiao"]["message_id"])

    def test_other_conversations_do_not_wait(self):
        first = self.ask("c1")
        second = self.ask("c2")
        self.assertEqual(self.decide(second, "deny", note="no")[0], 200)
        self.assertTrue(wait_until(lambda: "No: no" in self.replies()))
        self.assertEqual([a["id"] for a in self.waiting()], [first["id"]])


if __name__ == "__main__":
    unittest.main(verbosity=2)
