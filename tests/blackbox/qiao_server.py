# SPDX-License-Identifier: Apache-2.0
"""Starts the real binary on a free port in a new data directory, and talks to it."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
QIAO = os.environ.get("QIAO_BINARY", str(ROOT / "build/bin/qiao"))
# Whatever is installed, the tests' servers start with the small model.
ENVIRONMENT = {"QIAO_CHAT_MODEL": "smollm2-135m", **os.environ}
KEY = "blackbox-key"
START_S = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """One `qiao serve`. `stop()` is graceful, `kill()` is not; `start()` again uses the same data."""

    def __init__(self, *flows, data=None, environment=None, flags=()):
        self.flows, self.flags = [str(f) for f in flows], list(flags)
        self.data = data or tempfile.mkdtemp(prefix="qiao-blackbox-")
        self.own_data = data is None
        self.environment = {**ENVIRONMENT, **(environment or {})}
        self.port = free_port()
        self.process = None

    def start(self, wait=True):
        assert self.process is None or self.process.poll() is not None, "it runs: nobody would stop the first one"
        self.log = open(os.path.join(self.data, "stderr.txt"), "ab")
        self.process = subprocess.Popen(
            [QIAO, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--key", KEY, *self.flags, *self.flows],
            stdout=self.log, stderr=self.log, env=self.environment)
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"serve ended with {self.process.returncode}: {self.errors()}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.call("GET", "/readyz")[0] == 200:
                    return
            time.sleep(0.02)
        raise RuntimeError("not ready: " + self.errors())

    def errors(self):
        return pathlib.Path(self.data, "stderr.txt").read_text(errors="replace")[-4000:]

    def call(self, method, path, body=None, headers=None, key=KEY, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        send = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        connection.request(method, path, body=data, headers=send)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        with contextlib.suppress(ValueError):
            return response.status, json.loads(text)
        return response.status, text

    def publish(self, subject, body):
        return self.call("POST", f"/v1/topics/{subject}/messages", body)

    def messages(self, subject, start=0, limit=1000):
        found = []
        while True:
            status, page = self.call("GET", f"/v1/topics/{subject}/messages?from={start}&limit={limit}")
            assert status == 200, page
            found += page["messages"]
            if not page["messages"] or page["next"] == start:
                return found
            start = page["next"]

    def stop(self, timeout=30):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.stop()
        with contextlib.suppress(Exception):
            self.kill()
        if self.own_data:
            shutil.rmtree(self.data, ignore_errors=True)


def run(*arguments, stdin="", environment=None, timeout=60, cwd=None):
    """Runs one verb; returns (exit status, stdout, stderr)."""
    done = subprocess.run([QIAO, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout,
                          env={**ENVIRONMENT, **(environment or {})}, cwd=cwd)
    return done.returncode, done.stdout, done.stderr
