"""An engine and its tokenizer from a run, a stage of it, a checkpoint, or a ``model/`` directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from fledge.infer.config import Precision
from fledge.infer.engine import Engine
from fledge.model.config import ModelConfig
from fledge.model.config_json import read_config
from fledge.model.decoder import Decoder
from fledge.model.weights import read_decoder_file
from fledge.run.files import read_json, sha256
from fledge.run.manifest import (
    SETTINGS_NAME,
    damaged_outputs,
    outputs_hash,
    read_manifest,
    read_manifest_or_none,
)
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import FledgeError

Kind = Literal["base", "chat"]
STAGES: tuple[tuple[str, Kind], ...] = (("sft", "chat"), ("pretrain", "base"))
WEIGHTS = "model.safetensors"
IMPORT_NAME = "import.json"
"""What ``fledge import`` writes beside the weights: where they come from, and whether they can chat."""


@dataclass(frozen=True)
class Found:
    """The directory that holds the weights, and what they are."""

    weights: Path
    kind: Kind


def load_engine(
    path: str | Path,
    *,
    context_length: int | None = None,
    device: torch.device | str = "cpu",
    max_batch: int = 64,
    precision: Precision = "float32",
) -> tuple[Engine, Tokenizer, Kind]:
    """Load what ``path`` names; of a run, its assistant, or its base model where there is no assistant yet.

    ``context_length`` replaces what the model was trained with. Files are verified against the checksums that were
    written with them. Raises FledgeError, one line, where there is no model yet or a file is damaged.
    """
    found = find_model(Path(path))
    model, trained_length = read_decoder(found.weights, torch.bfloat16 if precision == "bfloat16" else torch.float32)
    tokenizer_path = find_tokenizer(found.weights)
    check_tokenizer(found.weights, tokenizer_path)
    tokenizer = Tokenizer.load(tokenizer_path)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise FledgeError(
            f"the tokenizer has {tokenizer.vocab_size} tokens and the model {model.config.vocab_size}",
            where=str(found.weights),
            fix="use the tokenizer that the model was trained with",
        )
    length = context_length or trained_length
    if length is None:
        raise FledgeError("the context length is not told", where=str(found.weights), fix="give one")
    engine = Engine(
        model.to(device),
        context_length=length,
        max_batch=max_batch,
        precision=precision,
        frozen=True,
        tokenizer=tokenizer,
    )
    return engine, tokenizer, found.kind


def find_model(path: Path) -> Found:
    """The directory with ``model.safetensors`` that ``path`` means, and which kind of model it is."""
    if not path.exists():
        raise FledgeError("is not there", where=str(path), fix="check the path, or make it with `fledge run RECIPE`")
    if (path / WEIGHTS).is_file():
        _check_final(path)
        return Found(path, _kind_of(path))
    stages = [path / name for name, _ in STAGES] if (path / "recipe.toml").is_file() or _is_run(path) else [path]
    for stage in stages:
        manifest = read_manifest(stage) if stage.is_dir() else None
        if manifest is None:
            continue
        faults = damaged_outputs(stage, manifest)
        if faults:
            raise FledgeError(faults[0], where=str(stage), fix="run the recipe again: it repairs this stage")
        return Found(_weights_of(stage), _kind_of(stage))
    if stages == [path]:
        raise FledgeError("holds no finished model", where=str(path), fix="give a run, a checkpoint or a model/ folder")
    raise FledgeError(
        "has no finished model yet", where=str(path), fix="`fledge run` goes on with it; pretrain comes first"
    )


def _check_final(model: Path) -> None:
    """Raise FledgeError where ``model/`` of a finished stage is not as its manifest says."""
    stage = model.resolve().parent
    manifest = read_manifest(stage)
    faults = damaged_outputs(stage, manifest) if manifest and model.resolve().name == "model" else []
    own = [fault for fault in faults if fault.startswith("model/")]
    if own:
        raise FledgeError(own[0], where=str(stage), fix="run the recipe again: it repairs this stage")


def _is_run(path: Path) -> bool:
    return any((path / name).is_dir() for name, _ in STAGES)


def _weights_of(stage: Path) -> Path:
    """``model/`` of a finished stage."""
    if (stage / "model" / WEIGHTS).is_file():
        return stage / "model"
    raise FledgeError("is finished and holds no model", where=str(stage), fix="remove it and run again")


def _kind_of(path: Path) -> Kind:
    """By the name of the stage that ``path`` is, or lies in, or as an import says of itself; else a base model."""
    if (path / IMPORT_NAME).is_file():
        return "chat" if read_json(path / IMPORT_NAME).get("kind") == "chat" else "base"
    kinds = dict(STAGES)
    resolved = path.resolve()
    return next((kinds[each.name] for each in (resolved, *resolved.parents[:3]) if each.name in kinds), "base")


def find_tokenizer(weights: Path) -> Path:
    """The tokenizer beside the weights, or that of the run in which they lie."""
    resolved = weights.resolve()
    for folder in (resolved, *resolved.parents[:4]):
        for candidate in (folder, folder / "tokenizer"):
            if (candidate / "tokenizer.json").is_file():
                return candidate
    raise FledgeError("no tokenizer.json beside the model or in its run", where=str(weights), fix="put it there")


def check_tokenizer(weights: Path, tokenizer: Path) -> None:
    """Raise FledgeError where the stage of a run that holds ``weights`` learned from another tokenizer than its run's.

    A tokenizer that somebody put beside the weights is taken as it is.
    """
    now = read_manifest_or_none(tokenizer)
    for stage in weights.resolve().parents[:2]:
        if now is None or stage.parent != tokenizer.resolve().parent or not (stage / SETTINGS_NAME).is_file():
            continue
        learned_from = read_json(stage / SETTINGS_NAME).get("inputs", {}).get("tokenizer")
        if learned_from and learned_from != outputs_hash(now, ("tokenizer.json",)):
            raise FledgeError(
                "the model was trained with another tokenizer than this run has now",
                where=str(stage),
                fix=f"fledge run {stage.parent} trains it anew",
            )


def read_decoder(directory: Path, dtype: torch.dtype = torch.float32) -> tuple[Decoder, int | None]:
    """The decoder in a checkpoint (``state.json``) or a ``model/`` folder (``config.json``), and its context length.

    ``dtype`` is that of its matrices; see :func:`fledge.model.weights.read_decoder_file`.
    """
    if (directory / "state.json").is_file():
        state = read_json(directory / "state.json")
        try:
            config, expected = ModelConfig.from_dict(state["models"]["policy"]), state["sha256"][WEIGHTS]
        except (KeyError, TypeError) as error:
            raise FledgeError("is incomplete", where=str(directory / "state.json"), fix="use another one") from error
        if sha256(directory / WEIGHTS) != expected:
            raise FledgeError(f"{WEIGHTS} does not match its checksum", where=str(directory), fix="use another one")
        return read_decoder_file(config, directory / WEIGHTS, dtype).eval(), _trained_length(directory, state)
    values = read_json(directory / "config.json")
    config = read_config(values, str(directory / "config.json"))
    length = values.get("max_position_embeddings") or values.get("n_positions")
    return read_decoder_file(config, directory / WEIGHTS, dtype).eval(), int(length) if length else None


def _trained_length(checkpoint: Path, state: dict[str, Any]) -> int | None:
    """The context length in the checkpoint's own state, or in the settings of the stage that it lies in."""
    if "context_length" in state:
        return int(state["context_length"])
    settings = checkpoint.resolve().parent.parent / SETTINGS_NAME
    values = read_json(settings) if settings.is_file() else {}
    length = values.get("settings", values).get("context_length")
    return int(length) if length else None
