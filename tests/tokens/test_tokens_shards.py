"""Token shards of documents and of conversations: what is written, what is refused, what damage is seen."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.tokens.conversations import read_conversations, write_conversation_shards
from fledge.tokens.shards import open_shards, write_shards
from fledge.types import Conversation, Document, FledgeError, Message, Reject

DOCUMENTS = [Document(f"d{k}", f"document number {k} says " + "hello " * (k % 7), "here") for k in range(50)]


@pytest.fixture
def written(tokenizer, tmp_path):
    write_shards(DOCUMENTS, tokenizer, tmp_path / "s", shard_tokens=200)
    return tmp_path / "s"


def test_documents_come_back(tokenizer, written):
    shards = open_shards(written)
    assert len(shards) == 50 and len(shards.shards) > 3
    for number, document in enumerate(DOCUMENTS):
        ids = shards.document(number)
        assert ids.dtype == np.dtype("<u2")
        assert ids.tolist() == [tokenizer.bos, *tokenizer.encode(document.text), tokenizer.eos]
        assert shards.weight(number).tolist() == [1] * len(ids)
    assert shards.n_tokens == sum(len(shards.document(k)) for k in range(50))
    assert shards.n_learned == shards.n_tokens - 50
    assert shards.n_bytes == sum(len(document.text) for document in DOCUMENTS)
    with pytest.raises(IndexError):
        shards.document(50)


def test_raw_file_is_little_endian_ids(tokenizer, written):
    raw = (written / "shard-00000.bin").read_bytes()
    assert int.from_bytes(raw[:2], "little") == tokenizer.bos
    offsets = (written / "shard-00000.idx").read_bytes()
    assert int.from_bytes(offsets[:8], "little") == 0
    assert int.from_bytes(offsets[-8:], "little") * 2 == len(raw)


def test_writing_again_gives_the_same_bytes_and_removes_longer_leftovers(tokenizer, written):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    write_shards(DOCUMENTS, tokenizer, written, shard_tokens=200)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before
    write_shards(DOCUMENTS[:3], tokenizer, written)
    assert sorted(path.name for path in written.iterdir()) == [
        "index.json",
        "shard-00000.bin",
        "shard-00000.idx",
        "shard-00000.json",
    ]


@pytest.mark.parametrize("name", ["shard-00001.bin", "shard-00002.idx"])
def test_damage_is_named(written, name):
    data = bytearray((written / name).read_bytes())
    data[len(data) // 2] ^= 1
    (written / name).write_bytes(data)
    with pytest.raises(FledgeError, match=f"{name}.*checksum") as told:
        open_shards(written)
    assert "\n" not in str(told.value)
    (written / name).write_bytes(data[:-1])
    with pytest.raises(FledgeError, match=name):
        open_shards(written, verify=False)
    (written / name).unlink()
    with pytest.raises(FledgeError, match=name):
        open_shards(written)


def test_unfinished_directories_are_refused(written, tmp_path):
    (written / "index.json").unlink()
    for place in (written, tmp_path / "nowhere"):
        with pytest.raises(FledgeError, match="no finished token shards"):
            open_shards(place)
    (written / "index.json").write_text('{"version": 1}', encoding="utf-8")
    with pytest.raises(FledgeError, match="no index"):
        open_shards(written)


def test_no_documents_make_an_empty_set(tokenizer, tmp_path):
    write_shards([], tokenizer, tmp_path)
    assert len(open_shards(tmp_path)) == 0


TALKS = st.lists(
    st.lists(st.builds(Message, st.sampled_from(["user", "assistant"]), st.text("ab ", max_size=5)), min_size=1).map(
        lambda messages: Conversation(tuple(messages))
    ),
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(TALKS)
def test_conversations_keep_weights_or_are_refused_with_a_count(tokenizer, tmp_path_factory, talks):
    out = tmp_path_factory.mktemp("talks")
    made = write_conversation_shards(talks, tokenizer, out)
    shards = open_shards(out)
    kept = [talk for talk in talks if any(message.role == "assistant" for message in talk.messages)]
    assert made["n_refused"] == len(talks) - len(kept) == sum(made["refused"].values())
    assert len(shards) == len(kept)
    for number, talk in enumerate(kept):
        assert tokenizer.parse(shards.document(number).tolist()) == talk
        assert shards.weight(number).tolist() == tokenizer.render(talk).weight
    assert shards.n_learned == sum(sum(tokenizer.render(talk).weight) for talk in kept)


def test_reading_sets_bad_rows_aside(tokenizer, tmp_path):
    rows = [
        {"id": "a", "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]},
        {"messages": [{"role": "bot", "content": "hi"}]},
        {"text": "no messages"},
        {"messages": []},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "user", "content": 3}]},
        [1],
        {"id": "h", "messages": [{"role": "user", "content": "only a question"}]},
        {
            "id": "t",
            "messages": [{"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}],
            "tools": ["f"],
        },
        {"id": "s", "messages": [{"role": "assistant", "content": "\ud800"}]},
        {"id": "l", "messages": [{"role": "assistant", "content": "long " * 100}]},
    ]
    lines = [json.dumps(row).encode() for row in rows] + [b"{broken", b"\xff\xfe", b"[" * 200_000, b""]
    path = tmp_path / "c.jsonl"
    path.write_bytes(b"\n".join(lines))
    found = list(read_conversations([path]))
    rejects = {item.id: item.reason for item in found if isinstance(item, Reject)}
    assert list(rejects) == [f"c.jsonl:{n}" for n in (2, 3, 4, 5, 6, 7, 12, 13, 14)]
    assert rejects["c.jsonl:7"] == "is no JSON object"
    assert 'neither "messages" nor "instruction"' in rejects["c.jsonl:3"] and "bot" in rejects["c.jsonl:2"]
    talks = [item for item in found if isinstance(item, Conversation)]
    assert [talk.id for talk in talks] == ["a", "h", "t", "s", "l"]
    assert talks[2].messages[0].tool_calls == ('{"name": "f"}',) and talks[2].tools == ("f",)
    made = write_conversation_shards(found, tokenizer, tmp_path / "out", max_tokens=60)
    assert made["n_documents"] == 2
    assert made["refused"] == {"conversation": 9, "not renderable": 1, "nothing learned": 1, "too long": 1}
    lines = (tmp_path / "out" / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["id"] for line in lines} == {*rejects, "h", "s", "l"}
    with pytest.raises(FledgeError, match="not there"):
        list(read_conversations([tmp_path / "none.jsonl"]))
