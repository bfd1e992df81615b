from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fledge.model.cache import KVCache
from fledge.model.config import ModelConfig
from fledge.model.decoder import Decoder
from fledge.model.hooks import hook_names
from fledge.types import FledgeError

CONFIG = ModelConfig(vocab_size=61, n_layers=2, d_model=32, n_heads=4, n_kv_heads=2, head_dim=16, d_ff=48)


@pytest.fixture(scope="module")
def decoder():
    model = Decoder(CONFIG)
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data = torch.randn(parameter.shape, generator=generator) * 2 * parameter.shape[1] ** -0.5
    return model.requires_grad_(False)


def ids(*lengths: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths))
    return [torch.randint(0, 61, (n,), generator=generator) for n in lengths]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(0, 4), st.sampled_from(["products", "sdpa"]))
@settings(max_examples=30, deadline=None)
def test_packed_documents_have_the_logits_that_they_have_alone(decoder, lengths, n_padding, kernel):
    decoder.kernel = kernel
    documents = ids(*lengths)
    padding = torch.zeros(n_padding, dtype=torch.int64)
    tokens = torch.cat([*documents, padding])[None]
    position = torch.cat([torch.arange(n) for n in lengths] + [padding])[None]
    number = torch.cat([torch.full((n,), i) for i, n in enumerate(lengths)] + [padding - 1])[None]
    packed = decoder(tokens, position, number)[0]
    assert torch.isfinite(packed).all()
    for document, logits in zip(documents, packed.split([*lengths, n_padding]), strict=False):
        torch.testing.assert_close(logits, decoder(document[None])[0], rtol=1e-4, atol=1e-5)


def test_a_document_number_that_returns_in_the_row_is_still_causal(decoder):
    tokens = ids(10)[0][None]
    changed = tokens.clone()
    changed[0, 7:] = (changed[0, 7:] + 1) % 61
    number = torch.zeros(1, 10, dtype=torch.int64)
    for kernel in ("products", "sdpa"):
        decoder.kernel = kernel
        before, after = decoder(tokens, None, number), decoder(changed, None, number)
        torch.testing.assert_close(before[:, :7], after[:, :7])
        assert not torch.allclose(before[:, 7:], after[:, 7:])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 6), st.sampled_from(["products", "sdpa"]))
@settings(max_examples=25, deadline=None)
def test_cached_rows_of_different_lengths_equal_uncached(decoder, lengths, n_new, kernel):
    decoder.kernel = kernel
    rows = [torch.cat(pair) for pair in zip(ids(*lengths), ids(*[n_new] * len(lengths)), strict=True)]
    longest = max(lengths)
    cache = decoder.new_cache(len(rows), longest + n_new)
    prompts = torch.stack(
        [torch.nn.functional.pad(row[:n], (0, longest - n)) for row, n in zip(rows, lengths, strict=True)]
    )
    got = [[logits[:n]] for logits, n in zip(decoder(prompts, cache=cache), lengths, strict=True)]
    for step in range(n_new):
        position = torch.tensor(lengths)[:, None] + step
        tokens = torch.stack([row[n + step] for row, n in zip(rows, lengths, strict=True)])[:, None]
        for parts, logits in zip(got, decoder(tokens, position, cache=cache), strict=True):
            parts.append(logits)
    for row, parts in zip(rows, got, strict=True):
        torch.testing.assert_close(torch.cat(parts), decoder(row[None])[0], rtol=1e-4, atol=1e-5)


def test_rows_of_a_cache_are_used_alone_and_copied(decoder):
    a, b = ids(5, 5)
    cache = decoder.new_cache(4, 8)
    decoder(torch.stack([a, b]), cache=cache.of([3, 1]))
    cache.copy_row(1, 2, 0, 5)
    for rows, prompts in (([1, 2], (b, b)), ([2, 3], (b, a)), ([3, 1], (a, b))):
        tokens = torch.tensor([[7], [9]])
        got = decoder(tokens, torch.full((2, 1), 5), cache=cache.of(rows))
        for row, prompt, token in zip(got, prompts, tokens, strict=True):
            alone = decoder(torch.cat([prompt, token])[None])[0, -1]
            torch.testing.assert_close(row[0], alone, rtol=1e-4, atol=1e-5)


def test_every_hook_point_is_passed_once_in_order(decoder):
    decoder.kernel = "products"
    seen = []
    hooks = {name: lambda x, name=name: seen.append(name) for name in hook_names(CONFIG)}
    tokens = ids(6)[0][None]
    torch.testing.assert_close(decoder(tokens, hooks=hooks), decoder(tokens))
    assert seen == hook_names(CONFIG)


def test_a_hook_replaces_what_it_saw(decoder):
    tokens = ids(6)[0][None]
    kept = {}
    decoder(tokens, hooks={"layers.0.residual": lambda x: kept.update(x=x)})
    other = (tokens + 1) % 61
    patched = decoder(other, hooks={"layers.0.residual": lambda x: kept["x"]})
    torch.testing.assert_close(patched, decoder(tokens))
    for name in hook_names(CONFIG):
        decoder.kernel = "products"
        changed = decoder(tokens, hooks={name: lambda x: x * 0.5 + torch.linspace(0, 1, x.shape[-1])})
        assert not torch.allclose(changed, decoder(tokens), atol=1e-4), name


def test_an_unknown_hook_name_is_refused(decoder):
    with pytest.raises(FledgeError, match=r"layers\.9\.residual"):
        decoder(ids(3)[0][None], hooks={"layers.9.residual": lambda x: None})


def test_initial_loss_is_that_of_knowing_nothing_and_the_seed_decides():
    config = ModelConfig.from_depth(2, 300)
    tokens = torch.randint(0, 300, (4, 32), generator=torch.Generator().manual_seed(0))
    logits = Decoder(config, seed=5)(tokens)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.roll(-1, 1).flatten())
    assert abs(loss.item() - torch.tensor(300.0).log().item()) < 0.02
    again, other = Decoder(config, seed=5).state_dict(), Decoder(config, seed=6).state_dict()
    for name, tensor in Decoder(config, seed=5).state_dict().items():
        assert torch.equal(tensor, again[name])
    assert not torch.equal(again["lm_head.weight"], other["lm_head.weight"])


def test_hidden_output_is_what_the_head_reads(decoder):
    tokens = ids(6)[0][None]
    torch.testing.assert_close(decoder.lm_head(decoder(tokens, output="hidden")), decoder(tokens))


def test_bfloat16_is_close_and_masters_stay_float32():
    model = Decoder(CONFIG)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.data.normal_(0, parameter.shape[1] ** -0.5, generator=torch.Generator().manual_seed(1))
    tokens = ids(20)[0][None]
    for kernel in ("products", "sdpa"):
        model.kernel = kernel
        model.compute_dtype = torch.float32
        exact = model(tokens)
        model.compute_dtype = torch.bfloat16
        rough = model(tokens)
        assert rough.dtype == torch.bfloat16
        assert (rough.float() - exact).abs().max() < 0.1 * exact.abs().max()
        rough.float().sum().backward()
    assert all(p.dtype == p.grad.dtype == torch.float32 for p in model.parameters())


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="the memory in use is read from /proc")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_cache_takes_memory_only_where_it_is_written(dtype):
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    capacity = 2**28 // (2 * CONFIG.n_layers * CONFIG.n_kv_heads * CONFIG.head_dim * dtype.itemsize)  # 256 MiB
    before = resident()
    cache = KVCache(CONFIG, 1, capacity, dtype=dtype)
    assert cache.keys.nbytes + cache.values.nbytes == 2**28
    assert resident() - before < 2**26
    assert cache.keys.data_ptr() % 64 == 0 and cache.keys.dtype == dtype
    assert not cache.keys[:, :, :, ::4096].any() and not cache.values[:, :, :, -1].any()
