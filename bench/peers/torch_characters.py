#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pre-trains the model of `qiao train pretrain` (GPT-2, characters, nanoGPT's published CPU
configuration) in PyTorch eager, and prints one JSON line.

  torch_characters.py TEXT STEPS THREADS fp32|bf16 [SEED] [SCHEDULE] [RATE]

The same layers, sizes, initial spreads, optimiser, schedule and share of held-out text; attention is
PyTorch's own fused one. `seconds` is learning alone, as Qiao counts it: looks at the held-out text
and the start of the program are left out. SCHEDULE (default: STEPS) is the length the learning rate
falls over; with fewer STEPS only its beginning is run.
"""
import contextlib
import json
import math
import sys
import time

import numpy
import torch
from torch import nn
from torch.nn import functional as F

LAYERS, HEADS, WIDTH, CONTEXT, BATCH = 4, 4, 128, 64, 12
FLOOR, WARMUP, DECAY, CLIP = 0.1, 100, 0.1, 1.0
LOOK_EVERY, LOOK_BATCHES = 200, 20


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm, self.ffn_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        for layer in (self.output, self.down):
            layer.into_stream = True

    def forward(self, x):
        rows, tokens, _ = x.shape
        parts = [p.view(rows, tokens, HEADS, WIDTH // HEADS).transpose(1, 2) for p in self.qkv(self.attn_norm(x)).chunk(3, -1)]
        mixed = F.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.output(mixed.transpose(1, 2).reshape(rows, tokens, WIDTH))
        return x + self.down(F.gelu(self.up(self.ffn_norm(x)), approximate="tanh"))


class Decoder(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.words, self.positions = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks, self.norm = nn.ModuleList(Block() for _ in range(LAYERS)), nn.LayerNorm(WIDTH)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                into_stream = getattr(module, "into_stream", False)
                nn.init.normal_(module.weight, std=0.02 / (math.sqrt(2 * LAYERS) if into_stream else 1))
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, ids, targets):
        x = self.words(ids) + self.positions.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        scores = F.linear(self.norm(x), self.words.weight)
        return F.cross_entropy(scores.flatten(0, 1).float(), targets.flatten())


def share(step, steps):
    if step < WARMUP:
        return (step + 1) / WARMUP
    done = min(1.0, (step - WARMUP) / max(1, steps - WARMUP))
    return FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * done))


def main():
    path, steps, threads, numbers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    schedule = int(sys.argv[6]) if len(sys.argv) > 6 else steps
    rate = float(sys.argv[7]) if len(sys.argv) > 7 else 1e-3
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    random = numpy.random.default_rng(seed)
    text = open(path, encoding="utf-8").read()
    characters = sorted(set(text))
    ids = {c: i for i, c in enumerate(characters)}
    data = torch.tensor([ids[c] for c in text])
    train, held_out = data[: int(0.9 * len(data))], data[int(0.9 * len(data)):]
    model = Decoder(len(characters) + 1)
    matrices = [w for w in model.parameters() if w.dim() >= 2]
    others = [w for w in model.parameters() if w.dim() < 2]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0}], lr=rate,
                                  betas=(0.9, 0.99))
    half = lambda: torch.autocast("cpu", torch.bfloat16) if numbers == "bf16" else contextlib.nullcontext()

    def blocks(source, places):
        return (torch.stack([source[p : p + CONTEXT] for p in places]), torch.stack([source[p + 1 : p + 1 + CONTEXT] for p in places]))

    @torch.no_grad()
    def held_out_loss(batches_max=None):
        places = range(0, len(held_out) - CONTEXT, CONTEXT)
        groups = [places[i : i + BATCH] for i in range(0, len(places), BATCH)]
        if batches_max:
            groups = groups[:: max(1, len(groups) // batches_max)]
        total = [(model(*blocks(held_out, g)).item() * len(g), len(g)) for g in groups]
        return sum(t for t, _ in total) / sum(n for _, n in total)

    curve, seconds, cpu = [], 0.0, 0.0
    for step in range(steps):
        begin, cpu_begin = time.perf_counter(), time.process_time()
        x, y = blocks(train, random.integers(0, len(train) - CONTEXT, BATCH))
        for group in optimiser.param_groups:
            group["lr"] = rate * share(step, schedule)
        optimiser.zero_grad(set_to_none=True)
        with half():
            loss = model(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        value = loss.item()
        seconds += time.perf_counter() - begin
        cpu += time.process_time() - cpu_begin
        if (step + 1) % LOOK_EVERY == 0 or step + 1 == steps:
            curve.append({"step": step + 1, "loss": round(value, 4), "held_out": round(held_out_loss(LOOK_BATCHES), 4)})
    print(json.dumps({"bench": "pretrain", "peer": f"torch-{numbers}", "version": torch.__version__, "steps": steps, "threads": threads,
                      "seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2),
                      "tokens_per_s": round(steps * BATCH * CONTEXT / seconds), "validation_loss": round(held_out_loss(), 4),
                      "curve": curve}))


main()
