#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same load on any OpenAI-compatible server: conversations that share one long system prompt,
each with a question of its own. Prints one JSON line: wall time, time to the first token, tokens/s.

  chat_load.py PEER URL MODEL --key K --requests 16 --concurrency 8 --tokens 32 --prefixes 1

`--prefixes 4` alternates between four different system prompts (four flows on one model).
"""
import argparse
import http.client
import json
import statistics
import threading
import time
import urllib.parse

TOPICS = ("orders", "returns", "shipping", "invoices", "membership", "payment", "gifts", "repairs")


def system_prompt(number, words):
    rule = ("You are assistant {n} of a small shop. Answer in one short sentence. Rule {i}: questions about {t} are answered "
            "from the shop's own terms, politely and without inventing numbers. ")
    text, i = "", 0
    while len(text.split()) < words:
        text += rule.format(n=number, i=i, t=TOPICS[(i + number) % len(TOPICS)])
        i += 1
    return text


def question(number):
    return f"Customer {number} asks: what are the terms for {TOPICS[number % len(TOPICS)]} when I ordered {number + 2} things on day {number * 3 + 1}?"


class Load:
    def __init__(self, options):
        self.options = options
        self.url = urllib.parse.urlsplit(options.url)
        self.lock = threading.Lock()
        self.next, self.first_s, self.tokens, self.failures = 0, [], 0, []

    def run(self):
        begin = time.monotonic()
        threads = [threading.Thread(target=self.work) for _ in range(self.options.concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic() - begin

    def work(self):
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= self.options.requests:
                return
            try:
                self.ask(number)
            except (OSError, ValueError, RuntimeError) as error:
                self.failures.append(str(error))

    def ask(self, number):
        body = {"model": self.options.model, "stream": True, "temperature": 0, "max_tokens": self.options.tokens,
                "stream_options": {"include_usage": True},
                "messages": [{"role": "system", "content": system_prompt(number % self.options.prefixes, self.options.words)},
                             {"role": "user", "content": question(number)}]}
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=self.options.timeout)
        begin = time.monotonic()
        connection.request("POST", self.url.path.rstrip("/") + "/chat/completions", json.dumps(body),
                           {"Content-Type": "application/json", "Authorization": f"Bearer {self.options.key}"})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {response.read()[:200]!r}")
        first, tokens = None, 0
        for line in response:
            if not line.startswith(b"data: {"):
                continue
            chunk = json.loads(line[6:])
            if first is None and any(c.get("delta", {}).get("content") for c in chunk.get("choices", [])):
                first = time.monotonic() - begin
            tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
        connection.close()
        with self.lock:
            self.tokens += tokens
            self.first_s.append(first if first is not None else time.monotonic() - begin)


def main():
    parser = argparse.ArgumentParser()
    for name in ("peer", "url", "model"):
        parser.add_argument(name)
    parser.add_argument("--key", default="none")
    for name, value in (("requests", 16), ("concurrency", 8), ("tokens", 32), ("words", 380), ("prefixes", 1), ("timeout", 600)):
        parser.add_argument("--" + name, type=int, default=value)
    options = parser.parse_args()
    load = Load(options)
    wall = load.run()
    if load.failures or not load.first_s:
        raise SystemExit(f"{options.peer}: {len(load.failures)} requests failed: {load.failures[:1]}")
    ranked = sorted(load.first_s)
    print(json.dumps({"bench": f"chat, {options.prefixes} prefix" + ("es" if options.prefixes > 1 else ""), "peer": options.peer,
                      "requests": options.requests, "concurrency": options.concurrency, "wall_s": round(wall, 3),
                      "first_token_p50_s": round(statistics.median(ranked), 3),
                      "first_token_p99_s": round(ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))], 3),
                      "tokens_per_s": round(load.tokens / wall, 1)}))


if __name__ == "__main__":
    main()
