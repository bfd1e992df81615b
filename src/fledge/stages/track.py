"""Trackers: thin adapters that follow ``events.jsonl``. One that fails is told once, and training goes on."""

from __future__ import annotations

import importlib.util
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from fledge.run.files import read_json, write_json
from fledge.run.manifest import EVENTS_NAME, TRACKERS_NAME
from fledge.stages.config import TrackConfig
from fledge.stages.table import StageContext
from fledge.types import FledgeError

PACKAGES = {"trackio": "trackio", "wandb": "wandb", "tensorboard": "tensorboard"}
Say = Callable[[str], None]


class Tracker(Protocol):
    """What an adapter does. ``values`` are numbers by the name of their curve."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def text(self, step: int, name: str, text: str) -> None: ...

    def close(self) -> None: ...


def check_trackers(config: TrackConfig) -> None:
    """Raise FledgeError for a tracker whose package is not installed."""
    for name in config.to:
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise FledgeError(
                f"needs the package {PACKAGES[name]}", where=f"track.to, {name}", fix=f"pip install {PACKAGES[name]}"
            )


@contextmanager
def tracked(context: StageContext, say: Say) -> Iterator[list[Callable[[Any], None]]]:
    """Around a training: the callback that hands every new event to the trackers, closed however the training ends."""
    if not context.track.to:
        yield []
        return
    follower = Follower(context, say)
    try:
        yield [follower]
    finally:
        follower.finish()


class Follower:
    """Reads ``events.jsonl`` as it grows and gives what stands in it to each tracker that still works.

    A tracker that follows this training for the first time gets all of it (``after`` is -1); one that did before, what
    came after the step that training goes on from.
    """

    def __init__(self, context: StageContext, say: Say) -> None:
        self.directory, self.say, self.every = context.out, say, context.track.every
        self._project = context.track.project or context.name
        self._label = f"{context.run.name}-{context.stage}"
        self._wanted, self._trackers = context.track.to, dict[str, Tracker]()
        self._after: dict[str, int] = {}
        self._offset, self._begun = 0, False

    def __call__(self, state: Any) -> None:
        if not self._begun:
            self._begun = True
            self._begin(max(0, state.step - 1))  # a resumed training is first heard of after its first step
        if self._trackers and state.due(self.every):
            self._follow()

    def finish(self) -> None:
        """Give the trackers the last events and close them."""
        if self._trackers:
            self._follow()
        for name in list(self._trackers):
            self._safely(name, lambda tracker: tracker.close())

    def _begin(self, resumed_after: int) -> None:
        """Take up each tracker's own run of this stage, so that a resumed training continues it."""
        path = self.directory / TRACKERS_NAME
        runs: dict[str, str] = read_json(path) if path.exists() else {}
        for name in self._wanted:
            # TensorBoard's run is its files here, which another machine lacks
            known = name in runs and (name != "tensorboard" or (self.directory / "tensorboard").exists())
            runs.setdefault(name, f"{self._label}-{uuid.uuid4().hex[:8]}")
            self._after[name] = resumed_after if known else -1
            try:
                self._trackers[name] = ADAPTERS[name](self._project, runs[name], self.directory, self._after[name])
            except Exception as error:  # whatever libraries of others raise
                self._off(name, error)
        write_json(path, runs)

    def _follow(self) -> None:
        for event in self._new_events():
            step = event.get("step")
            if not isinstance(step, int):
                continue
            for name in [each for each in self._trackers if step > self._after[each]]:
                self._safely(name, partial(_hand_over, step=step, event=event))

    def _new_events(self) -> Iterator[dict[str, Any]]:
        """The events that were not read yet; a line still being written is the next call's."""
        with open(self.directory / EVENTS_NAME, "rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if isinstance(event, dict):
                    yield event

    def _safely(self, name: str, do: Callable[[Tracker], None]) -> None:
        try:
            do(self._trackers[name])
        except Exception as error:
            self._off(name, error)

    def _off(self, name: str, error: Exception) -> None:
        self._trackers.pop(name, None)
        told = " ".join(f"{type(error).__name__}: {error}".split())
        self.say(f"{name} is off for the rest of this training ({told[:200]}); everything stands in {EVENTS_NAME}")


def _hand_over(tracker: Tracker, *, step: int, event: Mapping[str, Any]) -> None:
    kind = event.get("kind")
    if kind == "step":
        left_out = ("kind", "time", "step")
        tracker.log(step, {key: value for key, value in event.items() if key not in left_out and _number(value)})
    elif kind == "heldout":
        tracker.log(step, {f"heldout/{event['name']}/bits_per_byte": event["bits_per_byte"]})
    elif kind == "sample":
        tracker.text(step, f"sample/{event['prompt'] or '(nothing)'}", event["text"])


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class TensorBoard:
    """Event files in ``tensorboard/`` of the stage; what a killed process wrote beyond ``after`` is purged."""

    def __init__(self, project: str, run: str, directory: Path, after: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(directory / "tensorboard"), purge_step=after + 1 if after >= 0 else None)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def text(self, step: int, name: str, text: str) -> None:
        self._writer.add_text(name, text, step)

    def close(self) -> None:
        self._writer.close()


class Wandb:
    """A run of Weights & Biases; points that it already has are the same numbers, and it passes over them."""

    def __init__(self, project: str, run: str, directory: Path, after: int) -> None:
        import wandb

        self._wandb = wandb
        self._run = wandb.init(project=project, id=run, name=run, dir=str(directory), resume="allow")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def text(self, step: int, name: str, text: str) -> None:
        self._run.log({name: self._wandb.Html(f"<pre>{_escaped(text)}</pre>")}, step=step)

    def close(self) -> None:
        self._run.finish()


class Trackio:
    """A run of trackio, kept where trackio keeps its own (``TRACKIO_DIR``)."""

    def __init__(self, project: str, run: str, directory: Path, after: int) -> None:
        import trackio

        self._trackio = trackio
        trackio.init(project=project, name=run, resume="allow")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._trackio.log(dict(values), step=step)

    def text(self, step: int, name: str, text: str) -> None:
        self._trackio.log({name: text}, step=step)

    def close(self) -> None:
        self._trackio.finish()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


ADAPTERS: dict[str, Callable[[str, str, Path, int], Tracker]] = {
    "trackio": Trackio,
    "wandb": Wandb,
    "tensorboard": TensorBoard,
}
