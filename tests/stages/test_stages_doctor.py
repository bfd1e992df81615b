"""fledge doctor tells every choice with its reason, and what the person chose as theirs."""

import pytest
import torch

from fledge.stages.doctor import CHOICES, doctor_text
from fledge.stages.recipe import recipe_from
from fledge.train.config import PretrainConfig
from fledge.train.probe import choose_hardware


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def settings(**pretrain):
    tiny = {"depth": 1, "context_length": 64, "batch_tokens": 256, "tokens": 2560, "compile": "off"}
    return recipe_from(
        {"name": "x", "tokenizer": {"vocab_size": 300}, "tokens": {}, "pretrain": {**tiny, **pretrain}}, {}
    ).settings_of


def test_every_choice_is_told_with_its_reason():
    lines = doctor_text(settings())
    told = {line.split()[0]: line.split(maxsplit=2)[1:] for line in lines if line.split()[:1] and line[0] != " "}
    assert set(CHOICES) <= set(told)
    assert told["compile"] == ["off", "as --pretrain.compile says"]
    for name in set(CHOICES) - {"compile"}:
        assert len(told[name]) == 2, f"{name} has no reason"
    assert "1 layers, 64 wide" in lines[2] and "2560 tokens" in lines[2]


def test_it_tells_what_training_would_do():
    values = settings(precision="fp32", attention="sdpa", threads=1, micro_batch_rows=2, reuse_buffers="off")
    lines = doctor_text(values)
    for name, shown in (
        ("precision", "fp32"),
        ("attention", "sdpa"),
        ("threads", "1"),
        ("micro_batch_rows", "2"),
        ("reuse_buffers", "off"),
    ):
        line = next(line for line in lines if line.startswith(name))
        assert line.split()[1] == shown and line.endswith(f"as --pretrain.{name} says")
    config = values["pretrain"]
    assert isinstance(config, PretrainConfig)
    chosen = choose_hardware(config, config.model_config(300), 2560)
    assert (chosen.precision, chosen.attention, chosen.threads, chosen.reuse_buffers) == ("fp32", "sdpa", 1, False)
