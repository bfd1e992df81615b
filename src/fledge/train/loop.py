"""The one loop. Whatever is learned is a source of batches and an objective; this file knows neither."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from fledge.model.decoder import Decoder
from fledge.optim.build import Optimizer, build_optimizer
from fledge.optim.rates import learning_rates
from fledge.optim.schedule import learning_rate_factor
from fledge.run.events import EventLog
from fledge.run.manifest import CHECKPOINTS, EVENTS_NAME
from fledge.train.background import Background
from fledge.train.batches import Source, micro_batches, share, to_device
from fledge.train.checkpoint import Checkpoint, take_snapshot
from fledge.train.choice import training_hardware
from fledge.train.config import TrainConfig
from fledge.train.hardware import Hardware
from fledge.train.memory import available_bytes
from fledge.train.mesh import world
from fledge.train.objective import Objective, per_count
from fledge.train.parallel import Alone
from fledge.train.place import Forward, forward_of, place
from fledge.train.resume import checkpoint_due, resume, state_body, write_and_retain
from fledge.train.signals import Stopped, StopRequest, stop_requests
from fledge.train.watchdog import Watchdog
from fledge.types import FledgeError

Tell = Callable[[str], None]


@dataclass
class TrainState:
    """What callbacks see. ``step`` counts finished steps: 0 before the first, ``n_steps`` after the last.

    ``models`` are whole. Where they are trained in parts, only the leading process has them, with the weights of the
    last step at which ``eval_every``, ``sample_every`` or a checkpoint was due.

    ``metrics`` are those of the step just done; ``tokens`` and ``seconds`` count from the beginning of the stage,
    over resumes.
    """

    models: Mapping[str, nn.Module]
    source: Source
    events: EventLog
    hardware: Hardware
    n_steps: int
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
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
    In each of several processes the same call trains on a share of every batch; the first one writes, tells and calls.
    """

    def __init__(self, config: TrainConfig, directory: Path, *, n_steps: int, tell: Tell = print) -> None:
        self.config, self.directory, self.n_steps = config, directory, n_steps
        self.checkpoints = directory / CHECKPOINTS
        self.world = world()
        self.tell = tell if self.world.leads else lambda line: None

    def fit(
        self,
        models: Mapping[str, nn.Module],
        source: Source,
        objective: Objective,
        callbacks: Sequence[Callback] = (),
    ) -> TrainState:
        """Train ``models`` (the one to sample from is "policy") in place; callbacks run at step 0 and after each step.

        The state that is returned has the whole trained models. Raises Stopped after Ctrl-C or SIGTERM with everything
        saved, and FledgeError where the loss stays no number or another process of the training ended.
        """
        with self.world.mourning():
            with stop_requests(patient=self.world.size > 1) as stop:
                state = self._train(models, source, objective, callbacks, stop)
            # the end is saved; who asked meanwhile wants none of what comes after
            signal_number = self.world.greatest(stop.signal_number)
        if signal_number:
            raise Stopped(signal_number, state.step, self.n_steps)
        return state

    def _train(
        self,
        models: Mapping[str, nn.Module],
        source: Source,
        objective: Objective,
        callbacks: Sequence[Callback],
        stop: StopRequest,
    ) -> TrainState:
        hardware = training_hardware(self.directory, self.config, models["policy"], self.n_steps, self.world, self.tell)
        checkpoint = resume(self.directory, self.config, self.n_steps, models, source, self.world, self.tell)
        parallel = place(models, hardware, self.config, self.world)
        optimizer = self._build(models, hardware, parallel, checkpoint)
        state = self._begin(source, hardware, parallel, checkpoint)
        with (
            state.events,
            Background() as background,
            Watchdog(self.config.watchdog_seconds, self.directory, self.world.rank) as watchdog,
            ExitStack() as closing,
        ):
            callbacks = callbacks if self.world.leads else ()
            for close in (getattr(callback, "close", None) for callback in callbacks):
                if close is not None:
                    closing.callback(close)
            forward = forward_of(models, objective, hardware, self.config)
            if state.step == 0:
                self._call(callbacks, state, parallel)
            bad_steps = 0
            while state.step < self.n_steps:
                metrics = self._step(state, forward, objective, optimizer, parallel)
                state.events.write("step", step=state.step, tokens=state.tokens, **metrics)
                bad_steps = 0 if math.isfinite(metrics["loss"] + metrics["grad_norm"]) else bad_steps + 1
                if bad_steps == self.config.max_bad_steps:
                    raise FledgeError(
                        f"loss or gradient was no number in {bad_steps} steps running, up to step {state.step}",
                        where=str(self.directory),
                        fix="lower optim.scale; the last checkpoint holds the weights from before",
                    )
                if bad_steps:
                    self.tell(f"step {state.step}: loss or gradient is no number; the step is passed over")
                self._call(callbacks, state, parallel)
                background.check()
                signal_number = self.world.greatest(stop.signal_number)
                # Never amid bad steps: once whatever spoils them is gone, they shall be done again.
                may_save = state.last or not bad_steps
                if may_save and (signal_number or checkpoint_due(self.config, state.step, self.n_steps)):
                    self._save(state, optimizer, parallel, background, ends=state.last or signal_number > 0)
                if signal_number:
                    raise Stopped(signal_number, state.step, self.n_steps, saved=may_save)
                watchdog.beat(state.step)
        return state

    def _step(
        self, state: TrainState, forward: Forward, objective: Objective, optimizer: Optimizer, parallel: Alone
    ) -> dict[str, float]:
        """One optimizer step: fetch, count, forward and backward by pieces, clip, update. The figures of the step."""
        start = time.perf_counter()
        batch = state.source.batch(state.step)
        counts = objective.counts(batch)
        parallel.zero_gradients()
        sums: dict[str, Tensor] = {}
        rows = share(batch, self.world.rank, self.world.size)
        for piece in micro_batches(rows, min(state.hardware.micro_batch_rows, len(rows.tokens))):
            piece_sums = forward(to_device(piece, torch.device(state.hardware.device)))
            terms = [per_count(weight, counts[k]) * piece_sums[k] for k, weight in objective.terms.items()]
            torch.stack(terms).sum().backward()
            for name, value in piece_sums.items():
                sums[name] = sums[name] + value.detach() if name in sums else value.detach()
        totals = self.world.total([float(value) for value in sums.values()])
        means = {name: per_count(total, counts[name]) for name, total in zip(sums, totals, strict=True)}
        parallel.finish_gradients()
        grad_norm = self._clip(optimizer.parameters, parallel)
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
            "utilisation": flops / (state.hardware.flops_per_second * self.world.size),
        }
        return state.metrics

    def _clip(self, parameters: list[Tensor], parallel: Alone) -> float:
        """The norm of the whole gradient, which is scaled down to ``clip`` where that is set and smaller."""
        norm = parallel.gradient_norm(parameters)
        value = float(norm)
        if 0 < self.config.clip < value < math.inf:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.config.clip, norm)
        return value

    def _build(
        self, models: Mapping[str, nn.Module], hardware: Hardware, parallel: Alone, checkpoint: Checkpoint | None
    ) -> Optimizer:
        policy = models["policy"]
        assert isinstance(policy, Decoder)
        rates = learning_rates(self.config.optim, width=policy.config.d_model, tied=policy.config.tie_embeddings)
        optimizer = build_optimizer(
            parallel.parameters.items(),
            self.config.optim,
            rates,
            orthogonalise_dtype=hardware.dtype,
            exchange=parallel.exchange,
        )
        if checkpoint is not None:
            optimizer.load_state_dict(parallel.part(checkpoint.tensors["optimizer.safetensors"]))
        return optimizer

    def _begin(self, source: Source, hardware: Hardware, parallel: Alone, checkpoint: Checkpoint | None) -> TrainState:
        """The state at the checkpoint, or at the beginning; with the log open, which only the leader keeps."""
        events = EventLog(self.directory / EVENTS_NAME if self.world.leads else os.devnull)
        state = TrainState(parallel.shown, source, events, hardware, self.n_steps)
        if checkpoint is None:
            events.write("start", step=0, n_steps=self.n_steps, hardware=vars(hardware))
            return state
        state.step, state.tokens = checkpoint.step, checkpoint.state["tokens"]
        state.seconds = checkpoint.state["seconds"]
        if not state.last:
            self.tell(f"continuing after step {state.step} of {self.n_steps}")
        return state

    def _save(
        self, state: TrainState, optimizer: Optimizer, parallel: Alone, background: Background, *, ends: bool
    ) -> None:
        """Save the state as it is now: from a copy in the background where training goes on and memory holds one."""
        start = time.perf_counter()
        parallel.show()
        whole = parallel.whole(optimizer.state_dict())
        if not self.world.leads:
            return
        background.wait()
        body = state_body(self.n_steps, state.tokens, state.seconds, state.source)
        snapshot = take_snapshot(state.step, parallel.shown, whole, body)
        copy = self.config.background_checkpoints and not ends
        copy = copy and snapshot.n_bytes < available_bytes(torch.device("cpu"))
        if copy:
            background.start(partial(write_and_retain, self.directory, self.config, snapshot.copied()))
        else:
            write_and_retain(self.directory, self.config, snapshot)
        state.events.write(
            "checkpoint",
            step=state.step,
            waited_seconds=time.perf_counter() - start,
            n_bytes=snapshot.n_bytes,
            background=copy,
        )

    def _call(self, callbacks: Sequence[Callback], state: TrainState, parallel: Alone) -> None:
        if state.step == 0 or state.due(self.config.eval_every) or state.due(self.config.sample_every):
            parallel.show()
        for callback in callbacks:
            callback(state)

    def _flops_per_token(self, models: Mapping[str, nn.Module]) -> float:
        return sum(
            model.config.flops_per_token(self.config.context_length)
            for model in models.values()
            if isinstance(model, Decoder)
        )
