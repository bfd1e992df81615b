"""nanochat (github.com/karpathy/nanochat): the model and optimizer of a clone, stepped as its base_train does.

That compiles always; on a CPU it computes in float32 unless NANOCHAT_DTYPE says otherwise, and its own example for a
CPU takes full attention windows. Rates, momentum and weight decay follow its rules from depth, batch and horizon:
√(batch / 2¹⁹) on every rate, decay × √(batch / 2¹⁹) × D₁₂ / D, 40 steps of warm-up, warm-down over 65 % to 5 %. With
the setting batch_rule = off the first of these is left out, for batches far below those that the rule was made for.
"""

from __future__ import annotations

import math
import os
import sys
from typing import Any

import torch
import torch.nn.functional as F
from peers.task import Peer, Task

BATCH_REFERENCE = 2**19
RATES = {"unembedding_lr": 0.008, "embedding_lr": 0.3, "scalar_lr": 0.5, "matrix_lr": 0.02}
WEIGHT_DECAY = 0.28
WARMUP, WARMDOWN, FINAL = 40, 0.65, 0.05


def build(task: Task) -> Peer:
    os.environ["NANOCHAT_DTYPE"] = "bfloat16" if task.precision == "bf16" else "float32"
    sys.path.insert(0, task.place)
    from nanochat.gpt import GPT, GPTConfig

    shape = task.shape

    def model_of(depth: int, width: int, heads: int) -> Any:
        sizes = {"n_layer": depth, "n_head": heads, "n_kv_head": heads, "n_embd": width}
        with torch.device("meta"):
            return GPT(GPTConfig(sequence_len=shape.context, vocab_size=shape.vocab_size, window_pattern="L", **sizes))

    def scaling(some: Any) -> int:
        counts = some.num_scaling_params()
        return int(counts["transformer_matrices"] + counts["lm_head"])

    model = model_of(shape.n_layers, shape.d_model, shape.n_heads)
    model.to_empty(device="cpu")
    model.init_weights()
    batch = 1.0 if task.settings.get("batch_rule") == "off" else (shape.tokens / BATCH_REFERENCE) ** 0.5
    weight_decay = WEIGHT_DECAY * batch * scaling(model_of(12, 768, 6)) / scaling(model)
    optimizer = model.setup_optimizer(weight_decay=weight_decay, **{name: rate * batch for name, rate in RATES.items()})
    forward = torch.compile(model, dynamic=False) if task.compile else model
    n_steps, warmdown = task.n_steps, max(1, round(WARMDOWN * task.n_steps))

    def factor(number: int) -> float:
        if number < WARMUP:
            return (number + 1) / WARMUP
        left = min(1.0, (n_steps - number) / warmdown)
        return left + (1 - left) * FINAL

    def momentum(number: int) -> float:
        if number < 400:
            return 0.85 + 0.12 * number / 400
        return 0.97 - 0.07 * max(0.0, (number - (n_steps - warmdown)) / warmdown)

    def step(number: int, tokens: Any, targets: Any) -> float:
        loss = forward(tokens, targets)
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor(number)
            if group["kind"] == "muon":
                group["momentum"] = momentum(number)
                group["weight_decay"] = weight_decay * 0.5 * (1 + math.cos(math.pi * number / n_steps))
        optimizer.step()
        model.zero_grad(set_to_none=True)
        return float(loss.detach())

    @torch.no_grad()
    def nats(tokens: Any, targets: Any) -> Any:
        logits = model(tokens)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)

    return Peer(sum(p.numel() for p in model.parameters()), step, nats, {})
