from __future__ import annotations

import pytest
import torch

from fledge.model.config import ModelConfig
from fledge.train.config import TrainConfig
from fledge.train.share import process_bytes, sharers

MODEL = ModelConfig.from_depth(4, 4096)
CPU = torch.device("cpu")


@pytest.fixture
def four(monkeypatch):
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "4"), ("MASTER_ADDR", "here"), ("MASTER_PORT", "1")):
        monkeypatch.setenv(name, value)


def test_alone_everything_is_held():
    for parallel in ("auto", "ddp", "fsdp"):
        held = process_bytes(TrainConfig(parallel=parallel), MODEL, CPU, 4, 2, False)
        assert held == MODEL.training_bytes(256, 4, 2, False)
    assert sharers(CPU) == 1


def test_parts_of_states_and_whole_activations_are_held_of_several(four):
    whole = process_bytes(TrainConfig(parallel="ddp"), MODEL, CPU, 4, 2, False)
    part = process_bytes(TrainConfig(parallel="fsdp"), MODEL, CPU, 4, 2, False)
    assert whole == MODEL.training_bytes(256, 4, 2, False)
    assert whole - part == pytest.approx(16 * MODEL.n_parameters * 3 / 4, abs=16)
    assert sharers(CPU) == 4 and sharers(torch.device("cuda")) == 1


def test_processes_are_several_only_where_they_can_find_each_other(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    assert sharers(CPU) == 1
