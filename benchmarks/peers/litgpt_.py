"""litgpt (PyPI): its GPT as a Llama (RMSNorm, rotary positions, gated MLP, tied), stepped as its ``pretrain`` does.

That compiles the model always and goes through Fabric. At its best it gets bfloat16 ("bf16-mixed", masters in
float32), fused AdamW and a cross-entropy in one piece. Its class default of 1e-3, β₂ .95, decay .1 and norm 1 as in
its pretraining configurations, cosine to 6e-5.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F
from lightning.fabric import Fabric
from litgpt.config import Config
from litgpt.model import GPT
from litgpt.pretrain import initialize_weights
from litgpt.utils import chunked_cross_entropy
from peers.rates import cosine, warmup_steps
from peers.task import Peer, Task

RATE = 1e-3


def build(task: Task) -> Peer:
    shape = task.shape
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed" if task.precision == "bf16" else "32-true")
    config = Config(
        name="same-shape",
        block_size=shape.context,
        vocab_size=shape.vocab_size,
        padded_vocab_size=shape.vocab_size,
        n_layer=shape.n_layers,
        n_head=shape.n_heads,
        n_embd=shape.d_model,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=False,
        norm_class_name="RMSNorm",
        mlp_class_name="LLaMAMLP",
        intermediate_size=shape.d_ff,
    )
    model: Any = GPT(config)
    model.transformer.wte.weight = model.lm_head.weight
    initialize_weights(fabric, model, n_layer=config.n_layer, n_embd=config.n_embd)
    n_parameters = sum(p.numel() for p in model.parameters())
    plain = model
    model = fabric.setup(torch.compile(model) if task.compile else model)
    optimizer = fabric.setup_optimizers(
        torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=task.best)
    )
    chunk = 0 if task.best else 128

    def step(number: int, tokens: Any, targets: Any) -> float:
        warmup = warmup_steps(100, task.n_steps)
        for group in optimizer.param_groups:
            group["lr"] = RATE * cosine(number, task.n_steps, warmup=warmup, final=0.06)
        loss = chunked_cross_entropy(model(tokens), targets, chunk_size=chunk)
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    @torch.no_grad()
    def nats(tokens: Any, targets: Any) -> Any:
        with fabric.autocast():
            logits = plain(tokens)
        return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)

    return Peer(n_parameters, step, nats, {"litgpt": version("litgpt"), "lightning": version("lightning")})
