from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from fledge.infer import engine as engines
from fledge.infer.engine import Engine
from fledge.infer.torch_step import Record
from fledge.model.decoder import Decoder

CONTEXT = 48
WAYS = ["torch", "library", "recorded", *(["cuda"] if torch.cuda.is_available() else [])]

Make = Callable[..., Engine]


@pytest.fixture(scope="session")
def traced() -> Record:
    """Records on a CPU what a CUDA graph would: the operators that ran, with the tensors where they lay."""
    return lambda function: make_fx(function)()


@pytest.fixture(scope="session", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How an engine computes its steps: as one over a model that trains, or as those that are loaded do."""
    return str(request.param)


@pytest.fixture(scope="session")
def make(way: str, traced: Record) -> Make:
    """Makes engines that compute in one way."""

    def made(model: Decoder, **settings: Any) -> Engine:
        with pytest.MonkeyPatch.context() as patch:
            if way == "recorded":
                patch.setenv("FLEDGE_NATIVE", "0")
                patch.setattr(engines, "recorder", lambda model: traced)
            if way == "cuda":
                model = copy.deepcopy(model).cuda()
            return Engine(model, frozen=way != "torch", **settings)

    return made


@pytest.fixture
def engine(model: Decoder, make: Make) -> Engine:
    return make(model, context_length=CONTEXT, max_batch=4)
