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
from fledge.release.recognise import TEMPLATE_FILE, template_text
from fledge.run.files import atomic_directory, read_json, write_json, write_text
from fledge.tokens import jinja
from fledge.tokens.huggingface import chat_template, tokenizer_config
from fledge.tokens.load import TEMPLATE_NAME
from fledge.tokens.templates import ForeignTemplate
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

    @property
    def own_tokenizer(self) -> bool:
        """Whether it is of Fledge's kind, and no import's."""
        return self.tokenizer.vocabulary.roles == FLEDGE_ROLES

    @property
    def chat_template(self) -> str:
        """The jinja of an assistant: its own, or for a template that an import was given, the same as jinja."""
        template = self.tokenizer.template
        if self.kind == "base":
            return ""
        if not isinstance(template, ForeignTemplate):
            return chat_template() if self.own_tokenizer else template_text(self.tokenizer_files)
        own = template_text(self.tokenizer_files)
        path = self.tokenizer_files / TEMPLATE_NAME
        if own and not (path.is_file() and read_json(path).get("given")):
            return own
        return jinja.written(template, self.tokenizer.special, self.tokenizer.vocabulary.roles.get("bos", ""))


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
    """The tokenizer's files: an imported model keeps its own; a base model of ours has no template.

    What would have transformers run code beside the files, or build the tokenizer anew by its class, is left out.
    """
    tokenizer, files = shipped.tokenizer, shipped.tokenizer_files
    if not shipped.own_tokenizer:
        shutil.copyfile(files / "tokenizer.json", out / "tokenizer.json")
        path = files / "tokenizer_config.json"
        config = read_json(path) if path.is_file() else {}
        config = tokenizer_config(tokenizer.vocabulary) | config | {"tokenizer_class": "PreTrainedTokenizerFast"}
        config.pop("auto_map", None)
        own = template_text(files)
        if shipped.chat_template not in ("", own):
            write_text(out / TEMPLATE_FILE, shipped.chat_template)
            config.pop("chat_template", None)
            config["eos_token"] = tokenizer.vocabulary.roles["end"]
        elif (files / TEMPLATE_FILE).is_file():
            shutil.copyfile(files / TEMPLATE_FILE, out / TEMPLATE_FILE)
        write_json(out / "tokenizer_config.json", config)
        return
    tokenizer.save(out, model_max_length=shipped.context_length)
    if shipped.kind == "base":
        config = read_json(out / "tokenizer_config.json")
        del config["chat_template"]
        write_json(out / "tokenizer_config.json", {**config, "eos_token": FLEDGE_ROLES["eos"]})
