"""Recipes: a name and one table of settings for each stage that the model goes through."""

from __future__ import annotations

import dataclasses
import importlib
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fledge.evals.config import EvalConfig
from fledge.run.files import told
from fledge.run.flags import merge_flags, parse_flags
from fledge.run.setting_types import dataclass_of
from fledge.run.settings import Origin, Words, dump, load, setting
from fledge.run.settings_table import settings_table
from fledge.run.toml_file import read_toml, to_toml
from fledge.stages.config import ToolsConfig, TrackConfig
from fledge.stages.job import RECIPE_NAME, Job
from fledge.stages.table import STAGES, stage_names
from fledge.text.config import TextConfig
from fledge.tokens.config import SOURCES, TokenizerConfig, TokensConfig
from fledge.train.config import PretrainConfig
from fledge.tune.config import SftConfig
from fledge.types import FledgeError
from fledge.world.config import WorldConfig


@dataclass(frozen=True)
class Recipe:
    """A model's recipe. A stage belongs to it if its table is there, even an empty one."""

    name: str = setting("", "what the model is called; the default run directory is runs/NAME")
    description: str = setting("", "what it is, in a line")
    mirror: str = setting("", "store (s3://bucket/run) to copy stages and checkpoints to, and take them from")
    track: TrackConfig = setting(TrackConfig(), "trackers that show the curves of training")
    world: WorldConfig | None = setting(None, "an invented town, written out as text, conversations and tasks")
    text: TextConfig | None = setting(None, "raw files to clean documents")
    tools: ToolsConfig | None = setting(None, "tools of the assistant: what it may search, and how it learns to call")
    tokenizer: TokenizerConfig | None = setting(None, "byte-level BPE from the documents")
    tokens: TokensConfig | None = setting(None, "documents to token shards")
    pretrain: PretrainConfig | None = setting(None, "a base model from nothing")
    sft: SftConfig | None = setting(None, "supervised tuning on conversations")
    eval: EvalConfig | None = setting(None, "measurements")

    def __post_init__(self) -> None:
        if not self.name:
            raise FledgeError("the recipe has no name", where="name", fix='write name = "mine" at its top')
        if self.name.startswith(".") or any(mark in self.name for mark in '/\\:*?"<>|'):
            raise FledgeError(f'the recipe needs a name that can name a directory, got "{self.name}"', where="name")
        for name in self.tokens.mixture if self.tokens else ():
            if getattr(self, name) if name in SOURCES else self.text and not name.isidentifier():
                continue
            known = [each for each in SOURCES if getattr(self, each)]
            patterns = ', or patterns over the sources of the text ("*wiki*")' if self.text else ""
            raise FledgeError(
                f'there is no source "{name}"', where="tokens.mixture", fix=f"known are {', '.join(known)}{patterns}"
            )
        if self.pretrain and self.tokenizer and not self.pretrain.init:
            try:
                self.pretrain.model_config(self.tokenizer.vocab_size)
            except FledgeError as error:
                raise FledgeError(error.what, where=f"pretrain.model.{error.where}", fix=error.fix) from error

    def job(self, run: Path) -> Job:
        """What is to be done in the directory ``run``."""
        return Job(self.name, self.settings_of, self.to_toml(), run, mirror=self.mirror, track=self.track)

    @property
    def settings_of(self) -> dict[str, Any]:
        """Settings by stage, in order, of the stages that the recipe has; those of ``tokens`` resolved."""
        found = {name: getattr(self, name) for name in stage_names() if getattr(self, name) is not None}
        if self.tokens is not None:
            found["tokens"] = self._resolved_tokens(self.tokens)
        return found

    def _resolved_tokens(self, tokens: TokensConfig) -> TokensConfig:
        """What the tokens stage takes from elsewhere: evaluation files, and the order in which patterns are written."""
        files = tokens.decontaminate
        if tokens.decontaminate_eval and self.eval:
            named = {*self.eval.perplexity, *self.eval.multiple_choice, self.eval.blimp} - {""}
            files = tuple(dict.fromkeys((*files, *sorted(named))))
        # Two mixtures are compared without regard to order, which decides where several patterns fit.
        precedence = tokens.patterns if len(tokens.patterns) > 1 else tokens.precedence
        return dataclasses.replace(tokens, decontaminate=files, precedence=precedence)

    def to_toml(self) -> str:
        """The recipe with every setting written out; it loads to the same."""
        return to_toml(dump(self))


def read_recipe(path: Path, flags: Mapping[tuple[str, ...], Words] | None = None) -> Recipe:
    """Read a recipe file, or a run's own, with flags laid over it. Raises FledgeError with file, line and fix."""
    if path.is_dir() and not (path / RECIPE_NAME).exists():
        raise FledgeError("is a directory that holds no run", where=str(path), fix="give a recipe file, or a run")
    data, origin = read_toml(path / RECIPE_NAME if path.is_dir() else path)
    return recipe_from(data, flags or {}, origin)


def recipe_from(
    data: Mapping[str, Any], flags: Mapping[tuple[str, ...], Words], origin: Origin | None = None
) -> Recipe:
    """A recipe from parsed TOML and flags; a flag for a stage that the recipe lacks is refused."""
    for path, words in flags.items():
        if path[0] in stage_names() and path[0] not in data:
            raise FledgeError(
                f"the recipe {data.get('name', '')} has no stage {path[0]}",
                where=words.flag,
                fix=f"add a [{path[0]}] table to it",
            )
    return load(Recipe, merge_flags(Recipe, data, flags), origin)


def stage_recipe(stage: str, flags: Mapping[tuple[str, ...], Words], run: Path, recipe: Path | None) -> Recipe:
    """The recipe for one stage by itself: a file's, else the run's own, else a new one with just that stage.

    The stage's table is added where it is missing.
    """
    with told(run):
        source = recipe or (run / RECIPE_NAME if (run / RECIPE_NAME).exists() else None)
    if source is None and stage not in ("world", "text"):
        raise FledgeError(
            f"there is no run yet, and {stage} reads from the stages before it",
            where=str(run),
            fix=f"begin with fledge text --sources PATH --out {run}",
        )
    data, origin = read_toml(source) if source else ({"name": run.name or run.resolve().name}, Origin())
    return recipe_from({stage: {}, **data}, flags, origin)


@contextmanager
def user_modules(recipe: Path | None) -> Iterator[None]:
    """Let ``module:function`` name what lies beside the recipe or in the current directory.

    Worker processes are started with the same path. The folders come last, so that they hide no module.
    """
    folder = Path.cwd() if recipe is None else recipe.resolve().parent
    before = list(sys.path)
    sys.path += [each for each in dict.fromkeys((str(folder), str(Path.cwd()))) if each not in before]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def recipe_flags(
    words: Sequence[str], *, inside: str = "", own: Sequence[str] = ()
) -> tuple[list[str], dict[tuple[str, ...], Words]]:
    """Split command-line words into plain words and settings of a recipe."""
    return parse_flags(Recipe, words, inside=inside, own=own)


def settings_class(stage: str) -> type:
    """The settings dataclass of a stage."""
    found = dataclass_of(typing.get_type_hints(Recipe)[stage])
    assert found is not None
    return found


def settings_text(stage: str) -> str:
    """The settings of a stage as plain lines: flag, type, default, help."""
    lines = [f"Settings of {stage} (in a recipe under [{stage}], here as flags):", ""]
    for row in settings_table(settings_class(stage)):
        lines.append(f"  --{row.name.replace('_', '-')}  ({row.type}; {row.default})")
        lines.append(f"      {row.help}" + ("" if row.affects_result else "; never changes a result"))
    return "\n".join(lines)


assert [item.name for item in dataclasses.fields(Recipe)][4:] == stage_names(STAGES)
