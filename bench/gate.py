#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the turn gate is worth: fragments merged, replies saved, delay added, for no gate, a fixed settle time, and one that
is shorter for whole and longer for cut-off messages. Bursts are made from held-out messages of public sets in a folder DATA
(as tools/train_completeness holds them out), six of ten left whole, the others cut into two or three; pauses are the time to
type the next fragment. Virtual time: seconds of run time, the same numbers on every machine. One JSON line a setting.

  cmake --build build --target qiao_gate_bench && bench/gate.py DATA build/bin/qiao_gate_bench
"""
import importlib.machinery
import importlib.util
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

BURSTS = 400  # of each language
SETTINGS = {
    "none": "{}",
    "fixed-1s": "{ settle: 1s, max_wait: 8s }",
    "fixed-2s": "{ settle: 2s, max_wait: 8s }",
    "judged": "{ settle: 1s, max_wait: 8s, complete: { score: 0.8, settle: 300ms }, cut_off: { score: 0.3, settle: 3s } }",
    "judged+typing": "{ settle: 1s, max_wait: 8s, complete: { score: 0.8, settle: 300ms }, cut_off: { score: 0.3, settle: 3s } }",
}

tool = pathlib.Path(__file__).resolve().parent.parent / "tools/train_completeness"
loader = importlib.machinery.SourceFileLoader("train_completeness", str(tool))
rows = importlib.util.module_from_spec(importlib.util.spec_from_loader("train_completeness", loader))
loader.exec_module(rows)


def fragments(text, language, chance):
    """`text` cut once or twice."""
    parts = [text.rstrip(rows.MARKS)]
    for _ in range(chance.choice((1, 1, 2))):
        first = rows.cut(parts[-1], language, chance)
        if not first or len(parts[-1]) - len(first) < 2:
            break
        parts[-1:] = [first, parts[-1][len(first):].lstrip(rows.MARKS)]
    return [part for part in parts if part]


def bursts(texts, language, chance):
    for text in chance.sample(sorted({" ".join(t.split()) for t in texts}), BURSTS):
        parts = [text] if chance.random() < 0.6 else fragments(text, language, chance)
        rate = 4.0 if language == "zh" else 5.0  # characters a second
        pauses = [int(1000 * (0.3 + len(part) / rate * math.exp(chance.gauss(0, 0.3)))) for part in parts[1:]]
        yield {"fragments": parts, "pauses_ms": pauses}


data, program = pathlib.Path(sys.argv[1]).resolve(), str(pathlib.Path(sys.argv[2]).resolve())
for language, texts in (("zh", rows.chinese(data, "dev")), ("en", rows.english(data, "dev"))):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(burst, ensure_ascii=False) + "\n" for burst in bursts(texts, language, random.Random(5)))
        file.flush()
        done = subprocess.run([program, file.name, *(f"{name}={turn}" for name, turn in SETTINGS.items())],
                              check=True, capture_output=True, text=True)
    for line in done.stdout.splitlines():
        print(json.dumps({"language": language, **json.loads(line)}, ensure_ascii=False))
