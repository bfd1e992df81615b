"""The loss straight from hidden states equals that from logits: sums and gradients, in chunks, bounded, with z-loss."""

import pytest
import torch

from fledge.train import cross_entropy as room
from fledge.train.cross_entropy import cross_entropy, linear_cross_entropy


@pytest.mark.parametrize("softcap", [0.0, 5.0])
@pytest.mark.parametrize("z_loss", [0.0, 0.3])
@pytest.mark.parametrize("chunk", [4, 7, 100])
def test_sums_and_gradients_equal_those_from_logits(softcap, z_loss, chunk, monkeypatch):
    monkeypatch.setattr(room, "chunk_tokens", lambda vocab_size: chunk)
    generator = torch.Generator().manual_seed(chunk)
    hidden = torch.randn(3, 5, 8, generator=generator)
    head = torch.randn(11, 8, generator=generator)
    targets = torch.randint(0, 11, (3, 5), generator=generator)
    weight = torch.rand(3, 5, generator=generator)
    weight[0] = 0.0
    ours = [hidden.clone().requires_grad_(), head.clone().requires_grad_()]
    exact = [hidden.double().requires_grad_(), head.double().requires_grad_()]
    loss, squares = linear_cross_entropy(ours[0], ours[1], targets, weight, z_loss=z_loss > 0, softcap=softcap)
    logits = exact[0] @ exact[1].T
    logits = softcap * torch.tanh(logits / softcap) if softcap else logits
    log_z = logits.logsumexp(-1)
    nats = log_z - logits.gather(-1, targets[..., None])[..., 0]
    assert float(loss.detach()) == pytest.approx(float((nats * weight).sum().detach()), rel=1e-5)
    assert float(squares.detach()) == pytest.approx(float((log_z**2 * weight).sum().detach()), rel=1e-5)
    # 2.5 stands for what comes after: the loop's weights and counts.
    (2.5 * loss + z_loss * squares).backward()
    (2.5 * (nats * weight).sum() + z_loss * (log_z**2 * weight).sum()).backward()
    for mine, right in zip(ours, exact, strict=True):
        torch.testing.assert_close(mine.grad.double(), right.grad, atol=1e-5, rtol=1e-4)


def test_logits_are_never_held_whole():
    assert room.chunk_tokens(50_304) == 512 and room.chunk_tokens(4096) * 4096 == 2**22
    n_tokens, vocab_size = 4096, 50_304
    with torch.no_grad():
        hidden, head = torch.zeros(1, n_tokens, 2), torch.zeros(vocab_size, 2)
    targets, weight = torch.zeros(1, n_tokens, dtype=torch.long), torch.ones(1, n_tokens)
    largest = 0

    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            nonlocal largest
            result = function(*arguments, **(keywords or {}))
            if isinstance(result, torch.Tensor):
                largest = max(largest, result.numel())
            return result

    with Watch():
        loss, _ = linear_cross_entropy(hidden.requires_grad_(), head, targets, weight)
    assert largest == 512 * vocab_size
    assert float(loss.detach()) == pytest.approx(n_tokens * torch.log(torch.tensor(float(vocab_size))).item(), rel=1e-4)


def test_both_ways_agree_in_the_models_own_type():
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(2, 6, 16, generator=generator).bfloat16()
    head = torch.randn(32, 16, generator=generator)
    targets = torch.randint(0, 32, (2, 6), generator=generator)
    loss, _ = linear_cross_entropy(hidden, head, targets, torch.ones(2, 6))
    nats, _ = cross_entropy(hidden @ head.bfloat16().T, targets)
    assert float(loss) == pytest.approx(float(nats.sum()), rel=5e-3)
