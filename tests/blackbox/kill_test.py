# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random points while clients publish: every acked message is there after the
restart, none twice, each conversation in order. QIAO_KILLS sets how often (50)."""
import json
import os
import random
import threading
import time
import unittest

from qiao_server import Server

KILLS = int(os.environ.get("QIAO_KILLS", "50"))
CLIENTS = 4


class Client(threading.Thread):
    """Publishes one message after another into its conversation; writes down what was acked."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name_, self.acked, self.count, self.quit = server, name, [], 0, False

    def run(self):
        while not self.quit:
            self.count += 1
            message = {"id": f"{self.name_}-{self.count}", "text": str(self.count), "conversation": self.name_}
            while not self.quit:  # blindly again until it is acked: the id makes it safe
                try:
                    status, body = self.server.publish("kill.test", message)
                    if status == 200:
                        self.acked.append((message["id"], body["offset"]))
                        break
                except OSError:
                    pass
                except Exception:
                    pass
                time.sleep(0.005)


class Kill(unittest.TestCase):
    def test_acked_messages_survive(self):
        seed = int(os.environ.get("QIAO_SEED", time.time_ns() % 1_000_000))
        print(f"seed {seed}, {KILLS} kills")
        chance = random.Random(seed)
        server = Server()
        server.start()
        clients = [Client(server, f"c{i}") for i in range(CLIENTS)]
        for client in clients:
            client.start()
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.005, 0.15))
            server.kill()
            server.start()
        for client in clients:
            client.quit = True
        for client in clients:
            client.join(30)
        server.kill()
        server.start()
        stored = server.messages("kill.test")
        by_id = {}
        for message in stored:
            self.assertNotIn(message["id"], by_id, "stored twice")
            by_id[message["id"]] = message["offset"]
        acked = 0
        for client in clients:
            for identity, offset in client.acked:
                self.assertEqual(by_id.get(identity), offset, f"acked {identity} at {offset} is not there")
                acked += 1
            texts = [int(m["text"]) for m in stored if m["conversation"] == client.name_]
            self.assertEqual(texts, sorted(texts), "a conversation is out of order")
        print(f"{acked} acked messages, all there once and in order, after {KILLS} kills")
        self.assertGreater(acked, KILLS)
        server.__exit__()


if __name__ == "__main__":
    unittest.main(verbosity=2)
