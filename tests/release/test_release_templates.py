"""Templates and tokenizers of imports on their way out: jinja and Ollama's Modelfile write what the renderer writes."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tokenizers

from fledge.infer.load import load_engine
from fledge.release.exporting import export
from fledge.release.importing import import_model
from fledge.release.modelfile import modelfile
from fledge.release.recognise import PROBES, _agree, _ids, candidates, recognise
from fledge.release.rendering import _answer
from fledge.tokens.encoding import TokenizersEncoder
from fledge.tokens.jinja import written
from fledge.tokens.load import load_tokenizer_json
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, FledgeError, Message

pytest.importorskip("gguf")
transformers = pytest.importorskip("transformers")
spec = importlib.util.spec_from_file_location("foreign_models", Path(__file__).with_name("foreign_models.py"))
foreign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(foreign)

DEFAULTS = {"chatml": "You are small,\n\"so\" 'say' {{ 🙂 }}.", "llama3": "", "inst": ""}
MARKS = {
    "chatml": {"eos": "<|im_end|>"},
    "llama3": {"bos": "<|begin_of_text|>", "eos": "<|eot_id|>"},
    "inst": {"bos": "<s>", "eos": "</s>"},
}
TURNS = [("system", "Be brief."), ("user", "the cat?"), ("assistant", "a mat"), ("user", "And\n\n 字?")]


@pytest.fixture(scope="module", params=list(MARKS))
def of_family(request, tmp_path_factory):
    """A family's name and a tokenizer with its special tokens."""
    folder = tmp_path_factory.mktemp(request.param)
    foreign.byte_level(folder, request.param, **MARKS[request.param])
    tokenizer = load_tokenizer_json(folder / "tokenizer.json")
    inner = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return request.param, tokenizer, inner


def shapes(family: str, tokenizer: Tokenizer):
    """Every template of the family that can be recognised."""
    for template in candidates(tokenizer, ""):
        if template.family == family:
            yield template
            if DEFAULTS[family]:
                yield replace(template, default_system=DEFAULTS[family])


def test_the_jinja_of_every_template_writes_its_ids(of_family):
    family, tokenizer, inner = of_family
    roles = tokenizer.vocabulary.roles
    made = list(shapes(family, tokenizer))
    assert len(made) >= 4
    for template in made:
        jinja = written(template, tokenizer.special, roles.get("bos", ""))
        assert "\n" not in jinja
        refused = [[("user", "x"), ("system", "y")], [("critic", "x")], [("user", f"x{template.end}")]]
        *texts, late, critic, spelled = _answer({"jinja": jinja, "names": {}, "conversations": [*PROBES, *refused]})
        assert (late, critic, spelled) == (None, None, None)
        assert sum(text is not None for text in texts) == len(PROBES) // (1 + (template.system == "none"))
        for probe, text in zip(PROBES, texts, strict=True):
            assert _agree(template, tokenizer, probe, _ids(text, inner)), (template, probe, text)


TRIMMED = foreign.CHATML.replace("m['content']", "(m['content']|trim if m['role'] == 'assistant' else m['content'])")
MARKED = foreign.CHATML.replace("+ m['content']", "}}{% generation %}{{ m['content'] }}{% endgeneration %}{{ ''")


@pytest.mark.parametrize(
    ("jinja", "known"),
    [
        (foreign.CHATML, True),
        (MARKED, True),
        (foreign.CHATML.replace("messages %}", "messages %}{% if m.role == 'stop' %}{% break %}{% endif %}", 1), True),
        ("{% if tools is not none or documents is not none %}{{ 'TOOLS' }}{% endif %}" + foreign.CHATML, True),
        (TRIMMED, False),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}" + foreign.CHATML, False),
        ("{% set a = 'a' * 3000000000 %}" + foreign.CHATML, False),
        ("{{ 'a' * 3000000 }}", False),
    ],
    ids=["plain", "generation", "break", "tools", "trimmed replies", "endless", "large", "long"],
)
def test_a_template_is_recognised_only_by_what_it_writes(tmp_path, jinja, known):
    foreign.byte_level(tmp_path, "chatml", eos="<|im_end|>")
    inner = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    found = recognise(jinja, Tokenizer.load(tmp_path), inner)
    assert (found is not None and found.family == "chatml") == known


def test_ollamas_template_writes_what_the_renderer_writes(of_family):
    family, tokenizer, _ = of_family
    for template in shapes(family, tokenizer):
        tokenizer.template = template
        tokenizer.vocabulary = replace(tokenizer.vocabulary, roles=tokenizer.vocabulary.roles | {"end": template.end})
        text = modelfile(tokenizer, "chat", "model.gguf")
        assert said_by_ollama(text, TURNS, template.system) == said_by_fledge(tokenizer, TURNS, template.system)
        assert said_by_ollama(text, TURNS[1:]) == said_by_fledge(tokenizer, TURNS[1:])


def test_ollamas_template_of_our_own_family(tokenizer):
    assert said_by_ollama(modelfile(tokenizer, "chat", "model.gguf"), TURNS) == said_by_fledge(tokenizer, TURNS)


def said_by_fledge(tokenizer: Tokenizer, turns, system: str = "") -> str:
    turns = turns if system != "none" else [turn for turn in turns if turn[0] != "system"]
    ids = tokenizer.render(Conversation(tuple(Message(*turn) for turn in turns)), True).ids
    text = b"".join(tokenizer.token_bytes[index] for index in ids).decode()
    return text.removeprefix(tokenizer.vocabulary.roles.get("bos", "\0"))  # which Ollama puts there by itself


def said_by_ollama(text: str, turns, system: str = "") -> str:
    """What Ollama makes of a Modelfile: its system text before a conversation without one, then the template."""
    default = re.search(r'^SYSTEM """(.*?)"""$', text, re.DOTALL | re.MULTILINE)
    if default and turns[0][0] != "system":
        turns = [("system", default[1]), *turns]
    parts = re.split(r"(\{\{.*?\}\})", re.search(r'TEMPLATE """(.*?)"""', text, re.DOTALL)[1])
    assert not any(part.startswith("{{-") or part.endswith("-}}") for part in parts), "trims line ends away"
    at, known, out = 0, {}, []

    def block(message, live: bool) -> str:
        """Write up to the ``else`` or ``end`` of this block, which is returned."""
        nonlocal at
        while at < len(parts):
            part = parts[at]
            at += 1
            word = part[2:-2].strip() if part.startswith("{{") else None
            if word is None:
                out.append(part if live else "")
            elif word == "end" or word.startswith("else"):
                return word
            elif word == "range .Messages":
                start = at
                for each in turns:
                    at = start
                    block({".Role": each[0], ".Content": each[1]}, live)
            elif word.startswith("if "):
                done, test = False, word
                while test != "end":
                    met = live and not done and (test == "else" or holds(test.removeprefix("else ")[3:], message))
                    test, done = block(message, met), done or met
            elif "=" in word:
                name, value = re.fullmatch(r"(\$\w+) :?= (.*)", word).groups()
                if live:
                    known[name] = {'""': "", "false": False, "true": True}[value] if value[0] != "." else message[value]
            elif live:
                out.append(known[word] if word.startswith("$") else message[word])
        return "end"

    def holds(test: str, message) -> bool:
        equal = re.fullmatch(r'eq \.Role "(\w+)"', test)
        return message[".Role"] == equal[1] if equal else bool(known[test])

    block(None, True)
    return "".join(out)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A base model that was given ChatML, tuned (its weights are the same), where a run would have it."""
    root = tmp_path_factory.mktemp("given")
    (root / "theirs").mkdir()
    foreign.byte_level(root / "theirs", "chatml", foreign.UNKNOWN, eos="<|endoftext|>")
    foreign.transformers_model("llama", 352).save_pretrained(root / "theirs")
    import_model(str(root / "theirs"), root / "base", template="chatml")
    shutil.copytree(root / "base", root / "run/sft/model")
    (root / "run/sft/model/import.json").unlink()
    return root


def test_a_template_that_an_import_was_given_goes_out_with_the_tuned_model(given, tmp_path):
    tuned = given / "run/sft/model"
    export(tuned, tmp_path / "hf")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert theirs.eos_token == "<|im_end|>"
    messages = [{"role": role, "content": content} for role, content in TURNS]
    rendered = load_engine(tuned)[1].render(Conversation(tuple(Message(*turn) for turn in TURNS)), True).ids
    assert theirs.apply_chat_template(messages, add_generation_prompt=True)["input_ids"] == rendered
    with pytest.raises(Exception, match="contains the special token"):
        theirs.apply_chat_template([{"role": "user", "content": "a<|im_end|>"}])
    import gguf

    export(tuned, tmp_path / "gguf", to="gguf")
    field = gguf.GGUFReader(tmp_path / "gguf/model.gguf").fields["tokenizer.chat_template"]
    assert field.contents() == theirs.chat_template
    again = import_model(str(tmp_path / "hf"), tmp_path / "back")
    assert (again["kind"], again["template"]) == ("chat", "chatml")


def test_a_base_model_that_was_given_a_template_goes_out_without_it(given, tmp_path):
    export(given / "base", tmp_path / "hf")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "hf").chat_template == foreign.UNKNOWN


def test_the_exported_tokenizer_is_read_without_code_of_others(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    foreign.byte_level(theirs, "chatml", foreign.CHATML, eos="<|im_end|>")
    path = theirs / "tokenizer_config.json"
    odd = {"tokenizer_class": "MyTokenizer", "auto_map": {"AutoTokenizer": ["mine.MyTokenizer", None]}}
    path.write_text(json.dumps(json.loads(path.read_text()) | odd))
    foreign.transformers_model("llama", 352).save_pretrained(theirs)
    import_model(str(theirs), tmp_path / "ours")
    export(tmp_path / "ours", tmp_path / "hf")
    config = json.loads((tmp_path / "hf/tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast" and "auto_map" not in config
    loaded = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert loaded("the cat 12")["input_ids"] == Tokenizer.load(tmp_path / "ours").encode("the cat 12")


def test_truncation_and_padding_of_a_file_are_not_taken_over(tmp_path):
    foreign.byte_level(tmp_path, "chatml", eos="<|im_end|>")
    plain = Tokenizer.load(tmp_path).encode("the cat sat on the mat " * 9)
    inner = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    inner.enable_truncation(16)
    inner.enable_padding(length=20)
    inner.save(str(tmp_path / "tokenizer.json"))
    assert len(plain) > 20
    assert Tokenizer.load(tmp_path).encode("the cat sat on the mat " * 9) == plain
    assert len(Tokenizer.load(tmp_path).encode("the")) < 16
    foreign.transformers_model("llama", 352).save_pretrained(tmp_path)
    import_model(str(tmp_path), tmp_path / "ours")
    content = json.loads((tmp_path / "ours/tokenizer.json").read_text())
    assert content["truncation"] is None and content["padding"] is None


@pytest.mark.parametrize("named", ["", "<s>"])
def test_only_what_stands_before_a_text_is_its_beginning(tmp_path, named):
    foreign.byte_level(tmp_path, "inst", bos="<s>", eos="</s>")
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["post_processor"]["single"] = [
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
    ]
    content["post_processor"]["special_tokens"] = {"</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "bos_token": named or None}))
    foreign.transformers_model("llama", 352).save_pretrained(tmp_path)
    import_model(str(tmp_path), tmp_path / "ours")
    ours = Tokenizer.load(tmp_path / "ours")
    assert ours.opening == [] and "bos" not in ours.vocabulary.roles
    assert ours.encode_document("the") == [*ours.encode("the"), 2]


def prepared(directory: Path, change) -> Path:
    """An imported model whose tokenizer.json ``change`` altered; one with byte fallback if it is named so."""
    theirs = directory / "theirs"
    theirs.mkdir()
    if change.__name__.startswith("byte"):
        foreign.byte_level(theirs, "chatml", foreign.CHATML, eos="<|im_end|>")
    else:
        foreign.sentencepiece_like(theirs, "")
    content = json.loads((theirs / "tokenizer.json").read_text())
    change(content)
    (theirs / "tokenizer.json").write_text(json.dumps(content))
    size = 352 if change.__name__.startswith("byte") else len(foreign.small_pieces())
    foreign.transformers_model("llama", size).save_pretrained(theirs)
    import_model(str(theirs), directory / "ours")
    return directory / "ours"


LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def byte_digits(content):
    steps = [{"type": "Digits", "individual_digits": True}, LEVEL]
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": steps}


def byte_removed(content):
    from fledge.tokens.load import GPT2_PATTERN

    split = {"type": "Split", "pattern": {"Regex": GPT2_PATTERN}, "behavior": "Removed", "invert": False}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, LEVEL | {"use_regex": False}]}


def byte_prefix(content):
    content["pre_tokenizer"]["add_prefix_space"] = True


def byte_lower(content):
    content["normalizer"] = {"type": "Lowercase"}


def fallback_lower(content):
    content["normalizer"]["normalizers"].insert(0, {"type": "Lowercase"})


def fallback_words(content):
    content["normalizer"] = None
    content["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}


def fallback_unigram(content):
    pieces = sorted(content["model"]["vocab"].items(), key=lambda item: item[1])
    scored = [[piece, -1.0 - index] for piece, index in pieces]
    content["model"] = {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": scored}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (byte_digits, "Digits, ByteLevel"),
        (byte_removed, "Split, ByteLevel"),
        (byte_prefix, "ByteLevel"),
        (byte_lower, "Lowercase"),
        (fallback_lower, "Lowercase, Prepend, Replace"),
        (fallback_words, "Metaspace"),
        (fallback_unigram, "Unigram"),
    ],
)
def test_a_tokenizer_that_llama_cpp_would_not_follow_is_refused_by_name(tmp_path, change, named):
    ours = prepared(tmp_path, change)
    with pytest.raises(FledgeError, match=rf"llama\.cpp|{named}") as error:
        export(ours, tmp_path / "out", to="gguf")
    assert named in str(error.value) and "llama.cpp" in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_blank_before_the_first_word_alone_is_one(tmp_path):
    def fallback_first(content):
        fallback_words(content)
        content["pre_tokenizer"]["split"] = False

    ours = prepared(tmp_path, fallback_first)
    tokenizer = Tokenizer.load(ours)
    assert tokenizer.decode(tokenizer.encode("the cat")) == "the cat"
    export(ours, tmp_path / "out", to="gguf")
    import gguf

    fields = gguf.GGUFReader(tmp_path / "out/model.gguf").fields
    assert fields["tokenizer.ggml.add_space_prefix"].contents() is True


def test_an_end_that_the_file_does_not_mark_as_special_is_special(tmp_path):
    foreign.byte_level(tmp_path, "chatml", eos="<|im_end|>")
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    for token in content["added_tokens"]:
        token["special"] = False
    path.write_text(json.dumps(content))
    tokenizer = Tokenizer.load(tmp_path)
    assert isinstance(tokenizer._encoder, TokenizersEncoder)
    assert tokenizer.vocabulary.roles["eos"] == "<|im_end|>"
    assert tokenizer.eos not in tokenizer.encode("a<|im_end|>b")


def test_a_byte_level_file_with_the_switch_of_byte_fallback_is_byte_level(tmp_path):
    foreign.byte_level(tmp_path, "chatml", eos="<|im_end|>")
    path = tmp_path / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["byte_fallback"] = True
    path.write_text(json.dumps(content))
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.decode(tokenizer.encode("the cat ünï")) == "the cat ünï"
