#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turns of three trivial nodes in LangGraph, each step checkpointed. Prints one JSON line.

  langgraph_turns.py sqlite|memory|none SECONDS FOLDER

`sqlite` is its SQLite checkpointer with `synchronous=FULL`, so that a finished step survives what a
fsynced record survives; conversations (threads) follow each other, as a checkpointer has one connection.
"""
import json
import pathlib
import sqlite3
import statistics
import sys
import time
from typing import TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph


class State(TypedDict):
    text: str
    route: str
    reply: str


def saver(kind, folder):
    if kind == "none":
        return None
    if kind == "memory":
        return InMemorySaver()
    connection = sqlite3.connect(pathlib.Path(folder) / "checkpoints.db", check_same_thread=False)
    sqlite_saver = SqliteSaver(connection)
    sqlite_saver.setup()
    connection.execute("PRAGMA synchronous=FULL")
    return sqlite_saver


def main():
    kind, seconds, folder = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    graph = StateGraph(State)
    graph.add_node("decide", lambda state: {"route": "order" if "order" in state["text"] else "else"})
    graph.add_node("answer", lambda state: {"reply": "Your order is on its way and arrives tomorrow."})
    graph.add_node("check", lambda state: {"reply": state["reply"][:400]})
    graph.add_edge(START, "decide")
    graph.add_edge("decide", "answer")
    graph.add_edge("answer", "check")
    graph.add_edge("check", END)
    app = graph.compile(checkpointer=saver(kind, folder))
    times_ms, turn = [], 0
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        started = time.perf_counter()
        app.invoke({"text": "where is my order QX20260106?"}, {"configurable": {"thread_id": f"c{turn % 64}"}}, durability="sync") \
            if kind != "none" else app.invoke({"text": "where is my order QX20260106?"})
        times_ms.append((time.perf_counter() - started) * 1e3)
        turn += 1
    took = time.perf_counter() - begin
    times_ms.sort()
    print(json.dumps({"bench": "turn", "peer": f"langgraph-{kind}", "conversations": 64, "messages_per_s": turn / took, "p50_ms": statistics.median(times_ms),
                      "p99_ms": times_ms[int(0.99 * (len(times_ms) - 1))], "seconds": seconds}))


main()
