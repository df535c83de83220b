# SPDX-License-Identifier: Apache-2.0
"""The command line by hand: what each verb prints and how it ends."""
import json
import pathlib
import tempfile
import unittest

from qiao_server import KEY, ROOT, Server, run

NO_MODELS = {"QIAO_MODELS": "/nonexistent/models"}


class WithoutServer(unittest.TestCase):
    def json(self, *arguments, **more):
        code, out, err = run(*arguments, "--json", **more)
        return code, json.loads(out)

    def test_version(self):
        code, body = self.json("version")
        self.assertEqual(code, 0)
        self.assertIn("version", body)

    def test_help_names_the_verbs_and_a_typo_is_told(self):
        code, out, _ = run("--help")
        for verb in ("serve", "chat", "pub", "sub", "req", "why", "model", "flow", "desk", "doctor"):
            self.assertIn(verb, out)
        code, out, err = run("sevre")
        self.assertNotEqual(code, 0)
        self.assertIn("serve", out + err)

    def test_init_validate_and_flow_test(self):
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(run("init", "shop", cwd=directory)[0], 0)
            shop = str(pathlib.Path(directory, "shop"))
            code, out, err = run("validate", shop)
            self.assertEqual(code, 0, out + err)
            code, out, err = run("flow", "test", shop, "--json", environment=NO_MODELS)
            self.assertEqual(code, 0, out + err)
            self.assertEqual(json.loads(out)["failed"], 0)

    def test_examples_are_valid(self):
        for example in ("customer-service", "companion", "writer"):
            code, out, err = run("validate", str(ROOT / "examples" / example))
            self.assertEqual(code, 0, out + err)

    def test_doctor_and_models(self):
        code, body = self.json("doctor", environment=NO_MODELS)
        self.assertIn(code, (0, 1, 3))
        code, body = self.json("model", "ls", environment=NO_MODELS)
        self.assertEqual(code, 0)

    def test_completion_and_config(self):
        for shell in ("bash", "zsh", "fish"):
            code, out, _ = run("completion", shell)
            self.assertEqual(code, 0)
            self.assertIn("qiao", out)
        code, body = self.json("config", "show", "--origin")
        self.assertEqual(code, 0)
        self.assertIn("listen", json.dumps(body))

    def test_no_server_is_a_clear_error(self):
        code, out, err = run("pub", "a.b", "x", "--server", "http://127.0.0.1:9", "--key", "k")
        self.assertNotEqual(code, 0)
        self.assertIn("127.0.0.1:9", err)

    def test_chinese(self):
        code, out, err = run("--lang", "zh", "pub", "a.b", "x", "--server", "http://127.0.0.1:9", "--key", "k")
        self.assertNotEqual(code, 0)


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(ROOT / "examples/customer-service", environment=NO_MODELS).start()
        cls.where = ["--server", f"http://127.0.0.1:{cls.server.port}", "--key", KEY]

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def test_pub_peek_and_replay(self):
        code, out, err = run("pub", "cli.topic", "你好", "--json", *self.where)
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(out)["durability"], "fsync")
        code, out, err = run("stream", "peek", "cli.topic", *self.where)
        self.assertIn("你好", out)
        code, out, err = run("stream", "ls", "--json", *self.where)
        self.assertIn("cli.topic", out)

    def test_req_without_responder(self):
        code, out, err = run("req", "cli.nobody", "x", "--timeout", "2s", *self.where)
        self.assertNotEqual(code, 0)

    def test_chat_from_a_pipe_and_why(self):
        code, out, err = run("chat", "customer-service", *self.where, stdin="满多少包邮\n")
        self.assertEqual(code, 0, err)
        self.assertIn("99", out)
        message = self.server.messages("support.in")[0]
        code, out, err = run("why", message["id"], *self.where)
        self.assertEqual(code, 0, err)
        self.assertTrue(out.strip())

    def test_flow_ls(self):
        code, out, err = run("flow", "ls", *self.where)
        self.assertIn("customer-service", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
