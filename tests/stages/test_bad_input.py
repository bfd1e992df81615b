"""Bad input of every kind: one row each, through the real command line.

A row says what is typed, the exit status, what the one line on stderr says (what, where, fix), and what must hold
afterwards. For all of them: no traceback, nothing half-written.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bad_input_kit as kit
import pytest
from bad_input_kit import GOOD, Box, Result

from fledge.cli.main import main
from fledge.run.events import read_events
from fledge.text.shards import read_rows, shard_paths

ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
LAST = "pretrain/checkpoints/step-00000012/model.safetensors"
MODEL = "pretrain/model/model.safetensors"
LATIN_1_NAME = os.fsdecode(b"caf\xe9.txt")


@dataclass(frozen=True)
class Row:
    """``words`` prepares and gives the command; ``says`` are parts of the error line, ``prints`` of stdout.

    ``rejects`` maps each rule to how many fell to it where the text stage ends well; ``undone`` are stages that must
    not claim to be done; ``then`` looks further.
    """

    name: str
    words: Callable[[Box], list[object]]
    says: tuple[str, ...] = ()
    code: int = 2
    prints: tuple[str, ...] = ()
    rejects: dict[str, int] | None = None
    undone: tuple[str, ...] = ("text",)
    then: Callable[[Box], object] = lambda box: None
    through: Callable[[list[str], Box], Result] | None = None
    needs: str = ""
    intact: bool = True


def recipe(text: str) -> Callable[[Box], list[object]]:
    return lambda box: ["run", box.put("r.toml", text), "--out", box.out]


def zip_bomb(box: Box) -> Path:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.txt", bytes(30_000_000).replace(b"\0", b"x"))
    return folder_of(bomb_zip=file.getvalue())(box)


def folder_of(**files: bytes) -> Callable[[Box], Path]:
    """A folder with one good file and ``files`` (``_`` stands for the dot)."""

    def make(box: Box) -> Path:
        for name, data in files.items():
            box.put(f"mixed/{name.replace('_', '.')}", data)
        return box.put("mixed/good.txt", GOOD).parent

    return make


def symlinks(box: Box) -> Path:
    folder = folder_of()(box)
    (folder / "self").symlink_to(folder)
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "gone.txt").symlink_to("nowhere.txt")
    return folder


def foreign(box: Box) -> list[object]:
    box.put("out/recipe.toml", 'name = "other"\n')
    return box.run()


def own_output(box: Box) -> list[object]:
    box.copy()
    return ["text", "--out", box.out, "--sources", box.folder]


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


def conversations(*rows: object) -> Callable[[Box], list[object]]:
    def words(box: Box) -> list[object]:
        box.copy("sft", "eval")
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        file = box.put("c.jsonl", "".join(line + "\n" for line in lines))
        return box.run("--until", "sft", "--sft.conversations", file)

    return words


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


def corpus(text: str, *words: object) -> Callable[[Box], list[object]]:
    return lambda box: box.run("--text.sources", box.put("small.txt", text), *words)


def latin_1_name(box: Box) -> list[object]:
    (folder_of()(box) / LATIN_1_NAME).write_bytes(b"A text whose file is named by another disk.")
    return box.text(box.folder / "mixed")


def goes_on_to_the_same(box: Box) -> None:
    assert main([str(word) for word in box.run("--until", "pretrain", "--pretrain.tokens", 64 * 200)]) == 0
    steps = [event["step"] for event in read_events(box.out / "pretrain" / "events.jsonl", "step")]
    assert steps == list(range(1, 201))


def reads_on(box: Box) -> None:
    words = box.text(box.folder / "mixed", **{"source.html-timeout-seconds": 1.5})
    assert main([str(word) for word in words]) == 0
    assert rejects_of(box) == {"html-timeout": 1}


def rejected_rows(box: Box) -> dict[str, str]:
    lines = (box.out / "sft" / "conversations" / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["id"]: row["reason"] for row in map(json.loads, lines)}


def six_shapes_are_counted(box: Box) -> None:
    reasons = rejected_rows(box)
    assert list(reasons) == [f"c.jsonl:{n}" for n in range(1, 7)]
    assert "its keys: prompt, completion" in reasons["c.jsonl:1"] and "not valid JSON" in reasons["c.jsonl:3"]


def is_done(stage: str) -> Callable[[Box], object]:
    def check(box: Box) -> None:
        assert (box.out / stage / "manifest.json").exists()

    return check


INSPECT = "see all with fledge inspect"
ROWS = [
    # sources
    Row(
        "broken UTF-8 by itself",
        lambda b: b.text(b.put("a.txt", "Это текст".encode("cp1251") * 50)),
        ("a.txt: is neither UTF-8 nor Windows-1252", INSPECT),
    ),
    Row(
        "broken UTF-8 beside good text",
        lambda b: b.text(folder_of(a_txt=bytes(range(128, 160)) * 50, b_txt=GOOD + b"\xff\xfe")(b)),
        code=0,
        prints=("encoding 1",),
        rejects={"encoding": 1, "exact-duplicate": 5},
    ),
    Row(
        "truncated gzip",
        lambda b: b.text(folder_of(a_txt_gz=gzip.compress(random.Random(0).randbytes(9000).hex().encode())[:-900])(b)),
        code=0,
        prints=("truncated-archive 1",),
        rejects={"truncated-archive": 1},
    ),
    Row(
        "something else named .bz2",
        lambda b: b.text(b.put("a.txt.bz2", bz2.compress(GOOD)[4:])),
        ("a.txt.bz2: the file is not .bz2 data", INSPECT),
    ),
    Row("zip bomb", lambda b: b.text(zip_bomb(b)), code=0, prints=("archive-bomb 1",), rejects={"archive-bomb": 1}),
    Row(
        "a PDF that is not one",
        lambda b: b.text(b.put("a.pdf", b"<html>please log in</html>")),
        ("a.pdf: does not begin like a PDF", INSPECT),
    ),
    Row(
        "endless HTML",
        lambda b: b.text(folder_of(a_html=b"<p>" * 400_000)(b), **{"source.html-timeout-seconds": 0.2}),
        code=0,
        prints=("html-timeout 1",),
        rejects={"html-timeout": 1},
    ),
    Row(
        "JSONL with a bad row",
        lambda b: b.text(b.put("a.jsonl", '{"text": "one cat"}\n{"text": oops\n{"text": 3}\n{"text": "two cats"}\n')),
        code=0,
        prints=("bad-row 2",),
        rejects={"bad-row": 2},
    ),
    Row(
        "a missing column",
        lambda b: b.text(b.put("a.jsonl", '{"body": "one cat"}\n')),
        ("a.jsonl: ", 'no column "text"', "its columns: body", "text_column"),
    ),
    Row(
        "NUL bytes",
        lambda b: b.text(folder_of(a_txt=b"a\0b")(b)),
        code=0,
        prints=("binary 1",),
        rejects={"binary": 1},
    ),
    Row(
        "an empty folder",
        lambda b: b.text(b.put("e/.hidden", b"").parent),
        ("/e: holds no files", "put files of these kinds there: .txt"),
    ),
    Row("an empty file", lambda b: b.text(b.put("a.txt", b" \n")), ("a.txt: ", "empty", INSPECT)),
    Row("no sources", lambda b: ["text", "--out", b.out], ("text.sources: no sources are named", "--text.sources")),
    Row(
        "a source that is not there",
        lambda b: b.text(b.folder / "no.txt"),
        ("no.txt: no such file or directory; check the path",),
    ),
    Row(
        "an unreachable URL",
        lambda b: b.text("http://nowhere.invalid/a.txt", **{"source.url-tries": 1}),
        ("http://nowhere.invalid/a.txt: ", "name a source that can be read"),
    ),
    Row("a private URL", lambda b: b.text("http://127.0.0.1:9/a.txt"), ("not a public address",)),
    Row("a scheme that is none", lambda b: b.text("ftp://x/y.txt"), ("ftp://x/y.txt: is no address that",)),
    Row("a data set without a name", lambda b: b.text("hf:"), ("is not the name of a data set; write hf:owner/name",)),
    Row(
        "links that go round",
        lambda b: b.text(symlinks(b)),
        code=0,
        prints=("unreadable 2",),
        rejects={"unreadable": 2},
    ),
    Row(
        "its own output",
        own_output,
        ("holds what this run writes", "name other sources, or another --out"),
        undone=(),
    ),
    Row(
        "the same source twice",
        lambda b: b.text(*[b.put("a.txt", GOOD)] * 2),
        code=0,
        prints=("5 documents kept, 1 held out, 0 set aside",),
        rejects={},
    ),
    Row(
        "names with spaces and of other scripts",
        lambda b: b.text(b.put("ein Ordner ü/語 文.txt", GOOD)),
        code=0,
        prints=("5 documents kept",),
        rejects={},
    ),
    Row(
        "a name that is not UTF-8",
        latin_1_name,
        code=0,
        prints=("6 documents kept, 1 held out",),
        rejects={},
        needs="linux",
    ),
    Row("a path too long", lambda b: b.text(b.folder / ("x" * 300)), ("file name too long; check the path",)),
    Row(
        "an output path too long",
        lambda b: ["text", "--sources", b.put("a.txt", GOOD), "--out", b.folder / ("x" * 300)],
        ("file name too long; choose a shorter name",),
    ),
    Row(
        "everything filtered out",
        lambda b: ["text", "--sources", b.put("a.txt", "A short text of one cat."), "--workers", 1, "--out", b.out],
        ("no document is left", "length 1", "a.txt: fewer than 100 characters", INSPECT),
    ),
    # recipes and flags
    Row("an empty recipe", recipe(""), ("r.toml, name: the recipe has no name", 'write name = "mine"')),
    Row("a recipe without tables", recipe('name = "x"'), ("the recipe x has no stage", "add a table such as [text]")),
    Row("a directory as a recipe", lambda b: ["run", b.folder], ("is a directory that holds no run",)),
    Row(
        "a wrong key",
        recipe('name = "x"\n\n[pretrain]\ndepht = 4\n'),
        ("r.toml, line 4, pretrain.depht: unknown key depht in [pretrain]; did you mean depth?",),
    ),
    Row("a wrong table", recipe('name = "x"\n[pretrian]\n'), ("line 2, pretrian: ", "did you mean pretrain?")),
    Row(
        "a wrong type",
        recipe('name = "x"\n[pretrain]\ndepth = "four"\n'),
        ('r.toml, line 3, pretrain.depth: expected a whole number, got "four"',),
    ),
    Row("no TOML", recipe('name = "x"\n[text\n'), ("r.toml, line 2: is not valid TOML",)),
    Row("TOML without end", recipe("a = " + "[" * 5000), ("r.toml: is not valid TOML",)),
    Row("a NUL in a path", recipe('name = "x"\n[text]\nsources = ["a\\u0000"]'), ("line 3, text.sources: holds",)),
    Row("a source that no mixture knows", lambda b: b.run("--tokens.mixture.wolrd", 1), ('no source "wolrd"', "text")),
    Row(
        "sizes that fit no model",
        lambda b: b.run("--pretrain.model.head-dim", 7),
        ("--pretrain.model.head-dim: head_dim must be even",),
    ),
    Row("--until with a typo", lambda b: b.run("--until", "pretain"), ("--until: ", "did you mean pretrain?")),
    Row("a number that is none", lambda b: b.run("--pretrain.depth", "x"), ("--pretrain.depth: expected a whole",)),
    Row("a flag that is none", lambda b: b.run("--pretrain.dept", 1), ("did you mean --pretrain.depth?",)),
    Row("a filter that is none", lambda b: b.run("--text.filters", "lenght"), ("did you mean length?",)),
    Row("a module that is none", lambda b: b.run("--text.filters", "no_such:f"), ("no_such", "beside the recipe")),
    Row("a task's module that is none", lambda b: b.run("--eval.tasks", "no_such:f"), ("no_such", "beside the recipe")),
    Row(
        "a file of a later stage", lambda b: b.run("--eval.perplexity", "no.txt"), ("eval.perplexity, no.txt: is not",)
    ),
    Row(
        "a stage without those before it",
        lambda b: ["pretrain", "--out", b.out],
        ("there is no run yet, and pretrain reads from", "begin with fledge text --sources PATH"),
    ),
    # small and odd corpora
    Row(
        "a vocabulary larger than the text can give",
        corpus("A cat and a dog.\n\nA dog and a cat. A bird.", "--tokenizer.vocab-size", 9999, "--until", "tokenizer"),
        code=0,
        prints=("9999 were wanted",),
    ),
    Row(
        "a corpus of three words",
        corpus("one small cat"),
        code=0,
        prints=("text is too small to hold documents out", "eval: done"),
        then=is_done("eval"),
    ),
    Row("one character again and again", corpus("a" * 3000), code=0, prints=("eval: done",), then=is_done("eval")),
    Row(
        "a context longer than all documents",
        lambda b: b.run("--pretrain.context-length", 512, "--pretrain.batch-tokens", 1024, "--until", "pretrain"),
        code=0,
        prints=("pretrain: done",),
    ),
    # conversations
    Row(
        "no turn of an assistant",
        conversations({"messages": [{"role": "user", "content": "hi"}]}),
        ("c.jsonl: no conversation can be learned (1 refused)", "rejects.jsonl"),
        undone=("sft",),
    ),
    Row("an empty file of conversations", conversations(), ("c.jsonl: ", "no conversation"), undone=("sft",)),
    Row(
        "conversations of other shapes",
        conversations(
            {"prompt": "a", "completion": "b"},
            {"messages": "hello"},
            "not json",
            [1],
            {"messages": [{"role": "bot", "content": "x"}]},
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": " "}]},
            {"messages": kit.CHAT},
            {"instruction": "Say yes.", "output": "Yes."},
        ),
        code=0,
        prints=("6 conversations refused",),
        then=six_shapes_are_counted,
    ),
    Row(
        "a folder as conversations",
        lambda b: (b.copy("sft", "eval"), b.run("--until", "sft", "--sft.conversations", b.folder))[1],
        ("is a directory; check the path",),
        undone=("sft",),
    ),
    # damage
    Row(
        "a checkpoint with a flipped byte: resume takes the one before",
        damaged(LAST, unfinished_pretrain, "sft", "eval"),
        code=0,
        prints=(
            "step-00000012: model.safetensors does not match its checksum; the checkpoint before it is used",
            "continuing after step 9 of 12",
        ),
        then=is_done("pretrain"),
    ),
    Row(
        "a checkpoint with a flipped byte: inspect",
        damaged(LAST, lambda b: ["inspect", (b.out / LAST).parent]),
        code=0,
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
        prints=("re-run  model/model.safetensors has changed since it was written",),
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


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> tuple[Path, Path]:
    """(recipe, finished run) of a few seconds."""
    folder = tmp_path_factory.mktemp("trained")
    made = kit.write_recipe(folder)
    assert main(["run", str(made), "--out", str(folder / "run")]) == 0
    return made, folder / "run"


@pytest.fixture
def box(tmp_path, trained):
    box = Box(tmp_path, *trained)
    yield box
    for undo in reversed(box.undo):
        undo()


MISSING = {
    "": "",
    "root": "" if ROOT else "only root can become another user",
    "tmpfs": "" if ROOT and sys.platform == "linux" else "only root on Linux can mount a small disk",
    "linux": "" if sys.platform == "linux" else "names are Unicode here",
    "posix": "" if os.name == "posix" else "Ctrl-C is sent in another way here",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bad_input(row: Row, box: Box, capfd):
    if MISSING[row.needs]:
        pytest.skip(MISSING[row.needs])
    words = [str(word) for word in row.words(box)]
    capfd.readouterr()
    if row.through:
        result = row.through(words, box)
    else:
        code = main(words)
        result = Result(code, *capfd.readouterr())
    assert result.code == row.code, result.err
    assert "Traceback" not in result.err + result.out
    if row.code:
        (line,) = result.error_lines
        assert line.startswith("fledge: ")
        assert all(part in line for part in row.says), line
        assert not [stage for stage in row.undone if (box.out / stage / "manifest.json").exists()]
    else:
        assert result.error_lines == []
        assert all(part in result.out for part in row.prints), result.out
    if row.rejects is not None:
        assert rejects_of(box) == row.rejects
    box.check_nothing_half_written(row.intact)
    row.then(box)


def rejects_of(box: Box) -> dict[str, int]:
    """How many documents fell to each rule; each has its reason."""
    folder, counts = box.out / "text" / "rejects", {}
    for row in read_rows(shard_paths(folder), ["rule", "reason"]) if any(folder.glob("*.parquet")) else ():
        assert row["reason"]
        counts[row["rule"]] = counts.get(row["rule"], 0) + 1
    return dict(sorted(counts.items()))
