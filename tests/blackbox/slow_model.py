# SPDX-License-Identifier: Apache-2.0
"""A model that speaks OpenAI's protocol and says its words slowly: each answer is `words` pieces,
one every `pause_s`. A piece is what `word(answer, index)` gives. Serves until it is closed."""
import asyncio
import json
import threading


class SlowModel:
    def __init__(self, words=40, pause_s=0.05, word=None):
        self.words, self.pause_s = words, pause_s
        self.word = word or (lambda answer, index: f"w{index} ")
        self.answers = self.cut = 0
        self.loop = asyncio.new_event_loop()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        self.ready.wait(10)

    def _run(self):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024))
        self.port = self.server.sockets[0].getsockname()[1]
        self.ready.set()
        self.loop.run_forever()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    async def _connection(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = next((int(l.split(":")[1]) for l in head.split("\r\n") if l.startswith("content-length")), 0)
                await reader.readexactly(length)
                await self._answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, writer):
        self.answers += 1
        answer = self.answers
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for index in range(self.words):
                self._event(writer, {"choices": [{"index": 0, "delta": {"content": self.word(answer, index)}, "finish_reason": None}]})
                await writer.drain()
                await asyncio.sleep(self.pause_s)
            self._event(writer, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self._chunk(writer, b"data: [DONE]\n\n")
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except ConnectionError:
            self.cut += 1
            raise

    def _event(self, writer, delta):
        self._chunk(writer, b"data: " + json.dumps({"object": "chat.completion.chunk", **delta}).encode() + b"\n\n")

    @staticmethod
    def _chunk(writer, data):
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))


FLOW = """flow: {name}
routes: [ {{ name: all, otherwise: true, to: agent.chat }} ]
agents:
  chat: {{ prompt: p.md, filter: [ no-pii ], retries: 0 }}
fallback: {{ text: {{ zh: 抱歉。, en: "Sorry." }} }}
budget: {{ hops: 8, tokens: 100000, wall: 10m }}
"""


def write_flow(directory, name):
    """A flow that lets the model say everything. Returns its folder."""
    folder = directory / name
    folder.mkdir(parents=True)
    (folder / "flow.yaml").write_text(FLOW.format(name=name), encoding="utf-8")
    (folder / "p.md").write_text("Be kind.\n", encoding="utf-8")
    return folder


def write_config(directory, model):
    file = directory / "qiao.yaml"
    file.write_text(f"models:\n  chat:\n    engine: provider\n    url: {model.url}\n    remote_name: slow\n", encoding="utf-8")
    return file
