from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fledge.optim.config import OptimConfig
from fledge.run.events import EventLog, read_events
from fledge.run.files import write_json
from fledge.train.checkpoint import checkpoint_steps, latest_checkpoint, load_checkpoint, load_model
from fledge.train.hardware import compiler_problem
from fledge.train.signals import Stopped
from fledge.types import Batch, FledgeError

HELPER = Path(__file__).with_name("training_fixtures.py")
_spec = importlib.util.spec_from_file_location("training_fixtures", HELPER)
helper = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(helper)

TIMINGS = {"time", "seconds", "elapsed", "tokens_per_second", "flops_per_second", "utilisation"}


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(before[0])
    torch.use_deterministic_algorithms(before[1])


def losses(directory: Path) -> list[dict]:
    return [{k: v for k, v in e.items() if k not in TIMINGS} for e in read_events(directory / "events.jsonl", "step")]


def tensors(directory: Path) -> dict[str, dict[str, torch.Tensor]]:
    return load_checkpoint(latest_checkpoint(directory / "checkpoints")).tensors


def assert_same_training(one: Path, two: Path) -> None:
    assert losses(one) == losses(two)
    first, second = tensors(one), tensors(two)
    assert first.keys() == second.keys()
    for file in first:
        assert first[file].keys() == second[file].keys()
        for name in first[file]:
            assert torch.equal(first[file][name], second[file][name]), name


def test_it_learns_and_writes_what_it_measures(tmp_path):
    seen = []
    state = helper.train(tmp_path, 60, [lambda s: seen.append(s.step)], optim=OptimConfig(scale=0.5))
    steps = losses(tmp_path)
    assert [e["step"] for e in steps] == list(range(1, 61)) and seen == list(range(61))
    assert steps[0]["loss"] == pytest.approx(np.log(48), abs=0.1)
    assert steps[-1]["loss"] < 0.7 * steps[0]["loss"]
    assert all(e["grad_norm"] > 0 for e in steps)
    assert steps[-1]["tokens"] == state.tokens == 60 * 128
    event = list(read_events(tmp_path / "events.jsonl", "step"))[-1]
    assert event["tokens_per_second"] == pytest.approx(128 / event["seconds"])
    per_token = helper.MODEL.flops_per_token(helper.CONTEXT)
    assert event["flops_per_second"] == pytest.approx(event["tokens_per_second"] * per_token)
    assert event["utilisation"] == pytest.approx(event["flops_per_second"] / state.hardware.flops_per_second)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_cutting_the_batch_never_changes_the_result(tmp_path, rows):
    for name, at_once in (("whole", 8), ("cut", rows)):
        # a learning rate at which six steps do not blow differences in the last digit up
        helper.train(tmp_path / name, 6, micro_batch_rows=at_once, optim=OptimConfig(scale=0.3))
    whole, cut = tensors(tmp_path / "whole"), tensors(tmp_path / "cut")
    for name, tensor in whole["model.safetensors"].items():
        torch.testing.assert_close(cut["model.safetensors"][name], tensor, rtol=1e-3, atol=1e-4)
    for one, two in zip(losses(tmp_path / "whole"), losses(tmp_path / "cut"), strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)
        assert one["grad_norm"] == pytest.approx(two["grad_norm"], rel=1e-3)


def start(directory: Path, n_steps: int, **changes) -> subprocess.Popen:
    changed = json.dumps(changes, separators=(",", ":"))
    return subprocess.Popen([sys.executable, str(HELPER), str(directory), str(n_steps), changed])


def wait_for_step(process: subprocess.Popen, directory: Path, step: int) -> None:
    for _ in range(6000):
        if process.poll() is not None:
            return
        if any(e["step"] >= step for e in read_events(directory / "events.jsonl", "step")):
            return
        time.sleep(0.01)
    raise AssertionError("training never came so far")


def test_killed_at_any_moment_and_resumed_equals_uninterrupted(tmp_path):
    # A checkpoint every third step: many kills fall into the writing of one.
    n_steps = 120
    helper.train(tmp_path / "whole", n_steps, checkpoint_every=3)
    for step in (1, 60):
        process = start(tmp_path / "killed", n_steps, checkpoint_every=3)
        wait_for_step(process, tmp_path / "killed", step)
        process.kill()
        process.wait()
    assert max(checkpoint_steps(tmp_path / "killed" / "checkpoints"), default=0) < n_steps
    state = helper.train(tmp_path / "killed", n_steps, checkpoint_every=3)
    assert state.step == n_steps
    assert_same_training(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.skipif(compiler_problem() != "", reason="no compiler")
def test_compiled_training_resumes_bit_for_bit(tmp_path):
    changes = {"compile": "on", "precision": "auto", "checkpoint_every": 10, "threads": 2}
    assert start(tmp_path / "whole", 40, **changes).wait() == 0
    # Two fresh trainings may measure, and choose, differently; what is compared is one choice.
    (tmp_path / "killed").mkdir()
    shutil.copy(tmp_path / "whole" / "hardware.json", tmp_path / "killed")
    process = start(tmp_path / "killed", 40, **changes)
    wait_for_step(process, tmp_path / "killed", 15)
    process.kill()
    process.wait()
    assert 0 < max(checkpoint_steps(tmp_path / "killed" / "checkpoints")) < 40
    assert start(tmp_path / "killed", 40, **changes).wait() == 0
    assert_same_training(tmp_path / "whole", tmp_path / "killed")


@pytest.mark.skipif(os.name == "nt", reason="signals between processes")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops(tmp_path, number):
    def interrupt(state):
        if state.step == 6:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(Stopped, match="stopped at step 6 of 12") as caught:
        helper.train(tmp_path / "stopped", 12, [interrupt], checkpoint_every=0, log_spaced_checkpoints=False)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) == before
    assert checkpoint_steps(tmp_path / "stopped" / "checkpoints") == [6]
    helper.train(tmp_path / "stopped", 12)
    helper.train(tmp_path / "whole", 12)
    assert_same_training(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.skipif(os.name == "nt", reason="signals between processes")
def test_a_signal_in_the_last_step_stops_what_comes_after(tmp_path):
    def interrupt(state):
        if state.last:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Stopped, match="stopped at step 12 of 12"):
        helper.train(tmp_path / "stopped", 12, [interrupt])
    helper.train(tmp_path / "stopped", 12)
    helper.train(tmp_path / "whole", 12)
    assert_same_training(tmp_path / "whole", tmp_path / "stopped")


class AskedAtTheEnd(helper.CountingSource):
    """SIGTERM comes while the last checkpoint is made."""

    def __init__(self, last: int) -> None:
        self.last, self.fetched = last, 0

    def batch(self, step: int) -> Batch:
        self.fetched = step + 1
        return super().batch(step)

    def state_dict(self):
        if self.fetched == self.last:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().state_dict()


@pytest.mark.skipif(os.name == "nt", reason="signals between processes")
def test_a_signal_while_the_end_is_saved_stops_what_comes_after(tmp_path):
    with pytest.raises(Stopped, match="stopped at step 12 of 12, saved") as caught:
        helper.train(tmp_path / "stopped", 12, source=AskedAtTheEnd(12))
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert helper.train(tmp_path / "stopped", 12, [lambda state: pytest.fail("it is done again")]).last
    helper.train(tmp_path / "whole", 12)
    assert_same_training(tmp_path / "whole", tmp_path / "stopped")


def test_two_trainings_leave_the_same_state_but_for_the_time(tmp_path):
    states = []
    for name in ("one", "other"):
        torch.rand(len(states) + 1)
        helper.train(tmp_path / name, 3)
        state = load_checkpoint(latest_checkpoint(tmp_path / name / "checkpoints")).state
        states.append({key: value for key, value in state.items() if key not in ("seconds", "state_sha256")})
    assert states[0] == states[1]


def test_checkpoints_at_chosen_steps_are_kept_for_good(tmp_path):
    helper.train(tmp_path, 12, checkpoint_every=2, log_spaced_checkpoints=False, checkpoint_steps=(3, 5), keep=2)
    assert checkpoint_steps(tmp_path / "checkpoints") == [3, 5, 10, 12]


def test_events_without_a_step_outlive_a_start_from_the_beginning(tmp_path):
    with EventLog(tmp_path / "events.jsonl") as events:
        events.write("stage_started", stage="pretrain")
        events.write("step", step=1, loss=1.0)
    helper.train(tmp_path, 2)
    kinds = [event["kind"] for event in read_events(tmp_path / "events.jsonl")]
    assert kinds.count("stage_started") == 1 and kinds.count("step") == 2


@pytest.mark.skipif(os.name == "nt", reason="signals between processes")
def test_a_second_ctrl_c_stops_at_once(tmp_path):
    def interrupt(state):
        if state.step == 3:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        helper.train(tmp_path, 12, [interrupt], checkpoint_every=0, log_spaced_checkpoints=False)
    assert checkpoint_steps(tmp_path / "checkpoints") == []


def test_a_finished_training_is_not_done_again(tmp_path):
    helper.train(tmp_path, 8)
    before = losses(tmp_path)
    seen = []
    state = helper.train(tmp_path, 8, [lambda s: seen.append(s.step)])
    assert state.step == 8 and state.last and seen == [] and losses(tmp_path) == before


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(tmp_path):
    helper.train(tmp_path / "whole", 12)
    helper.train(tmp_path / "hurt", 12)
    newest = latest_checkpoint(tmp_path / "hurt" / "checkpoints")
    data = bytearray((newest / "model.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (newest / "model.safetensors").write_bytes(data)
    told = []
    helper.train(tmp_path / "hurt", 12, tell=told.append)
    assert "step-00000012" in told[0] and "model.safetensors does not match its checksum" in told[0]
    assert_same_training(tmp_path / "whole", tmp_path / "hurt")


def test_a_damaged_checkpoint_never_pushes_out_what_is_saved_next(tmp_path):
    def stopping_at(step):
        return [lambda s: os.kill(os.getpid(), signal.SIGINT) if s.step == step else None]

    rare = {"keep": 1, "checkpoint_every": 0, "log_spaced_checkpoints": False}
    with pytest.raises(Stopped):
        helper.train(tmp_path / "hurt", 12, stopping_at(8), **rare)
    weights = tmp_path / "hurt" / "checkpoints" / "step-00000008" / "model.safetensors"
    harmed = bytearray(weights.read_bytes())
    harmed[-1] ^= 1
    weights.write_bytes(harmed)
    told = []
    with pytest.raises(Stopped, match="stopped at step 5"):
        helper.train(tmp_path / "hurt", 12, stopping_at(5), tell=told.append, **rare)
    assert "it is kept as damaged-step-00000008" in told[0]
    assert checkpoint_steps(tmp_path / "hurt" / "checkpoints") == [5]
    aside = tmp_path / "hurt" / "checkpoints" / "damaged-step-00000008" / "model.safetensors"
    assert aside.read_bytes() == harmed
    helper.train(tmp_path / "hurt", 12, **rare)
    helper.train(tmp_path / "whole", 12, **rare)
    assert_same_training(tmp_path / "whole", tmp_path / "hurt")


def test_a_second_damaged_one_of_the_same_step_is_kept_too(tmp_path):
    for _ in range(2):
        helper.train(tmp_path, 4)
        (tmp_path / "checkpoints" / "step-00000004" / "model.safetensors").write_bytes(b"")
    helper.train(tmp_path, 4)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir() if path.name.startswith("damaged"))
    assert names == ["damaged-step-00000004", "damaged-step-00000004-2"]
    assert latest_checkpoint(tmp_path / "checkpoints", pytest.fail).name == "step-00000004"


class Closed:
    def __init__(self) -> None:
        self.steps: list[int] = []
        self.n_closed = 0

    def __call__(self, state) -> None:
        self.steps.append(state.step)

    def close(self) -> None:
        self.n_closed += 1


def test_callbacks_are_closed_however_a_training_ends(tmp_path):
    shown = Closed()
    helper.train(tmp_path / "whole", 3, [shown])
    assert (shown.steps, shown.n_closed) == ([0, 1, 2, 3], 1)
    shown = Closed()
    with pytest.raises(FledgeError, match="no number"):
        helper.train(tmp_path / "bad", 20, [shown], source=Poisoned(6))
    assert shown.steps[-1] == 8 and shown.n_closed == 1


def test_the_last_state_of_a_training_stands_above_its_error(tmp_path, capsys):
    from fledge.stages.training import TrainingProgress

    with pytest.raises(FledgeError):
        helper.train(tmp_path / "bad", 20, [TrainingProgress("train", helper.settings())], source=Poisoned(6))
    assert capsys.readouterr().err.startswith("train · 1024/2560 tokens")
    helper.train(tmp_path / "whole", 3, [TrainingProgress("train", helper.settings())])
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "384/384 tokens" in err and "done in" in err


def test_another_number_of_steps_is_refused(tmp_path):
    helper.train(tmp_path, 4)
    with pytest.raises(FledgeError, match="made for 4 steps, not 5"):
        helper.train(tmp_path, 5)


class Poisoned(helper.CountingSource):
    """Weights that are no number from one step on."""

    def __init__(self, first: int, last: int = 10**9) -> None:
        self.first, self.last = first, last

    def batch(self, step: int) -> Batch:
        made = super().batch(step)
        if self.first <= step <= self.last:
            made.weight[:] = np.nan
        return made


def test_a_loss_that_stays_no_number_stops_and_leaves_the_good_weights(tmp_path):
    with pytest.raises(FledgeError, match="3 steps running, up to step 9"):
        helper.train(tmp_path, 20, source=Poisoned(6), checkpoint_every=1)
    for step in checkpoint_steps(tmp_path / "checkpoints"):
        saved = load_checkpoint(tmp_path / "checkpoints" / f"step-{step:08d}").tensors
        assert all(torch.isfinite(tensor).all() for tensor in saved["model.safetensors"].values())


def test_one_bad_step_is_passed_over_and_told(tmp_path):
    told = []
    state = helper.train(tmp_path, 10, source=Poisoned(4, 4), tell=told.append)
    assert np.isfinite(state.metrics["loss"])
    assert "step 5: loss or gradient is no number; the step is passed over" in told


def test_no_checkpoint_keeps_a_step_that_was_passed_over_before_the_end_of_training(tmp_path):
    whole, spoilt = tmp_path / "whole", tmp_path / "spoilt"
    wanted = helper.train(whole, 12, checkpoint_every=1).metrics["loss"]
    with pytest.raises(FledgeError, match="3 steps running"):
        helper.train(spoilt, 12, source=Poisoned(6), checkpoint_every=1)
    assert max(checkpoint_steps(spoilt / "checkpoints")) == 6
    assert helper.train(spoilt, 12, checkpoint_every=1).metrics["loss"] == wanted


@pytest.mark.skipif(os.name == "nt", reason="signals between processes")
def test_a_signal_amid_bad_steps_leaves_the_checkpoint_before_them(tmp_path):
    def interrupt(state):
        if state.step == 8:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="stopped at step 8 of 12, where the loss is no number, so not saved") as caught:
        helper.train(tmp_path / "spoilt", 12, [interrupt], source=Poisoned(6), checkpoint_every=3)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert max(checkpoint_steps(tmp_path / "spoilt" / "checkpoints")) == 6
    helper.train(tmp_path / "spoilt", 12)
    helper.train(tmp_path / "whole", 12)
    assert_same_training(tmp_path / "whole", tmp_path / "spoilt")


@pytest.mark.parametrize(("bad", "told"), [((5, 5), 4), ((4, 5), 3), ((0, 5), None)])
def test_the_loss_that_is_told_of_a_training_is_the_last_that_was_a_number(tmp_path, bad, told):
    from fledge.stages.training import summary_of

    whole = [event["loss"] for event in losses_of(tmp_path / "whole", helper.CountingSource())]
    spoilt = losses_of(tmp_path, Poisoned(*bad))
    assert [event["loss"] is None for event in spoilt] == [bad[0] <= step <= bad[1] for step in range(6)]
    state = helper.train(tmp_path, 6)
    summary = summary_of(state)
    assert summary["loss"] == (None if told is None else whole[told])
    write_json(tmp_path / "manifest.json", summary)


def losses_of(directory: Path, source) -> list[dict]:
    helper.train(directory, 6, source=source, max_bad_steps=10)
    return losses(directory)


class Scaled(helper.CountingSource):
    def __init__(self, factor: float) -> None:
        self.factor = np.float32(factor)

    def batch(self, step: int) -> Batch:
        made = super().batch(step)
        made.weight[:] *= self.factor
        return made


@pytest.mark.parametrize("factor", [2.0**-5, 2.0**-9, 2.0**-20])
def test_only_the_proportion_of_weights_counts(tmp_path, factor):
    for name, source in (("whole", None), ("scaled", Scaled(factor))):
        helper.train(tmp_path / name, 3, source=source)
    for one, two in zip(losses(tmp_path / "whole"), losses(tmp_path / "scaled"), strict=True):
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-5)
        assert one["grad_norm"] == pytest.approx(two["grad_norm"], rel=1e-4)


class Masked(helper.CountingSource):
    def batch(self, step: int) -> Batch:
        made = super().batch(step)
        made.weight[:] = 0
        return made


def test_a_fully_masked_batch_changes_no_trained_weight_but_by_decay(tmp_path):
    state = helper.train(tmp_path, 2, source=Masked())
    assert state.metrics["loss"] == 0.0 and state.metrics["grad_norm"] == 0.0


def test_clipping_bounds_the_gradient_that_is_used(tmp_path):
    state = helper.train(tmp_path / "a", 3, clip=1e-3)
    norms = [p.grad for p in state.models["policy"].parameters()]
    assert float(torch.nn.utils.get_total_norm(norms)) <= 1.001e-3
    assert state.metrics["grad_norm"] > 1e-3


def test_a_model_written_for_others_is_read_by_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    from fledge.train.checkpoint import save_model

    state = helper.train(tmp_path, 5)
    model = state.models["policy"]
    save_model(model, tmp_path / "model", context_length=helper.CONTEXT, bos=1, eos=2, pad=3)
    other = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    assert type(other).__name__ == "Qwen3ForCausalLM" and other.config.eos_token_id == 2
    tokens = torch.arange(12)[None]
    again, _ = load_model(tmp_path / "model")
    from_stage, _ = load_model(tmp_path)
    from_checkpoint, told = load_model(latest_checkpoint(tmp_path / "checkpoints"))
    assert told["step"] == 5
    with torch.no_grad():
        expected = other(tokens).logits
        for each in (model, again, from_stage, from_checkpoint):
            torch.testing.assert_close(each(tokens), expected, rtol=1e-5, atol=1e-5)
