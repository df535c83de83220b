#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many readers of token streams on one server of its own: `--readers` SSE readers, some on `--live`
answers that are being written, the rest on answers yet to come, with `--churn` of them leaving and
coming back (Last-Event-ID) each second. Every token carries the time it left the model, so its
delay to each reader is measured across model, flow, stream, HTTP and socket. Loopback only;
everything has a bound and is stopped. Prints one JSON line.

  streams_load.py --readers 10000 --live 200 --per-live 5 --rate 4 --seconds 20 --churn 100
"""
import argparse
import asyncio
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/blackbox"))
from qiao_server import KEY, Server  # noqa: E402
from slow_model import FLOW, SlowModel  # noqa: E402

READERS_MAX, LIVE_MAX, SECONDS_MAX = 15_000, 240, 600
SLOTS = 16  # answers of one model at once: the bound of a provider
CLIENT_ADDRESSES = 200  # 127.0.0.2 and on, so that no address runs out of ports
HEAD = "GET /v1/streams/{} HTTP/1.1\r\nHost: q\r\nAuthorization: Bearer {}\r\n{}\r\n"


def quantile(sorted_values, q):
    return sorted_values[min(len(sorted_values) - 1, int(q * len(sorted_values)))] if sorted_values else None


def rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def threads(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


class Reader:
    """One SSE connection. Keeps the last id; measures each token's delay."""

    def __init__(self, load, message, address):
        self.load, self.message, self.address = load, message, address
        self.last_id, self.text_bytes, self.tokens, self.ended, self.repeats = None, 0, 0, False, 0
        self.last_place = (0, 0)

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.load.port, local_addr=(self.address, 0), limit=2 << 20)
        resume = f"Last-Event-ID: {self.last_id}\r\n" if self.last_id else ""
        self.writer.write(HEAD.format(self.message, KEY, resume).encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise ConnectionError(head.decode()[:80])
        self.task = asyncio.create_task(self.follow())

    async def follow(self):
        try:
            while True:
                line = await self.reader.readline()
                if not line:
                    return
                if line.startswith(b"id: "):
                    place = tuple(map(int, line[4:].split(b".")))
                    self.repeats += place <= self.last_place
                    self.last_place, self.last_id = place, line[4:].decode().strip()
                elif line.startswith(b"data: {\"text\""):
                    now = time.monotonic_ns()
                    for token in json.loads(line[6:])["text"].split():
                        self.tokens += 1
                        if self.load.measuring:
                            self.load.delays.append(now - int(token))
                elif line.startswith(b"event: end"):
                    self.ended = True
        except (ConnectionError, asyncio.IncompleteReadError):
            self.load.lost += 1

    async def close(self):
        self.task.cancel()
        self.writer.close()


class Load:
    def __init__(self, options):
        self.options = options
        self.delays, self.lost, self.measuring, self.port = [], 0, False, 0
        self.chance = random.Random(options.seed)

    def start_server(self):
        o = self.options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="qiao-streams-load-"))
        words = int((o.seconds + o.settle + 30) * o.rate)
        self.model = SlowModel(words=words, pause_s=1 / o.rate, word=lambda answer, index: f"{time.monotonic_ns()} ")
        count = -(-o.live // SLOTS)
        models, flows = "models:\n", []
        for i in range(max(count, 1)):
            models += f"  chat{i}:\n    engine: provider\n    url: {self.model.url}\n    remote_name: slow\n    slots: {SLOTS}\n"
            folder = self.folder / f"slow{i}"
            folder.mkdir()
            (folder / "flow.yaml").write_text(FLOW.format(name=f"slow{i}").replace("prompt: p.md", f"prompt: p.md, model: chat{i}, tokens: 32768"), encoding="utf-8")
            (folder / "p.md").write_text("Be kind.\n", encoding="utf-8")
            flows.append(folder)
        config = self.folder / "qiao.yaml"
        config.write_text(models, encoding="utf-8")
        self.server = Server(*flows, environment={"QIAO_MODELS": "/nonexistent/models"}, flags=("--config", str(config))).start()
        self.port = self.server.port

    def stop_server(self):
        self.server.__exit__()
        self.model.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, n):
        return f"127.0.0.{2 + n % CLIENT_ADDRESSES}"

    async def open_all(self, messages):
        readers = [Reader(self, m, self.address(n)) for n, m in enumerate(messages)]
        for begin in range(0, len(readers), 100):
            await asyncio.gather(*(r.open() for r in readers[begin:begin + 100]))
        return readers

    async def churn(self, readers, end):
        done = 0
        while time.monotonic() < end and self.options.churn:
            for reader in self.chance.sample(readers, min(len(readers), max(1, self.options.churn // 10))):
                await reader.close()
                await reader.open()
                done += 1
            await asyncio.sleep(0.1)
        return done

    async def run(self):
        o, pid = self.options, self.server.process.pid
        base_mb = rss_mb(pid)
        idle_count = o.readers - o.live * o.per_live
        begin = time.monotonic()
        idle = await self.open_all([f"idle-{n}" for n in range(idle_count)])
        open_s = time.monotonic() - begin
        await asyncio.sleep(1)
        idle_mb = rss_mb(pid)
        live = await self.open_all([f"live-{n % o.live}" for n in range(o.live * o.per_live)]) if o.live else []
        for n in range(o.live):
            status, body = await asyncio.to_thread(self.server.publish, f"slow{n // SLOTS}.in", {"id": f"live-{n}", "text": "go", "conversation": f"c{n}"})
            assert status == 200, body
        await asyncio.sleep(o.settle)
        self.measuring = True
        end = time.monotonic() + o.seconds
        churned = await self.churn(idle + live, end)
        await asyncio.sleep(max(0, end - time.monotonic()))
        self.measuring = False
        live_mb, count = rss_mb(pid), threads(pid)
        delays = sorted(d / 1e6 for d in self.delays)
        for reader in idle + live:
            await reader.close()
        return {"bench": "streams", "peer": "qiao", "readers": o.readers, "live": o.live, "readers_of_each": o.per_live,
                "tokens_per_s_each": o.rate, "seconds": o.seconds, "churned": churned, "events": len(delays), "events_per_s": len(delays) / o.seconds,
                "delay_p50_ms": quantile(delays, 0.5), "delay_p99_ms": quantile(delays, 0.99), "delay_max_ms": delays[-1] if delays else None,
                "rss_empty_mb": base_mb, "rss_idle_mb": idle_mb, "rss_live_mb": live_mb, "bytes_per_idle_reader": (idle_mb - base_mb) * (1 << 20) / max(1, idle_count),
                "open_s": open_s, "threads": count, "repeats": sum(r.repeats for r in idle + live), "lost_connections": self.lost}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("readers", 10_000), ("live", 200), ("per-live", 5), ("churn", 100), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in (("rate", 4.0), ("seconds", 20.0), ("settle", 3.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    options = parser.parse_args()
    if not (0 <= options.live <= LIVE_MAX and 0 < options.readers <= READERS_MAX and 0 < options.seconds <= SECONDS_MAX):
        parser.error(f"at most {READERS_MAX} readers, {LIVE_MAX} live answers, {SECONDS_MAX} s")
    if options.live * options.per_live > options.readers:
        parser.error("--live times --per-live is more than --readers")
    load = Load(options)
    load.start_server()
    try:
        print(json.dumps(asyncio.run(load.run())))
    finally:
        load.stop_server()


if __name__ == "__main__":
    main()
