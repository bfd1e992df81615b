"""The one loop. Whatever is learned is a source of batches and an objective; this file knows neither."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fledge.model.decoder import Decoder
from fledge.model.weights import load_weights
from fledge.optim.build import Optimizer, build_optimizer
from fledge.optim.rates import learning_rates
from fledge.optim.schedule import learning_rate_factor
from fledge.run.events import EventLog, cut_events_after
from fledge.run.progress import quantity
from fledge.train.background import Background
from fledge.train.batches import Source, micro_batches, to_device
from fledge.train.checkpoint import (
    Snapshot,
    latest_checkpoint,
    load_checkpoint,
    remove_old,
    rng_state,
    set_rng_state,
    take_snapshot,
    weights_file,
    write_checkpoint,
)
from fledge.train.config import TrainConfig
from fledge.train.hardware import Hardware, apply_hardware, choose_hardware, store_hardware, stored_hardware
from fledge.train.memory import available_bytes
from fledge.train.objective import Objective
from fledge.train.signals import Stopped, stop_requests
from fledge.types import Batch, FledgeError

Tell = Callable[[str], None]
Sums = dict[str, float]


@dataclass
class TrainState:
    """What callbacks see. ``step`` counts finished steps: 0 before the first, ``n_steps`` after the last.

    ``metrics`` are those of the step just done; ``tokens`` and ``seconds`` count from the beginning of the stage,
    over resumes. ``resumed`` is True while nothing was trained yet in this process.
    """

    models: Mapping[str, nn.Module]
    source: Source
    events: EventLog
    hardware: Hardware
    n_steps: int
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    resumed: bool = False
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def last(self) -> bool:
        return self.step == self.n_steps

    def due(self, every: int) -> bool:
        """Whether something done ``every`` steps is due: then, and after the last step."""
        return self.last or (every > 0 and self.step % every == 0)


Callback = Callable[[TrainState], None]
"""Called at step 0 and after each step; one that has a ``close`` is closed however the training ends."""


class Trainer:
    """Trains in ``directory``, which holds ``events.jsonl``, ``hardware.json`` and ``checkpoints/``.

    A directory with checkpoints is continued, and ends with the same bits as if it had never been interrupted (on CPU).
    """

    def __init__(self, config: TrainConfig, directory: Path, *, n_steps: int, tell: Tell = print) -> None:
        self.config, self.directory, self.n_steps, self.tell = config, directory, n_steps, tell
        self.checkpoints = directory / "checkpoints"

    def fit(
        self,
        models: Mapping[str, nn.Module],
        source: Source,
        objective: Objective,
        callbacks: Sequence[Callback] = (),
    ) -> TrainState:
        """Train ``models`` (the one to sample from is "policy") in place; callbacks run at step 0 and after each step.

        Raises Stopped after Ctrl-C or SIGTERM with everything saved, and FledgeError where the loss stays no number.
        """
        hardware = self._hardware(models)
        optimizer = self._build(models, hardware)
        with stop_requests() as stop:
            state, events = self._resume(models, source, optimizer, hardware)
            with events, Background() as background, ExitStack() as closing:
                for close in (getattr(callback, "close", None) for callback in callbacks):
                    if close is not None:
                        closing.callback(close)
                forward = self._forward(models, objective)
                if state.step == 0:
                    self._call(callbacks, state)
                bad_steps = 0
                while state.step < self.n_steps:
                    metrics = self._step(state, forward, objective, optimizer)
                    events.write("step", step=state.step, tokens=state.tokens, **metrics)
                    bad_steps = 0 if math.isfinite(metrics["loss"] + metrics["grad_norm"]) else bad_steps + 1
                    if bad_steps == self.config.max_bad_steps:
                        raise FledgeError(
                            f"loss or gradient was no number in {bad_steps} steps running, up to step {state.step}",
                            where=str(self.directory),
                            fix="lower optim.scale; the last checkpoint holds the weights from before",
                        )
                    if bad_steps:
                        self.tell(f"step {state.step}: loss or gradient is no number; the step is passed over")
                    self._call(callbacks, state)
                    background.check()
                    if self._checkpoint_due(state.step, bad_steps) or stop.signal_number:
                        ends = state.last or stop.signal_number > 0
                        self._save(state, optimizer, background, ends)
                    if stop.signal_number:
                        raise Stopped(stop.signal_number, state.step, self.n_steps)
        return state

    def _step(
        self,
        state: TrainState,
        forward: Callable[[Batch], dict[str, Tensor]],
        objective: Objective,
        optimizer: Optimizer,
    ) -> dict[str, float]:
        """One optimizer step: fetch, count, forward and backward by pieces, clip, update. The figures of the step."""
        start = time.perf_counter()
        batch = state.source.batch(state.step)
        counts = objective.counts(batch)
        optimizer.zero_grad()
        sums: dict[str, Tensor] = {}
        for piece in micro_batches(batch, min(state.hardware.micro_batch_rows, len(batch.tokens))):
            piece_sums = forward(to_device(piece, torch.device(state.hardware.device)))
            torch.stack([w / max(counts[k], 1.0) * piece_sums[k] for k, w in objective.terms.items()]).sum().backward()
            for name, value in piece_sums.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        means = {name: float(value) / max(counts[name], 1.0) for name, value in sums.items()}
        grad_norm = self._clip(optimizer.parameters)
        factor = learning_rate_factor(
            state.step, self.n_steps, warmup=self.config.warmup, decay=self.config.decay, final=self.config.final_lr
        )
        # A step whose gradient is no number would spoil the weights for good: it is passed over, and counted.
        if math.isfinite(grad_norm) and all(map(math.isfinite, means.values())):
            optimizer.step(factor)
        seconds = time.perf_counter() - start
        state.step += 1
        state.tokens += int(batch.tokens.size)
        state.seconds += seconds
        rate = batch.tokens.size / seconds
        flops = rate * self._flops_per_token(state.models)
        state.metrics = {
            **means,
            "grad_norm": grad_norm,
            "learning_rate": factor,
            "seconds": seconds,
            "elapsed": state.seconds,
            "tokens_per_second": rate,
            "flops_per_second": flops,
            "utilisation": flops / state.hardware.flops_per_second,
        }
        return state.metrics

    def _clip(self, parameters: list[Tensor]) -> float:
        """The norm of the whole gradient, which is scaled down to ``clip`` where that is set and smaller."""
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        value = float(norm)
        if 0 < self.config.clip < value < math.inf:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.config.clip, norm)
        return value

    def _forward(self, models: Mapping[str, nn.Module], objective: Objective) -> Callable[[Batch], dict[str, Tensor]]:
        def forward(batch: Batch) -> dict[str, Tensor]:
            return objective(models, batch)

        return torch.compile(forward, dynamic=False) if self.hardware.compile else forward

    def _hardware(self, models: Mapping[str, nn.Module]) -> Hardware:
        """Choose how to compute, or do as the process did that began this stage; put the models in place."""
        path = self.directory / "hardware.json"
        hardware = stored_hardware(path)
        tokens = self.n_steps * self.config.batch_tokens
        if hardware is None:
            policy = models["policy"]
            assert isinstance(policy, Decoder)
            hardware = choose_hardware(self.config, policy.config, tokens)
            store_hardware(path, hardware)
            length, products = self.config.context_length, hardware.attention == "products"
            n_bytes = policy.config.training_bytes(
                length, hardware.micro_batch_rows, hardware.dtype.itemsize, keeps_pattern=products
            )
            if self.config.background_checkpoints and hardware.device == "cpu":
                n_bytes += policy.config.checkpoint_bytes
            self.tell(f"{hardware.describe(tokens)}, {quantity(n_bytes)}B of memory")
        apply_hardware(hardware)
        for model in models.values():
            model.to(hardware.device)
            if isinstance(model, Decoder):
                model.compute_dtype, model.kernel = hardware.dtype, hardware.attention
        self.hardware = hardware
        return hardware

    def _build(self, models: Mapping[str, nn.Module], hardware: Hardware) -> Optimizer:
        policy = models["policy"]
        assert isinstance(policy, Decoder)
        rates = learning_rates(self.config.optim, width=policy.config.d_model)
        prefixes = {name: "" if name == "policy" else f"{name}." for name in models}
        named = [
            (prefixes[name] + key, parameter)
            for name, model in models.items()
            for key, parameter in model.named_parameters()
        ]
        return build_optimizer(named, self.config.optim, rates, orthogonalise_dtype=hardware.dtype)

    def _resume(
        self, models: Mapping[str, nn.Module], source: Source, optimizer: Optimizer, hardware: Hardware
    ) -> tuple[TrainState, EventLog]:
        """Go back to the newest good checkpoint, and cut off the events that came after it."""
        path = latest_checkpoint(self.checkpoints, self.tell, set_aside=True)
        log = self.directory / "events.jsonl"
        if path is None:
            if log.exists():
                cut_events_after(log, -1)
            torch.manual_seed(self.config.seed)
            events = EventLog(log)
            events.write("start", step=0, n_steps=self.n_steps, hardware=vars(hardware))
            return TrainState(models, source, events, hardware, self.n_steps), events
        checkpoint = load_checkpoint(path)
        if checkpoint.state["n_steps"] != self.n_steps:
            raise FledgeError(
                f"was made for {checkpoint.state['n_steps']} steps, not {self.n_steps}",
                where=str(path),
                fix="choose another directory, or remove this one",
            )
        for name, model in models.items():
            load_weights(model, checkpoint.tensors[weights_file(name)], str(path))
        optimizer.load_state_dict(checkpoint.tensors["optimizer.safetensors"])
        source.load_state_dict(checkpoint.state["source"])
        set_rng_state(checkpoint.state["rng"])
        if log.exists():
            cut_events_after(log, checkpoint.step)
        events = EventLog(log)
        state = TrainState(models, source, events, hardware, self.n_steps, resumed=True)
        state.step, state.tokens = checkpoint.step, checkpoint.state["tokens"]
        state.seconds = checkpoint.state["seconds"]
        if not state.last:
            self.tell(f"continuing after step {state.step} of {self.n_steps}")
        return state, events

    def _checkpoint_due(self, step: int, bad_steps: int) -> bool:
        """Never amid bad steps: once whatever spoils them is gone, they shall be done again."""
        every = self.config.checkpoint_every
        log_spaced = self.config.log_spaced_checkpoints and step & (step - 1) == 0
        chosen = step in self.config.checkpoint_steps
        due = log_spaced or chosen or (every > 0 and step % every == 0)
        return step == self.n_steps or (due and not bad_steps)

    def _save(self, state: TrainState, optimizer: Optimizer, background: Background, ends: bool) -> None:
        """Save the state as it is now: from a copy in the background where training goes on and memory holds one."""
        start = time.perf_counter()
        body: dict[str, Any] = {
            "n_steps": self.n_steps,
            "tokens": state.tokens,
            "seconds": state.seconds,
            "source": state.source.state_dict(),
            "rng": rng_state(),
        }
        background.wait()
        snapshot = take_snapshot(state.step, state.models, optimizer.state_dict(), body)
        copy = self.config.background_checkpoints and not ends
        copy = copy and snapshot.n_bytes < available_bytes(torch.device("cpu"))
        if copy:
            background.start(partial(self._write, snapshot.copied()))
        else:
            self._write(snapshot)
        state.events.write(
            "checkpoint",
            step=state.step,
            waited_seconds=time.perf_counter() - start,
            n_bytes=snapshot.n_bytes,
            background=copy,
        )

    def _write(self, snapshot: Snapshot) -> None:
        write_checkpoint(self.checkpoints, snapshot)
        chosen = {*self.config.checkpoint_steps, snapshot.step}
        remove_old(self.checkpoints, self.config.keep, self.config.log_spaced_checkpoints, chosen)

    def _call(self, callbacks: Sequence[Callback], state: TrainState) -> None:
        for callback in callbacks:
            callback(state)

    def _flops_per_token(self, models: Mapping[str, nn.Module]) -> float:
        return sum(
            model.config.flops_per_token(self.config.context_length)
            for model in models.values()
            if isinstance(model, Decoder)
        )
