"""A constraint that turns out not to be followable ends its own completion, and nothing else."""

from __future__ import annotations

import json

import pytest

from fledge.infer.engine import Engine
from fledge.infer.request import Constraint, GenerateRequest
from fledge.model.decoder import Decoder
from fledge.tokens.tokenizer import Tokenizer


@pytest.mark.parametrize("nested", [False, True])
def test_companions_go_on(model: Decoder, tokenizer: Tokenizer, nested: bool) -> None:
    pytest.importorskip("llguidance")
    engine = Engine(model, context_length=64, max_batch=4, tokenizer=tokenizer)
    wide = {"type": "object", "properties": {f"k{i}": {"type": "integer"} for i in range(1500)}}
    schema = {"type": "array", "items": wide, "minItems": 2} if nested else wide
    plain = GenerateRequest([5], max_tokens=30)
    ruled = GenerateRequest(
        [5], max_tokens=30, constraint=Constraint("json_schema", json.dumps(schema)), stop_ids=(tokenizer.end,)
    )
    alone = engine.generate([plain])[0]
    first, broken, last = engine.generate([plain, ruled, plain])
    assert first.ids == last.ids == alone.ids
    assert first.fault == last.fault == ""
    assert broken.finish_reason == "cancelled"
    assert "the constraint cannot be followed: Parser Error" in broken.fault
    assert len(broken.ids) < 5
