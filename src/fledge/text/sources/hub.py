"""Data sets of the Hugging Face Hub by name: ``hf:owner/name[:config][@split]``."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from fledge.run.files import read_json, write_json
from fledge.text.sources.formats import classify, need
from fledge.text.sources.records import Unit
from fledge.types import FledgeError, Reject

PREFIX = "hf:"
DATA_FORMATS = ("parquet", "jsonl", "json", "csv", "tsv", "txt")
CONVERTED = "refs/convert/parquet"  # where the Hub keeps its own Parquet copy: config/split/0000.parquet
KNOWN_SPLITS = ("train", "validation", "valid", "dev", "test", "eval")
FORM = re.compile(r"hf:(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[^@]+))?(?:@(?P<split>.+))?")


def list_hub(source: str, cache: Path) -> list[Unit]:
    """The files of a data set, sorted, at one commit; what was listed is kept in ``cache`` for a resumed run."""
    match = FORM.fullmatch(source)
    if match is None:
        raise FledgeError("is not the name of a data set", where=source, fix="write hf:owner/name[:config][@split]")
    need("huggingface_hub", "hf: data sets")
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    key = hashlib.sha256(f"{endpoint} {source}".encode()).hexdigest()[:32]
    listing = cache / "hub" / f"{key}.json"
    if not listing.exists():
        found = _list(source, endpoint, match["repo"], match["config"] or "", match["split"] or "")
        write_json(listing, found)
    found = read_json(listing)
    units = []
    for name, n_bytes in found["files"]:
        kind, codec = classify(name)
        remote = (endpoint, match["repo"], found["revision"], name)
        where = f"{PREFIX}{match['repo']}/{name}"
        units.append(Unit(where, source, str(cache / "hub"), kind, codec, n_bytes, remote=remote))
    if any("/partial-" in name for name, _ in found["files"]):
        reason = f"{source}: the Hub holds only the first part of this data set as Parquet"
        units.append(Unit(source, source, "", "", "", 0, problem=Reject(source, source, "hub-partial", reason)))
    return units


def download(unit: Unit) -> Path:
    """The unit's file in the cache, fetched at the commit that was listed."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars

    endpoint, repo, revision, name = unit.remote
    if not are_progress_bars_disabled():
        disable_progress_bars()
    try:
        path = hf_hub_download(
            repo, name, repo_type="dataset", revision=revision, cache_dir=unit.path, endpoint=endpoint
        )
    except Exception as error:  # the HTTP library beneath, and so its errors, differ between versions
        raise _failure(unit.source, endpoint, error) from error
    return Path(path)


def _failure(source: str, endpoint: str, error: Exception) -> FledgeError:
    fixes = {
        "GatedRepoError": "ask for access on its page and log in with `hf auth login`",
        "RepositoryNotFoundError": "check the name; a private one needs `hf auth login`",
        "RevisionNotFoundError": "the data set has changed; remove the cache and run again",
        "HFValidationError": "write hf:owner/name[:config][@split]",
    }
    name = type(error).__name__
    if name in fixes:
        return FledgeError(f"cannot be read from {endpoint} ({name})", where=source, fix=fixes[name])
    first = str(error).strip().splitlines()[0] if str(error).strip() else ""
    what = f"{endpoint} does not answer as it should ({name}: {first})"
    return FledgeError(what, where=source, fix="check the network (and HF_ENDPOINT) and run again")


def _list(source: str, endpoint: str, repo: str, config: str, split: str) -> dict[str, Any]:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=endpoint)
    try:
        info = api.dataset_info(repo, files_metadata=True)
    except Exception as error:
        raise _failure(source, endpoint, error) from error
    sizes = _data_files(info)
    card = (info.card_data.to_dict() if info.card_data else {}) or {}
    names = _named_files(source, sizes, card.get("configs") or [], config, split)
    if not names:
        try:
            info = api.dataset_info(repo, revision=CONVERTED, files_metadata=True)
        except Exception as error:
            if type(error).__name__ not in ("RevisionNotFoundError", "RepositoryNotFoundError"):
                raise _failure(source, endpoint, error) from error
            asked = f' for config "{config}"' * bool(config) + f' for split "{split}"' * bool(split)
            there = ", ".join(sorted(sizes)[:5]) or "none"
            what = f"has no data files{asked}; data files there: {there}"
            raise FledgeError(what, where=source, fix="write hf:owner/name[:config][@split]") from error
        sizes = _data_files(info)
        names = _converted_files(source, sizes, config, split)
    return {"revision": info.sha, "files": [[name, sizes[name]] for name in sorted(names)]}


def _data_files(info: Any) -> dict[str, int]:
    """Data files and their sizes: the Parquet ones where there are some, else the others."""
    found = {item.rfilename: int(item.size or 0) for item in info.siblings or []}
    found = {
        name: size
        for name, size in found.items()
        if classify(name)[0] in DATA_FORMATS
        and not name.lower().endswith((".md", "dataset_infos.json"))
        and not any(part.startswith(".") for part in name.split("/"))
    }
    parquet = {name: size for name, size in found.items() if classify(name)[0] == "parquet"}
    return parquet or found


def _choose(source: str, kind: str, asked: str, there: Iterable[str], defaults: tuple[str, ...]) -> str:
    """The config or split that is meant: the one asked for, a default, or the only one."""
    names = sorted(there)
    for name in [asked] if asked else [*defaults, *names[: len(names) == 1]]:
        if name in names:
            return name
    what = f'has no {kind} "{asked}"' if asked else f"has several {kind}s and none was named"
    raise FledgeError(
        f"{what}; there are: {', '.join(names[:30])}", where=source, fix="write hf:owner/name[:config][@split]"
    )


def _named_files(source: str, files: Iterable[str], configs: list[Any], config: str, split: str) -> list[str]:
    """The files of a config and split, as the card's ``configs`` say, else as folder and file names tell."""
    if configs:
        by_name = {str(entry.get("config_name", "default")): entry for entry in configs}
        marked = tuple(name for name, entry in by_name.items() if entry.get("default"))
        entry = by_name[_choose(source, "config", config, by_name, (*marked, "default"))]
        patterns = _patterns(entry)
        chosen = patterns[_choose(source, "split", split, patterns, ("train",))]
        return [name for name in files if any(fnmatchcase(name, pattern) for pattern in chosen)]
    names = [name for name in files if not config or config in name.split("/")[:-1]]
    by_split = {name: _split_of(name) for name in names}
    if not any(by_split.values()):
        return names if split in ("", "train") else []
    wanted = split or ("train" if "train" in by_split.values() else _choose(source, "split", "", _there(by_split), ()))
    return [name for name in names if by_split[name] == wanted]


def _there(by_split: dict[str, str]) -> set[str]:
    return {split for split in by_split.values() if split}


def _patterns(entry: dict[str, Any]) -> dict[str, list[str]]:
    """``data_files`` of a config in the card as globs for each split."""
    files = entry.get("data_files")
    if files is None:
        return {"train": [f"{entry['data_dir'].rstrip('/')}/*"] if entry.get("data_dir") else ["*"]}
    files = [files] if isinstance(files, (str, dict)) else files
    patterns: dict[str, list[str]] = {}
    for item in files:
        split, path = (
            (str(item.get("split", "train")), item.get("path", [])) if isinstance(item, dict) else ("train", item)
        )
        for glob in [path] if isinstance(path, str) else path:
            patterns.setdefault(split, []).append(glob.removeprefix("./").replace("**/", "*"))
    return patterns


def _split_of(name: str) -> str:
    """The split that a file's or a folder's name begins or ends with, such as ``train-00000-of-00002.parquet``."""
    for part in reversed(name.split("/")):
        words = re.split(r"[-_.\s]", part.lower())
        for split in KNOWN_SPLITS:
            if split in words:
                return split
    return ""


def _converted_files(source: str, files: Iterable[str], config: str, split: str) -> list[str]:
    table: dict[str, dict[str, list[str]]] = {}
    for name in files:
        parts = name.split("/")
        if len(parts) == 3:
            table.setdefault(parts[0], {}).setdefault(parts[1].removeprefix("partial-"), []).append(name)
    splits = table[_choose(source, "config", config, table, ("default",))]
    return splits[_choose(source, "split", split, splits, ("train",))]
