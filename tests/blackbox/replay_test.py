# SPDX-License-Identifier: Apache-2.0
"""Replay and fork from outside: the real binary, a scripted model, a tool that counts its calls."""
import http.server
import json
import pathlib
import shutil
import tempfile
import threading
import time
import unittest

from qiao_server import KEY, Server, run

NO_MODELS = {"QIAO_MODELS": "/nonexistent/models"}
WAIT_S = 60

FLOW = """flow: shop
routes:
  - {{ name: order, when: {{ entity: order_number }}, to: agent.order }}
  - {{ name: all, otherwise: true, to: agent.chat }}
tools:
  look: {{ describe: {{ zh: 查, en: look }}, http: {{ method: GET, url: "http://127.0.0.1:{port}/orders/{{order_number}}" }}, needs: [ order_number ] }}
agents:
  chat: {{ prompt: p.md, filter: [ language ], label: true }}
  order: {{ prompt: p.md, tools: [ look ], filter: [ language ] }}
label: {{ zh: "（AI）", en: "{label}" }}
fallback: {{ text: {{ zh: 抱歉。, en: "Sorry." }} }}
"""
SCRIPT = """script:
  - {{ when: hello, say: "{hello}" }}
  - {{ when: QX, say: "It is on its way." }}
  - {{ when: thanks, say: "You are welcome." }}
  - {{ when: "", say: "I do not know that." }}
"""


class Tool:
    """Answers with a number that rises, so that a second call would show."""

    def __init__(self):
        self.keys = []
        tool = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                tool.keys.append(self.headers["Idempotency-Key"])
                body = json.dumps({"state": f"answer {len(tool.keys)}"}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server.server_address[1]


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="qiao-replay-"))
        cls.tool = Tool()
        cls.flow = cls.directory / "shop"
        cls.flow.mkdir()
        (cls.flow / "p.md").write_text("Be kind.\n")
        cls.write_flow(" (AI)")
        (cls.directory / "script.yaml").write_text(SCRIPT.format(hello="Good day to you."))
        (cls.directory / "other.yaml").write_text(SCRIPT.format(hello="Hi there, friend."))
        config = cls.directory / "qiao.yaml"
        config.write_text("models:\n" + "".join(f"  {name}:\n    engine: scripted\n    path: {cls.directory / file}\n"
                                               for name, file in (("chat", "script.yaml"), ("other", "other.yaml"))))
        cls.server = Server(cls.flow, environment=NO_MODELS, flags=["--config", str(config)]).start()
        for number, text in enumerate(("hello", "where is my order QX20260101", "thanks"), 1):
            cls.say("c1", f"m{number}", text)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()
        cls.tool.server.shutdown()
        shutil.rmtree(cls.directory, ignore_errors=True)

    @classmethod
    def write_flow(cls, label):
        (cls.flow / "flow.yaml").write_text(FLOW.format(port=cls.tool.port, label=label), encoding="utf-8")

    @classmethod
    def say(cls, conversation, message, text):
        assert cls.server.publish("shop.in", {"id": message, "conversation": conversation, "text": text})[0] == 200
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            for reply in cls.server.messages("shop.out"):
                if reply.get("correlation") == message:
                    return reply["text"]
            time.sleep(0.05)
        raise AssertionError("no reply to " + text)

    def verb(self, *arguments):
        where = ["--server", f"http://127.0.0.1:{self.server.port}", "--key", KEY]
        code, out, err = run(*arguments, *where, "--json", timeout=120)
        return code, json.loads(out) if out.strip() else err

    def test_1_recorded_it_is_the_same_and_nobody_is_asked(self):
        calls = len(self.tool.keys)
        self.assertEqual(calls, 1)
        code, body = self.verb("replay", "c1")
        self.assertEqual((code, body["same"], body["first_difference"]), (0, True, None), body)
        self.assertEqual([turn["message_id"] for turn in body["turns"]], ["m1", "m2", "m3"])
        self.assertEqual(body["turns"][0]["now"]["reply"], "Good day to you. (AI)")
        self.assertEqual(body["turns"][1]["now"]["decision"]["route"], "order")
        self.assertEqual(len(self.tool.keys), calls)
        self.assertEqual(len(self.server.messages("shop.out")), 3)  # nothing was published

    def test_2_live_it_shows_what_another_model_says(self):
        calls = len(self.tool.keys)
        code, body = self.verb("replay", "c1", "--model", "other")
        self.assertEqual((code, body["same"], body["first_difference"]), (0, False, "m1"), body)
        first = body["turns"][0]
        self.assertEqual((first["then"]["reply"], first["now"]["reply"]), ("Good day to you. (AI)", "Hi there, friend. (AI)"))
        self.assertIn("/reply", first["difference"]["at"])
        self.assertTrue(body["turns"][2]["same"], body["turns"][2])
        self.assertEqual(len(self.tool.keys), calls)
        self.assertEqual(self.verb("replay", "c1", "--model", "nobody")[0], 4)

    def test_3_a_fork_goes_on_by_itself(self):
        code, body = self.verb("fork", "c1", "--at", "m2", "--as", "c2")
        self.assertEqual((code, body["conversation"]), (0, "c2"), body)
        past = self.server.call("GET", "/v1/conversations/c2/messages")[1]["messages"]
        self.assertEqual([m["text"] for m in past if m["subject"] == "shop.in"], ["hello", "where is my order QX20260101"])
        self.assertEqual(self.say("c2", "f1", "hello again"), "Good day to you. (AI)")
        events = self.server.call("GET", "/v1/messages/f1/why")[1]["events"]
        self.assertEqual([e["data"]["turn"] for e in events if e["type"] == "turn"], [3])  # it knows its past
        code, body = self.verb("replay", "c2")
        self.assertEqual((code, [turn["message_id"] for turn in body["turns"]]), (0, ["m1", "m2", "f1"]), body)
        after = self.server.call("GET", "/v1/conversations/c1/messages")[1]["messages"]
        self.assertEqual(len(after), 6)
        self.assertEqual(self.verb("fork", "c1", "--at", "m2", "--as", "c2")[0], 5)
        self.assertEqual(self.verb("fork", "c1", "--at", "nothing")[0], 4)
        self.assertEqual(self.verb("replay", "nowhere")[0], 4)

    def test_4_after_a_crash_and_a_change_the_first_difference_is_told(self):
        self.server.kill()
        self.server.start()
        code, body = self.verb("replay", "c1")
        self.assertEqual((code, body["same"]), (0, True), body)
        self.server.stop()
        self.write_flow(" (made by AI)")
        self.server.start()
        code, body = self.verb("replay", "c1")
        self.assertEqual((code, body["first_difference"]), (1, "m1"), body)
        self.assertEqual(body["turns"][0]["now"]["reply"], "Good day to you. (made by AI)")
        self.assertTrue(body["turns"][1]["same"], body["turns"][1])  # that agent has no label
        self.write_flow(" (AI)")


if __name__ == "__main__":
    unittest.main()
