"""A model out of Fledge: what Hugging Face's libraries load with no code of ours, and what llama.cpp and Ollama run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from fledge.infer.load import Kind, check_tokenizer, find_model, find_tokenizer, read_decoder
from fledge.model.config import ModelConfig
from fledge.model.config_json import write_config
from fledge.model.targets import Target, no_target, target_of
from fledge.model.weights import exported_weights
from fledge.release.gguf_file import write_gguf
from fledge.release.modelfile import modelfile
from fledge.release.recognise import TEMPLATE_FILE
from fledge.run.files import atomic_directory, read_json, write_json, write_text
from fledge.tokens.tokenizer import Tokenizer
from fledge.tokens.vocabulary import FLEDGE_ROLES
from fledge.train.checkpoint import save_tensors
from fledge.types import FledgeError

To = Literal["hf", "gguf"]
NumberType = Literal["f32", "bf16", "q8_0"]
GGUF_NAME = "model.gguf"
_DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Shipped:
    """What is sent out: a model that ``target`` holds, its tensors by the target's names, and its tokenizer's files."""

    config: ModelConfig
    target: Target
    tensors: Mapping[str, Tensor]
    context_length: int
    tokenizer: Tokenizer
    tokenizer_files: Path
    kind: Kind

    @property
    def token_ids(self) -> dict[str, int]:
        """The ids of bos, eos, pad and end, as far as the tokenizer has them."""
        roles = self.tokenizer.vocabulary.roles
        return {role: self.tokenizer.special[name] for role, name in roles.items()}

    @property
    def stops(self) -> list[int]:
        """What ends a reply: the end of a turn, for who chats, and the end of a text."""
        ids = self.token_ids
        return [ids[role] for role in (("end", "eos") if self.kind == "chat" else ("eos",)) if role in ids]


def export(
    run: Path, out: Path, *, to: To = "hf", number_type: NumberType = "f32", card: str = ""
) -> list[tuple[Path, str]]:
    """Write the model that ``run`` names to the directory ``out``, whole or not at all; returns what each file is.

    ``card`` is the text of the model card. Raises FledgeError for a model that no target holds, or a taken ``out``.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FledgeError("is there already", where=str(out), fix="choose another directory with --out")
    if to == "hf" and number_type == "q8_0":
        raise FledgeError("q8_0 is a type of GGUF files", where="type", fix="use --to gguf, or f32 or bf16")
    shipped = gather(run)
    with atomic_directory(out) as temporary:
        if to == "hf":
            told = _write_hf(shipped, temporary, _DTYPES[number_type])
        else:
            write_gguf(temporary / GGUF_NAME, shipped, number_type)
            write_text(temporary / "Modelfile", modelfile(shipped.tokenizer, shipped.kind, GGUF_NAME))
            told = {GGUF_NAME: f"{shipped.target} in {number_type}, for llama.cpp", "Modelfile": "for ollama create"}
        if card:
            write_text(temporary / "README.md", card)
            told["README.md"] = "the model card"
    return [(out / name, what) for name, what in told.items()]


def gather(run: Path) -> Shipped:
    """The model, its tokenizer, and what they are called elsewhere."""
    found = find_model(run)
    model, length = read_decoder(found.weights)
    files = find_tokenizer(found.weights)
    check_tokenizer(found.weights, files)
    reason = no_target(model.config)
    target = target_of(model.config)
    if target is None:
        raise FledgeError(reason, where=str(found.weights), fix="only Fledge runs it; train without that switch")
    return Shipped(
        config=model.config,
        target=target,
        tensors=exported_weights(model),
        context_length=length or 2048,
        tokenizer=Tokenizer.load(files),
        tokenizer_files=files,
        kind=found.kind,
    )


def _write_hf(shipped: Shipped, out: Path, dtype: torch.dtype) -> dict[str, str]:
    ids = shipped.token_ids
    name = str(dtype).removeprefix("torch.")
    stops = shipped.stops
    values = write_config(
        shipped.config, context_length=shipped.context_length, bos=ids.get("bos"), eos=stops[0], pad=ids.get("pad")
    )
    write_json(out / "config.json", {**values, "dtype": name, "torch_dtype": name})
    save_tensors({key: tensor.to(dtype) for key, tensor in shipped.tensors.items()}, out / "model.safetensors")
    generation: dict[str, Any] = {"bos_token_id": ids.get("bos"), "eos_token_id": stops, "pad_token_id": ids.get("pad")}
    write_json(out / "generation_config.json", {key: value for key, value in generation.items() if value is not None})
    _write_tokenizer(shipped, out)
    return {
        "model.safetensors": f"{shipped.target} in {name}",
        "config.json": "AutoModelForCausalLM and AutoTokenizer load the folder",
    }


def _write_tokenizer(shipped: Shipped, out: Path) -> None:
    """The tokenizer's files: an imported model keeps its own; a base model of ours has no template."""
    if shipped.tokenizer.vocabulary.roles != FLEDGE_ROLES:
        for name in ("tokenizer.json", "tokenizer_config.json", TEMPLATE_FILE):
            if (shipped.tokenizer_files / name).is_file():
                shutil.copyfile(shipped.tokenizer_files / name, out / name)
        return
    shipped.tokenizer.save(out, model_max_length=shipped.context_length)
    if shipped.kind == "base":
        config = read_json(out / "tokenizer_config.json")
        del config["chat_template"]
        write_json(out / "tokenizer_config.json", {**config, "eos_token": FLEDGE_ROLES["eos"]})
