# SPDX-License-Identifier: Apache-2.0
"""A candidate is compared with the served bundle on live messages, then promoted and taken back, by the command line alone.

The bundles are tables (no layers), so this runs where llama.cpp is not built in.
"""
import json
import pathlib
import shutil
import struct
import tempfile
import threading
import time
import unittest

from qiao_server import KEY, Server, run

FLOW = """flow: desk
understand: { heads: [ { name: intent, bundle: intents } ] }
routes:
  - { name: refunds, when: { intent: refund, score: ">= 0.8" }, to: agent.refunds }
  - { name: orders, when: { intent: order, score: ">= 0.8" }, to: agent.orders }
  - { name: rest, otherwise: true, to: agent.rest }
agents:
  refunds: { kind: template, template: { zh: 退款, en: Refunds. } }
  orders: { kind: template, template: { zh: 订单, en: Orders. } }
  rest: { kind: template, template: { zh: 其他, en: Rest. } }
"""
CONTROLS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_tensors(path, tensors):
    """`tensors`: name to rows of numbers (or one row), as a safetensors file."""
    header, data = {}, b""
    for name, rows in tensors.items():
        flat = [x for row in rows for x in row] if isinstance(rows[0], list) else rows
        shape = [len(rows), len(rows[0])] if isinstance(rows[0], list) else [len(rows)]
        begin, data = len(data), data + struct.pack(f"<{len(flat)}f", *flat)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_bundle(folder, labels, words):
    """A table of words, each of which leads to one label."""
    folder.mkdir()
    pieces = CONTROLS + list(words)
    width = len(words) + 1
    one = [[4.0 if at == (i - len(CONTROLS) if i >= len(CONTROLS) else width - 1) else 0.0 for at in range(width)]
           for i in range(len(pieces))]
    head = [[8.0 if words.get(word) == label else 0.0 for word in [*words, None]] for label in labels]
    write_tensors(folder / "model.safetensors", {
        "embeddings.word_embeddings.weight": one, "classifier.weight": head, "classifier.bias": [0.0] * len(labels)})
    special = [{"id": i, "content": p, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                "special": True} for i, p in enumerate(CONTROLS)]
    files = {
        "labels.json": labels, "card.json": {},
        "config.json": {"model_type": "qiao-table", "max_position_embeddings": 32,
                        "qiao": {"pooling": "mean", "task": "classify", "tokens_max": 32}},
        "tokenizer.json": {
            "version": "1.0", "added_tokens": special,
            "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                           "strip_accents": None, "lowercase": True},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": {p: i for i, p in enumerate(pieces)}}}}
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))


class Shadow(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="qiao-shadow-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        (self.folder / "desk").mkdir()
        (self.folder / "desk/flow.yaml").write_text(FLOW)
        write_bundle(self.folder / "old", ["order", "refund"], {"money": "refund", "box": "order"})
        write_bundle(self.folder / "new", ["order", "refund"], {"money": "order", "box": "order"})
        self.environment = {"QIAO_MODELS": str(self.folder / "models"), "QIAO_CHAT_MODEL": "none"}
        code, out, err = run("model", "promote", "intents", str(self.folder / "old"), "--json",
                             "--data", str(self.folder / "none"), environment=self.environment)
        self.assertEqual(code, 0, err)
        self.old = json.loads(out)["version"]
        self.server = Server(self.folder / "desk", environment=self.environment).start()
        self.addCleanup(self.server.__exit__)
        self.where = ["--server", f"http://127.0.0.1:{self.server.port}", "--key", KEY]

    def qiao(self, *words):
        return run(*words, *self.where, environment=self.environment)

    def json(self, *words):
        code, out, err = self.qiao(*words, "--json")
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def say(self, name, text):
        status, body = self.server.publish("desk.in", {"id": name, "conversation": name, "text": text})
        self.assertEqual(status, 200, body)

    def judged(self, name):
        """The route of a message, and the version that decided."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            status, why = self.server.call("GET", f"/v1/messages/{name}/why")
            if status == 200 and why["decision"]:
                return why["decision"]["route"], why["annotations"]["bundles"]["intent"]
            time.sleep(0.02)
        self.fail(name + " was not decided: " + self.server.errors())

    def compared(self, count):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            report = self.json("model", "shadow", "intents")
            if report["compared"] + report["skipped"] == count:
                return report
            time.sleep(0.05)
        self.fail(report)

    def test_shadow_then_promote_then_back(self):
        new = self.json("model", "shadow", "intents", str(self.folder / "new"))["candidate"]["version"]
        names = [f"m{i}" for i in range(40)]

        def send(part):
            for name in part:
                self.say(name, "money" if int(name[1:]) % 4 == 0 else "box")

        threads = [threading.Thread(target=send, args=(names[i::2],)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name in names:  # the shadow changed nothing
            route = "refunds" if int(name[1:]) % 4 == 0 else "orders"
            self.assertEqual(self.judged(name), (route, "intents@" + self.old), name)
        report = self.compared(len(names))
        self.assertEqual((report["failed"], report["skipped"]), (0, 0))
        self.assertEqual(report["agreement"], 0.75)
        pair, = report["disagreements"]
        self.assertEqual((pair["current"], pair["candidate"], pair["count"]), ("refund", "order", 10))
        self.assertIn(pair["message"], names)
        self.assertNotIn("money", json.dumps(report))  # ids, no texts
        self.assertIn(b'qiao_shadow_agreed_total{bundle="intents"} 30', self.server.call("GET", "/metrics")[1])

        code, out, err = self.qiao("model", "shadow", "intents")
        self.assertEqual(code, 0, err)
        for part in (self.old, new, "75.0 %", "refund", pair["message"]):
            self.assertIn(part, out)
        code, out, err = self.qiao("--lang", "zh", "model", "shadow", "intents")
        self.assertIn("已比较 40 条消息", out)

        self.assertEqual(self.json("model", "promote", "intents", new)["version"], new)
        self.say("after", "money")
        self.assertEqual(self.judged("after"), ("orders", "intents@" + new))
        code, out, err = self.qiao("model", "shadow", "intents")  # promoting ended it
        self.assertEqual(code, 4, out + err)
        self.assertEqual(self.json("model", "rollback", "intents")["version"], self.old)
        self.say("back", "money")
        self.assertEqual(self.judged("back"), ("refunds", "intents@" + self.old))

    def test_stop_and_what_is_refused(self):
        self.json("model", "shadow", "intents", str(self.folder / "new"), "--percent", "50")
        code, out, err = self.qiao("model", "shadow", "intents", "--stop")
        self.assertEqual(code, 0, err)
        self.assertIn("0 messages compared", out)
        for status, words in ((4, ("intents", "--stop")), (4, ("moods", str(self.folder / "new"))),
                              (4, ("intents", str(self.folder / "desk"))), (6, ("intents", self.old)),
                              (3, ("intents", str(self.folder / "new"), "--percent", "0")),
                              (3, ("intents", str(self.folder / "new"), "--stop"))):
            code, out, err = self.qiao("model", "shadow", *words)
            self.assertEqual(code, status, (words, out, err))
            self.assertTrue(err.strip(), words)
        code, out, err = self.qiao("--lang", "zh", "model", "shadow", "moods", "x")
        self.assertIn("正在使用的模型包：intents", err)

    def test_a_shadow_ends_with_the_server(self):
        self.json("model", "shadow", "intents", str(self.folder / "new"))
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        code, out, err = self.qiao("model", "shadow", "intents")
        self.assertEqual(code, 4, out + err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
