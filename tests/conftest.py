from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch

from fledge.infer.engine import Engine
from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer

CONTEXT = 48


def pytest_configure() -> None:
    """Processes that tests start hear Ctrl-C, also where the tests run in a shell's background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["the cat sat on the mat and the dog ran to the door " * 20], 300)


def random_model(vocab_size: int, seed: int = 0, **sizes: Any) -> Decoder:
    """A model whose every weight matters: trained ones are not zero where fresh ones are."""
    shape = {"n_layers": 2, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "d_ff": 48, **sizes}
    model = Decoder(ModelConfig(vocab_size=vocab_size, **shape))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(1 + 0.2 * noise if parameter.dim() == 1 else noise * 0.4)
    return model


@pytest.fixture(scope="session", name="random_model")
def random_model_fixture() -> Callable[..., Decoder]:
    return random_model


@pytest.fixture(scope="session")
def model(tokenizer: Tokenizer) -> Decoder:
    return random_model(tokenizer.vocab_size)


@pytest.fixture
def engine(model: Decoder) -> Engine:
    return Engine(model, context_length=CONTEXT, max_batch=4)
