# SPDX-License-Identifier: Apache-2.0
"""The paths and shapes that programs outside rely on."""
import json
import threading
import time
import unittest

from qiao_server import KEY, ROOT, Server

FLOW = ROOT / "examples/customer-service"
NO_MODELS = {"QIAO_MODELS": "/nonexistent/models"}


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(FLOW, environment=NO_MODELS).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def test_publish_one_and_many_and_read_back(self):
        status, one = self.server.publish("orders.new", {"text": "first"})
        self.assertEqual(status, 200, one)
        for field in ("id", "offset", "durability"):
            self.assertIn(field, one)
        self.assertEqual(one["durability"], "fsync")
        status, many = self.server.publish("orders.new", [{"text": "二", "id": "m2"}, {"text": "three"}])
        self.assertEqual([m["id"] for m in many["messages"]][0], "m2")
        self.assertEqual([m["text"] for m in self.server.messages("orders.new")], ["first", "二", "three"])

    def test_the_same_id_is_stored_once(self):
        first = self.server.publish("once.a", {"id": "same", "text": "x"})[1]
        again = self.server.publish("once.a", {"id": "same", "text": "x"})[1]
        self.assertEqual(first["offset"], again["offset"])
        self.assertTrue(again["duplicate"])
        self.assertEqual(len(self.server.messages("once.a")), 1)

    def test_a_key_is_needed(self):
        for key in (None, "wrong"):
            status, body = self.server.call("GET", "/v1/topics", key=key)
            self.assertEqual(status, 401)
            self.assertEqual(body["error"]["code"], "unauthenticated")
        self.assertEqual(self.server.call("GET", "/readyz", key=None)[0], 200)

    def test_chat_completion_with_a_flow_and_why(self):
        status, body = self.server.call("POST", "/v1/chat/completions", {
            "model": "customer-service", "messages": [{"role": "user", "content": "满多少包邮"}]},
            headers={"Qiao-Conversation": "contract-1"})
        self.assertEqual(status, 200, body)
        self.assertIn("99", body["choices"][0]["message"]["content"])
        message = [m for m in self.server.messages("support.in") if m["conversation"] == "contract-1"][0]
        status, why = self.server.call("GET", f"/v1/messages/{message['id']}/why")
        self.assertEqual(status, 200, why)
        self.assertIn("decision", json.dumps(why))

    def test_every_flow_is_a_model(self):
        status, body = self.server.call("GET", "/v1/models")
        self.assertIn("customer-service", [m["id"] for m in body["data"]])

    def test_groups_lease_ack_and_redeliver(self):
        self.assertIn(self.server.call("PUT", "/v1/groups/workers", {
            "pattern": "jobs.>", "start": "oldest", "lease_ms": 300, "attempts_max": 3})[0], (200, 201))
        self.server.publish("jobs.a", {"text": "work"})
        lease = lambda: self.server.call("POST", "/v1/groups/workers/lease", {"consumer": "w", "count": 1, "wait_ms": 3000})[1]["deliveries"]
        first = lease()[0]
        self.assertEqual((first["attempt"], first["message"]["text"]), (1, "work"))
        second = lease()[0]  # the lease of the first runs out
        self.assertEqual(second["attempt"], 2)
        ack = {"leases": [{"offset": second["offset"], "attempt": 2}]}
        self.assertEqual(self.server.call("POST", "/v1/groups/workers/ack", ack)[0], 200)
        self.assertEqual(self.server.call("POST", "/v1/groups/workers/ack", ack)[0], 409)

    def test_request_without_a_responder_fails_at_once(self):
        begin = time.monotonic()
        status, body = self.server.call("POST", "/v1/topics/nobody.here/requests", {"text": "hello?", "timeout_ms": 5000})
        self.assertEqual((status, body["error"]["code"]), (404, "not_found"))
        self.assertLess(time.monotonic() - begin, 2)

    def test_request_and_reply(self):
        self.server.call("PUT", "/v1/groups/echo", {"pattern": "echo.q", "start": "now"})

        def serve():
            for delivery in self.server.call("POST", "/v1/groups/echo/lease", {"consumer": "e", "count": 1, "wait_ms": 5000})[1]["deliveries"]:
                message = delivery["message"]
                self.server.publish(message["reply_to"], {"text": message["text"].upper(), "correlation": message["id"]})

        worker = threading.Thread(target=serve)
        worker.start()
        status, body = self.server.call("POST", "/v1/topics/echo.q/requests", {"text": "ping", "timeout_ms": 5000})
        worker.join()
        self.assertEqual(status, 200, body)
        self.assertIn("PING", json.dumps(body))

    def test_openapi_and_metrics_are_served(self):
        self.assertEqual(self.server.call("GET", "/openapi.json")[1]["openapi"][:3], "3.1")
        status, text = self.server.call("GET", "/metrics")
        self.assertIn(b"qiao_published_total", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
