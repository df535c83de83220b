# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random points while clients publish, lease and ack: every acked message is there
after the restart, none twice, each conversation in order, and what a consumer acked does not come
again. One kill of four hits the server while it starts. QIAO_KILLS sets how often (60),
QIAO_KILL_SECONDS ends it earlier (45), QIAO_SEED repeats a run's chances."""
import http.client
import json
import os
import random
import threading
import time
import unittest

from qiao_server import Server, run

CLIENTS = 4
GROUP = "/v1/groups/killed"
CONNECTION_FAULTS = (OSError, http.client.HTTPException)


class Publisher(threading.Thread):
    """Publishes one message after another into its conversation; writes down what was acked."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.conversation, self.acked, self.count, self.quit = server, name, [], 0, False

    def run(self):
        while not self.quit:
            self.count += 1
            message = {"id": f"{self.conversation}-{self.count}", "text": str(self.count), "conversation": self.conversation}
            while not self.quit:  # blindly again until it is acked: the id makes it safe
                try:
                    status, body = self.server.publish("kill.test", message)
                    if status == 200:
                        self.acked.append((message["id"], body["offset"]))
                        break
                except CONNECTION_FAULTS:
                    pass
                time.sleep(0.005)


class Consumer(threading.Thread):
    """Leases and acks; notes what came again after its ack was answered."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.acked, self.again, self.quit = server, set(), [], False

    def run(self):
        while not self.quit:
            try:
                status, body = self.server.call("POST", GROUP + "/lease", {"consumer": "c", "count": 8, "wait_ms": 50})
                for delivery in body["deliveries"] if status == 200 else []:
                    self.take(delivery)
            except CONNECTION_FAULTS:
                time.sleep(0.005)

    def take(self, delivery):
        identity = delivery["message"]["id"]
        if identity in self.acked:
            self.again.append(identity)
        lease = {"leases": [{"offset": delivery["offset"], "lease": delivery["lease"]}]}
        if self.server.call("POST", GROUP + "/ack", lease)[0] == 200:
            self.acked.add(identity)


def kill_and_restart(server, chance):
    """Kills it while it works or, one time of four, also while it starts."""
    time.sleep(chance.uniform(0.005, 0.15))
    server.kill()
    kills = 1
    if chance.random() < 0.25:
        server.start(wait=False)
        time.sleep(chance.uniform(0.0, 0.06))
        server.kill()
        kills += 1
    server.start()
    return kills


def run_kills(kills, seconds, seed):
    """The test as a function; returns what was lost and what was done."""
    chance = random.Random(seed)
    begin = time.monotonic()
    with Server() as server:
        server.call("PUT", GROUP, {"pattern": "kill.>", "start": "oldest", "lease_ms": 200, "attempts_max": 1000})
        publishers = [Publisher(server, f"c{i}") for i in range(CLIENTS)]
        consumer = Consumer(server)
        for thread in [*publishers, consumer]:
            thread.start()
        killed = 0
        while killed < kills and time.monotonic() - begin < seconds:
            killed += kill_and_restart(server, chance)
        for thread in [*publishers, consumer]:
            thread.quit = True
        for thread in [*publishers, consumer]:
            thread.join(60)
        server.kill()
        server.start()
        result = compare(server.messages("kill.test"), publishers)
        server.stop()
        verified = run("verify", server.data, "--json")
    return {"test": "kill", "seed": seed, "kills": killed, **result, "consumed": len(consumer.acked),
            "came_again": len(consumer.again), "verified": verified[0] == 0 and json.loads(verified[1])["ok"],
            "seconds": round(time.monotonic() - begin, 1)}


def compare(stored, publishers):
    offsets, twice, out_of_order = {}, 0, 0
    for message in stored:
        twice += message["id"] in offsets
        offsets[message["id"]] = message["offset"]
    acked = [one for publisher in publishers for one in publisher.acked]
    for publisher in publishers:
        numbers = [int(m["text"]) for m in stored if m["conversation"] == publisher.conversation]
        out_of_order += sum(a > b for a, b in zip(numbers, numbers[1:]))
    return {"acked": len(acked), "lost": sum(offsets.get(identity) != offset for identity, offset in acked),
            "twice": twice, "out_of_order": out_of_order}


class Kill(unittest.TestCase):
    def test_acked_messages_survive(self):
        kills = int(os.environ.get("QIAO_KILLS", "60"))
        result = run_kills(kills, float(os.environ.get("QIAO_KILL_SECONDS", "45")),
                           int(os.environ.get("QIAO_SEED", time.time_ns() % 1_000_000)))
        print(json.dumps(result))
        for fault in ("lost", "twice", "out_of_order", "came_again"):
            self.assertEqual(result[fault], 0, fault)
        self.assertTrue(result["verified"])
        self.assertGreater(result["kills"], 0)
        self.assertGreater(result["acked"], result["kills"])
        self.assertGreater(result["consumed"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
