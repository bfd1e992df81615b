"""Checkpoints: directories that appear whole, carry checksums, and are believed only when these agree."""

from __future__ import annotations

import base64
import errno
import hashlib
import itertools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fledge.model.config import ModelConfig
from fledge.model.config_json import read_config, write_config
from fledge.model.decoder import Decoder
from fledge.model.weights import exported_weights, load_weights, read_decoder_file, weights
from fledge.run.files import TEMPORARY, atomic_directory, read_json, sha256, write_json
from fledge.types import FledgeError

FORMAT = 2
"""Format 1 had no checksum of ``state.json`` itself."""
_NAME = re.compile(r"step-(\d{8})")
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read: ``tensors`` by file name, and what ``state.json`` holds."""

    path: Path
    step: int
    state: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


def step_directory(directory: Path, step: int) -> Path:
    return directory / f"step-{step:08d}"


def weights_file(name: str) -> str:
    """Where the weights of the model of this name lie: the policy's in ``model.safetensors``."""
    return "model.safetensors" if name == "policy" else f"{name}.safetensors"


@dataclass(frozen=True)
class Snapshot:
    """What a checkpoint is made of: tensors by file name, and the body of ``state.json`` but for the checksums."""

    step: int
    tensors: dict[str, dict[str, Tensor]]
    state: dict[str, Any]

    @property
    def n_bytes(self) -> int:
        return sum(tensor.nbytes for tensors in self.tensors.values() for tensor in tensors.values())

    def copied(self) -> Snapshot:
        """The same values in memory of the CPU that no training step changes."""
        copies = {
            file: {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
            for file, tensors in self.tensors.items()
        }
        return Snapshot(self.step, copies, self.state)


def take_snapshot(
    step: int, models: Mapping[str, nn.Module], optimizer: Mapping[str, Tensor], state: Mapping[str, Any]
) -> Snapshot:
    """The state of a training as it is now; the tensors are the live ones."""
    tensors = {weights_file(name): weights(model) for name, model in models.items()}
    configs = {name: model.config.to_dict() for name, model in models.items() if isinstance(model, Decoder)}
    body = {"format": FORMAT, "step": step, "models": configs, **state}
    return Snapshot(step, {**tensors, "optimizer.safetensors": dict(optimizer)}, body)


def write_checkpoint(directory: Path, snapshot: Snapshot) -> Path:
    """Write ``directory/step-XXXXXXXX``: weights, optimizer, ``state.json`` with the sha256 of them and of the rest."""
    target = step_directory(directory, snapshot.step)
    with atomic_directory(target) as temporary:
        for file, tensors in snapshot.tensors.items():
            save_tensors(tensors, temporary / file)
        files = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
        body = {**snapshot.state, "sha256": files}
        body["state_sha256"] = state_sha256(body)
        (temporary / "state.json").write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8", newline="\n")
    return target


def state_sha256(state: Mapping[str, Any]) -> str:
    """The sha256 of what ``state.json`` holds beside it, as JSON with sorted keys."""
    rest = json.loads(json.dumps({key: value for key, value in state.items() if key != "state_sha256"}))
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file; a full disk is an ``OSError`` like everywhere else."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(plain, path, metadata={"format": "pt"})
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        code = int(number.group(1))
        raise OSError(code if code in errno.errorcode else errno.EIO, os.strerror(code), str(path)) from error


def damage(path: Path) -> str:
    """What is wrong with a checkpoint, or an empty string; reads every byte."""
    try:
        state = read_json(path / "state.json")
        listed = state["sha256"]
        if state["format"] not in (1, FORMAT):
            return f"has format {state['format']}, expected {FORMAT}"
        if (state["format"] == FORMAT or "state_sha256" in state) and state["state_sha256"] != state_sha256(state):
            return "state.json does not match its checksum"
        if _NAME.fullmatch(path.name) and path != step_directory(path.parent, state["step"]):
            return f"state.json is of step {state['step']}"
        for name, digest in listed.items():
            if not (path / name).is_file():
                return f"{name} is missing"
            if sha256(path / name) != digest:
                return f"{name} does not match its checksum"
    except FledgeError as error:
        return f"state.json {error.what}"
    except (KeyError, TypeError, AttributeError, ValueError):
        return "state.json is incomplete"
    return ""


def checkpoint_steps(directory: Path) -> list[int]:
    """Steps that have a checkpoint directory, oldest first."""
    names = [_NAME.fullmatch(path.name) for path in directory.iterdir()] if directory.is_dir() else []
    return sorted(int(name.group(1)) for name in names if name)


def latest_checkpoint(directory: Path, tell: Tell | None = None, *, set_aside: bool = False) -> Path | None:
    """The newest undamaged checkpoint; each damaged one is told in a line and passed over.

    With ``set_aside`` these are renamed to ``damaged-step-…``, so that none counts as newer than what is saved next.
    """
    for step in reversed(checkpoint_steps(directory)):
        path = step_directory(directory, step)
        problem = damage(path)
        if not problem:
            return path
        kept = f"it is kept as {_set_aside(path).name}, and " if set_aside else ""
        (tell or _to_stderr)(f"{path}: {problem}; {kept}the checkpoint before it is used")
    return None


def _set_aside(path: Path) -> Path:
    """Rename a damaged checkpoint to a free name that no reader of checkpoints looks at."""
    aside = path.with_name(f"damaged-{path.name}")
    numbers = itertools.count(2)
    while aside.exists():
        aside = path.with_name(f"damaged-{path.name}-{next(numbers)}")
    os.replace(path, aside)
    return aside


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and verify a checkpoint; a damaged one is refused in one line."""
    problem = damage(path)
    if problem:
        raise FledgeError(problem, where=str(path), fix="use the checkpoint before it")
    state = read_json(path / "state.json")
    tensors = {name: load_file(path / name) for name in state["sha256"] if name.endswith(".safetensors")}
    return Checkpoint(path, state["step"], state, tensors)


def kept_steps(steps: list[int], keep: int, log_spaced: bool, chosen: Collection[int] = ()) -> set[int]:
    """The retention rule: the ``keep`` newest, the ``chosen``, and with ``log_spaced`` the powers of two, for good."""
    kept = set(sorted(steps)[-keep:]) | {step for step in steps if step in chosen}
    return kept | {step for step in steps if log_spaced and step & (step - 1) == 0}


def remove_old(directory: Path, keep: int, log_spaced: bool, chosen: Collection[int] = ()) -> None:
    """Remove the checkpoints that :func:`kept_steps` does not name."""
    steps = checkpoint_steps(directory)
    for step in sorted(set(steps) - kept_steps(steps, keep, log_spaced, chosen)):
        # Renamed first, so that a kill halfway leaves no damaged checkpoint under a good name.
        path = step_directory(directory, step)
        doomed = path.with_name(f"{TEMPORARY}{os.getpid()}-old-{path.name}")
        os.replace(path, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def rng_state() -> str:
    """The state of torch's generator, as text."""
    return base64.b64encode(torch.get_rng_state().numpy().tobytes()).decode("ascii")


def set_rng_state(text: str) -> None:
    torch.set_rng_state(torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8))


def save_model(
    model: Decoder,
    directory: Path,
    *,
    context_length: int,
    bos: int | None = None,
    eos: int | None = None,
    pad: int | None = None,
) -> Path:
    """Write ``directory``, whole or not at all, so that ``AutoModelForCausalLM`` loads it unchanged.

    A model that no target of ``model/targets.py`` holds is written under Fledge's own type, which only Fledge loads.
    """
    with atomic_directory(directory) as temporary:
        save_tensors(exported_weights(model), temporary / "model.safetensors")
        values = write_config(model.config, context_length=context_length, bos=bos, eos=eos, pad=pad)
        write_json(temporary / "config.json", values)
    return directory


def load_model(path: Path) -> tuple[Decoder, dict[str, Any]]:
    """The model in a checkpoint, in a ``model/`` directory, or in the newest checkpoint of a stage directory.

    Returns it in float32 on the CPU with its ``state.json`` (its ``config.json`` for a ``model/`` directory).
    """
    if (path / "state.json").exists():
        checkpoint = load_checkpoint(path)
        model = Decoder(ModelConfig.from_dict(checkpoint.state["models"]["policy"]))
        load_weights(model, checkpoint.tensors["model.safetensors"], str(path))
        return model, checkpoint.state
    if (path / "config.json").exists():
        values = read_json(path / "config.json")
        config = read_config(values, str(path / "config.json"))
        return read_decoder_file(config, path / "model.safetensors"), values
    if (path / "model" / "config.json").exists():
        return load_model(path / "model")
    latest = latest_checkpoint(path / "checkpoints")
    if latest is None:
        raise FledgeError("holds no model", where=str(path), fix="give a run's stage, its model/ or a checkpoint")
    return load_model(latest)
