"""What is learned: sums over a micro-batch, which the loop divides by counts over the whole batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from fledge.model.decoder import Decoder
from fledge.train.cross_entropy import cross_entropy, linear_cross_entropy
from fledge.types import Batch

Models = Mapping[str, nn.Module]


def per_count(amount: float, count: float) -> float:
    """``amount / count``, and 0 where nothing was counted; a count that is no number gives none."""
    return 0.0 if count <= 0 else amount / count


class Objective(Protocol):
    """A loss as sums and counts, so that cutting a batch into pieces never changes the result.

    ``terms`` names the sums that are learned, with their weights: loss = Σ terms[k] · Σ sums[k] / Σ counts[k], the
    inner sums being over every micro-batch of the step. Further sums are only reported, as means.
    """

    @property
    def terms(self) -> Mapping[str, float]: ...

    def counts(self, batch: Batch) -> dict[str, float]:
        """What each sum is divided by, from the numpy batch alone."""
        ...

    def __call__(self, models: Any, batch: Batch) -> dict[str, Tensor]:
        """The sums (scalars) over a batch of tensors; ``models`` maps names ("policy") to modules."""
        ...


@dataclass(frozen=True)
class TokenCrossEntropy:
    """Next-token cross-entropy of the model "policy", each token by its weight; mean over learned tokens, in nats.

    ``z_loss`` weighs the squared log-normaliser (PaLM, arXiv 2204.02311). A batch without learned tokens gives 0.
    ``balance`` weighs how unevenly a mixture of experts is used: the mean over rows and layers of ``load_balance``.
    """

    z_loss: float = 0.0
    balance: float = 0.0
    terms: Mapping[str, float] = field(init=False)

    def __post_init__(self) -> None:
        optional = {"z_loss": self.z_loss, "balance": self.balance}
        terms = {"loss": 1.0} | {name: weight for name, weight in optional.items() if weight}
        object.__setattr__(self, "terms", terms)

    def counts(self, batch: Batch) -> dict[str, float]:
        n = float(np.asarray(batch.weight, dtype=np.float64).sum())
        return dict.fromkeys(self.terms, n) | ({"balance": float(len(batch.tokens))} if self.balance else {})

    def __call__(self, models: Models, batch: Batch) -> dict[str, Tensor]:
        router: list[Tensor] = []
        more = {"router": router} if self.balance else {}
        policy = models["policy"]
        if isinstance(policy, Decoder) and type(policy.lm_head.weight) is nn.Parameter:
            hidden = policy(batch.tokens, batch.position, batch.document, output="hidden", **more)
            loss, squares = linear_cross_entropy(
                hidden,
                policy.lm_head.weight,
                batch.targets,
                batch.weight,
                z_loss=self.z_loss > 0,
                softcap=policy.config.logit_softcap,
            )
        else:  # a head that is sharded, or wrapped, or none of ours
            logits = policy(batch.tokens, batch.position, batch.document, **more)
            loss_BT, log_normaliser_BT = cross_entropy(logits, batch.targets)
            loss = (loss_BT * batch.weight).sum()
            squares = (log_normaliser_BT.square() * batch.weight).sum()
        sums = {"loss": loss} | ({"z_loss": squares} if self.z_loss else {})
        if self.balance:
            sums["balance"] = torch.stack(router).mean(dim=0).sum()
        return sums
