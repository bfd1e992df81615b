"""Recipes that go on from an imported model: tuned as it is, and pretrained further; then measured and exported."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
import torch

from fledge.cli.main import main
from fledge.infer.load import load_engine
from fledge.tokens.stage import take_tokenizer
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, FledgeError, Message

transformers = pytest.importorskip("transformers")
spec = importlib.util.spec_from_file_location("foreign_models", Path(__file__).with_name("foreign_models.py"))
foreign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(foreign)

TRAINING = """context_length = 32
batch_tokens = 128
compile = "off"
precision = "fp32"
attention = "products"
threads = 1
sample_every = 0
eval_every = 0
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    """A Qwen3 of others with ChatML, imported by the command."""
    root = tmp_path_factory.mktemp("imported")
    (root / "theirs").mkdir()
    foreign.byte_level(root / "theirs", "chatml", foreign.CHATML, eos="<|im_end|>")
    foreign.transformers_model("qwen3", 352).save_pretrained(root / "theirs")
    assert main(["import", str(root / "theirs"), "--out", str(root / "ours")]) == 0
    return root / "ours"


def chats(folder: Path) -> Path:
    path = folder / "chat.jsonl"
    turns = [{"role": "user", "content": "the cat?"}, {"role": "assistant", "content": "No, it is four."}]
    path.write_text("".join(json.dumps({"messages": turns}) + "\n" for _ in range(40)))
    return path


def test_an_imported_model_is_tuned_as_it_is(imported, tmp_path, capfd):
    (tmp_path / "unseen.txt").write_text("the cat sat on the door\n\nthe dog ran to the mat\n")
    recipe = tmp_path / "tuned.toml"
    recipe.write_text(
        f'name = "tuned"\n[tokenizer]\npath = "{imported}"\n[pretrain]\ninit = "{imported}"\n{TRAINING}'
        f'[sft]\nconversations = ["{chats(tmp_path)}"]\ntokens = 4096\n{TRAINING}[eval]\ntasks = []\n'
        f'perplexity = ["{tmp_path / "unseen.txt"}"]\n'
    )
    run = tmp_path / "run"
    assert main(["run", str(recipe), "--out", str(run)]) == 0, capfd.readouterr().err
    measured = json.loads((run / "eval/results.json").read_text())["bits_per_byte"]
    assert [text["name"] for text in measured] == ["unseen.txt"] and measured[0]["bits_per_byte"] > 0
    base, _, _ = load_engine(run / "pretrain")
    before, _, _ = load_engine(imported)
    ids = torch.arange(20)[None]
    assert torch.equal(base.model(ids), before.model(ids))
    for stage in ("pretrain", "sft"):
        assert json.loads((run / stage / "model/config.json").read_text())["max_position_embeddings"] == 128
    engine, tokenizer, kind = load_engine(run)
    assert kind == "chat"
    rendered = tokenizer.render(Conversation((Message("user", "the cat?"), Message("assistant", "No, it is four."))))
    answer = [index for index, weight in zip(rendered.ids, rendered.weight, strict=True) if weight]

    def loss(model) -> float:
        logits = model(torch.tensor([rendered.ids]))[0].log_softmax(-1)
        at = [place - 1 for place, weight in enumerate(rendered.weight) if weight]
        return -logits[at, answer].mean().item()

    assert loss(engine.model) < 0.7 * loss(base.model)
    assert main(["chat", str(run)]) == 0
    assert main(["export", str(run), "--out", str(tmp_path / "hf")]) == 0
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    messages = [{"role": "user", "content": "the cat?"}]
    prompt = tokenizer.render(Conversation((Message("user", "the cat?"),)), True).ids
    assert theirs.apply_chat_template(messages, add_generation_prompt=True)["input_ids"] == prompt
    out = capfd.readouterr()
    assert "Traceback" not in out.err
    assert "tuned on conversations" in (tmp_path / "hf/README.md").read_text()


def test_an_imported_model_talks_by_the_commands(imported, capfd):
    assert main(["chat", str(imported), "--max-tokens", "4"]) == 0
    assert main(["sample", str(imported), "the cat", "--max-tokens", "4"]) == 0
    told = capfd.readouterr()
    assert "you> " in told.out and "the cat" in told.out
    assert not told.err


def test_an_imported_model_is_pretrained_further(imported, tmp_path, capfd):
    (tmp_path / "in.txt").write_text(
        "\n\n".join(f"the cat sat on mat {n} and the dog ran to the door." for n in range(300))
    )
    recipe = tmp_path / "further.toml"
    recipe.write_text(
        f'name = "further"\n[text]\nsources = ["{tmp_path / "in.txt"}"]\nsplit = ["blank_lines"]\nfilters = []\n'
        f'near_dedup = false\nheldout_fraction = 0.1\nworkers = 1\n[tokenizer]\npath = "{imported}"\n'
        f'[tokens]\nworkers = 1\nmax_repetition = 100\n[pretrain]\ninit = "{imported}"\ntokens = 8192\n{TRAINING}'
    )
    run = tmp_path / "run"
    assert main(["run", str(recipe), "--out", str(run)]) == 0, capfd.readouterr().err
    events = [json.loads(line) for line in (run / "pretrain/events.jsonl").read_text().splitlines()]
    losses = [event["loss"] for event in events if event["kind"] == "step"]
    assert losses[-1] < 0.7 * losses[0]
    values = json.loads((run / "pretrain/model/config.json").read_text())
    assert (values["model_type"], values["vocab_size"], values["hidden_size"]) == ("qwen3", 352, 32)
    assert values["max_position_embeddings"] == 128
    assert main(["sample", str(run), "the cat", "--max-tokens", "5"]) == 0


def test_another_tokenizer_than_the_models_is_refused(imported, tmp_path, capfd):
    foreign.llama2c(tmp_path)
    assert main(["import", str(tmp_path / "small.bin"), "--out", str(tmp_path / "small")]) == 0
    recipe = tmp_path / "other.toml"
    recipe.write_text(
        f'name = "other"\n[tokenizer]\npath = "{imported}"\n[pretrain]\ninit = "{tmp_path / "small"}"\n{TRAINING}'
    )
    assert main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 2
    assert re.search(r"the tokenizer has 352 tokens, the model in init \d+", capfd.readouterr().err)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[pretrain]\ninit = "{nowhere}"\n[tokenizer]\npath = "{imported}"\n', "is not there|holds no config.json"),
        ('[pretrain]\ninit = "{imported}"\n[tokenizer]\npath = "{nowhere}"\n', "is not there"),
        ('[pretrain]\ninit = "{imported}"\n', r"\[pretrain\] needs \[tokenizer\]"),
        ('[pretrain]\n[tokenizer]\npath = "{imported}"\n', r"\[pretrain\] needs \[tokens\]"),
        (
            '[pretrain]\ninit = "{imported}"\nmodel.d_model = 8\n[tokenizer]\npath = "{imported}"\n',
            "the sizes are those",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(imported, tmp_path, capfd, text, line):
    recipe = tmp_path / "bad.toml"
    recipe.write_text('name = "bad"\n' + text.format(imported=imported, nowhere=tmp_path / "nothing"))
    assert main(["run", str(recipe), "--out", str(tmp_path / "run")]) == 2
    told = capfd.readouterr().err.strip()
    assert "\n" not in told
    assert re.search(line, told), told


def test_a_base_model_is_given_a_template_to_be_tuned_with(tmp_path):
    foreign.llama2c(tmp_path)
    assert main(["import", str(tmp_path / "small.bin"), "--out", str(tmp_path / "m"), "--template", "inst"]) == 0
    _, tokenizer, kind = load_engine(tmp_path / "m")
    assert kind == "base"
    rendered = tokenizer.render(Conversation((Message("user", "the cat"), Message("assistant", "a mat"))))
    assert tokenizer.decode(rendered.ids).startswith("<s>") and rendered.ids[-1] == tokenizer.end
    assert sum(rendered.weight) > 1
    assert main(["import", str(tmp_path / "small.bin"), "--out", str(tmp_path / "n"), "--template", "chatml"]) == 2
    assert not (tmp_path / "n").exists()


def test_a_template_is_given_only_where_there_is_none(imported, tmp_path, capfd):
    assert main(["import", str(imported), "--out", str(tmp_path / "n"), "--template", "llama3"]) == 2
    assert "the model has a template of its own (chatml)" in capfd.readouterr().err
    assert main(["import", str(imported.parent / "theirs"), "--out", str(tmp_path / "n"), "--template", "inst"]) == 2
    assert "the model has a template of its own (chatml)" in capfd.readouterr().err
    assert not (tmp_path / "n").exists()
    foreign.llama2c(tmp_path)
    assert main(["import", str(tmp_path / "small.bin"), "--out", str(tmp_path / "base")]) == 0
    assert main(["import", str(tmp_path / "base"), "--out", str(tmp_path / "given"), "--template", "inst"]) == 0
    _, tokenizer, kind = load_engine(tmp_path / "given")
    assert kind == "base"
    assert tokenizer.render(Conversation((Message("user", "the cat"), Message("assistant", "a mat")))).ids


def test_a_tokenizer_file_of_another_name_is_the_one_taken(imported, tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((imported / name).read_text())
    content = json.loads((imported / "tokenizer.json").read_text())
    content["added_tokens"].append(content["added_tokens"][0] | {"id": 340, "content": "<x>"})
    (tmp_path / "mine.json").write_text(json.dumps(content))
    (tmp_path / "out").mkdir()
    assert take_tokenizer(tmp_path / "mine.json", tmp_path / "out")["vocab_size"] == 341
    assert "<x>" in Tokenizer.load(tmp_path / "out").special
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(FledgeError, match="is no tokenizer"):
        take_tokenizer(tmp_path / "notes.json", tmp_path / "out")
