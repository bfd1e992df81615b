"""Data sets by name, against a server on loopback that answers as the Hub does."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

from fledge.run.events import EventLog
from fledge.text.config import TextConfig
from fledge.text.pipeline import run_text
from fledge.text.sources.config import SourceSettings
from fledge.text.sources.read import read_unit
from fledge.text.sources.units import list_units
from fledge.types import FledgeError

SETTINGS = SourceSettings()
CONVERTED = "refs/convert/parquet"


class Hub:
    """Data sets in memory: ``repos[name][revision]`` is {file: bytes}; the commit is the revision's digest."""

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, dict[str, bytes]]] = {}
        self.cards: dict[str, dict] = {}
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def answer(self) -> None:
                path = unquote(urlsplit(self.path).path)
                hub.asked.append(f"{self.command} {path}")
                status, headers, body = hub.find(path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    @staticmethod
    def commit(revision: str) -> str:
        return hashlib.sha1(revision.encode()).hexdigest()

    def files(self, repo: str, revision: str) -> dict[str, bytes] | None:
        revisions = self.repos[repo]
        return next((revisions[name] for name in revisions if revision in (name, self.commit(name))), None)

    def find(self, path: str) -> tuple[int, dict[str, str], bytes]:
        for repo in self.repos:
            if path in (f"/api/datasets/{repo}", f"/api/datasets/{repo}/revision/{CONVERTED}"):
                revision = CONVERTED if path.endswith(CONVERTED) else "main"
                files = self.files(repo, revision)
                if files is None:
                    return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
                listed = [{"rfilename": name, "size": len(data), "blobId": "0" * 40} for name, data in files.items()]
                told = {"id": repo, "sha": self.commit(revision), "siblings": listed, "cardData": self.cards.get(repo)}
                return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()
            if path.startswith(f"/datasets/{repo}/resolve/"):
                revision, _, name = path.removeprefix(f"/datasets/{repo}/resolve/").partition("/")
                data = (self.files(repo, revision) or {}).get(name)
                if data is None:
                    return 404, {"X-Error-Code": "EntryNotFound"}, b""
                return 200, {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": revision}, data
        return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"


@pytest.fixture
def hub(monkeypatch):
    found = Hub()
    monkeypatch.setenv("HF_ENDPOINT", found.endpoint)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    yield found
    found.server.shutdown()
    found.server.server_close()


def texts(source, cache):
    units = list_units([source], SETTINGS, cache=cache)
    return [
        item.text if hasattr(item, "text") and not hasattr(item, "rule") else item.rule
        for u in units
        for item in read_unit(u, SETTINGS)
    ]


def test_parquet_files_of_a_split(hub, kit, tmp_path):
    make = kit.files[".parquet"]
    hub.repos["owner/name"] = {
        "main": {
            "README.md": b"# card",
            "data/train-00001-of-00002.parquet": make(["three"]),
            "data/train-00000-of-00002.parquet": make(["one", "two"]),
            "data/test-00000-of-00001.parquet": make(["held out"]),
        }
    }
    assert texts("hf:owner/name", tmp_path) == ["one", "two", "three"]
    assert texts("hf:owner/name@test", tmp_path) == ["held out"]
    units = list_units(["hf:owner/name"], SETTINGS, cache=tmp_path)
    assert [u.id for u in units] == [f"hf:owner/name/data/train-0000{n}-of-00002.parquet" for n in (0, 1)]
    record = next(iter(read_unit(units[0], SETTINGS)))
    assert record.id == units[0].id + "#1" and units[0].n_bytes > 100


def test_a_resumed_run_reads_the_same_commit_without_asking(hub, kit, tmp_path):
    make = kit.files[".parquet"]
    hub.repos["owner/name"] = {"main": {"train.parquet": make(["old"])}}
    assert texts("hf:owner/name", tmp_path) == ["old"]
    asked = len(hub.asked)
    hub.repos["owner/name"]["main"] = {"train.parquet": make(["new"]), "train-2.parquet": make(["more"])}
    assert texts("hf:owner/name", tmp_path) == ["old"] and len(hub.asked) == asked
    assert texts("hf:owner/name", tmp_path / "other") == ["more", "new"]


def test_the_stage_records_the_commit_that_it_read(hub, kit, tmp_path):
    make = kit.files[".parquet"]
    hub.repos["owner/name"] = {"main": {"train-0.parquet": make(["one"] * 9), "train-1.parquet": make(["two"] * 9)}}
    units = list_units(["hf:owner/name"], SETTINGS, cache=tmp_path / "cache")
    with EventLog(tmp_path / "out" / "events.jsonl") as events:
        summary = run_text(TextConfig(sources=("hf:owner/name",), filters=(), workers=1), tmp_path / "out", events)
    (read,) = summary["downloads"].items()
    assert read[0] == "hf:owner/name" and read[1]["revision"] == units[0].remote[2] and len(read[1]["revision"]) == 40
    assert (read[1]["files"], read[1]["bytes"]) == (2, sum(unit.n_bytes for unit in units))


def test_configs_of_the_card(hub, kit, tmp_path):
    make = kit.files[".jsonl"]
    hub.repos["owner/name"] = {
        "main": {"en/a.jsonl": make(["english"]), "de/b.jsonl": make(["deutsch"]), "de/c.jsonl": make(["geprüft"])}
    }
    hub.cards["owner/name"] = {
        "configs": [
            {"config_name": "en", "data_files": "en/*"},
            {
                "config_name": "de",
                "data_files": [{"split": "train", "path": ["de/b*"]}, {"split": "test", "path": "de/c*"}],
            },
        ]
    }
    assert texts("hf:owner/name:en", tmp_path) == ["english"]
    assert texts("hf:owner/name:de@test", tmp_path) == ["geprüft"]
    for source, words in [
        ("hf:owner/name", "there are: de, en"),
        ("hf:owner/name:fr", 'no config "fr"'),
        ("hf:owner/name:de@dev", "test, train"),
    ]:
        with pytest.raises(FledgeError, match=words):
            texts(source, tmp_path)


def test_the_hub_s_own_parquet_copy_where_there_is_no_other(hub, kit, tmp_path):
    make = kit.files[".parquet"]
    hub.repos["owner/script"] = {
        "main": {"script.py": b"print()"},
        CONVERTED: {
            "default/train/0000.parquet": make(["converted"]),
            "big/partial-train/0000.parquet": make(["the first part"]),
        },
    }
    assert texts("hf:owner/script", tmp_path) == ["converted"]
    assert texts("hf:owner/script:big", tmp_path) == ["the first part", "hub-partial"]


def test_what_is_not_there_is_one_line(hub, kit, tmp_path, monkeypatch):
    hub.repos["owner/empty"] = {"main": {"README.md": b"nothing"}}
    for source, words in [
        ("hf:owner/none", "RepositoryNotFoundError"),
        ("hf:owner/empty", "has no data files"),
        ("hf:a/b/c", "not the name of a data set"),
    ]:
        with pytest.raises(FledgeError, match=words) as caught:
            texts(source, tmp_path)
        assert str(caught.value).startswith(source) and "\n" not in str(caught.value)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FledgeError, match="does not answer as it should"):
        texts("hf:owner/name", tmp_path)


def test_a_column_that_the_data_set_lacks(hub, kit, tmp_path):
    hub.repos["owner/name"] = {"main": {"train.parquet": kit.files[".parquet"](["x"])}}
    units = list_units(["hf:owner/name"], SETTINGS, cache=tmp_path)
    with pytest.raises(FledgeError, match=r'no column "content".*text_column'):
        list(read_unit(units[0], SourceSettings(text_column="content")))
