from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.model.decoder import Decoder
from fledge.optim.build import build_optimizer
from fledge.optim.config import OptimConfig
from fledge.optim.rates import learning_rates
from fledge.run.events import read_events
from fledge.train.checkpoint import checkpoint_steps, latest_checkpoint, load_checkpoint
from fledge.train.hardware import compiler_problem
from fledge.train.mesh import World
from fledge.train.parallel import Distributed, owners
from fledge.train.signals import Stopped
from fledge.train.watchdog import HANG_CODE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals between processes")

HELPER = Path(__file__).with_name("training_fixtures.py")
_spec = importlib.util.spec_from_file_location("training_fixtures_parallel", HELPER)
helper = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(helper)

N_STEPS, STOPPED_AT = 10, 7
ADAMW = {"kind": "adamw", "eps": 1e-6}
EXPERTS = {"n_layers": 3, "n_experts": 4, "n_active_experts": 2, "d_expert": 16}
WAYS, OBJECTIVES = ("ddp", "fsdp"), ("TokenCrossEntropy", "TwoPartLoss")
# a learning rate at which ten steps do not blow differences in the last digit up
QUIET = {"optim": {"scale": 0.1}, "clip": 0.5, "micro_batch_rows": 2, "checkpoint_every": 5}


def job(directory: Path, source: str = "CountingSource", objective: str = "TokenCrossEntropy", **changes) -> str:
    return f"{directory} {N_STEPS} {json.dumps(QUIET | changes, separators=(',', ':'))} {source} {objective}"


def start_two(jobs: list[str]) -> list[subprocess.Popen]:
    """Two processes that do the same trainings together, as a launcher would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HELPER), " / ".join(jobs)]
    return [
        subprocess.Popen(command, env={**common, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]


def end(processes: list[subprocess.Popen]) -> tuple[list[int], list[str]]:
    told = [process.communicate(timeout=240)[1] for process in processes]
    return [process.returncode for process in processes], told


def alone(directory: Path, objective: str = "TokenCrossEntropy", source: str = "CountingSource", **changes):
    settings = helper.changed(QUIET | changes)
    return helper.train(directory, N_STEPS, (), helper.named(source), helper.named(objective), **settings)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    """Whole trainings and ones that stop at a checkpoint, by two processes and by one; then the stopped ones go on."""
    root = tmp_path_factory.mktemp("runs")
    jobs = [
        job(root / f"{way}-{objective}", objective=objective, parallel=way) for way in WAYS for objective in OBJECTIVES
    ]
    jobs += [job(root / f"{way}-stopped", source="Asked", parallel=way) for way in WAYS]
    jobs += [job(root / "ddp-recomputed", parallel="ddp", recompute=True)]
    jobs += [job(root / f"{way}-adamw", parallel=way, optim=ADAMW) for way in WAYS]
    jobs += [job(root / f"{way}-experts", objective="balanced", parallel=way, sizes=EXPERTS) for way in WAYS]
    if not compiler_problem():
        jobs += [job(root / f"{way}-compiled", parallel=way, compile="on", recompute=way == "fsdp") for way in WAYS]
    statuses, told = end(start_two(jobs))
    assert statuses == [0, 0] and "Traceback" not in told[0] + told[1], told
    for objective in OBJECTIVES:
        alone(root / f"one-{objective}", objective)
    alone(root / "one-adamw", optim=ADAMW)
    alone(root / "one-experts", "balanced", sizes=EXPERTS)
    with pytest.raises(Stopped):
        alone(root / "one-stopped", source="AskedAlone")
    again = []
    for way in WAYS:
        shutil.copytree(root / f"{way}-stopped", root / f"{way}-then-one")
        shutil.copytree(root / f"{way}-stopped", root / f"{way}-then-{way}")
        shutil.copytree(root / "one-stopped", root / f"one-then-{way}")
        alone(root / f"{way}-then-one")
        again += [job(root / f"{before}-then-{way}", parallel=way) for before in (way, "one")]
    statuses, told = end(start_two(again))
    assert statuses == [0, 0], told
    return root


def losses(directory: Path) -> list[float]:
    return [event["loss"] for event in read_events(directory / "events.jsonl", "step")]


def norms(directory: Path) -> list[float]:
    return [event["grad_norm"] for event in read_events(directory / "events.jsonl", "step")]


def tensors(directory: Path) -> dict[str, torch.Tensor]:
    loaded = load_checkpoint(latest_checkpoint(directory / "checkpoints"))
    assert loaded.step == N_STEPS
    return {f"{file} {name}": tensor for file, part in loaded.tensors.items() for name, tensor in part.items()}


def assert_same(one: Path, two: Path, tolerance: float) -> None:
    assert len(losses(one)) == len(losses(two)) == N_STEPS
    assert losses(one) == pytest.approx(losses(two), rel=tolerance)
    assert norms(one) == pytest.approx(norms(two), rel=10 * tolerance)
    first, second = tensors(one), tensors(two)
    assert first.keys() == second.keys()
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("way", WAYS)
def test_two_processes_do_as_one(runs, way, objective):
    assert_same(runs / f"one-{objective}", runs / f"{way}-{objective}", 1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_do_as_one_where_adamw_moves_the_matrices_too(runs, way):
    assert_same(runs / "one-adamw", runs / f"{way}-adamw", 1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_do_as_one_with_experts_in_every_layer(runs, way):
    # which experts a token takes turns on the last digit now and then
    assert_same(runs / "one-experts", runs / f"{way}-experts", 1e-3)


@pytest.mark.parametrize("way", WAYS)
def test_saved_by_two_and_continued_by_one_and_the_other_way_round(runs, way):
    for name in (f"{way}-then-one", f"one-then-{way}"):
        assert_same(runs / "one-TokenCrossEntropy", runs / name, 1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_stopped_and_continued_by_two_gives_the_same_bits(runs, way):
    assert_same(runs / f"{way}-TokenCrossEntropy", runs / f"{way}-then-{way}", 0)


def test_blocks_computed_again_give_the_same_bits(runs):
    assert_same(runs / "ddp-TokenCrossEntropy", runs / "ddp-recomputed", 0)


@pytest.mark.skipif(compiler_problem() != "", reason="no compiler")
@pytest.mark.parametrize("way", WAYS)
def test_two_processes_do_as_one_compiled(runs, way):
    assert_same(runs / "one-TokenCrossEntropy", runs / f"{way}-compiled", 1e-4)


def test_a_signal_to_one_stops_all_at_one_step_with_everything_saved(runs):
    for way in WAYS:
        assert checkpoint_steps(runs / f"{way}-stopped" / "checkpoints")[-1] == STOPPED_AT
        assert len(losses(runs / f"{way}-stopped")) == STOPPED_AT


def test_the_first_process_alone_writes(runs):
    for way in WAYS:
        events = list(read_events(runs / f"{way}-TokenCrossEntropy" / "events.jsonl"))
        assert [event["step"] for event in events if event["kind"] == "step"] == list(range(1, N_STEPS + 1))
        assert [event["kind"] for event in events].count("start") == 1


@pytest.fixture
def killed(tmp_path):
    processes = start_two([job(tmp_path, source="Dying", parallel="ddp", checkpoint_every=2)])
    began = time.monotonic()
    statuses, told = end(processes)
    return tmp_path, statuses, told, time.monotonic() - began


def test_the_death_of_one_ends_the_other_in_one_line_and_loses_nothing_that_was_saved(killed):
    directory, statuses, told, seconds = killed
    assert statuses == [2, -signal.SIGKILL] and seconds < 100
    lines = [line for line in told[0].splitlines() if "process" in line and "warn" not in line.lower()]
    assert len(lines) == 1 and "another process of this training ended; run the same command again" in lines[0]
    assert checkpoint_steps(directory / "checkpoints")[-1] == 6
    alone(directory)
    alone(directory / "whole")
    assert_same(directory / "whole", directory, 1e-5)


def test_a_hang_ends_with_the_stacks_of_every_process(tmp_path):
    processes = start_two([job(tmp_path, source="Hanging", parallel="ddp", watchdog_seconds=3)])
    statuses, told = end(processes)
    assert statuses == [HANG_CODE, HANG_CODE]
    for rank in (0, 1):
        stacks = (tmp_path / f"stacks-{rank}.txt").read_text("utf-8")
        for place in (stacks, told[rank]):
            assert "loop.py" in place and "in fit" in place
        assert f"process {rank} did no step for 3 s after step 6" in told[rank]
    assert "in batch" in told[1] and "in batch" in (tmp_path / "stacks-1.txt").read_text("utf-8")
    assert checkpoint_steps(tmp_path / "checkpoints")[-1] == 5


def test_rows_that_cannot_be_shared_are_refused_in_one_line(tmp_path):
    statuses, told = end(start_two([job(tmp_path, batch_tokens=helper.CONTEXT * 7, micro_batch_rows=0)]))
    assert statuses == [2, 2]
    assert "7 rows a batch cannot be shared by 2 processes; make it a multiple of 32" in told[0]


@given(
    st.lists(st.tuples(st.integers(1, 4096), st.integers(1, 4096)), min_size=1, max_size=60),
    st.integers(1, 16),
)
@settings(deadline=None)
def test_every_matrix_has_one_owner_and_the_load_is_balanced(sizes, n_processes):
    shapes = {f"m{number}": torch.Size(size) for number, size in enumerate(sizes)}
    chosen = owners(shapes, n_processes)
    assert chosen.keys() == shapes.keys() and set(chosen.values()) <= set(range(n_processes))
    cost = {name: min(shape) ** 2 * (2 * max(shape) + min(shape)) for name, shape in shapes.items()}
    loads = [sum(cost[name] for name in shapes if chosen[name] == process) for process in range(n_processes)]
    # the greedy rule never leaves one more than its most expensive matrix above the mean
    assert max(loads) <= sum(loads) / n_processes + max(cost.values())


def test_each_of_two_models_gets_its_own_part_of_the_states():
    models = {name: Decoder(helper.MODEL, seed=seed) for seed, name in enumerate(("policy", "critic"))}
    parts = [Distributed(World(rank, 2), models, torch.device("cpu"), OptimConfig()) for rank in range(2)]
    optimizer = build_optimizer(parts[0].parameters.items(), OptimConfig(), learning_rates(OptimConfig(), width=32))
    for parameter in parts[0].parameters.values():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step(1.0)
    whole = optimizer.state_dict()
    momenta = {key for key in whole if key.startswith("muon.")}
    assert len(momenta) == 2 * sum(not key.startswith("muon.momentum.critic.") for key in momenta)
    for part in parts:
        expected = {f"muon.momentum.{name}" for name in part.owned}
        assert part.part(whole).keys() == expected | (whole.keys() - momenta)


class Bound(World):
    """One of processes on machines of which each lets its processes run on ``binding`` (numbers by local rank)."""

    def __init__(self, binding: list[set[int]], n_machines: int) -> None:
        super().__init__(0, len(binding) * n_machines, 0, len(binding))
        object.__setattr__(self, "binding", binding)

    def total(self, values: list[float]) -> list[float]:
        n_machines = self.size // self.local_size
        return [float(n_machines * sum(at in usable for usable in self.binding)) for at in range(len(values))]


@given(st.integers(1, 64), st.integers(1, 8), st.integers(1, 3), st.booleans())
@settings(deadline=None, max_examples=20)
def test_processors_are_shared_by_those_who_may_run_on_them(each, n_processes, n_machines, bound):
    first = [each * process if bound else 0 for process in range(n_processes)]
    binding = [set(range(start, start + each)) for start in first]
    own = [Bound(binding, n_machines).share_of(usable) for usable in binding]
    assert own == [each if bound else max(1, each // n_processes)] * n_processes


def test_a_process_alone_has_all_processors_that_it_may_run_on():
    assert World().share_of({3, 5}) == 2
