#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Publish to handler in AutoGen Core's single-threaded runtime, in memory. Prints one JSON line.

  autogen_hop.py SECONDS

p50 and p99 are of one message alone (published and awaited until handled); messages/s of 64 in flight, as `qiao bench hop`.
"""
import asyncio
import json
import statistics
import sys
import time
from dataclasses import dataclass

from autogen_core import DefaultTopicId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, default_subscription, message_handler

BODY = "x" * 256


@dataclass
class Note:
    number: int
    body: str


@default_subscription
class Handler(RoutedAgent):
    waiting = {}

    def __init__(self):
        super().__init__("handler")

    @message_handler
    async def take(self, message: Note, ctx: MessageContext) -> None:
        future = Handler.waiting.pop(message.number, None)
        if future is not None:
            future.set_result(None)


async def worker(runtime, name, end, times_ms):
    number = name * 10_000_000
    while time.perf_counter() < end:
        number += 1
        Handler.waiting[number] = asyncio.get_running_loop().create_future()
        future = Handler.waiting[number]
        began = time.perf_counter()
        await runtime.publish_message(Note(number, BODY), DefaultTopicId())
        await future
        times_ms.append((time.perf_counter() - began) * 1e3)


async def run(runtime, workers, seconds):
    times_ms, began = [], time.perf_counter()
    await asyncio.gather(*(worker(runtime, i, began + seconds, times_ms) for i in range(workers)))
    return sorted(times_ms), len(times_ms) / (time.perf_counter() - began)


async def main():
    seconds = float(sys.argv[1])
    runtime = SingleThreadedAgentRuntime()
    await Handler.register(runtime, "handler", Handler)
    runtime.start()
    alone, _ = await run(runtime, 1, seconds / 2)
    _, rate = await run(runtime, 64, seconds / 2)
    await runtime.stop()
    print(json.dumps({"bench": "hop", "peer": "autogen-core", "publishers": 64, "bytes": len(BODY), "messages_per_s": rate,
                      "p50_ms": statistics.median(alone), "p99_ms": alone[int(0.99 * (len(alone) - 1))], "seconds": seconds}))


asyncio.run(main())
