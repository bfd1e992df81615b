"""transformers (PyPI): its Qwen3, exactly the function that Fledge trains, in a plain PyTorch loop.

Float32 without compilation is what it does on a CPU unless told; at its best it gets bfloat16 autocast and a compiled
loss. AdamW (fused, as its Trainer has it) at 5e-4 with decay .1, warm-up and a cosine to 0, as its course trains a
small model from nothing; norm clipped at 1, its Trainer's default.
"""

from __future__ import annotations

from contextlib import nullcontext
from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F
from peers.rates import cosine, warmup_steps
from peers.task import Peer, Task
from transformers import Qwen3Config, Qwen3ForCausalLM

RATE = 5e-4


def build(task: Task) -> Peer:
    shape = task.shape
    config = Qwen3Config(
        vocab_size=shape.vocab_size,
        hidden_size=shape.d_model,
        intermediate_size=shape.d_ff,
        num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads,
        num_key_value_heads=shape.n_heads,
        head_dim=shape.d_model // shape.n_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        use_cache=False,
        attn_implementation="sdpa",
    )
    model: Any = Qwen3ForCausalLM(config)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1, fused=True)
    bf16 = task.precision == "bf16"

    def loss_of(tokens: Any, targets: Any) -> Any:
        logits = model(input_ids=tokens).logits
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())

    forward = torch.compile(loss_of) if task.compile else loss_of

    def step(number: int, tokens: Any, targets: Any) -> float:
        warmup = warmup_steps(1000, task.n_steps)
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine(number, task.n_steps, warmup=warmup, final=0.0)
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            loss = forward(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    @torch.no_grad()
    def nats(tokens: Any, targets: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            logits = model(input_ids=tokens).logits
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)

    n_parameters = sum(p.numel() for p in model.parameters())
    return Peer(n_parameters, step, nats, {"transformers": version("transformers")})
