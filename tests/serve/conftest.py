from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fledge.infer.engine import Engine
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer

sys.path.insert(0, str(Path(__file__).parent))

CONTEXT = 512


@pytest.fixture(scope="session")
def direct(model: Decoder, tokenizer: Tokenizer) -> Engine:
    """The same model as the servers have, to be asked without one."""
    return Engine(model, context_length=CONTEXT, max_batch=4, tokenizer=tokenizer, frozen=True)


@pytest.fixture
def engine(model: Decoder, tokenizer: Tokenizer) -> Engine:
    return Engine(model, context_length=CONTEXT, max_batch=4, tokenizer=tokenizer, frozen=True)


@pytest.fixture(scope="session")
def running(model: Decoder, tokenizer: Tokenizer) -> Iterator[Any]:
    from serving import serving

    with serving(Engine(model, context_length=CONTEXT, max_batch=8, tokenizer=tokenizer), tokenizer) as server:
        yield server


@pytest.fixture(scope="session")
def client(running: Any) -> Any:
    import openai

    return openai.OpenAI(base_url=running.url + "/v1", api_key="none", max_retries=0)
