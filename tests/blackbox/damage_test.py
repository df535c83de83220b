# SPDX-License-Identifier: Apache-2.0
"""Damaged data directories and the real binary: `serve` refuses them and changes nothing, `verify`
names file and byte, `repair` keeps the original and all that is whole."""
import glob
import hashlib
import json
import os
import pathlib
import random
import shutil
import tempfile
import unittest

from qiao_server import KEY, Server, run

MESSAGES = 120
CORRUPT = 14


def sums_of(directory):
    return {str(p.relative_to(directory)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(pathlib.Path(directory).rglob("*")) if p.is_file() and p.name not in ("lock", "stderr.txt")}


class Damage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.whole = tempfile.mkdtemp(prefix="qiao-whole-")
        server = Server(data=cls.whole).start()
        server.call("PUT", "/v1/groups/g", {"pattern": "kept.>", "start": "oldest"})
        for n in range(MESSAGES):
            server.publish("kept.test", {"id": f"m{n}", "text": f"text {n} " + "很" * 50, "conversation": f"c{n % 5}"})
        server.stop()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.whole, ignore_errors=True)

    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="qiao-damaged-")
        shutil.rmtree(self.data)
        shutil.copytree(self.whole, self.data)
        self.segment = sorted(glob.glob(self.data + "/log/*.seg"))[0]

    def tearDown(self):
        for path in glob.glob(self.data + "*"):
            shutil.rmtree(path, ignore_errors=True)

    def flip(self, path, at):
        with open(path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0x20]))

    def verify(self):
        code, out, err = run("verify", self.data, "--json")
        return code, json.loads(out) if out else err

    def serve_refuses(self):
        code, out, err = run("serve", "--data", self.data, "--listen", "127.0.0.1:0", "--key", KEY)
        self.assertEqual(code, CORRUPT, out + err)
        self.assertIn(self.segment, out + err)

    def test_a_whole_directory(self):
        before = sums_of(self.data)
        code, report = self.verify()
        self.assertEqual(code, 0, report)
        self.assertTrue(report["ok"])
        self.assertGreater(report["totals"]["records"], MESSAGES)
        self.assertEqual(report["totals"]["damaged"], 0)
        self.assertEqual(report["history"]["state"], "whole")
        self.assertTrue(all(s["chained"] and s["state"] == "whole" for s in report["segments"]))
        self.assertTrue(all(s["state"] == "whole" for s in report["snapshots"]))
        self.assertEqual(sums_of(self.data), before)
        code, out, _ = run("repair", self.data, "--yes", "--json")
        self.assertEqual((code, json.loads(out)["repaired"]), (0, False))
        self.assertEqual(sums_of(self.data), before)

    def test_no_directory_and_no_log(self):
        self.assertEqual(run("verify", "/no/such/data")[0], 4)
        self.assertEqual(run("repair", "/no/such/data", "--yes")[0], 4)

    def test_in_chinese(self):
        self.flip(self.segment, 5_000)
        _, out, err = run("verify", self.data, "--lang", "zh")
        self.assertIn("损坏", out)
        self.assertIn("丢失", out + err)

    def test_a_server_in_use_is_read_but_not_repaired(self):
        with Server(data=self.data) as server:
            server.publish("kept.test", {"text": "now"})
            code, report = self.verify()
            self.assertEqual(code, 0, report)
            self.assertTrue(report["in_use"])
            code, out, err = run("repair", self.data, "--yes")
            self.assertEqual(code, 7, out + err)
            self.assertEqual(server.publish("kept.test", {"text": "still"})[0], 200)

    def test_each_flip_is_named_and_repaired(self):
        size = os.path.getsize(self.segment)
        for at in random.Random(4).sample(range(size), 6):
            with self.subTest(byte=at):
                shutil.rmtree(self.data)
                shutil.copytree(self.whole, self.data)
                self.flip(self.segment, at)
                damaged = sums_of(self.data)
                code, report = self.verify()
                self.assertEqual(code, CORRUPT)
                place = report["damage"][0]
                self.assertEqual(place["file"], self.segment)
                self.assertLessEqual(place["byte"], at)
                self.assertGreater(place["byte"] + place["bytes"], at)
                self.serve_refuses()
                self.assertEqual(sums_of(self.data), damaged)
                self.repaired_serves_the_rest(report)

    def repaired_serves_the_rest(self, report):
        code, out, err = run("repair", self.data)  # no terminal, no --yes
        self.assertEqual(code, 6, out + err)
        self.assertFalse(glob.glob(self.data + "/log.before*"))
        kept = {pathlib.Path(p).name: pathlib.Path(p).read_bytes() for p in glob.glob(self.data + "/log/*")}
        code, out, err = run("repair", self.data, "--yes", "--json")
        self.assertEqual(code, 0, out + err)
        result = json.loads(out)
        self.assertEqual(result["lost_records"], report["totals"]["lost_records"])
        original = {p.name: p.read_bytes() for p in pathlib.Path(result["original"]).iterdir()}
        self.assertEqual(original, kept)
        lost = {o for r in result["lost"] for o in range(r["first_offset"], r["first_offset"] + r["records"])}
        self.assertEqual(self.verify()[0], 0)
        with Server(data=self.data) as server:
            for message in server.messages("kept.test"):
                number = int(message["id"][1:])
                self.assertTrue(message["text"].startswith(f"text {number} "))
                self.assertNotIn(message["offset"], lost)
            found = len(server.messages("kept.test"))
            self.assertGreaterEqual(found, MESSAGES - len(lost))
            self.assertEqual(server.publish("kept.test", {"id": "m0" if found == MESSAGES else "m999", "text": "text 0 x"})[0], 200)

    def test_a_damaged_history_is_named_and_built_anew(self):
        history = self.data + "/history.db"
        with open(history, "r+b") as file:
            file.seek(4096)
            file.write(b"\0" * 8192)
        code, report = self.verify()
        self.assertEqual(code, CORRUPT)
        self.assertEqual(report["history"]["state"], "damaged")
        self.assertEqual(report["damage"], [])
        code, out, err = run("repair", self.data, "--yes", "--json")
        self.assertEqual(code, 0, out + err)
        self.assertEqual(json.loads(out)["original"], "")
        self.assertTrue(os.path.exists(json.loads(out)["history"]))
        with Server(data=self.data) as server:
            status, body = server.call("GET", "/v1/conversations/c1/messages")
            self.assertEqual((status, len(body["messages"])), (200, MESSAGES // 5))


if __name__ == "__main__":
    unittest.main(verbosity=2)
