"""nanoGPT (github.com/karpathy/nanoGPT): the model and optimizer of a clone, stepped as its train.py steps them.

On a CPU its own instructions run float32 without compilation; at its best it gets bfloat16 autocast, torch.compile
and fused AdamW. Rates are those of its small configuration: 1e-3 to 1e-4, β₂ 0.99, decay 0.1, norm clipped at 1.
"""

from __future__ import annotations

import importlib.util
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from peers.rates import cosine, warmup_steps
from peers.task import Peer, Task

RATE = 1e-3


def build(task: Task) -> Peer:
    spec = importlib.util.spec_from_file_location("nanogpt_model", Path(task.place, "model.py"))
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["nanogpt_model"] = module
    spec.loader.exec_module(module)
    shape = task.shape
    sizes = {"n_layer": shape.n_layers, "n_head": shape.n_heads, "n_embd": shape.d_model, "block_size": shape.context}
    model = module.GPT(module.GPTConfig(vocab_size=shape.vocab_size, dropout=0.0, bias=False, **sizes))
    # its configure_optimizers takes the fused kernel, which the CPU has too, only where this says cuda
    optimizer = model.configure_optimizers(0.1, RATE, (0.9, 0.99), "cuda" if task.best else "cpu")
    forward = torch.compile(model) if task.compile else model
    bf16 = task.precision == "bf16"

    def step(number: int, tokens: Any, targets: Any) -> float:
        warmup = warmup_steps(100, task.n_steps)
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine(number, task.n_steps, warmup=warmup, final=0.1)
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            _, loss = forward(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    @torch.no_grad()
    def nats(tokens: Any, targets: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            logits, _ = model(tokens, targets)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)

    return Peer(sum(p.numel() for p in model.parameters()), step, nats, {})
