"""A run copied to a store: lost on one machine, it goes on in another directory and ends with the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from small_recipe import write_recipe

from fledge.cli.main import main
from fledge.run.events import read_events
from fledge.run.manifest import read_manifest
from fledge.run.storage import Store
from fledge.tokens.shards import open_shards

MIRROR = "memory://bucket/run"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    return write_recipe(
        tmp_path_factory.mktemp("mirror"),
        n_documents=200,
        training="context_length = 32\nbatch_tokens = 256\nmicro_batch_rows = 4\nlog_spaced_checkpoints = false\n",
        pretrain="tokens = 5120\neval_every = 10\nsample_every = 10\ncheckpoint_every = 5\nkeep = 3",
        sft="tokens = 1024",
        evaluation="heldout_bytes = 2000",
    )


@pytest.fixture(scope="module")
def calm(recipe) -> Path:
    run = recipe.parent / "calm"
    assert main(["run", str(recipe), "--out", str(run)]) == 0
    return run


@pytest.fixture(autouse=True)
def empty_store(monkeypatch, tmp_path):
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    monkeypatch.setenv("FLEDGE_CACHE", str(tmp_path / "cache"))


def run_mirrored(recipe: Path, out: Path, *words: str, mirror: str = MIRROR) -> int:
    return main(["run", str(recipe), "--out", str(out), "--mirror", mirror, *words])


def same_end(one: Path, other: Path, stage: str = "pretrain") -> None:
    ours, theirs = (read_manifest(each / stage).outputs for each in (one, other))
    for name in ours.keys() | theirs.keys():
        assert name == "hardware.json" or ours[name].sha256 == theirs[name].sha256, name
    losses = [[e["loss"] for e in read_events(each / stage / "events.jsonl", "step")] for each in (one, other)]
    assert losses[0] == losses[1] and len(losses[0]) == (20 if stage == "pretrain" else 4)


def places(store: Store) -> list[str]:
    """Where the checkpoints of each stage lie."""
    return sorted({f"checkpoints/{path.partition('/')[0]}" for path in store.sizes("checkpoints")})


def test_another_directory_goes_on_from_the_newest_whole_checkpoint_of_the_store(recipe, calm, tmp_path, capsys):
    assert run_mirrored(recipe, tmp_path / "first", "--until", "pretrain") == 0
    store = Store(MIRROR)
    (place,) = places(store)
    assert store.names(place) == ["step-00000010", "step-00000015", "step-00000020"]  # as many as the disk keeps
    assert {"text", "tokenizer", "tokens", "pretrain"} <= set(store.names())
    # as if the machine had died after step 15, while that checkpoint was on its way
    store.remove("pretrain")
    store.remove(f"{place}/step-00000020")
    store.unmark(f"{place}/step-00000015")
    shutil.rmtree(tmp_path / "first")
    capsys.readouterr()
    assert run_mirrored(recipe, tmp_path / "second") == 0
    out = capsys.readouterr().out
    assert f"tokens: taken from {MIRROR}/tokens" in out and "tokens     done    nothing changed" in out
    assert f"pretrain: step-00000010 is taken from {MIRROR}/{place}" in out
    assert "pretrain: continuing after step 10 of 20" in out
    same_end(tmp_path / "second", calm)
    same_end(tmp_path / "second", calm, "sft")
    assert len(places(store)) == 2 and {"pretrain", "sft", "eval"} <= set(store.names())
    capsys.readouterr()
    assert run_mirrored(recipe, tmp_path / "third") == 0
    assert "starts" not in capsys.readouterr().out  # every stage is taken as it is
    assert len(open_shards(f"{MIRROR}/tokens/train/text")) == len(open_shards(calm / "tokens/train/text"))


def test_other_settings_never_go_on_from_these_checkpoints(recipe, tmp_path, capsys):
    assert run_mirrored(recipe, tmp_path / "first", "--until", "pretrain") == 0
    store = Store(MIRROR)
    (place,) = places(store)
    store.remove("pretrain")
    store.remove(f"{place}/step-00000020")
    capsys.readouterr()
    assert run_mirrored(recipe, tmp_path / "other", "--until", "pretrain", "--pretrain.seed", "5") == 0
    assert "continuing after" not in capsys.readouterr().out and len(places(store)) == 2


def test_a_damaged_checkpoint_of_the_store_is_told_and_the_one_before_is_used(recipe, calm, tmp_path, capsys):
    assert run_mirrored(recipe, tmp_path / "first", "--until", "pretrain") == 0
    store = Store(MIRROR)
    (place,) = places(store)
    store.remove("pretrain")
    path = f"/bucket/run/{place}/step-00000020/model.safetensors"
    data = bytearray(store._files.cat_file(path))
    data[-1] ^= 1
    store._files.pipe_file(path, bytes(data))
    capsys.readouterr()
    assert run_mirrored(recipe, tmp_path / "second", "--until", "pretrain") == 0
    out = capsys.readouterr().out
    assert "step-00000020/model.safetensors: does not match its checksum" in out
    assert "pretrain: continuing after step 15 of 20" in out
    same_end(tmp_path / "second", calm)


def test_a_store_that_breaks_is_told_and_training_goes_on(recipe, calm, tmp_path, capsys):
    class Breaking(MemoryFileSystem):
        protocol = "breaking"
        store: dict = {}  # noqa: RUF012
        pseudo_dirs = [""]  # noqa: RUF012

        def put_file(self, lpath, rpath, **options):
            if "checkpoints" in rpath:
                raise TimeoutError("no answer")
            super().put_file(lpath, rpath, **options)

    import fsspec

    fsspec.register_implementation("breaking", Breaking, clobber=True)
    run = tmp_path / "run"
    assert run_mirrored(recipe, run, "--until", "pretrain", mirror="breaking://b/run") == 0
    captured = capsys.readouterr()
    assert "pretrain: checkpoints are not mirrored: breaking://b/run/checkpoints/pretrain-" in captured.out
    assert "Traceback" not in captured.err + captured.out
    same_end(run, calm)
    assert {"text", "tokens", "pretrain"} <= set(Store("breaking://b/run").names())


@pytest.mark.parametrize(
    ("mirror", "told"), [("bucket/run", "is no address of a store"), ("nope://x", "known are file")]
)
def test_what_is_no_store_is_refused_before_anything_is_written(recipe, tmp_path, capsys, mirror, told):
    assert run_mirrored(recipe, tmp_path / "run", mirror=mirror) == 2
    err = capsys.readouterr().err
    assert told in err and err.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_file_of_a_later_stage_on_a_store_is_refused_before_anything_runs(recipe, tmp_path, capsys):
    words = ["run", str(recipe), "--out", str(tmp_path / "run"), "--sft.conversations", "s3://bucket/talk.jsonl"]
    assert main(words) == 2
    assert "s3://bucket/talk.jsonl: is not there" in capsys.readouterr().err and not (tmp_path / "run").exists()
