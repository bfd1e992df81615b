"""Blocked attention equals the formula, in value and every gradient, for any length, groups and mask."""

import pytest
import torch

from fledge.model.attention import additive, attend_products, causal_mask, document_mask
from fledge.model.blocked import MAX_BLOCKS, MIN_BLOCK, attend_blocked, blocks


def formula(q, k, v, mask):
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
    scores = q @ k.mT / q.shape[-1] ** 0.5
    return scores.masked_fill(~mask, float("-inf")).softmax(dim=-1) @ v


def inputs(b, h, n_kv, t, d, dtype=torch.float64):
    generator = torch.Generator().manual_seed(t + h)
    return [torch.randn(b, n, t, d, generator=generator, dtype=dtype).requires_grad_() for n in (h, n_kv, n_kv)]


@pytest.mark.parametrize("t", [1, 127, 128, 129, 300, 512, 700])
@pytest.mark.parametrize("heads", [(2, 2), (4, 2)])
def test_values_and_gradients_equal_the_formula(t, heads):
    q, k, v = inputs(2, *heads, t, 8, torch.float32)
    document = torch.arange(t)[None].expand(2, t) // 50
    mask = document_mask(document)
    wanted = inputs(2, *heads, t, 8, torch.float32)
    wanted = [x.detach().double().requires_grad_() for x in wanted]
    y, y_wanted = attend_blocked(q, k, v, additive(mask, torch.float32)), formula(*wanted, mask)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(0))
    y.backward(direction)
    y_wanted.backward(direction.double())
    torch.testing.assert_close(y.double(), y_wanted, atol=1e-5, rtol=1e-5)
    for x, x_wanted in zip((q, k, v), wanted, strict=True):
        torch.testing.assert_close(x.grad.double(), x_wanted.grad, atol=1e-5, rtol=1e-4)


def test_a_window_and_a_mask_for_all_rows():
    q, k, v = inputs(3, 2, 2, 200, 4, torch.float32)
    mask = causal_mask(200, q.device, window=17)
    y = attend_blocked(q, k, v, additive(mask, torch.float32))
    torch.testing.assert_close(y, formula(q, k, v, mask), atol=1e-5, rtol=1e-5)


def test_compiled_equals_eager():
    q, k, v = inputs(1, 2, 1, 260, 8, torch.float32)
    mask = additive(causal_mask(260, q.device), torch.float32)
    results = []
    for attend in (attend_blocked, torch.compile(attend_blocked, dynamic=False, backend="aot_eager")):
        y = attend(q, k, v, mask)
        results.append((y, *torch.autograd.grad(y.square().sum(), (q, k, v))))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_a_hook_still_sees_all_weights():
    q, k, v = inputs(1, 2, 2, 200, 4, torch.float32)
    mask = additive(causal_mask(200, q.device), torch.float32)
    seen = []
    y = attend_products(q, k, v, mask, {"attn.pattern": lambda x: seen.append(x.detach())}, "")
    assert seen[0].shape == (1, 2, 200, 200)
    torch.testing.assert_close(y, attend_products(q, k, v, mask, None, ""), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("t", [1, 128, 129, 512, 513, 1000, 2048, 8191])
def test_blocks_cover_every_token_once(t):
    found = list(blocks(t))
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])] and found[-1][1] == t
    assert len(found) <= MAX_BLOCKS and all(b - a >= MIN_BLOCK for a, b in found[:-1])
