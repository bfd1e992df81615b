"""Damaged runs, disks, permissions, other processes, and what is typed at a model."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import bad_input_kit as kit
from bad_input_kit import GOOD, Box, Row, folder_of, is_done, rejects_of

from fledge.cli.main import main
from fledge.run.events import read_events

LAST = "pretrain/checkpoints/step-00000012/model.safetensors"
MODEL = "pretrain/model/model.safetensors"


def foreign(box: Box) -> list[object]:
    box.put("out/recipe.toml", 'name = "other"\n')
    return box.run()


def nobody_writes(box: Box) -> list[object]:
    folder = Path(tempfile.mkdtemp(prefix="fledge-"))
    box.undo.append(lambda: shutil.rmtree(folder))
    folder.chmod(0o755)
    (folder / "in.txt").write_bytes(GOOD)
    return ["text", "--sources", folder / "in.txt", "--out", folder / "run"]


def full_disk(stage: str, without: tuple[str, ...], free: int) -> Row:
    def words(box: Box) -> list[object]:
        box.small_disk(*without, free=free)
        return ["run", box.recipe, "--out", box.out, "--until", stage]

    def goes_on(box: Box) -> None:
        (box.folder / "disk" / "filler").unlink()
        assert main([str(word) for word in ["run", box.recipe, "--out", box.out, "--until", stage]]) == 0

    says = (f"/{stage}", "no space left on device", "free some space, or choose another disk with --out")
    return Row(f"a full disk in {stage}", words, says, undone=(stage,), then=goes_on, needs="tmpfs")


def damaged(what: str, words: Callable[[Box], list[object]], *without: str) -> Callable[[Box], list[object]]:
    def make(box: Box) -> list[object]:
        box.copy(*without, damage=what)
        return words(box)

    return make


def unfinished_pretrain(box: Box) -> list[object]:
    (box.out / "pretrain" / "manifest.json").unlink()
    return box.run("--until", "pretrain")


def sample(*words: object) -> Callable[[Box], list[object]]:
    return lambda box: ["sample", box.trained, *words, "--max-tokens", 3]


def goes_on_to_the_same(box: Box) -> None:
    assert main([str(word) for word in box.run("--until", "pretrain", "--pretrain.tokens", 64 * 200)]) == 0
    steps = [event["step"] for event in read_events(box.out / "pretrain" / "events.jsonl", "step")]
    assert steps == list(range(1, 201))


def reads_on(box: Box) -> None:
    words = box.text(box.folder / "mixed", **{"source.html-timeout-seconds": 1.5})
    assert main([str(word) for word in words]) == 0
    assert rejects_of(box) == {"html-timeout": 1}


ROWS = [
    # damage
    Row(
        "a checkpoint with a flipped byte: resume takes the one before",
        damaged(LAST, unfinished_pretrain, "sft", "eval"),
        code=0,
        prints=(
            "step-00000012: model.safetensors does not match its checksum; it is kept as damaged-step-00000012, "
            "and the checkpoint before it is used",
            "continuing after step 9 of 12",
        ),
        then=is_done("pretrain"),
    ),
    Row(
        "a checkpoint with a flipped byte: inspect",
        damaged(LAST, lambda b: ["inspect", (b.out / LAST).parent]),
        ("step-00000012: model.safetensors does not match its checksum",),
        undone=(),
        prints=("DAMAGED: model.safetensors does not match its checksum",),
        intact=False,
    ),
    Row(
        "a checkpoint with a flipped byte: sample",
        damaged(LAST, lambda b: ["sample", (b.out / LAST).parent, "a"]),
        ("step-00000012: model.safetensors does not match its checksum",),
        undone=(),
        intact=False,
    ),
    Row(
        "a model with a flipped byte: sample of the run",
        damaged(MODEL, lambda b: ["sample", b.out, "a"]),
        ("model/model.safetensors has changed since it was written", "it repairs this stage"),
        undone=(),
        intact=False,
    ),
    Row(
        "a model with a flipped byte: sample of the folder",
        damaged(MODEL, lambda b: ["sample", b.out / "pretrain" / "model", "a"]),
        ("model/model.safetensors has changed since it was written", "it repairs this stage"),
        undone=(),
        intact=False,
    ),
    Row(
        "a model with a flipped byte: the run repairs it",
        damaged(MODEL, lambda b: b.run()),
        code=0,
        prints=("mend    model/model.safetensors has changed since it was written",),
    ),
    Row(
        "a token shard with a flipped byte",
        damaged("tokens/train/text/shard-00000.bin", lambda b: ["inspect", b.out / "tokens" / "train" / "text"]),
        ("shard-00000.bin: is damaged", "run the stage again"),
        undone=(),
        intact=False,
    ),
    # the disk and other processes
    full_disk("text", ("text", "tokenizer", "tokens", "pretrain", "sft", "eval"), 24_576),
    full_disk("tokens", ("tokens", "pretrain", "sft", "eval"), 24_576),
    full_disk("pretrain", ("pretrain", "sft", "eval"), 200_000),
    Row(
        "no write permission",
        nobody_writes,
        ("/run: permission denied; choose a directory that you may write with --out",),
        through=kit.as_nobody,
        needs="root",
    ),
    Row("a run of another recipe", foreign, ("out: holds a run of the recipe other, not of small", "with --out")),
    Row(
        "a folder of something else",
        lambda b: (b.put("out/thesis.doc", "x"), b.run())[1],
        ("out: is not empty and holds no run; choose another directory with --out",),
    ),
    Row(
        "a second process on the same run",
        lambda b: b.text(b.put("a.txt", GOOD)),
        ("another process works on this run (process ", "wait for it, stop it, or choose another"),
        through=kit.while_held,
    ),
    Row(
        "Ctrl-C while text is read",
        lambda b: b.text(folder_of(a_html=b"<p>" * 400_000)(b), **{"source.html-timeout-seconds": 1.5}),
        ("fledge: stopped; the same command goes on from here",),
        code=130,
        through=kit.interrupted("text/work/state.json"),
        then=reads_on,
        needs="posix",
    ),
    Row(
        "Ctrl-C while a world is written",
        lambda b: ["world", "--out", b.out, "--n-bytes", 3_000_000, "--workers", 2],
        ("fledge: stopped; the same command goes on from here",),
        code=130,
        undone=("world",),
        through=kit.interrupted("world/settings.json"),
        needs="posix",
    ),
    Row(
        "Ctrl-C while a model is trained",
        lambda b: (b.copy("pretrain", "sft", "eval"), b.run("--until", "pretrain", "--pretrain.tokens", 64 * 200))[1],
        ("fledge: stopped at step ", " of 200, saved; run the same command again to go on"),
        code=130,
        undone=("pretrain",),
        through=kit.interrupted("pretrain/checkpoints/step-00000004"),
        then=goes_on_to_the_same,
        needs="posix",
    ),
    # talking
    Row(
        "chat on an unfinished run",
        lambda b: (b.copy("sft", "eval", "pretrain"), ["chat", b.out])[1],
        ("out: has no finished model yet", "fledge run"),
        undone=("pretrain",),
    ),
    Row(
        "chat with a base model",
        lambda b: (b.copy("sft", "eval"), ["chat", b.out])[1],
        ("has a base model and no assistant yet; use fledge sample",),
        undone=("sft",),
    ),
    Row("chat on something else", lambda b: ["chat", b.folder], (": holds no finished model; give a run",)),
    Row("report of something else", lambda b: ["report", b.folder], (": holds no finished stage; give a run",)),
    Row("inspect of something else", lambda b: ["inspect", b.recipe.parent / "in.txt"], ("is no run, stage, check",)),
    Row("an empty prompt", sample(""), code=0),
    Row("special tokens in the prompt", sample("<|bos|><|eos|>"), code=0, prints=("<|bos|><|eos|>",)),
    Row("a prompt too long", sample("Ann took " * 50), ("the prompt has ", "reads 32; shorten the prompt")),
    Row("half a surrogate pair", sample("Ann \ud800"), ("the prompt: is not valid UTF-8",)),
    Row("no samples", sample("Ann", "--n", 0), ("--n: must be at least 1, got 0",)),
    Row("a temperature below 0", sample("Ann", "--temperature", -1), ("temperature must be 0 or more, got -1",)),
    Row("a temperature that is no number", sample("Ann", "--temperature", "hot"), ("--temperature", "hot")),
    Row("a command that is none", lambda b: ["smaple", b.trained], ("smaple", "Did you mean")),
]
