# SPDX-License-Identifier: Apache-2.0
"""Token streams from outside: kill -9 in mid-answer, restart, and the reader that resumes by
Last-Event-ID ends with exactly the final text; old streams; who leaves stops the model."""
import contextlib
import http.client
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

NO_MODELS = {"QIAO_MODELS": "/nonexistent/models"}
WAIT_S = 120


class Reader(threading.Thread):
    """Follows one answer; comes back by itself with Last-Event-ID. Applies events as documented."""

    def __init__(self, server, message):
        super().__init__(daemon=True)
        self.server, self.message = server, message
        self.text, self.last_id, self.end, self.ids, self.resets, self.connections = "", None, None, [], [], 0
        self.start()

    def run(self):
        give_up = time.monotonic() + WAIT_S
        while self.end is None and time.monotonic() < give_up:
            try:
                self.follow()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.02)

    def follow(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        headers = {"Authorization": f"Bearer {KEY}", **({"Last-Event-ID": self.last_id} if self.last_id else {})}
        with contextlib.closing(connection):
            self.read(connection, headers)

    def read(self, connection, headers):
        connection.request("GET", f"/v1/streams/{self.message}", headers=headers)
        response = connection.getresponse()
        self.connections += 1
        event = {}
        for line in response:
            line = line.decode().rstrip("\r\n")
            if line and not line.startswith(":"):
                field, _, value = line.partition(": ")
                event[field] = value
            elif not line and "event" in event:
                self.take(event)
                event = {}

    def take(self, event):
        data = json.loads(event["data"])
        if "id" in event:
            self.last_id = event["id"]
            self.ids.append(event["id"])
        if event["event"] == "text":
            self.text += data["text"]
        elif event["event"] == "reset":
            self.text = ""
            self.resets.append(data)
        elif event["event"] == "end":
            self.end = data


def wait_until(holds, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


class Streams(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="qiao-streams-"))
        self.model = SlowModel(words=60, pause_s=0.05, word=lambda answer, index: f"a{answer}w{index} ")
        flow = write_flow(self.folder, "slow")
        config = write_config(self.folder, self.model)
        self.server = Server(flow, environment=NO_MODELS, flags=("--config", str(config))).start()

    def tearDown(self):
        self.server.__exit__()
        self.model.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, message):
        status, body = self.server.publish("slow.in", {"id": message, "text": "tell me", "conversation": message})
        self.assertEqual(status, 200, body)

    def final_text(self, message):
        self.assertTrue(wait_until(lambda: any(m["cause"] == message for m in self.server.messages("slow.out"))))
        replies = [m for m in self.server.messages("slow.out") if m["cause"] == message]
        self.assertEqual(len(replies), 1)
        return replies[0]["text"]

    def check(self, reader, message):
        reader.join(WAIT_S)
        self.assertIsNotNone(reader.end, self.server.errors())
        self.assertEqual(reader.text, self.final_text(message))
        places = [tuple(map(int, i.split("."))) for i in reader.ids]
        self.assertEqual(places, sorted(set(places)), "an event came twice or out of order")

    def test_killed_in_mid_answer(self):
        self.ask("m1")
        readers = [Reader(self.server, "m1") for _ in range(3)]
        self.assertTrue(wait_until(lambda: all(len(r.text) > 40 for r in readers)))
        self.server.kill()
        self.server.start()
        late = Reader(self.server, "m1")
        for reader in readers + [late]:
            self.check(reader, "m1")
        for reader in readers:
            self.assertGreater(reader.connections, 1)
            self.assertEqual(max(r.get("attempt", 0) for r in reader.resets), 2)

    def test_killed_again_and_again(self):
        self.ask("m1")
        reader = Reader(self.server, "m1")
        for _ in range(3):
            seen = len(reader.ids)
            self.assertTrue(wait_until(lambda: len(reader.ids) > seen + 10))
            self.server.kill()
            self.server.start()
        self.check(reader, "m1")

    def test_a_finished_answer_is_read_after_a_restart(self):
        self.ask("m1")
        text = self.final_text("m1")
        self.server.kill()
        self.server.start()
        reader = Reader(self.server, "m1")
        self.check(reader, "m1")
        self.assertEqual(reader.text, text)
        resumed = Reader(self.server, "m1")
        resumed.join(WAIT_S)
        middle = reader.ids[len(reader.ids) // 2]
        tail = Reader.__new__(Reader)
        threading.Thread.__init__(tail, daemon=True)
        tail.server, tail.message, tail.text, tail.last_id = self.server, "m1", "", middle
        tail.end, tail.ids, tail.resets, tail.connections = None, [], [], 0
        tail.start()
        tail.join(WAIT_S)
        self.assertIsNotNone(tail.end)
        self.assertTrue(text.endswith(tail.text))
        self.assertNotIn(middle, tail.ids)
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/v1/streams/m1", headers={"Authorization": f"Bearer {KEY}", "Last-Event-ID": reader.ids[-1]})
            self.assertEqual(connection.getresponse().status, 204)

    def test_chat_goes_on_over_a_restart(self):
        chat = subprocess.Popen([QIAO, "chat", "slow", "--server", f"http://127.0.0.1:{self.server.port}", "--key", KEY, "--json"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        chat.stdin.write("tell me\n")
        chat.stdin.close()
        self.assertTrue(wait_until(lambda: self.model.answers == 1))
        time.sleep(0.5)
        self.server.kill()
        self.server.start()
        out = chat.stdout.read()
        self.assertEqual(chat.wait(WAIT_S), 0, chat.stderr.read())
        answer = json.loads(out.strip().splitlines()[-1])
        self.assertEqual(answer["answer"], self.final_text(answer["message_id"]))

    def test_a_requester_that_leaves_stops_the_model(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("POST", "/v1/topics/slow.in/requests", body=json.dumps({"text": "tell me", "timeout_ms": 60000}),
                           headers={"Authorization": f"Bearer {KEY}"})
        self.assertTrue(wait_until(lambda: self.model.answers == 1))
        connection.sock.close()
        connection.close()
        self.assertTrue(wait_until(lambda: self.model.cut == 1), "the model still speaks")
        self.assertEqual(self.server.messages("slow.out"), [])

    def test_a_deadline_stops_the_model(self):
        status, body = self.server.call("POST", "/v1/topics/slow.in/requests", {"text": "tell me", "timeout_ms": 700})
        self.assertEqual((status, body.get("error", {}).get("code")), (504, "deadline"), body)
        self.assertTrue(wait_until(lambda: self.model.cut == 1), "the model still speaks")


if __name__ == "__main__":
    unittest.main(verbosity=2)
