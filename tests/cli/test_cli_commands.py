"""The command line: help without torch, one line for every fault, exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fledge.cli import run as run_commands
from fledge.cli.main import main
from fledge.stages.table import stage_names

ROOT = Path(__file__).parents[2]
COMMANDS = ["run", *stage_names(), "sample", "chat", "serve", "inspect", "report", "plan"]


def fledge(*words, **options):
    command = [sys.executable, "-m", "fledge.cli.main", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, **options)


def error_line(capsys, *words) -> str:
    assert main([str(word) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("fledge: error: ") and captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_in_its_help(capsys, command):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: fledge " + command in out
    assert re.search(rf"fledge {command} \S+", out.split("Examples:")[1])


def test_the_help_of_a_stage_lists_its_settings(capsys):
    main(["tokenizer", "--help"])
    assert "--vocab-size  (int; 4096)" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_the_overview_names_every_command(capsys, words):
    assert main(words) == 0
    out = capsys.readouterr().out
    assert all(re.search(rf"^│ {command} ", out, re.MULTILINE) for command in COMMANDS)
    assert "fledge run recipes/demo.toml" in out


def test_the_version(capsys):
    import fledge

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fledge {fledge.__version__}\n"


@pytest.mark.parametrize(
    "words", [["--help"], ["run", "--help"], ["pretrain", "--help"], ["inspect", "recipes/demo.toml"]]
)
def test_no_torch_for_help_and_recipes(words):
    code = "import sys; from fledge.cli.main import main; s = main(sys.argv[1:]); print('torch' in sys.modules, s)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, encoding="utf-8", cwd=ROOT, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "False 0", done.stderr


def test_help_comes_at_once():
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        fledge("--help")
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 1.0  # 0.3 on an idle machine


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["rnu"], 'Unknown command "rnu". Did you mean "run"?'),
        (["chat", "x", "--temperatur", "1"], "Did you mean --temperature?"),
        (["chat"], "RUN"),
        (["run"], "no recipe is given; give it first: fledge run recipes/demo.toml"),
        (["run", "a.toml", "b.toml"], "expected one recipe, got 2: a.toml b.toml"),
        (["run", "no.toml"], "no.toml: is not there"),
        (["run", "no.toml", "--pretrain.dept", "1"], "--pretrain.dept: unknown flag; did you mean --pretrain.depth?"),
        (["run", "no.toml", "--untl", "sft"], "did you mean --until?"),
        (["text", "--surces", "x", "--out", "o"], "--surces: unknown flag; did you mean --sources?"),
        (["text", "x", "--out", "o"], "does not know what to do with x"),
        (["text"], "requires an argument"),
        (["inspect", "no"], "no: is not there; check the path"),
        (["sample", "no", "a"], "no: is not there"),
        (["chat", "no"], "no: is not there"),
    ],
)
def test_each_fault_is_one_line(capsys, words, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert line in error_line(capsys, *words)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_in_a_recipe_is_one_line_with_its_place(capsys, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "r"\n\n[text]\nsorces = ["x"]\n', encoding="utf-8")
    line = error_line(capsys, "run", recipe, "--out", tmp_path / "run")
    assert f"{recipe}, line 4, text.sorces: unknown key sorces in [text]; did you mean sources?" in line


def test_debug_shows_the_traceback(monkeypatch):
    from fledge.types import FledgeError

    monkeypatch.setenv("FLEDGE_DEBUG", "1")
    with pytest.raises(FledgeError):
        main(["run", "no.toml"])


def test_ctrl_c_says_how_to_go_on(capsys, monkeypatch):
    def interrupted(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("fledge.stages.recipe.read_recipe", interrupted)
    assert main(["run", "x.toml"]) == 130
    assert capsys.readouterr().err == "fledge: stopped; the same command goes on from here\n"


def test_a_training_that_was_stopped_has_the_exit_status_of_its_signal(capsys, monkeypatch):
    from fledge.train.signals import Stopped

    def stopped(*words, **options):
        raise Stopped(int(signal.SIGTERM), 3, 9)

    monkeypatch.setattr("fledge.stages.recipe.read_recipe", stopped)
    assert main(["run", "x.toml"]) == 143
    assert capsys.readouterr().err.startswith("fledge: stopped at step 3 of 9, saved")


@pytest.mark.skipif(os.name == "nt", reason="pipes break in another way there")
def test_a_broken_pipe_is_quiet():
    command = f'"{sys.executable}" -m fledge.cli.main inspect recipes/library.toml'
    done = subprocess.run(f"{command} | head -1", shell=True, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("recipe library") and done.stderr == ""


def test_signs_that_the_output_cannot_write_are_escapes(tmp_path):
    (tmp_path / "r.toml").write_text('name = "r → s"\n[text]\nsources = ["x"]\n', encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252:strict"}
    done = fledge("inspect", tmp_path / "r.toml", env=environment)
    assert done.returncode == 0 and done.stdout.startswith("recipe r \\u2192 s")
    done = fledge("inspect", tmp_path / "n→.toml", env=environment)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "n\\u2192.toml: is not there" in done.stderr


def test_input_that_is_no_text_is_read(tmp_path):
    code = "import sys; from fledge.cli.main import main; main(['--version']); print(ascii(sys.stdin.readline()))"
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(
        [sys.executable, "-c", code], input=b"caf\xe9 au lait\n", capture_output=True, env=environment
    )
    assert done.returncode == 0 and done.stdout.endswith(b"'caf\\ufffd au lait\\n'" + os.linesep.encode()), done.stderr


def test_the_directory_of_another_recipe_is_refused_and_left_alone(capsys, tmp_path):
    (tmp_path / "recipe.toml").write_text('name = "mine"\n', encoding="utf-8")
    line = error_line(capsys, "run", ROOT / "recipes" / "demo.toml", "--out", tmp_path)
    assert "holds a run of the recipe mine, not of demo" in line
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_second_process_on_the_same_run_is_refused(capsys, tmp_path):
    code = "import sys, time; from pathlib import Path; from fledge.run.lock import locked\n"
    code += "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        line = error_line(capsys, "text", "--sources", __file__, "--out", tmp_path)
        assert f"another process works on this run (process {process.pid} on " in line
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_is_told(capsys, tmp_path):
    tmp_path.chmod(0o500)
    line = error_line(capsys, "text", "--sources", __file__, "--out", tmp_path / "run")
    assert "permission denied; choose a directory that you may write with --out" in line
    tmp_path.chmod(0o700)


def test_text_and_tokenizer_by_themselves_then_inspect(capsys, tmp_path):
    source = tmp_path / "in.txt"
    lines = [f"The {a} {b} saw a small {c} near the old house and went home." for a in ("red", "big", "shy")
             for b in ("cat", "dog", "hen", "fox") for c in ("ball", "tree", "boat", "kite", "drum")]  # fmt: skip
    source.write_text("\n\n".join(lines), encoding="utf-8")
    run = tmp_path / "run"
    text = ["text", "--sources", str(source), "--split", "blank_lines", "--filters", "--near-dedup", "off"]
    assert main([*text, "--workers", "1", "--out", str(run)]) == 0
    assert main(["tokenizer", "--vocab-size", "300", "--out", str(run)]) == 0
    assert main(["tokens", "--workers", "1", "--out", str(run)]) == 0
    out = capsys.readouterr().out
    assert "text: done in" in out and "tokens: done in" in out
    assert main([*text, "--workers", "2", "--out", str(run)]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert main(["inspect", str(run)]) == 0
    out = capsys.readouterr().out
    assert "run of the recipe" in out.replace(f" {run}", "") and "funnel" in out and "vocab_size 300" in out
    assert main(["inspect", str(run / "text" / "train")]) == 0
    assert "columns id, text, source, meta" in capsys.readouterr().out
    assert main(["inspect", str(run / "tokens" / "train" / "text"), "--row", "0"]) == 0
    out = capsys.readouterr().out
    assert "60 documents" in out or "59 documents" in out
    assert "saw a small" in out and "[document 1]" in out
    assert "there is no row 999" in error_line(capsys, "inspect", run / "tokens" / "train" / "text", "--row", "999")
    assert "has no finished model" in error_line(capsys, "chat", run)
    huge = ["--model.d_model", 131_072, "--model.d_ff", 2**20, "--model.n_heads", 1, "--device", "cpu"]
    line = error_line(capsys, "pretrain", *huge, "--out", run)
    assert re.search(r"needs about \d\S*TB of memory, and \S+B are free; take a smaller depth", line)
    again = fledge("tokenizer", "--out", run)
    assert again.returncode == 0 and "nothing changed" in again.stdout


def test_a_stage_whose_upstream_is_missing_says_which_command_makes_it(capsys, tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "r"\n[text]\nsources = ["x"]\n', encoding="utf-8")
    line = error_line(capsys, "tokenizer", "--recipe", recipe, "--out", tmp_path / "run")
    assert "tokenizer reads from text, which is not done" in line and "fledge text --out" in line
    line = error_line(capsys, "sft", "--out", tmp_path / "other")
    assert "there is no run yet" in line and "begin with fledge text --sources PATH" in line


def test_every_stage_has_its_command():
    assert list(run_commands.ABOUT) == stage_names()
