"""Others' weights as they lie on a disk: safetensors, whole or in shards. What could run code when read is refused."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fledge.model.weights import read_tensors
from fledge.run.files import read_json
from fledge.types import FledgeError

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
SUPPORTED = "safetensors (model.safetensors, or shards with model.safetensors.index.json) and llama2.c's .bin"
FLOATS = (torch.float32, torch.float16, torch.bfloat16)


def refuse_pickle(path: Path) -> FledgeError:
    return FledgeError(
        "holds pickled weights, which can run code when they are read",
        where=str(path),
        fix=f"supported are {SUPPORTED}; save it with safe_serialization=True",
    )


def read_weights(directory: Path) -> dict[str, Tensor]:
    """Every tensor of a model's directory, in the types of its files. Raises FledgeError that names what is there."""
    if (directory / WHOLE).is_file():
        tensors = read_tensors(directory / WHOLE)
    elif (directory / INDEX).is_file():
        tensors = _read_shards(directory)
    else:
        names = sorted(path.name for path in directory.iterdir() if path.is_file())
        pickled = [name for name in names if name.endswith(PICKLES)]
        if pickled:
            raise refuse_pickle(directory / pickled[0])
        raise FledgeError(
            f"holds no weights, only {', '.join(names[:5]) or 'nothing'}",
            where=str(directory),
            fix=f"supported are {SUPPORTED}",
        )
    for name, tensor in tensors.items():
        if tensor.dtype not in FLOATS:
            kind = str(tensor.dtype).removeprefix("torch.")
            raise FledgeError(
                f"{name} is {kind}", where=str(directory), fix="supported are float32, float16 and bfloat16"
            )
    return tensors


def _read_shards(directory: Path) -> dict[str, Tensor]:
    where = directory / INDEX
    values = read_json(where)
    places = values.get("weight_map") if isinstance(values, dict) else None
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise FledgeError("holds no weight_map", where=str(where))
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name:
            raise FledgeError(f"names {name!r}, which is no file beside it", where=str(where))
        if not (directory / name).is_file():
            raise FledgeError(f"names {name}, which is not there", where=str(where), fix="fetch the missing shard")
        shard = read_tensors(directory / name)
        tensors |= {key: tensor for key, tensor in shard.items() if places.get(key) == name}
    lost = [key for key in places if key not in tensors]
    if lost:
        raise FledgeError(f"{places[lost[0]]} lacks {lost[0]}", where=str(where), fix="fetch that shard again")
    return tensors
