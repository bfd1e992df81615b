"""The stages as a table: what each reads from which, and the function that runs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fledge.run.events import EventLog
from fledge.run.manifest import EVENTS_NAME
from fledge.stages.config import NO_TRACKERS, TrackConfig


@dataclass(frozen=True)
class StageContext:
    """What a stage's function gets. ``out`` is where it writes; ``upstream`` holds the finished stages it reads.

    With ``resume`` an earlier process began the same work in ``out`` and was cut off. ``settings_of`` has the
    settings of every stage of the recipe by name. ``name`` is the recipe's, ``mirror`` a store's URL or empty.
    """

    run: Path
    out: Path
    settings: Any
    settings_of: Mapping[str, Any]
    upstream: Mapping[str, Path]
    resume: bool
    stage: str = ""
    name: str = ""
    mirror: str = ""
    track: TrackConfig = NO_TRACKERS

    def open_events(self) -> EventLog:
        """The stage's log, to be closed by who opened it: the training loop opens and cuts it by itself."""
        return EventLog(self.out / EVENTS_NAME)


@dataclass(frozen=True)
class StageSpec:
    """A stage. ``upstream``: stage → globs of its outputs that this one reads, so that nothing else re-runs it.

    ``needs`` are groups of stages of which a recipe must hold at least one; ``lifted`` names, by the first stage of a
    group, a setting that does without it where it is given. ``function`` is ``module:name``,
    imported when the stage runs, so that planning loads nothing heavy. ``input_settings`` name the settings that
    list the user's own files, whose contents count as input, and ``function_settings`` those whose entries may be the
    user's own ``module:function``, whose code does. ``check`` looks at the settings of all stages before the stage's
    upstream runs. ``guarded_by`` is the stage that keeps the texts of this one's files out of training. ``mends``: run
    again in its own directory it checks or rewrites every file there, so that a damaged one costs no new training.
    ``together`` stages run in every process of several at once, all others in the first alone.
    """

    name: str
    function: str
    upstream: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    needs: tuple[tuple[str, ...], ...] = ()
    lifted: Mapping[str, str] = field(default_factory=dict)
    input_settings: tuple[str, ...] = ()
    function_settings: tuple[str, ...] = ()
    check: str = ""
    guarded_by: str = ""
    mends: bool = False
    together: bool = False

    def load(self) -> Callable[[StageContext], dict[str, Any]]:
        return self._function(self.function)

    def check_settings(self, settings_of: Mapping[str, Any]) -> None:
        """Raise FledgeError for settings that cannot work, before anything is written."""
        if self.check:
            self._function(self.check)(settings_of)

    @staticmethod
    def _function(path: str) -> Any:
        module, _, name = path.partition(":")
        return getattr(importlib.import_module(module), name)


DOCUMENTS = ("train/**", "heldout/**")
TOKENIZER = ("tokenizer.json",)
MODEL = ("model/**",)

STAGES: tuple[StageSpec, ...] = (
    StageSpec("world", "fledge.stages.world:run", check="fledge.stages.world:check"),
    StageSpec(
        "text",
        "fledge.stages.text:run",
        input_settings=("sources",),
        function_settings=("split", "transforms", "filters"),
        check="fledge.stages.text:check",
    ),
    StageSpec(
        "tools",
        "fledge.stages.tools:run",
        upstream={"world": ("**",)},
        needs=(("world",),),
        check="fledge.stages.tools:check",
    ),
    StageSpec(
        "tokenizer",
        "fledge.stages.tokenizer:run",
        upstream={"world": ("train/**",), "text": ("train/**",)},
        needs=(("world", "text"),),
        lifted={"world": "path"},
        input_settings=("path",),
    ),
    StageSpec(
        "tokens",
        "fledge.stages.tokens:run",
        upstream={"world": DOCUMENTS, "text": DOCUMENTS, "tokenizer": TOKENIZER},
        needs=(("tokenizer",),),
        input_settings=("decontaminate",),
    ),
    StageSpec(
        "pretrain",
        "fledge.stages.pretrain:run",
        upstream={
            "world": ("heldout/**",),
            "text": ("heldout/**",),
            "tokenizer": TOKENIZER,
            "tokens": ("train/**", "heldout/**", "mixture.json"),
        },
        needs=(("tokenizer",), ("tokens",)),
        lifted={"tokens": "init"},
        input_settings=("init",),
        mends=True,
        together=True,
    ),
    StageSpec(
        "sft",
        "fledge.stages.sft:run",
        upstream={
            "world": ("conversations/**",),
            "tools": ("conversations/**",),
            "tokenizer": TOKENIZER,
            "tokens": ("evaluation/**",),
            "pretrain": MODEL,
        },
        needs=(("pretrain",),),
        input_settings=("conversations",),
        mends=True,
        together=True,
    ),
    StageSpec(
        "eval",
        "fledge.stages.eval:run",
        upstream={
            "world": ("**",),
            "text": DOCUMENTS,
            "tools": ("index/**",),
            "tokenizer": TOKENIZER,
            "tokens": ("train/**",),
            "pretrain": MODEL,
            "sft": MODEL,
        },
        needs=(("pretrain",),),
        input_settings=("perplexity", "multiple_choice", "blimp"),
        function_settings=("tasks",),
        check="fledge.stages.eval:check",
        guarded_by="tokens",
    ),
)


def heldout_directories(upstream: Mapping[str, Path]) -> dict[str, Path]:
    """The held-out documents of each source; a source too small to hold any out is missing."""
    found = {name: upstream[name] / "heldout" for name in ("world", "text") if name in upstream}
    return {name: path for name, path in found.items() if any(path.glob("*.parquet"))}


def stage_names(specs: Sequence[StageSpec] = STAGES) -> list[str]:
    return [spec.name for spec in specs]
