# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken input: a clear error, nothing lost, the server lives."""
import json
import pathlib
import shutil
import socket
import tempfile
import unittest

from qiao_server import KEY, ROOT, Server, run

FLOW = ROOT / "examples/companion"
NO_MODELS = {"QIAO_MODELS": "/nonexistent/models"}


class BadRequests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(FLOW, environment=NO_MODELS).start()
        cls.server.publish("kept.safe", {"id": "before", "text": "still here"})

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def tearDown(self):
        self.assertEqual(self.server.call("GET", "/readyz")[0], 200)
        self.assertEqual([m["id"] for m in self.server.messages("kept.safe")], ["before"])

    def refused(self, body, status=400, code="invalid_argument"):
        got, answer = self.server.publish("kept.other", body)
        self.assertEqual(got, status, answer)
        self.assertEqual(answer["error"]["code"], code)
        self.assertTrue(answer["error"]["message"])

    def test_not_json(self):
        self.refused(b"{not json")

    def test_json_10000_deep(self):
        self.refused(b"[" * 10_000 + b"]" * 10_000)

    def test_invalid_utf8(self):
        self.refused(b'{"text":"\xff\xfe"}')

    def test_wrong_types(self):
        self.refused({"text": 7})
        self.refused({"text": "a", "parts": []})
        self.refused({"text": "a", "priority": 99})

    def test_bad_subjects(self):
        for subject in ("a..b", "a.*", "%3E", "a%20b", "x" * 300):
            self.assertEqual(self.server.publish(subject, {"text": "x"})[0], 400, subject)

    def test_body_of_100_mb_is_refused_early(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as s:
            s.sendall((f"POST /v1/topics/a.b/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
                       "Content-Type: application/json\r\nContent-Length: 104857600\r\n\r\n").encode())
            answer = s.recv(4096).decode()
        self.assertIn(" 413 ", answer.splitlines()[0])

    def test_endless_header(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 100_000)
            answer = s.recv(4096).decode()
        self.assertIn(answer.split()[1], ("431", "400"))

    def test_unknown_path_and_method(self):
        self.assertEqual(self.server.call("GET", "/v1/nothing")[0], 404)
        self.assertIn(self.server.call("DELETE", "/v1/topics")[0], (404, 405))

    def test_unknown_model(self):
        status, body = self.server.call("POST", "/v1/chat/completions", {"model": "nope", "messages": [{"role": "user", "content": "x"}]})
        self.assertEqual((status, body["error"]["code"]), (404, "not_found"))


class BadStarts(unittest.TestCase):
    def directory(self):
        """A folder that goes with the test."""
        made = tempfile.mkdtemp(prefix="qiao-bad-")
        self.addCleanup(shutil.rmtree, made, ignore_errors=True)
        return made

    def folder(self, text):
        made = self.directory()
        pathlib.Path(made, "flow.yaml").write_text(text)
        return made

    def test_unknown_key_names_file_line_and_nearest(self):
        code, out, err = run("validate", self.folder("flow: x\ninput: a.in\nroutez:\n  - { name: a, otherwise: true, to: b.c }\n"))
        self.assertNotEqual(code, 0)
        self.assertIn("flow.yaml:3", out + err)
        self.assertIn("routes", out + err)

    def test_alias_bomb(self):
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + i)}: &{chr(98 + i)} [" + ",".join([f"*{chr(97 + i)}"] * 9) + "]\n" for i in range(9))
        code, out, err = run("validate", self.folder(bomb), timeout=20)
        self.assertNotEqual(code, 0)
        self.assertIn("nodes", out + err)

    def test_busy_port_and_second_server(self):
        with Server(FLOW, environment=NO_MODELS) as server:
            other = self.directory()
            code, out, err = run("serve", "--data", other, "--listen", f"127.0.0.1:{server.port}", "--key", KEY, str(FLOW), environment=NO_MODELS)
            self.assertNotEqual(code, 0)
            self.assertIn(str(server.port), out + err)
            code, out, err = run("serve", "--data", server.data, "--listen", "127.0.0.1:0", "--key", KEY, str(FLOW), environment=NO_MODELS)
            self.assertNotEqual(code, 0)
            self.assertIn(server.data, out + err)
            self.assertEqual(server.call("GET", "/readyz")[0], 200)

    def test_missing_flow_directory(self):
        code, out, err = run("serve", "--data", self.directory(), "--listen", "127.0.0.1:0", "/no/such/flow")
        self.assertNotEqual(code, 0)
        self.assertIn("/no/such/flow", out + err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
