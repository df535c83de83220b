#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Durable publish over HTTP at 0.5 to 5 times what the server can do, in an open loop
(http_load.cc): goodput, delay, memory, and that no acked message is lost, also not over a kill -9
at the height of the load. A server of its own, loopback only. One JSON line per step.

  overload.py --seconds 5 --factors 0.5,1,2,5
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/blackbox"))
from qiao_server import KEY, Server  # noqa: E402

PEAK_CONNECTIONS, LOAD_CONNECTIONS = 64, 2_000
FACTORS_MAX, SECONDS_MAX = 20, 600


def build(directory):
    program = directory / "http_load"
    subprocess.run(["g++", "-std=c++20", "-O2", "-o", program, ROOT / "bench/http_load.cc"], check=True)
    return program


class Memory(threading.Thread):
    """The server's resident memory, sampled."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.samples, self.quit = pid, [], False
        self.start()

    def run(self):
        while not self.quit:
            try:
                status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            except OSError:
                return
            self.samples += [int(l.split()[1]) / 1024 for l in status.splitlines() if l.startswith("VmRSS")]
            time.sleep(0.1)


class Overload:
    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.program, self.next, self.acked = build(directory), 0, set()
        self.server = Server(environment={"QIAO_MODELS": "/nonexistent/models"}).start()

    def load(self, rate, connections, seconds, kill_after=None):
        file = self.directory / "acked"
        memory = Memory(self.server.process.pid)
        client = subprocess.Popen([self.program, str(self.server.port), KEY, "bench.load", str(self.next), f"{rate:.0f}", str(connections), str(seconds), file],
                                  stdout=subprocess.PIPE, text=True)
        if kill_after is not None:
            time.sleep(kill_after)
            self.server.kill()
            self.server.start()
        row = json.loads(client.communicate(timeout=SECONDS_MAX + 60)[0])
        memory.quit = True
        self.next = row.pop("next_number")
        self.acked |= {int(n) for n in file.read_text().split()}
        if memory.samples:
            row.update(rss_begin_mb=memory.samples[0], rss_max_mb=max(memory.samples), rss_end_mb=memory.samples[-1])
        return row

    def lost(self):
        found, twice = set(), 0
        for message in self.server.messages("bench.load"):
            number = int(message["id"][1:])
            twice += number in found
            found.add(number)
        return len(self.acked - found), twice

    def run(self):
        o = self.options
        self.load(0, PEAK_CONNECTIONS, 1)  # warm
        peak = max(self.load(0, PEAK_CONNECTIONS, o.seconds)["goodput_per_s"], self.load(0, LOAD_CONNECTIONS, o.seconds)["goodput_per_s"])
        rows = []
        for factor in o.factors:
            row = self.load(peak * factor, LOAD_CONNECTIONS, o.seconds)
            rows.append({"bench": "overload", "peer": "qiao", "factor": factor, "peak_per_s": peak, "goodput_of_peak": row["goodput_per_s"] / peak, **row})
            print(json.dumps(rows[-1]), flush=True)
        lost, twice = self.lost()
        print(json.dumps({"bench": "overload", "peer": "qiao", "acked": len(self.acked), "acked_and_lost": lost, "stored_twice": twice}), flush=True)
        if o.kill:
            self.load(peak * o.factors[-1], LOAD_CONNECTIONS, o.seconds, kill_after=o.seconds / 2)
            killed, twice = self.lost()
            print(json.dumps({"bench": "overload, kill -9 in the middle", "peer": "qiao", "acked": len(self.acked), "acked_and_lost": killed, "stored_twice": twice}), flush=True)
            lost += killed
        return 1 if lost or twice else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--factors", default="0.5,1,2,3,5")
    parser.add_argument("--no-kill", dest="kill", action="store_false")
    options = parser.parse_args()
    options.factors = [float(f) for f in options.factors.split(",")]
    if not 0 < options.seconds <= SECONDS_MAX or len(options.factors) > FACTORS_MAX:
        parser.error(f"at most {SECONDS_MAX} s and {FACTORS_MAX} factors")
    with tempfile.TemporaryDirectory(prefix="qiao-overload-") as directory:
        load = Overload(options, pathlib.Path(directory))
        try:
            sys.exit(load.run())
        finally:
            load.server.__exit__()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
