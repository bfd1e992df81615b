"""The library of decoder.cpp against the decoder that it stands for."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from fledge.infer.engine import Engine
from fledge.infer.native import build
from fledge.infer.native.decoder import NativeDecoder, why_not
from fledge.infer.native.packing import packed_weight
from fledge.infer.native.products import padded_rows
from fledge.infer.precision import at_precision, quantised
from fledge.infer.request import GenerateRequest
from fledge.model.cache import KVCache
from fledge.model.decoder import Decoder
from fledge.types import FledgeError

SIZES = {"n_layers": 3, "d_model": 72, "n_heads": 4, "n_kv_heads": 2, "head_dim": 32, "d_ff": 100}
GPT2 = {"norm": "layer", "mlp": "gelu", "mlp_bias": True, "attention_bias": "all", "position": "learned"}
KINDS = {
    "qwen3": {},
    "relu2, odd sizes": {"mlp": "relu2", "d_model": 75, "d_ff": 97},
    "gpt2": {**GPT2, "max_positions": 64, "qk_norm": False, "n_kv_heads": 4},
    "windows": {"sliding_window": 5},
    "tied, biases": {"tie_embeddings": True, "attention_bias": "qkv", "mlp_bias": True},
    "softcap, one head": {"logit_softcap": 5.0, "n_heads": 1, "n_kv_heads": 1, "head_dim": 16},
}


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    try:
        build.library()
    except FledgeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def wide(random_model) -> Decoder:
    return scaled(random_model(301, **SIZES))


def scaled(model: Decoder) -> Decoder:
    """Weights by their fan-in, so that logits are of the size of trained ones."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(2.5 * parameter.shape[1] ** -0.5)
    return model


def allowed(native: NativeDecoder) -> float:
    """How far from the exact logits, beside the decoder with rounded weights: inputs may be rounded as well."""
    return 1.8 if native.whole else 1.4


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_equal_the_decoder(random_model, kind: str, precision) -> None:
    model = scaled(random_model(301, **{**SIZES, **KINDS[kind]}))
    assert why_not(model) == ""
    native = NativeDecoder(model, precision, at_precision(model, precision))
    generator = torch.Generator().manual_seed(1)
    for rows in (1, 2, 3, 4, 5, 6, 7, 8, 9, 19):
        ids = torch.randint(0, 301, (rows, 12), generator=generator)
        slots = torch.randperm(rows + 2, generator=generator)[:rows].tolist()
        cache = KVCache(model.config, rows + 2, 20, dtype=native.dtype)
        with torch.inference_mode():
            exact, short = model(ids), at_precision(model, precision)(ids).float()
        steps = [native.step(ids[:, t : t + 1].tolist(), [t] * rows, slots, cache) for t in range(12)]
        error = torch.stack(steps, dim=1) - exact
        if precision == "float32":
            assert float(error.abs().max()) < 1e-4
        else:  # no further from the exact logits than the decoder itself in these numbers
            assert 0 < float(error.std()) < allowed(native) * float((short - exact).std()) < 0.2 * float(exact.std())


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_texts_in_chunks_equal_the_decoder(random_model, kind: str, precision) -> None:
    """Chunks of several rows together, each from where its row is, then a token of each."""
    model = scaled(random_model(301, **{**SIZES, **KINDS[kind]}))
    placed = at_precision(model, precision)
    native = NativeDecoder(model, precision, placed)
    ids = torch.randint(0, 301, (3, 61), generator=torch.Generator().manual_seed(2))
    slots, lengths = [3, 0, 4], [60, 1, 37]
    cache = KVCache(model.config, 5, 70, dtype=native.dtype)
    n_read, parts = [0, 0, 0], [[], [], []]
    for size in (1, 5, 33, 30):
        rows = [i for i in range(3) if n_read[i] < lengths[i]]
        texts = [ids[i, n_read[i] : min(n_read[i] + size, lengths[i])].tolist() for i in rows]
        states = native.read(texts, [n_read[i] for i in rows], [slots[i] for i in rows], cache)
        for i, text, part in zip(rows, texts, states.split([len(text) for text in texts]), strict=True):
            parts[i].append(native.head(part))
            n_read[i] += len(text)
    assert n_read == lengths
    last = native.step([[ids[i, n]] for i, n in enumerate(lengths)], lengths, slots, cache)
    with torch.inference_mode():
        for i, n in enumerate(lengths):
            exact, short = model(ids[i : i + 1, : n + 1])[0], placed(ids[i : i + 1, : n + 1])[0].float()
            error = torch.cat([*parts[i], last[i : i + 1]]) - exact
            if precision == "float32":
                assert float(error.abs().max()) < 1e-4
            else:
                assert float(error.std()) < allowed(native) * float((short - exact).std())


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("kind", KINDS)
def test_short_texts_are_read_in_one_step_with_others(random_model, kind: str, precision) -> None:
    """Tokens of one text see each other, also across the step's threads, and no other text's."""
    model = scaled(random_model(301, **{**SIZES, **KINDS[kind]}))
    placed = at_precision(model, precision)
    native = NativeDecoder(model, precision, placed)
    ids = torch.randint(0, 301, (4, 40), generator=torch.Generator().manual_seed(3))
    slots, n_read = [5, 1, 0, 2], [0, 0, 0, 0]
    cache = KVCache(model.config, 6, 48, dtype=native.dtype)
    torch.set_num_threads(3)
    try:
        for sizes in ((7, 1, 20, 3), (1, 9, 1, 1), (2, 2, 2, 15), (1, 1, 1, 1)):
            texts = [row[n : n + size].tolist() for row, n, size in zip(ids, n_read, sizes, strict=True)]
            logits = native.step(texts, n_read, slots, cache)
            n_read = [n + size for n, size in zip(n_read, sizes, strict=True)]
            with torch.inference_mode():
                exact, short = (
                    torch.stack([each(row[None, :n])[0, -1].float() for row, n in zip(ids, n_read, strict=True)])
                    for each in (model, placed)
                )
            error = logits - exact
            if precision == "float32":
                assert float(error.abs().max()) < 1e-4
            else:
                assert float(error.std()) < allowed(native) * float((short - exact).std()) < 0.3 * float(exact.std())
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("rows", [1, 3, 4, 7, 130])
def test_whole_numbers_are_multiplied_as_such(random_model, rows: int) -> None:
    """Every 32 inputs are rounded to 127 steps of their greatest, and the sums are exact."""
    model = scaled(random_model(301, **{**SIZES, "mlp": "relu2", "d_ff": 700, "mlp_bias": True}))
    native = NativeDecoder(model, "int8", at_precision(model, "int8"))
    if not native.whole:
        pytest.skip("this processor multiplies no whole numbers")
    block: Any = model.model.layers[0]
    x = torch.randn(rows, 700, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    x[:, 64:96] = 0
    blocks = torch.nn.functional.pad(x.double(), (0, -700 % 32)).unflatten(1, (-1, 32))
    scale = blocks.abs().amax(dim=-1, keepdim=True).clamp_min(1e-30) / 127
    rounded = ((blocks / scale).round() * scale).flatten(1)[:, :700]
    of_row, whole = quantised(block.mlp.down_proj.weight)
    expected = rounded @ (whole.double() * of_row.double()[:, None]).mT + block.mlp.down_proj.bias.double()
    down = native._products[0][3]
    torch.testing.assert_close(down(x).double(), expected, rtol=1e-2, atol=1e-2)
    x[-1, 5] = float("nan")
    assert down(x)[-1].isnan().all() and down(x)[:-1].isfinite().all()


def test_texts_have_few_numbers_of_rows() -> None:
    sizes = {n: padded_rows(n) for n in range(1, 4097)}
    assert all(n <= rows <= max(n + 7, 1.25 * n) for n, rows in sizes.items())
    assert len(set(sizes.values())) < 50 and sizes[512] == 512 and sizes[4096] == 4096


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
def test_threads_and_companions_change_no_bit(wide: Decoder, precision) -> None:
    native = NativeDecoder(wide, precision, at_precision(wide, precision))

    def run(rows: list[int], threads: int) -> torch.Tensor:
        torch.set_num_threads(threads)
        cache = KVCache(wide.config, 8, 20, dtype=native.dtype)
        try:
            return torch.stack([native.step([[r + t] for r in rows], [t] * len(rows), rows, cache) for t in range(6)])
        finally:
            torch.set_num_threads(1)

    together = run([0, 1, 2, 3, 4], 1)
    assert torch.equal(run([0, 1, 2, 3, 4], 3), together)
    assert torch.equal(run([3], 1)[:, 0], together[:, 3])


def test_no_thread_looks_before_all_have_kept(random_model) -> None:
    """A second token sees the first, which another thread keeps in the same step: the less there is to do, the sooner
    a thread that does not wait for the other is seen.
    """
    model = scaled(random_model(301, **{**SIZES, "n_layers": 8, "n_heads": 1, "n_kv_heads": 1}))
    native = NativeDecoder(model, "float32", model)
    cache = KVCache(model.config, 1, 4)

    def read(threads: int) -> torch.Tensor:
        torch.set_num_threads(threads)
        cache.clear_row(0)
        return native.step([[3, 4]], [0], [0], cache)

    try:
        alone = read(1)
        assert all(torch.equal(read(2), alone) for _ in range(2000))
    finally:
        torch.set_num_threads(1)


def test_engines_on_several_threads_do_not_meet(wide: Decoder) -> None:
    requests = [GenerateRequest([i + 1, 7], max_tokens=30) for i in range(4)]
    engines = [Engine(wide, context_length=48, frozen=True) for _ in range(4)]
    torch.set_num_threads(3)
    try:
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda engine: [engine.generate(requests) for _ in range(3)], engines))
    finally:
        torch.set_num_threads(1)
    alone = engines[0].generate(requests)
    assert all([c.ids for c in done] == [c.ids for c in alone] for times in together for done in times)


def test_an_engine_gives_the_same_tokens(wide: Decoder) -> None:
    rng = np.random.default_rng(5)
    requests = [
        GenerateRequest(rng.integers(0, 301, int(rng.integers(1, 30))).tolist(), max_tokens=14, temperature=t, seed=i)
        for i, t in enumerate([0.0, 0.0, 1.0, 0.7, 0.0, 1.2])
    ]
    plain, fast = (Engine(wide, context_length=48, max_batch=3, frozen=native) for native in (False, True))
    assert fast.native is not None and plain.native is None
    for a, b in zip(plain.generate(requests), fast.generate(requests), strict=True):
        assert a.ids == b.ids
        np.testing.assert_allclose(a.logprobs, b.logprobs, atol=1e-4)
    changed = copy.deepcopy(wide)
    with torch.no_grad():
        changed.model.norm.weight.mul_(-1)
    for engine in (plain, fast):
        engine.update_weights(changed, version=1)
    assert plain.generate(requests[:2])[1].ids == fast.generate(requests[:2])[1].ids


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_short_numbers_stay_near_the_model(wide: Decoder, precision) -> None:
    request = GenerateRequest([1, 2, 3], max_tokens=20, temperature=1.0, seed=1)
    exact = Engine(wide, context_length=48)
    for native in (True, False):
        completion = Engine(wide, context_length=48, precision=precision, frozen=native).generate([request])[0]
        expected = exact.logprobs([[1, 2, 3, *completion.ids]])[0][2:]
        np.testing.assert_allclose([token.raw_logprob for token in completion.tokens], expected, atol=0.4)


def test_what_is_no_number_stays_so(wide: Decoder) -> None:
    for value in (float("nan"), float("inf")):
        broken = copy.deepcopy(wide)
        with torch.no_grad():
            broken.model.layers[1].mlp.up_proj.weight[3, 5] = value
        for precision in ("float32", "bfloat16"):
            with pytest.raises(FledgeError, match="no numbers"):
                Engine(broken, context_length=8, precision=precision, frozen=True).generate([GenerateRequest([1])])


def test_whole_numbers_times_their_scale_are_the_weights() -> None:
    weight = torch.randn(20, 33, generator=torch.Generator().manual_seed(0))
    weight[4] = 0
    scale, whole = quantised(weight)
    assert float(whole.abs().max()) == 127 and torch.equal(whole, whole.round())
    assert ((whole * scale[:, None] - weight).abs() <= scale[:, None] / 2 + 1e-7).all()


@pytest.mark.parametrize("tied", [False, True])
def test_whole_numbers_are_what_texts_are_read_with_too(random_model, tied: bool) -> None:
    """The head as well, that of tied embeddings too, which stay as they are."""
    model = random_model(301, **SIZES, tie_embeddings=tied)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    placed = at_precision(model, "int8")
    for name in ("lm_head", "model.layers.0.mlp.down_proj"):
        scale, whole = quantised(model.get_submodule(name).weight.detach())
        assert torch.equal(placed.get_submodule(name).weight, (whole * scale[:, None]).bfloat16())
    assert torch.equal(placed.model.embed_tokens.weight, model.model.embed_tokens.weight.bfloat16())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_packing_keeps_every_weight() -> None:
    weight = torch.arange(32 * 6, dtype=torch.float32).view(32, 6)
    assert packed_weight(weight).view(2, 6, 16)[1, 4, 3] == weight[19, 4]
    assert packed_weight(weight.bfloat16()).view(2, 3, 16, 2)[1, 2, 3, 1] == weight[19, 5].bfloat16()


def test_what_it_does_not_know_is_told(random_model, wide: Decoder, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    assert "multiple of 16" in why_not(random_model(40, head_dim=8))
    assert "experts" in why_not(random_model(40, n_experts=2, n_active_experts=1, d_expert=16))
    monkeypatch.setenv("FLEDGE_NATIVE", "0")
    assert "FLEDGE_NATIVE" in why_not(wide)
    assert Engine(wide, context_length=8, frozen=True).native is None
    monkeypatch.delenv("FLEDGE_NATIVE")
    build._library_or_why.cache_clear()
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert why_not(wide).startswith("no C++ compiler was found")
    build._library_or_why.cache_clear()
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("FLEDGE_CACHE", str(tmp_path))
    assert "false failed" in why_not(wide)
    assert not list((tmp_path / "fledge").iterdir())
    assert len(Engine(wide, context_length=8, frozen=True).generate([GenerateRequest([1], max_tokens=3)])[0].ids) == 3
    build._library_or_why.cache_clear()


def test_a_cache_that_cannot_be_used_is_passed_over(wide: Decoder, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FLEDGE_CACHE", str(tmp_path / "file"))
    build._library_or_why.cache_clear()
    try:
        assert why_not(wide) == ""
    finally:
        build._library_or_why.cache_clear()
