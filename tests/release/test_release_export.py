"""``fledge export``: transformers and llama.cpp load what was written and say the same, token for token."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.infer.engine import Engine
from fledge.infer.load import load_engine
from fledge.infer.request import GenerateRequest
from fledge.infer.tools.call import ToolCall
from fledge.infer.tools.tool import describe
from fledge.model.config import ModelConfig, RopeScaling
from fledge.model.decoder import Decoder
from fledge.release.exporting import export
from fledge.release.importing import import_model
from fledge.tokens.tokenizer import Tokenizer
from fledge.train.checkpoint import save_model
from fledge.types import Conversation, FledgeError, Message

transformers = pytest.importorskip("transformers")
spec = importlib.util.spec_from_file_location("foreign_models", Path(__file__).with_name("foreign_models.py"))
foreign = importlib.util.module_from_spec(spec)
spec.loader.exec_module(foreign)

CONTEXT = 64
SIZES = {"n_layers": 2, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 8, "d_ff": 64}
LLAMA = {**SIZES, "qk_norm": False}
TARGETS = {
    "qwen3": SIZES,
    "qwen3_moe": {**SIZES, "n_experts": 4, "n_active_experts": 2, "d_expert": 32},
    "qwen2": {**LLAMA, "attention_bias": "qkv"},
    "llama": {**LLAMA, "tie_embeddings": True, "rope_scaling": RopeScaling("llama3", 8.0, 1.0, 4.0, 24)},
    "mistral": {**LLAMA, "sliding_window": 200},
    "arcee": {**LLAMA, "mlp": "relu2", "rope_scaling": RopeScaling("linear", 2.0)},
    "gpt2": {
        **LLAMA,
        "n_kv_heads": 4,
        "norm": "layer",
        "mlp": "gelu",
        "mlp_bias": True,
        "attention_bias": "all",
        "position": "learned",
        "max_positions": CONTEXT,
    },
}
TEXTS = [
    "the cat sat on the mat",
    "The dog's 12 mats,\n\n  and 3 doors?!",
    "ünï 字 🙂\t x",
    "<|end|> <|assistant|>",
    " ",
]


def filled(sizes: dict, vocab_size: int) -> Decoder:
    """A model whose every weight matters and whose likeliest token is far ahead of the second."""
    model = Decoder(ModelConfig(vocab_size=vocab_size, **sizes)).requires_grad_(False)
    generator = torch.Generator().manual_seed(11)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            parameter.copy_(0.2 * noise if name.endswith(".bias") else 1 + 0.2 * noise)
        else:
            parameter.copy_(noise * (1.0 if "embed" in name else 1.5 * parameter.shape[-1] ** -0.5))
    return model


def stored(folder: Path, sizes: dict, tokenizer: Tokenizer, stage: str = "sft") -> Path:
    """A finished model of ours with its tokenizer, as a run holds them; the stage says what kind it is."""
    tokenizer.save(folder)
    model = filled(sizes, tokenizer.vocab_size)
    ids = {"bos": tokenizer.bos, "eos": tokenizer.end, "pad": tokenizer.pad}
    return save_model(model, folder / stage / "model", context_length=CONTEXT, **ids)


@pytest.fixture(scope="module", params=list(TARGETS))
def model_path(request, tmp_path_factory, tokenizer):
    return stored(tmp_path_factory.mktemp(request.param), TARGETS[request.param], tokenizer)


def greedily(engine: Engine, ids: list[int], n: int = 20) -> list[int]:
    return list(engine.generate([GenerateRequest(ids, max_tokens=n, temperature=0.0)])[0].ids)


def test_transformers_loads_it_with_no_code_of_ours_and_says_the_same(model_path, tmp_path):
    export(model_path, tmp_path / "hf")
    engine, ours, _ = load_engine(model_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    for text in TEXTS:
        ids = ours.encode(text)
        if "<|" not in text:  # transformers reads special tokens in plain text
            assert theirs(text, add_special_tokens=False)["input_ids"] == ids
        assert theirs.decode(ids) == ours.decode(ids) == text
        asked = torch.tensor([[ours.bos, *ids]])
        seen = torch.ones_like(asked)
        said = model.generate(asked, attention_mask=seen, max_new_tokens=20, do_sample=False, eos_token_id=None)
        assert said[0, asked.shape[1] :].tolist() == greedily(engine, asked[0].tolist())
    assert model.generation_config.eos_token_id == [ours.end, ours.eos]


@pytest.fixture(scope="module")
def exported(tmp_path_factory, tokenizer):
    folder = tmp_path_factory.mktemp("exported")
    export(stored(folder, SIZES, tokenizer), folder / "hf", card="# card\n")
    return folder / "hf"


def test_the_chat_template_gives_the_renderers_ids(exported, tokenizer):
    theirs = transformers.AutoTokenizer.from_pretrained(exported)
    turns = [("system", "Be a cat."), ("user", "  who?\n"), ("assistant", "A cat."), ("user", "ünï 字")]
    conversation = Conversation(tuple(Message(role, content) for role, content in turns))
    messages = [{"role": role, "content": content} for role, content in turns]
    got = theirs.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert got == tokenizer.render(conversation, add_generation_prompt=True).ids


SCHEMA = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
        "days": {"type": "array", "items": {"type": "integer"}},
        "place": {
            "type": "object",
            "properties": {"town": {"type": ["string", "null"]}, "at": {}},
            "required": ["town"],
        },
    },
    "required": ["query", "place"],
}


def test_the_chat_template_writes_tools_calls_and_results_as_models_learn_them(exported, tokenizer):
    functions = [
        {"name": "weather", "description": "Tells the\nweather. Of any town.", "parameters": SCHEMA},
        {"name": "now", "parameters": {"type": "object"}},
        {
            "name": "who",
            "description": "Looks up people, e.g. by id... Never twice.",
            "parameters": {
                "properties": {
                    "enum": {"enum": None, "type": 5},
                    "a": {"type": ["array", "null"]},
                    "b": {"type": "array", "items": {}},
                }
            },
        },
        {"name": "odd", "description": "Adds etc. and more", "parameters": {"properties": None, "required": None}},
    ]
    call = {"name": "weather", "arguments": {"query": "ünï", "days": [1, 2]}}
    talk = Conversation(
        (
            Message("user", "how?"),
            Message("assistant", "", tool_calls=(ToolCall(**call).text(),)),
            Message("tool", "fine"),
        ),
        tuple(describe(function) for function in functions),
    )
    assert talk.tools[0] == (
        'weather(query: string, unit: "C"/"F" = "C", days?: list of integer, '
        "place: {town: string/null, at?: any}): Tells the weather."
    )
    messages = [
        {"role": "user", "content": "how?"},
        {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "id": "1", "function": call}]},
        {"role": "tool", "content": "fine", "tool_call_id": "1"},
    ]
    theirs = transformers.AutoTokenizer.from_pretrained(exported)
    listed = [{"type": "function", "function": function} for function in functions]
    exact = tokenizer.render(talk, add_generation_prompt=True).ids
    for each in (listed, functions):
        got = theirs.apply_chat_template(messages, tools=each, add_generation_prompt=True)["input_ids"]
        assert got == exact
    assert talk.tools[2].endswith("): Looks up people, e.g. by id...") and talk.tools[3] == "odd(): Adds etc. and more"
    text = {"name": "now", "arguments": ""}
    two = [{"type": "function", "id": i, "function": text} for i in ("1", "2")]
    results = [{"role": "tool", "content": i, "tool_call_id": i} for i in ("1", "2")]
    asked = [messages[0], {"role": "assistant", "content": "", "tool_calls": two}]
    shown = theirs.apply_chat_template([*asked, *results], tokenize=False)
    assert shown.count('{"name": "now", "arguments": {}}') == 2
    with pytest.raises(Exception, match="in the order of the calls"):
        theirs.apply_chat_template([*asked, *reversed(results)])


@given(
    st.text(max_size=20), st.sampled_from(["<|end|>", "<|assistant|>", "<|bos|>", "<|reserved_1|>", "<|tool_call|>"])
)
@settings(max_examples=25, deadline=None)
def test_user_text_that_spells_a_special_token_is_refused_there(exported, text, literal):
    theirs = _loaded(exported)
    with pytest.raises(Exception, match="contains the special token"):
        theirs.apply_chat_template([{"role": "user", "content": text + literal}], add_generation_prompt=True)


def _loaded(path: Path, kept: dict = {}):  # noqa: B006
    if path not in kept:
        kept[path] = transformers.AutoTokenizer.from_pretrained(path)
    return kept[path]


def test_bfloat16_is_half_as_large_and_close(tmp_path, tokenizer):
    path = stored(tmp_path, SIZES, tokenizer)
    export(path, tmp_path / "f", number_type="f32")
    export(path, tmp_path / "b", number_type="bf16")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in "fb"]
    assert sizes[1] < 0.55 * sizes[0]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "b")
    assert model.dtype == torch.bfloat16
    ids = torch.tensor([tokenizer.encode(TEXTS[0])])
    engine, _, _ = load_engine(path)
    assert (model.float()(ids).logits - engine.model(ids)).abs().max() < 0.1 * engine.model(ids).abs().max()


def test_a_base_model_has_no_chat_template_and_ends_with_eos(tmp_path, tokenizer):
    export(stored(tmp_path, SIZES, tokenizer, stage="pretrain"), tmp_path / "hf")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert theirs.chat_template is None and theirs.eos_token_id == tokenizer.eos
    assert json.loads((tmp_path / "hf/generation_config.json").read_text())["eos_token_id"] == [tokenizer.eos]


def test_an_export_comes_back_as_it_was(tmp_path, tokenizer):
    path = stored(tmp_path, TARGETS["gpt2"], tokenizer)
    export(path, tmp_path / "hf")
    about = import_model(str(tmp_path / "hf"), tmp_path / "back")
    assert (about["architecture"], about["kind"]) == ("gpt2", "chat")
    before, after = load_engine(path), load_engine(tmp_path / "back")
    ids = torch.tensor([tokenizer.encode(TEXTS[1])])
    assert torch.equal(before[0].model(ids), after[0].model(ids))
    assert before[1].fingerprint == after[1].fingerprint and after[2] == "chat"


def test_an_import_goes_out_with_its_own_tokenizer_and_template(tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    foreign.byte_level(theirs, "chatml", foreign.CHATML_WITH_DEFAULT, eos="<|im_end|>")
    foreign.transformers_model("qwen3", 352).save_pretrained(theirs)
    import_model(str(theirs), tmp_path / "ours")
    export(tmp_path / "ours", tmp_path / "hf")
    messages = [{"role": "user", "content": "the cat?"}]
    ids = [
        transformers.AutoTokenizer.from_pretrained(folder).apply_chat_template(messages)["input_ids"]
        for folder in (theirs, tmp_path / "hf")
    ]
    assert ids[0] == ids[1]
    a, b = (transformers.AutoModelForCausalLM.from_pretrained(each) for each in (theirs, tmp_path / "hf"))
    asked = torch.tensor([ids[0]])
    torch.testing.assert_close(a(asked).logits, b(asked).logits)


@pytest.mark.parametrize("native", ["logit_softcap", "value_embeddings", "residual_lambdas"])
def test_what_no_target_holds_is_refused_by_name(tmp_path, tokenizer, native):
    path = stored(tmp_path, {**SIZES, native: 8.0 if native == "logit_softcap" else True}, tokenizer)
    with pytest.raises(FledgeError, match=f"{native}: no export target holds it"):
        export(path, tmp_path / "hf")
    assert not (tmp_path / "hf").exists()
    assert load_engine(path)[0].model.config.to_dict()[native]


def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, tokenizer):
    path = stored(tmp_path, SIZES, tokenizer)
    with pytest.raises(FledgeError, match="q8_0 is a type of GGUF files"):
        export(path, tmp_path / "hf", number_type="q8_0")
    with pytest.raises(FledgeError, match="is there already"):
        export(path, tmp_path)
    with pytest.raises(FledgeError, match="is not there"):
        export(tmp_path / "nothing", tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


def clear(model: Decoder, asked: list[int], said: list[int]) -> int:
    """How many tokens are said before one is so close to a second that rounding may swap them."""
    best = model(torch.tensor([asked + said]))[0, len(asked) - 1 : -1].topk(2).values
    close = (best[:, 0] - best[:, 1] < 0.01).nonzero().flatten().tolist()
    return close[0] if close else len(said)


SERVE = """
import sys, xllamacpp
path, context = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path = path
params.n_ctx, params.n_parallel, params.warmup, params.cpuparams.n_threads = int(context), 1, False, 1
params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
server = xllamacpp.Server(params)
print("ADDRESS", server.listening_address, flush=True)
sys.stdin.read()
"""


class LlamaCpp:
    """llama.cpp on a file, through xllamacpp, with an exact cache.

    In a process that is killed at the end: its server sometimes waits for ever for its own threads.
    """

    def __init__(self, path: Path) -> None:
        pytest.importorskip("xllamacpp")
        command = [sys.executable, "-c", SERVE, str(path), str(CONTEXT)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, **pipes)
        lines = iter(self.process.stdout.readline, "")
        self.address = next((line.split()[1] for line in lines if line.startswith("ADDRESS")), None)
        assert self.address, f"llama.cpp does not load {path}"

    def __del__(self) -> None:
        if process := getattr(self, "process", None):
            process.kill()
            process.communicate()

    def post(self, route: str, body: dict) -> dict:
        request = urllib.request.Request(f"{self.address}/{route}", json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def ids(self, text: str, special: bool = False) -> list[int]:
        return self.post("tokenize", {"content": text, "add_special": special, "parse_special": False})["tokens"]

    def greedily(self, ids: list[int], n: int = 20) -> list[int]:
        body = {"prompt": ids, "n_predict": n, "temperature": 0.0, "return_tokens": True, "ignore_eos": True}
        return self.post("completion", body)["tokens"]


def test_llama_cpp_runs_the_file_to_the_same_tokens(model_path, tmp_path):
    pytest.importorskip("gguf")
    export(model_path, tmp_path / "out", to="gguf")
    engine, ours, _ = load_engine(model_path)
    other = LlamaCpp(tmp_path / "out/model.gguf")
    never = tuple(ours.special[name] for name in ("<|eos|>", "<|end|>"))
    compared = 0
    for text in TEXTS:
        ids = ours.encode(text)
        assert other.ids(text) == ids
        assert other.ids(text, special=True) == [ours.bos, *ids]
        asked = [ours.bos, *ids]
        request = GenerateRequest(asked, max_tokens=20, temperature=0.0, forbidden_ids=never)
        said = list(engine.generate([request])[0].ids)
        n = clear(engine.model, asked, said)
        compared += n
        assert other.greedily(asked)[:n] == said[:n]
    assert compared > 40


@pytest.mark.parametrize("number_type", ["bf16", "q8_0"])
def test_smaller_types_stay_close(tmp_path, tokenizer, number_type):
    gguf = pytest.importorskip("gguf")
    path = stored(tmp_path, {**SIZES, "d_ff": 48}, tokenizer)
    export(path, tmp_path / "out", to="gguf", number_type=number_type)
    reader = gguf.GGUFReader(tmp_path / "out/model.gguf")
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["blk.0.attn_q.weight"] == number_type.upper()
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    assert kinds["blk.0.ffn_down.weight"] == ("F32" if number_type == "q8_0" else "BF16")  # rows of 48
    engine, ours, _ = load_engine(path)
    other = LlamaCpp(tmp_path / "out/model.gguf")
    ids = [ours.bos, *ours.encode(TEXTS[0])]
    body = {"prompt": ids, "n_predict": 1, "temperature": 0.0, "n_probs": ours.vocab_size}
    top = other.post("completion", body)["completion_probabilities"][0]["top_logprobs"]
    exact = engine.model(torch.tensor([ids]))[0, -1].log_softmax(-1)
    rough = {each["id"]: each["logprob"] for each in top}
    assert len(rough) > 100
    worst = max(abs(rough[i] - exact[i].item()) for i in exact.topk(20).indices.tolist() if i in rough)
    assert 0 < worst < 0.25


def test_llama_cpp_writes_conversations_as_the_renderer_does(tmp_path, tokenizer):
    pytest.importorskip("gguf")
    export(stored(tmp_path, SIZES, tokenizer), tmp_path / "out", to="gguf")
    other = LlamaCpp(tmp_path / "out/model.gguf")
    messages = [{"role": "user", "content": "who is the cat?"}]
    prompt = other.post("apply-template", {"messages": messages})["prompt"]
    parsed = other.post("tokenize", {"content": prompt, "add_special": False, "parse_special": True})["tokens"]
    rendered = tokenizer.render(Conversation((Message("user", "who is the cat?"),)), True).ids
    assert [tokenizer.bos, *parsed][-len(rendered) :] == rendered


@pytest.mark.parametrize("family", ["chatml", "llama3", "inst"])
def test_llama_cpp_writes_a_template_that_was_given_as_the_renderer_does(tmp_path, family):
    pytest.importorskip("gguf")
    theirs, tuned = tmp_path / "theirs", tmp_path / "run/sft/model"
    theirs.mkdir()
    bos, eos = {"chatml": ("", "<|endoftext|>"), "llama3": foreign.SPECIALS["llama3"][:2], "inst": ("<s>", "</s>")}[
        family
    ]
    foreign.byte_level(theirs, family, bos=bos, eos=eos)
    foreign.transformers_model("llama", 352).save_pretrained(theirs)
    import_model(str(theirs), tuned, template=family)
    (tuned / "import.json").unlink()
    export(tuned, tmp_path / "out", to="gguf")
    ours, other = Tokenizer.load(tuned), LlamaCpp(tmp_path / "out/model.gguf")
    turns = [("system", "Be brief. "), ("user", " the cat?"), ("assistant", "a mat"), ("user", "And\n\n 字?")]
    for said in (turns, turns[1:]):
        messages = [{"role": role, "content": content} for role, content in said]
        prompt = other.post("apply-template", {"messages": messages})["prompt"]
        parsed = other.post("tokenize", {"content": prompt, "add_special": False, "parse_special": True})["tokens"]
        rendered = ours.render(Conversation(tuple(Message(*turn) for turn in said)), True).ids
        assert rendered in (parsed, [*ours.opening, *parsed])


def test_a_byte_fallback_tokenizer_goes_to_llama_cpp(tmp_path):
    pytest.importorskip("gguf")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    foreign.sentencepiece_like(theirs, foreign.INST)
    foreign.transformers_model("llama", len(foreign.small_pieces())).save_pretrained(theirs)
    import_model(str(theirs), tmp_path / "ours")
    export(tmp_path / "ours", tmp_path / "out", to="gguf")
    ours = Tokenizer.load(tmp_path / "ours")
    other = LlamaCpp(tmp_path / "out/model.gguf")
    for text in ("the cat sat", "in the 字 hat", "a  b"):
        assert other.ids(text) == ours.encode(text)


def test_the_modelfile_names_what_lies_beside_it(tmp_path, tokenizer):
    pytest.importorskip("gguf")
    export(stored(tmp_path, SIZES, tokenizer), tmp_path / "out", to="gguf")
    text = (tmp_path / "out/Modelfile").read_text()
    assert (tmp_path / "out" / re.search(r"FROM \./(\S+)", text)[1]).is_file()
    assert re.findall(r'PARAMETER stop "(.*)"', text) == ["<|end|>", "<|eos|>"]


def test_a_pre_tokenizer_that_llama_cpp_does_not_know_is_refused(tmp_path):
    pytest.importorskip("gguf")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    foreign.byte_level(theirs, "chatml", foreign.CHATML, eos="<|im_end|>")
    content = json.loads((theirs / "tokenizer.json").read_text())
    split = {"type": "Split", "pattern": {"Regex": r"\w+|\W+"}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    content["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, level]}
    (theirs / "tokenizer.json").write_text(json.dumps(content))
    foreign.transformers_model("qwen3", 352).save_pretrained(theirs)
    import_model(str(theirs), tmp_path / "ours")
    with pytest.raises(FledgeError, match=r"llama\.cpp knows no pre-tokenizer .*gpt-2, .*qwen2"):
        export(tmp_path / "ours", tmp_path / "out", to="gguf")
    assert not (tmp_path / "out").exists()


def test_a_window_that_llama_cpp_lacks_is_refused(tmp_path, tokenizer):
    pytest.importorskip("gguf")
    path = stored(tmp_path, {**LLAMA, "sliding_window": 5}, tokenizer)
    with pytest.raises(FledgeError, match="no sliding window"):
        export(path, tmp_path / "out", to="gguf")


@pytest.mark.parametrize(
    ("target", "change", "named"),
    [
        ("qwen3", {"attention_bias": "all"}, "qwen3 has no biases in attention"),
        ("qwen3_moe", {"attention_bias": "all"}, "qwen3moe has no biases in attention"),
        ("arcee", {"attention_bias": "all"}, "arcee has no biases in attention"),
        ("arcee", {"mlp_bias": True}, "arcee has no biases in the MLP"),
    ],
)
def test_biases_that_llama_cpp_does_not_load_are_refused(tmp_path, tokenizer, target, change, named):
    pytest.importorskip("gguf")
    path = stored(tmp_path, {**TARGETS[target], **change}, tokenizer)
    with pytest.raises(FledgeError, match=named):
        export(path, tmp_path / "out", to="gguf")


def test_the_neighbour_layout_is_undone_by_the_half_split_one():
    from fledge.release.llama2c import halves, neighbours

    weight = torch.from_numpy(np.arange(24 * 3).reshape(24, 3))
    assert torch.equal(halves(neighbours(weight, 8), 8), weight)
    assert not torch.equal(neighbours(weight, 8), weight)
