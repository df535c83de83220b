# SPDX-License-Identifier: Apache-2.0
"""The life of a model as docs/start.md tells it: taught by a hundred letters, measured, made smaller, promoted, and asked by a flow.

Needs qiao-learn and the installed encoder bge-small-zh; ends with 77 where one is missing.
"""
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

from qiao_server import QIAO, ROOT, Server, run

MAILROOM = ROOT / "examples/mailroom"
BASE = "bge-small-zh"
INSTALLED = pathlib.Path(os.environ.get("QIAO_MODELS") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "qiao/models"))
SKIPPED = 77
VERB_S = 240
ROUTE_S = 30
LEAST = 0.8  # of the letters in dev; five desks, so chance has a fifth


def letters(name):
    return [json.loads(line) for line in (MAILROOM / name).read_text(encoding="utf-8").splitlines()]


class Mailroom(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="qiao-mailroom-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        models = self.folder / "models"
        models.mkdir()
        (models / BASE).symlink_to(INSTALLED / BASE)
        self.environment = {"QIAO_MODELS": str(models), "QIAO_CHAT_MODEL": "none"}

    def qiao(self, *words):
        code, out, err = run(*map(str, words), environment=self.environment, timeout=VERB_S)
        self.assertEqual(code, 0, err)
        return json.loads(out.splitlines()[-1])

    def test_what_was_taught_routes_letters(self):
        whole, small = self.folder / "whole", self.folder / "small"
        dev = MAILROOM / "dev.jsonl"
        self.qiao("train", "finetune", "--base", BASE, "--train", MAILROOM / "train.jsonl", "--dev", dev,
                  "--task", "classify", "--out", whole, "--json")
        measured = self.qiao("eval", "--bundle", whole, "--data", dev, "--json")
        self.assertEqual(measured["n"], len(letters("dev.jsonl")))
        self.assertGreaterEqual(measured["accuracy"], LEAST)
        self.qiao("quantise", "--bundle", whole, "--dev", dev, "--out", small, "--allow-loss", "10", "--json")
        self.qiao("model", "promote", "mailroom", small, "--data", self.folder / "none", "--json")
        with Server(MAILROOM, environment=self.environment) as server:
            routes = [self.route(server, f"l{i}", letter["text"]) for i, letter in enumerate(letters("dev.jsonl"))]
        right = sum(route == letter["label"] for route, letter in zip(routes, letters("dev.jsonl")))
        self.assertGreaterEqual(right / len(routes), LEAST, routes)

    def route(self, server, name, text):
        status, body = server.publish("mail.in", {"id": name, "conversation": name, "text": text})
        self.assertEqual(status, 200, body)
        end = time.monotonic() + ROUTE_S
        while time.monotonic() < end:
            status, why = server.call("GET", f"/v1/messages/{name}/why")
            if status == 200 and why["decision"]:
                self.assertEqual(why["annotations"].get("missing", []), [])
                return why["decision"]["route"]
            time.sleep(0.02)
        self.fail(name + " was not decided: " + server.errors())


if __name__ == "__main__":
    learn = pathlib.Path(os.environ.get("QIAO_LEARN") or pathlib.Path(QIAO).parent / "qiao-learn")
    for needed in (learn, INSTALLED / BASE / "model.gguf"):
        if not needed.exists():
            print(f"SKIPPED: {needed} is not there", file=sys.stderr)
            sys.exit(SKIPPED)
    unittest.main(verbosity=2)
