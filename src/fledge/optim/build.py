"""One optimizer for a whole model: Muon or AdamW for the matrices of its blocks, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from fledge.optim.config import OptimConfig
from fledge.optim.muon import Exchange, Muon
from fledge.optim.rates import Rates

ADAM_STATE = ("exp_avg", "exp_avg_sq", "step")


def parameter_group(name: str, parameter: Tensor) -> str:
    """``token``, ``embedding``, ``head``, ``norm`` or ``matrix``: which of the ``Rates`` is that of this parameter."""
    if name.endswith("embed_tokens.weight"):
        return "token"
    if name.endswith(("embed_positions.weight", "value_embed.weight")):
        return "embedding"
    if name.endswith("lm_head.weight"):
        return "head"
    return "matrix" if parameter.dim() == 2 else "norm"


def moved_by_muon(name: str, parameter: Tensor, config: OptimConfig) -> bool:
    """Whether Muon updates a parameter of this name, and keeps its momentum where it is owned."""
    return config.muon and parameter_group(name, parameter) == "matrix"


class Optimizer:
    """Muon and AdamW behind one ``step``; its state is a flat dictionary of tensors, fit for a safetensors file."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, Tensor]],
        config: OptimConfig,
        rates: Rates,
        dtype: torch.dtype,
        exchange: Exchange | None,
    ) -> None:
        groups: dict[str, dict[str, Tensor]] = {}
        matrices: dict[str, Tensor] = {}
        for name, parameter in named_parameters:
            muon = moved_by_muon(name, parameter, config)
            group = matrices if muon else groups.setdefault(parameter_group(name, parameter), {})
            group[name] = parameter
        self.parameters = [*matrices.values(), *(p for group in groups.values() for p in group.values())]
        self.muon = Muon(
            matrices,
            lr=rates.matrix,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            steps=config.newton_schulz_steps,
            dtype=dtype,
            exchange=exchange,
        )
        self._lr = {group: getattr(rates, group) for group in groups}
        self._adam_names = {name: parameter for group in groups.values() for name, parameter in group.items()}
        self.adam = torch.optim.AdamW(
            [
                {
                    "params": list(group.values()),
                    "name": key,
                    "weight_decay": config.weight_decay if key == "matrix" else 0.0,
                }
                for key, group in groups.items()
            ]
            or [{"params": []}],
            lr=0.0,
            betas=(config.beta1, config.beta2),
            eps=config.eps,
            weight_decay=0.0,
            fused=True,
        )

    def step(self, factor: float) -> None:
        """One update at every group's learning rate times ``factor``."""
        self.muon.step(factor)
        for group in self.adam.param_groups:
            group["lr"] = self._lr.get(group.get("name", ""), 0.0) * factor
        self.adam.step()

    def zero_grad(self) -> None:
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Tensor]:
        """``muon.momentum.NAME``, ``adamw.exp_avg.NAME``, ``adamw.exp_avg_sq.NAME``, ``adamw.step.NAME``."""
        tensors = {f"muon.momentum.{name}": tensor for name, tensor in self.muon.state().items()}
        for name, parameter in self._adam_names.items():
            for key in ADAM_STATE:
                if parameter in self.adam.state:
                    tensors[f"adamw.{key}.{name}"] = self.adam.state[parameter][key]
        return tensors

    @torch.no_grad()
    def load_state_dict(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`state_dict` gave; every tensor must be there and none beside."""
        expected = {f"muon.momentum.{name}" for name in self.muon.state()}
        expected |= {f"adamw.{key}.{name}" for name in self._adam_names for key in ADAM_STATE}
        assert set(tensors) in (expected, {n for n in expected if n.startswith("muon.")}), "state of another model"
        for name, momentum in self.muon.state().items():
            momentum.copy_(tensors[f"muon.momentum.{name}"])
        for name, parameter in self._adam_names.items():
            if f"adamw.step.{name}" in tensors:
                state = {key: tensors[f"adamw.{key}.{name}"].clone() for key in ADAM_STATE}
                self.adam.state[parameter] = {
                    key: value.to(parameter.device) if key != "step" or parameter.is_cuda else value
                    for key, value in state.items()
                }


def build_optimizer(
    named_parameters: Iterable[tuple[str, Tensor]],
    config: OptimConfig,
    rates: Rates,
    *,
    orthogonalise_dtype: torch.dtype = torch.float32,
    exchange: Exchange | None = None,
) -> Optimizer:
    """The optimizer of a model. ``orthogonalise_dtype`` is bfloat16 where its products are fast.

    Where several processes train, the parameters are what this one holds, and ``exchange`` carries the matrices.
    """
    trained = [(name, parameter) for name, parameter in named_parameters if parameter.requires_grad]
    return Optimizer(trained, config, rates, orthogonalise_dtype, exchange)
