"""Manifests tell what was made and whether it is still whole."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fledge.run.manifest import Manifest, damaged_outputs, hash_outputs, outputs_hash, read_manifest, write_manifest
from fledge.types import FledgeError


@pytest.fixture
def stage(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.bin").write_bytes(b"abc")
    (tmp_path / "rejects.bin").write_bytes(b"x")
    for name in ("events.jsonl", "settings.json", ".partial-3-z"):
        (tmp_path / name).write_bytes(b"{}")
    manifest = Manifest("text", "0" * 64, {"world": "1"}, hash_outputs(tmp_path), {"fledge": "0"}, 1.0, 2.0, 1.0)
    write_manifest(tmp_path, manifest)
    return tmp_path


def test_it_reads_back_as_it_was_written(stage):
    manifest = read_manifest(stage)
    assert list(manifest.outputs) == ["rejects.bin", "train/a.bin"]
    assert manifest.outputs["train/a.bin"].n_bytes == 3 and manifest.seconds == 1.0
    assert read_manifest(stage / "train") is None
    assert damaged_outputs(stage, manifest) == []


def test_damage_is_named_even_where_the_times_are_old(stage):
    manifest = read_manifest(stage)
    path = stage / "train" / "a.bin"
    mtime = manifest.outputs["train/a.bin"].mtime_ns
    path.write_bytes(b"abd")
    assert damaged_outputs(stage, manifest) == ["train/a.bin has changed since it was written"]
    os.utime(path, ns=(mtime, mtime))
    assert damaged_outputs(stage, manifest, thorough=True) == ["train/a.bin has changed since it was written"]
    path.write_bytes(b"ab")
    assert damaged_outputs(stage, manifest) == ["train/a.bin has 2 bytes, 3 were written"]
    path.unlink()
    assert damaged_outputs(stage, manifest) == ["train/a.bin is missing"]
    path.write_bytes(b"abc")
    assert damaged_outputs(stage, manifest) == []


def test_the_hash_of_outputs_sees_only_what_matches(stage):
    before = read_manifest(stage)
    (stage / "rejects.bin").write_bytes(b"other")
    after = Manifest("text", "", {}, hash_outputs(stage), {}, 1.0, 2.0, 1.0)
    assert outputs_hash(before, ("train/**",)) == outputs_hash(after, ("train/**",))
    assert outputs_hash(before, ("rejects.bin",)) != outputs_hash(after, ("rejects.bin",))
    assert outputs_hash(before) != outputs_hash(after)


def test_a_manifest_of_another_shape_is_told(stage):
    (stage / "manifest.json").write_text('{"stage": "text", "outputs": {}}', encoding="utf-8")
    with pytest.raises(FledgeError, match="is not a manifest that this version reads"):
        read_manifest(stage)


def test_versions_are_read_without_importing_torch():
    code = "import sys; from fledge.run.manifest import versions; versions()['torch']; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
