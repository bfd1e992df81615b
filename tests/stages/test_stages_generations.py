"""Stages of different generations in one run: no command mixes them without a word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import bad_input_kit as kit
import pytest

from fledge.cli.main import main
from fledge.stages.finished import stale_stages
from fledge.types import FledgeError


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with a recipe and its finished run."""
    folder = tmp_path_factory.mktemp("generations")
    assert main(["run", str(kit.write_recipe(folder)), "--out", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def run(made, tmp_path) -> Path:
    return Path(shutil.copytree(made / "run", tmp_path / "run"))


def refused(capsys, *words: object) -> str:
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.fixture
def another_tokenizer(run, capsys) -> Path:
    assert not stale_stages(run)
    assert main(["tokenizer", "--out", str(run), "--vocab-size", "290"]) == 0
    return run


def test_one_stage_does_not_run_on_stages_that_are_out_of_date(another_tokenizer, capsys):
    run = another_tokenizer
    recipe = (run / "recipe.toml").read_bytes()
    line = refused(capsys, "pretrain", "--out", run, "--tokens", "512")
    assert "pretrain reads from tokens, which is out of date (the output of tokenizer changed)" in line
    assert f"run fledge tokens --out {run}" in line and f"fledge run {run}" in line
    assert (run / "recipe.toml").read_bytes() == recipe


def test_a_model_does_not_speak_through_a_tokenizer_that_it_did_not_learn_from(another_tokenizer, capsys):
    run = another_tokenizer
    for words in (("chat", run), ("sample", run, "Ann"), ("sample", run / "pretrain/checkpoints/step-00000012")):
        assert "was trained with another tokenizer than this run has now" in refused(capsys, *words)
    for shards in ("tokens/train/text", "sft/conversations"):
        assert "were made with another tokenizer" in refused(capsys, "inspect", run / shards)


def test_training_refuses_what_was_made_with_another_tokenizer(another_tokenizer, monkeypatch, capsys):
    monkeypatch.setattr("fledge.stages.graph.check_upstream", lambda job, only: None)
    assert "were made with another tokenizer" in refused(capsys, "pretrain", "--out", another_tokenizer, "--seed", 1)
    assert "trained with another tokenizer" in refused(capsys, "sft", "--out", another_tokenizer, "--seed", 1)


def test_stages_of_an_older_state_are_left_out_of_the_report_and_told(made, run, capsys):
    words = ["run", str(made / "small.toml"), "--out", str(run), "--until", "pretrain", "--pretrain.model.d_ff", "48"]
    assert "What it can do" not in (run / "report.md").read_text("utf-8")  # no tasks here
    assert "How well it predicts text" in (run / "report.md").read_text("utf-8")
    assert main(words) == 0
    assert stale_stages(run) == {"sft": "pretrain", "eval": "pretrain"}
    report = (run / "report.md").read_text("utf-8")
    assert "stale and left out until the recipe runs again: sft (of an older pretrain), eval (of an older" in report
    assert "## Pretraining" in report and "## Tuning" not in report and "How well it predicts text" not in report
    capsys.readouterr()
    assert main(["chat", str(run), "--max-tokens", "2"]) == 0
    assert f"this is the sft of an older pretrain; fledge run {run} makes it anew" in capsys.readouterr().err
    assert main(["sample", str(run), "--max-tokens", "2"]) == 0
    assert "older" not in capsys.readouterr().err
    assert main(["inspect", str(run)]) == 0
    assert capsys.readouterr().out.count("made of an older pretrain") == 2
    assert main([*words[:4]]) == 0
    assert stale_stages(run) == {}


def test_what_was_made_of_a_stale_stage_is_stale_and_what_was_removed_makes_nothing_so(run):
    shutil.rmtree(run / "text")
    shutil.copy(run / "eval" / "manifest.json", run.parent / "eval.json")
    (run / "eval" / "manifest.json").write_text("{", encoding="utf-8")
    assert stale_stages(run) == {}
    shutil.copy(run.parent / "eval.json", run / "eval" / "manifest.json")
    (run / "tokenizer" / "manifest.json").unlink()
    assert stale_stages(run)["pretrain"] == "tokenizer"
    shutil.rmtree(run / "tokenizer")
    (run / "tokens" / "manifest.json").unlink()
    assert stale_stages(run) == {"pretrain": "tokens", "sft": "tokens", "eval": "tokens"}


def test_a_model_is_measured_on_a_file_more_and_the_figures_are_marked(run, tmp_path, capsys):
    (tmp_path / "new.txt").write_text("Ann took the ball to the hill, and that is all of it.", encoding="utf-8")
    (tmp_path / "pairs").mkdir()
    pair = {"sentence_good": "Ann is glad.", "sentence_bad": "Ann are glad."}
    (tmp_path / "pairs" / "verbs.jsonl").write_text(json.dumps(pair), encoding="utf-8")
    new = ["--perplexity", str(tmp_path / "new.txt"), "--blimp", str(tmp_path / "pairs")]
    for _ in range(2):
        assert main(["eval", "--out", str(run), *new]) == 0
    out = capsys.readouterr().out
    assert "new.txt (training may have seen it)" in out and "blimp (training may have seen it)" in out
    assert "eval: training may have seen it: new.txt, pairs (the tokens stage did not keep it out" in out
    assert "done    nothing changed" in out
    results = json.loads((run / "eval" / "results.json").read_text("utf-8"))
    assert [text.get("may_be_seen", False) for text in results["bits_per_byte"]] == [False, True]
    assert main(["report", str(run)]) == 0
    assert "| new.txt (training may have seen it) |" in (run / "report.md").read_text("utf-8")
    assert main(["run", str(run)]) == 0
    out = capsys.readouterr().out
    assert 're-run  decontaminate [] → ["' in out and "pretrain: starts" not in out
    assert "eval: starts, what may stand in the training text changed" in out
    results = (run / "eval" / "results.json").read_text("utf-8")
    assert "new.txt" in results and "may_be_seen" not in results


def test_a_run_that_was_moved_goes_on_without_its_sources(made, run, tmp_path, capsys):
    for name in ("in.txt", "chat.jsonl"):
        recipe = (run / "recipe.toml").read_text("utf-8")
        moved = recipe.replace((made / name).as_posix(), (tmp_path / name).as_posix())
        (run / "recipe.toml").write_text(moved, encoding="utf-8")
        shutil.copy(made / name, tmp_path / name)
    assert main(["run", str(run)]) == 0
    for name in ("in.txt", "chat.jsonl"):
        (tmp_path / name).unlink()
    capsys.readouterr()
    assert main(["run", str(run), "--eval.heldout_bytes", "400"]) == 0
    out = capsys.readouterr().out
    assert f"text       done    nothing changed ({tmp_path / 'in.txt'} is no longer there)" in out
    assert "eval: starts" in out and "sft: starts" not in out
    assert main(["eval", "--out", str(run), "--heldout-bytes", "300"]) == 0
    assert "sft.conversations, " in refused(capsys, "run", run, "--sft.seed", "5")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (("--eval.tasks", "sumz"), "there is no task 'sumz'"),
        (("--eval.multiple_choice", "{}/bad.jsonl"), "holds no multiple choice"),
        (("--eval.perplexity", "{}/latin.txt"), "is not UTF-8 at byte 1"),
        (("--eval.blimp", "{}/bad.jsonl"), "is neither a folder of .jsonl files nor a .tar archive"),
        (("--eval.blimp", "{}"), "holds what this run writes"),
    ],
)
def test_what_eval_cannot_measure_is_told_before_anything_runs(made, tmp_path, capsys, settings, says):
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"d\xe9j\xe0 vu")
    words = [word.format(tmp_path) for word in settings]
    assert says in refused(capsys, "run", made / "small.toml", "--out", tmp_path / "run", *words)
    assert not (tmp_path / "run").exists()


def test_a_worlds_tasks_are_known_before_it_is_written():
    from fledge.evals.config import EvalConfig
    from fledge.stages.eval import check
    from fledge.world.config import WorldConfig

    world = {"world": WorldConfig(), "sft": None}
    check({**world, "eval": EvalConfig(tasks=("world", "greetings"))})
    check({"eval": EvalConfig()})
    with pytest.raises(FledgeError, match=r"there is no task 'greetngs'.*did you mean greetings"):
        check({**world, "eval": EvalConfig(tasks=("greetngs",))})
