from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from fledge.train.batches import micro_batches, to_device
from fledge.train.cross_entropy import cross_entropy
from fledge.train.objective import TokenCrossEntropy
from fledge.types import Batch, FledgeError


class Table(nn.Module):
    """Logits by looking the token up."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(vocab_size, vocab_size, generator=generator) * 4)

    def forward(self, tokens, position, document):
        return self.weight[tokens]


def batch(weight: np.ndarray, vocab_size: int = 11) -> Batch:
    generator = np.random.default_rng(0)
    tokens, targets = generator.integers(0, vocab_size, (2, *weight.shape)).astype(np.int32)
    return Batch(tokens, targets, weight.astype(np.float32), np.zeros_like(tokens), np.zeros_like(tokens))


def test_loss_is_the_weighted_formula_in_float64():
    model = Table(11)
    weight = np.random.default_rng(1).choice([0.0, 0.5, 1.0], (3, 7))
    made = batch(weight)
    objective = TokenCrossEntropy(z_loss=0.1)
    sums = objective({"policy": model}, to_device(made, torch.device("cpu")))
    logits = model.weight.detach().double().numpy()[made.tokens]
    log_z = np.log(np.exp(logits).sum(-1))
    chosen = np.take_along_axis(logits, made.targets[..., None], -1)[..., 0]
    assert float(sums["loss"].detach()) == pytest.approx((weight * (log_z - chosen)).sum(), rel=1e-6)
    assert float(sums["z_loss"].detach()) == pytest.approx((weight * log_z**2).sum(), rel=1e-6)
    assert objective.counts(made) == {"loss": weight.sum(), "z_loss": weight.sum()}
    assert objective.terms == {"loss": 1.0, "z_loss": 0.1}


def test_a_fully_masked_batch_gives_zero_loss_and_zero_gradient():
    model = Table(11)
    made = batch(np.zeros((2, 5)))
    objective = TokenCrossEntropy()
    loss = objective({"policy": model}, to_device(made, torch.device("cpu")))["loss"]
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert torch.count_nonzero(model.weight.grad) == 0
    assert objective.counts(made) == {"loss": 0.0}


def test_cross_entropy_gradient():
    logits = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    targets = torch.tensor([[0, 1, 2], [3, 4, 0]])
    loss, _ = cross_entropy(logits, targets)
    loss.sum().backward()
    probabilities = logits.detach().softmax(-1)
    expected = probabilities - torch.nn.functional.one_hot(targets, 5)
    torch.testing.assert_close(logits.grad, expected, rtol=1e-5, atol=1e-6)


def test_huge_logits_stay_finite():
    loss, log_z = cross_entropy(torch.tensor([[[1e4, -1e4]]]), torch.tensor([[1]]))
    assert float(loss) == pytest.approx(2e4) and math.isfinite(float(log_z))


def test_pieces_put_together_are_the_batch():
    made = batch(np.arange(24.0).reshape(6, 4))
    pieces = list(micro_batches(made, 2))
    assert len(pieces) == 3
    assert np.array_equal(np.concatenate([piece.weight for piece in pieces]), made.weight)


def test_rows_of_a_group_are_never_split():
    made = batch(np.ones((4, 3)))
    grouped = Batch(made.tokens, made.targets, made.weight, made.position, made.document, group=np.array([0, 0, 1, 1]))
    assert len(list(micro_batches(grouped, 2))) == 2
    with pytest.raises(FledgeError, match="group"):
        list(micro_batches(grouped, 1))
