"""``fledge import``: what transformers wrote is read, says the same, and what cannot be read is refused in a line."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from fledge.infer.chat import ChatSession, Sampling
from fledge.infer.load import load_engine
from fledge.infer.prompts import prompt_ids
from fledge.infer.request import GenerateRequest
from fledge.release.importing import import_model
from fledge.tokens.tokenizer import Tokenizer
from fledge.tokens.vocabulary import byte_alphabet
from fledge.types import Conversation, FledgeError, Message

transformers = pytest.importorskip("transformers")
spec = importlib.util.spec_from_file_location("foreign_models", Path(__file__).with_name("foreign_models.py"))
foreign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(foreign)

WEIGHTS = Path(__file__).parents[2].parent / "shared/data/weights"
FAMILY = {
    "gpt2": ("chatml", "", "", "<|endoftext|>"),
    "qwen2": ("chatml", foreign.CHATML_WITH_DEFAULT, "", "<|im_end|>"),
    "qwen3": ("chatml", foreign.CHATML, "", "<|im_end|>"),
    "qwen3_moe": ("chatml", foreign.CHATML, "", "<|im_end|>"),
    "llama": ("llama3", foreign.LLAMA3, "<|begin_of_text|>", "<|eot_id|>"),
}
CONVERSATIONS = [
    [("user", "the cat?")],
    [("system", "Be a dog."), ("user", " the mat \n"), ("assistant", "It is five."), ("user", "ünï 字")],
]


def stored(target: str, directory: Path, **options) -> object:
    """A model of transformers with a fitting tokenizer in ``directory``."""
    directory.mkdir(parents=True, exist_ok=True)
    if target == "mistral":
        foreign.sentencepiece_like(directory, foreign.MISTRAL)
        size = len(foreign.small_pieces())
        changes = {"sliding_window": 9}
    else:
        family, template, bos, eos = FAMILY[target]
        foreign.byte_level(directory, family, template, bos=bos, eos=eos)
        size, changes = 352, {}
    model = foreign.transformers_model(target, size, **changes)
    model.save_pretrained(directory, **options)
    return model


@pytest.fixture(scope="module", params=[*FAMILY, "mistral"])
def pair(request, tmp_path_factory):
    """transformers' model and tokenizer, and the directory that our import made of them."""
    root = tmp_path_factory.mktemp(request.param)
    model = stored(request.param, root / "theirs", max_shard_size="30KB")
    assert len(list((root / "theirs").glob("*.safetensors"))) > 1
    about = import_model(str(root / "theirs"), root / "ours")
    assert about["architecture"] == request.param
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(root / "theirs")
    return model, tokenizer, root / "ours", about


def test_the_same_text_greedily(pair):
    model, theirs, path, _ = pair
    engine, ours, _ = load_engine(path)
    for text in ("the cat sat", " Is it 3 o'clock? 字"):
        ids = prompt_ids(ours, text)
        assert ids == theirs(text)["input_ids"]
        done = engine.generate([GenerateRequest(ids, max_tokens=24, temperature=0.0)])[0]
        asked = torch.tensor([ids])
        # without a mask transformers would take bos for padding, which it has the id of
        seen = torch.ones_like(asked)
        expected = model.generate(asked, attention_mask=seen, max_new_tokens=24, do_sample=False, pad_token_id=0)
        assert list(done.ids) == expected[0, len(ids) :].tolist()


def test_conversations_have_the_ids_of_its_own_template(pair):
    _, theirs, path, about = pair
    ours = Tokenizer.load(path)
    if about["kind"] == "base":
        with pytest.raises(FledgeError, match="no chat template"):
            ours.render(Conversation((Message("user", "hi"),)))
        return
    for turns in CONVERSATIONS:
        conversation = Conversation(tuple(Message(role, content) for role, content in turns))
        if about["template"] == "inst" and turns[0][0] == "system":
            with pytest.raises(FledgeError, match="no place for a system text"):
                ours.render(conversation)
            continue
        rendered = ours.render(conversation, add_generation_prompt=True)
        messages = [{"role": role, "content": content} for role, content in turns]
        assert rendered.ids == theirs.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        learned = ours.decode([index for index, weight in zip(rendered.ids, rendered.weight, strict=True) if weight])
        assert learned.strip() == "".join(c + theirs.eos_token for role, c in turns if role == "assistant").strip()
        said = [message for message in ours.parse(rendered.ids).messages if message.role != "system"]
        assert [(m.role, m.content.strip()) for m in said] == [(r, c.strip()) for r, c in turns if r != "system"]


def test_user_text_never_becomes_a_special_token(pair):
    _, _, path, about = pair
    ours = Tokenizer.load(path)
    spelled = "".join(ours.special)
    assert not set(ours.encode(spelled)) & set(ours.special.values())
    if about["kind"] == "chat":
        plain = ours.render(Conversation((Message("user", "x"),)), True)
        marked = ours.render(Conversation((Message("user", spelled),)), True)
        specials = set(ours.special.values())
        assert [i for i in marked.ids if i in specials] == [i for i in plain.ids if i in specials]


def test_a_chat_goes_on_with_the_ids_that_were_sampled(pair):
    _, _, path, about = pair
    if about["kind"] == "base":
        return
    engine, ours, kind = load_engine(path)
    assert kind == "chat"
    session = ChatSession(engine, ours, Sampling(temperature=0.0, max_tokens=6))
    for said in ("the cat?", "and then?"):
        list(session.reply(said))
    ids = session._ids("Bye", session.turns)
    replies = [ours.parse_reply(reply).content for _, reply in session.turns]
    turns = [Message("user", "the cat?"), Message("assistant", replies[0])]
    start = ours.render(Conversation((turns[0],)), True).ids
    assert ids[: len(start) + len(session.turns[0][1])] == [*start, *session.turns[0][1]]
    assert ids.count(ours.end) == ours.render(
        Conversation((*turns, Message("user", "and then?"), Message("assistant", "b"), Message("user", "Bye"))), True
    ).ids.count(ours.end)
    assert len(replies) == 2


@pytest.mark.parametrize("tied", [True, False])
def test_llama2c_equals_its_own_formula(tmp_path, tied):
    weights = foreign.llama2c(tmp_path, tied=tied)
    about = import_model(str(tmp_path / "small.bin"), tmp_path / "ours")
    assert (about["architecture"], about["context_length"]) == ("llama", 64)
    engine, ours, _ = load_engine(tmp_path / "ours")
    ids = prompt_ids(ours, "the cat")
    pieces = foreign.small_pieces()
    assert "".join(pieces[i][0] for i in ids) == "<s>\u2581the\u2581cat" and len(ids) == 3
    expected = plain_llama2c(weights, ids)
    got = engine.model(torch.tensor([ids]))[0].detach().double().numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-3)


def plain_llama2c(w, ids) -> np.ndarray:
    """The model of llama2.c in float64: norms, neighbouring pairs rotated, SwiGLU. Returns logits (T, V)."""
    w = {name: part.astype(np.float64) for name, part in w.items()}
    heads, kv, head = 4, 2, 4

    def norm(x, weight):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * weight

    def rotated(x):
        out = x.copy()
        for t in range(len(x)):
            for i in range(0, head, 2):
                angle = t * 10000.0 ** (-i / head)
                a, b = x[t, :, i], x[t, :, i + 1]
                out[t, :, i] = a * np.cos(angle) - b * np.sin(angle)
                out[t, :, i + 1] = a * np.sin(angle) + b * np.cos(angle)
        return out

    x = w["tok_embeddings"][ids]
    for n in range(2):
        h = norm(x, w["attention_norm"][n])
        q = rotated((h @ w["wq"][n].T).reshape(-1, heads, head))
        k = rotated((h @ w["wk"][n].T).reshape(-1, kv, head))
        v = (h @ w["wv"][n].T).reshape(-1, kv, head)
        y = np.zeros_like(q)
        for at in range(len(ids)):
            for j in range(heads):
                scores = np.exp(k[: at + 1, j // 2] @ q[at, j] / np.sqrt(head))
                y[at, j] = scores / scores.sum() @ v[: at + 1, j // 2]
        x = x + y.reshape(len(ids), -1) @ w["wo"][n].T
        h = norm(x, w["ffn_norm"][n])
        gate = h @ w["w1"][n].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["w3"][n].T)) @ w["w2"][n].T
    return norm(x, w["norm"]) @ w.get("output", w["tok_embeddings"]).T


@pytest.mark.skipif(not (WEIGHTS / "stories260K.bin").is_file(), reason="stories260K.bin is not here")
def test_stories260k_tells_its_published_story(tmp_path):
    import_model(str(WEIGHTS / "stories260K.bin"), tmp_path / "s")
    engine, tokenizer, _ = load_engine(tmp_path / "s")
    done = engine.generate([GenerateRequest(prompt_ids(tokenizer, ""), max_tokens=60, temperature=0.0)])[0]
    assert tokenizer.decode(done.ids).startswith(
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park."
    )


@pytest.mark.parametrize(
    ("template", "family"),
    [
        (foreign.INST, "inst"),
        (foreign.MISTRAL, "inst"),
        (foreign.UNKNOWN, ""),
        ("{{ nothing.of.this.works }}", ""),
        ("", ""),
    ],
)
def test_templates_over_a_tokenizer_with_byte_fallback(tmp_path, template, family):
    model = tmp_path / "m"
    model.mkdir()
    foreign.sentencepiece_like(model, template)
    foreign.transformers_model("llama", len(foreign.small_pieces())).save_pretrained(model)
    about = import_model(str(model), tmp_path / "o")
    assert about["template"] == family and about["kind"] == ("chat" if family else "base")
    ours = Tokenizer.load(tmp_path / "o")
    if not family:
        with pytest.raises(FledgeError, match=r"no known family|no chat template") as error:
            ours.render(Conversation((Message("user", "hi"),)))
        assert "\n" not in str(error.value)


def model_of(content: dict, **change) -> dict:
    return content | {"model": content["model"] | change}


def two_before(content: dict) -> dict:
    parts = [{"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}] * 2 + [{"Sequence": {"id": "A", "type_id": 0}}]
    known = {"<|im_end|>": {"id": "<|im_end|>", "ids": [2], "tokens": ["<|im_end|>"]}}
    made = {"type": "TemplateProcessing", "single": parts, "pair": parts, "special_tokens": known}
    return content | {"post_processor": made}


# file, what becomes of it, what the one line says; paths are those that the person gave
TOKENIZER_FAULTS = {
    "settings are a list": ("tokenizer_config.json", lambda _: [], r"theirs/tokenizer_config\.json: is no table"),
    "jinja of bytes": ("chat_template.jinja", b"\xff\xfe{{", r"theirs/chat_template\.jinja: is not UTF-8"),
    "letters outside of the alphabet": (
        "tokenizer.json",
        lambda t: model_of(t, vocab=t["model"]["vocab"] | {"字": 351}),
        "the token '字' stands for no bytes",
    ),
    "added tokens of text": ("tokenizer.json", lambda t: t | {"added_tokens": ["a"]}, "do not each have content, id"),
    "an id beyond all": (
        "tokenizer.json",
        lambda t: model_of(t, vocab=t["model"]["vocab"] | {"zq": 2**31}),
        "numbers its tokens up to 2147483648",
    ),
    "two tokens before a text": ("tokenizer.json", two_before, "puts 2 tokens before a text"),
    "a role of no token": (
        "template.json",
        b'{"why": "", "template": {"family": "chatml", "end": "<|im_end|>"}, "roles": {"eos": "x"}, "vocab_size": 352}',
        r"theirs/template\.json: does not describe a template",
    ),
    "a template without a why": ("template.json", b"[]", "does not describe a template"),
}


def broken(target: Path, how: str) -> str:
    """Break a stored model; returns what the one line must say."""
    config = json.loads((target / "config.json").read_text())
    weights = load_file(target / "model.safetensors") if how != "llama2c" else {}
    data = (target / "model.safetensors").read_bytes()
    if how == "architecture":
        (target / "config.json").write_text(json.dumps(config | {"model_type": "mamba"}))
        return "'mamba'; supported are qwen3, qwen3_moe, qwen2, llama, mistral, arcee, gpt2"
    if how == "missing tensor":
        del weights["model.layers.1.mlp.up_proj.weight"]
        save_file(weights, target / "model.safetensors")
        return "model.layers.1.mlp.up_proj.weight is missing"
    if how == "wrong shape":
        weights["model.norm.weight"] = torch.ones(31)
        save_file(weights, target / "model.safetensors")
        return r"model.norm.weight is \(31,\), expected \(32,\)"
    if how == "unknown tensor":
        save_file(weights | {"model.extra.weight": torch.ones(2)}, target / "model.safetensors")
        return "model.extra.weight belongs to no part of it"
    if how == "tokenizer too large":
        (target / "config.json").write_text(json.dumps(config | {"vocab_size": 300}))
        weights = {n: t[:300] if t.shape[0] == 352 else t for n, t in weights.items()}
        save_file(weights, target / "model.safetensors")
        return r"the tokenizer has \d+ tokens, the model 300"
    if how == "tied to another head":
        (target / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
        return "tie_word_embeddings is true and the weights hold an lm_head that is not the embedding"
    if how == "huge":
        (target / "config.json").write_text(json.dumps(config | {"hidden_size": 2**17, "num_hidden_layers": 2**12}))
        return "the weights are of another model"
    if how == "deep":
        (target / "config.json").write_text('{"a":' * 100_000)
        return "is not valid JSON"
    if how in TOKENIZER_FAULTS:
        file, change, line = TOKENIZER_FAULTS[how]
        data = change if isinstance(change, bytes) else json.dumps(change(json.loads((target / file).read_text())))
        (target / file).write_bytes(data if isinstance(data, bytes) else data.encode())
        return line
    if how == "truncated":
        (target / "model.safetensors").write_bytes(data[: len(data) // 2])
        return "model.safetensors: cannot be read"
    if how == "quantised":
        (target / "config.json").write_text(json.dumps(config | {"quantization_config": {"bits": 4}}))
        return "quantised weights are not supported"
    if how == "integers":
        weights["model.norm.weight"] = torch.ones(32, dtype=torch.int8)
        save_file(weights, target / "model.safetensors")
        return "model.norm.weight is int8; supported are float32"
    if how == "shard that lacks a tensor":
        lost = weights.pop("model.norm.weight")
        save_file(weights, target / "part.safetensors")
        index = dict.fromkeys([*weights, "model.norm.weight"], "part.safetensors")
        (target / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
        (target / "model.safetensors").unlink()
        assert len(lost)
        return "part.safetensors lacks model.norm.weight"
    (target / "model.safetensors").unlink()
    if how == "pickle":
        (target / "pytorch_model.bin").write_bytes(b"PK\x03\x04")
        return "pytorch_model.bin: holds pickled weights"
    if how == "lost shard":
        (target / "model.safetensors.index.json").write_text(
            '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}'
        )
        return "names model-00001-of-00002.safetensors, which is not there"
    if how == "shard elsewhere":
        (target / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../x.safetensors"}}')
        return "which is no file beside it"
    assert how == "no weights"
    return "holds no weights, only config.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole")
    stored("qwen3", directory)
    return directory


@pytest.mark.parametrize(
    "how",
    ["architecture", "missing tensor", "wrong shape", "unknown tensor", "tokenizer too large", "truncated", "quantised"]
    + ["tied to another head", "huge", "deep", *TOKENIZER_FAULTS]
    + ["integers", "pickle", "lost shard", "shard elsewhere", "shard that lacks a tensor", "no weights"],
)
def test_what_cannot_be_read_is_refused_in_one_line_and_nothing_stays(whole, tmp_path, how):
    target = tmp_path / "theirs"
    shutil.copytree(whole, target)
    line = broken(target, how)
    with pytest.raises(FledgeError, match=line) as error:
        import_model(str(target), tmp_path / "out" / "ours")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_head_that_is_the_embedding_may_lie_there_too(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "theirs")
    config = json.loads((whole / "config.json").read_text())
    (tmp_path / "theirs/config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    weights = load_file(whole / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_file(weights, tmp_path / "theirs/model.safetensors")
    import_model(str(tmp_path / "theirs"), tmp_path / "ours")
    assert "lm_head.weight" not in load_file(tmp_path / "ours/model.safetensors")


def test_a_byte_token_that_is_none_is_text(tmp_path):
    foreign.sentencepiece_like(tmp_path, "")
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(model_of(content, vocab=content["model"]["vocab"] | {"<0xZZ>": 400})))
    assert Tokenizer.load(tmp_path).token_bytes[400] == b"<0xZZ>"


def test_attention_of_gpt2_without_a_shape_is_refused(tmp_path):
    stored("gpt2", tmp_path / "theirs")
    weights = load_file(tmp_path / "theirs/model.safetensors")
    weights["transformer.h.0.attn.c_attn.bias"] = torch.tensor(1.0)
    save_file(weights, tmp_path / "theirs/model.safetensors")
    with pytest.raises(FledgeError, match="weights are of another model"):
        import_model(str(tmp_path / "theirs"), tmp_path / "ours")


def test_files_that_are_no_model_are_refused(tmp_path):
    foreign.llama2c(tmp_path)
    data = (tmp_path / "small.bin").read_bytes()
    for name, content, line in (
        ("cut.bin", data[:-8], "is cut short"),
        ("long.bin", data + b"12345678", "is too long"),
        ("tiny.bin", b"ab", "too few for a llama2.c header"),
        ("zip.bin", b"PK\x03\x04" + data, "holds pickled weights"),
        ("x.pt", b"\x80\x02" + data, "holds pickled weights"),
        ("noise.bin", b"\xff" * 400, "neither safetensors nor a llama2.c model"),
        ("a.safetensors", b"", "give its directory"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FledgeError, match=line):
            import_model(str(tmp_path / name), tmp_path / "ours")
    (tmp_path / "tokenizer.bin").write_bytes((tmp_path / "tokenizer.bin").read_bytes()[:-4])
    with pytest.raises(FledgeError, match=r"is no llama2\.c tokenizer of"):
        import_model(str(tmp_path / "small.bin"), tmp_path / "ours")
    (tmp_path / "tokenizer.bin").unlink()
    with pytest.raises(FledgeError, match=r"has no tokenizer.bin beside it"):
        import_model(str(tmp_path / "small.bin"), tmp_path / "ours")
    with pytest.raises(FledgeError, match="is not there"):
        import_model(str(tmp_path / "nothing"), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_what_is_there_is_not_overwritten(whole, tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(FledgeError, match="is there already"):
        import_model(str(whole), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_llama_2_with_sentencepiece_only(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "tokenizer.model").write_bytes(foreign.sentencepiece_file())
    foreign.transformers_model("llama", len(foreign.small_pieces())).save_pretrained(theirs)
    import_model(str(theirs), tmp_path / "ours")
    ours, alone = Tokenizer.load(tmp_path / "ours"), Tokenizer.load(theirs / "tokenizer.model")
    fast = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path / "ours")
    for text in ("the cat sat", "  two  blanks\n字 <s>", ""):
        assert ours.encode(text) == alone.encode(text)
        if "<s>" not in text:
            assert fast(text)["input_ids"] == [1, *alone.encode(text)]
        assert ours.decode(ours.encode(text)) == text
    assert (ours.bos, ours.eos) == (1, 2)


def test_gpt2_with_vocab_and_merges_only(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    merges = [("t", "h"), ("th", "e"), ("Ġ", "c"), ("a", "t"), ("Ġc", "at")]
    tokens = [*byte_alphabet().values(), *(a + b for a, b in merges), "<|endoftext|>"]
    (theirs / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (theirs / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    foreign.transformers_model("gpt2", len(tokens)).save_pretrained(theirs)
    import_model(str(theirs), tmp_path / "ours")
    ours = Tokenizer.load(tmp_path / "ours")
    assert [tokens[index] for index in ours.encode("the cat")] == ["the", "Ġcat"]
    assert prompt_ids(ours, "") == [len(tokens) - 1]


class ModelHub(BaseHTTPRequestHandler):
    """Answers as the hub does for one model, whose files are ``folder``."""

    folder = Path()

    def do_GET(self):
        path = urlsplit(self.path).path
        name = path.rpartition("/")[2]
        told = {"id": "owner/name", "sha": "a" * 40, "siblings": []}
        told["siblings"] = [{"rfilename": each.name} for each in sorted(self.folder.iterdir())]
        if path.startswith("/api/models/owner/name/tree"):
            entries = [
                {"type": "file", "path": each.name, "size": each.stat().st_size, "oid": "0" * 40}
                for each in sorted(self.folder.iterdir())
            ]
            self.answer(200, json.dumps(entries).encode(), "application/json")
        elif path.startswith("/api/models/owner/name"):
            self.answer(200, json.dumps(told).encode(), "application/json")
        elif path.startswith("/owner/name/resolve/") and (self.folder / name).is_file():
            self.answer(200, (self.folder / name).read_bytes(), "application/octet-stream")
        else:
            self.answer(401, b"{}", "application/json")

    do_HEAD = do_GET

    def answer(self, status: int, body: bytes, kind: str):
        self.send_response(status)
        for key, value in (("Content-Type", kind), ("Content-Length", len(body)), ("X-Repo-Commit", "a" * 40)):
            self.send_header(key, str(value))
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
        if status == 401:
            self.send_header("X-Error-Code", "RepoNotFound")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_a_name_on_the_hub(whole, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    handler = type("Handler", (ModelHub,), {"folder": whole})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    try:
        about = import_model("owner/name", tmp_path / "ours")
        assert (about["source"], about["architecture"], about["kind"]) == ("owner/name", "qwen3", "chat")
        assert load_engine(tmp_path / "ours")[0].model.config.n_layers == 2
        with pytest.raises(FledgeError, match="owner/nothing: cannot be fetched from the hub") as error:
            import_model("owner/nothing", tmp_path / "other")
        assert "\n" not in str(error.value)
    finally:
        server.shutdown()
        server.server_close()
