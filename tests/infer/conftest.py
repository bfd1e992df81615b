from __future__ import annotations

import pytest

from fledge.infer.engine import Engine
from fledge.model.decoder import Decoder

CONTEXT = 48


@pytest.fixture(scope="session", params=[False, True], ids=["torch", "library"])
def native(request: pytest.FixtureRequest) -> bool:
    """Whether an engine may use the C++ library, as those that are loaded do."""
    return bool(request.param)


@pytest.fixture
def engine(model: Decoder, native: bool) -> Engine:
    return Engine(model, context_length=CONTEXT, max_batch=4, native=native)
