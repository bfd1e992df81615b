"""The decoder: by default exactly Qwen3 (arXiv 2505.09388), with the parameter names of its Hugging Face state dict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.attention import Attention, Kernel, Stored, additive, cache_mask, causal_mask, document_mask
from fledge.model.cache import KVCache
from fledge.model.config import ModelConfig
from fledge.model.hooks import Hooks, check_hooks, tap
from fledge.model.linear import Linear, table
from fledge.model.mlp import PlainMLP, SwiGLU
from fledge.model.norm import make_norm
from fledge.model.rope import rope_angles

if TYPE_CHECKING:
    from fledge.model.experts import MixtureOfExperts


class Block(nn.Module):
    """Attention and MLP, each reading the normalised residual stream and adding to it.

    In training no argument tells one layer from another, so that what is compiled for one serves all.
    """

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.has_experts = config.n_experts > 0
        self.mlp: MixtureOfExperts | SwiGLU | PlainMLP
        if self.has_experts:
            # here, because it loads the compiler: most of a second, also for a model that has none
            from fledge.model.experts import MixtureOfExperts

            self.mlp = MixtureOfExperts(config)
        else:
            self.mlp = SwiGLU(config) if config.mlp == "swiglu" else PlainMLP(config)
        self.input_layernorm = make_norm(config)
        self.post_attention_layernorm = make_norm(config)

    def forward(
        self,
        x: Tensor,
        angles: tuple[Tensor, Tensor] | None,
        mask: Tensor | None,
        kernel: Kernel,
        *,
        mixed: tuple[Tensor, Tensor, Tensor] | None = None,
        stored: Stored | None = None,
        hooks: Hooks | None = None,
        prefix: str = "",
        tokens_BT: Tensor | None = None,
        balanced: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """The stream after the block and, where ``balanced``, how unevenly its experts were used, (B,).

        ``mixed`` is (scale, share, embedded): the block begins with scale · x + share · embedded.
        """
        if mixed is not None:
            scale, share, embedded = mixed
            x = scale.to(x.dtype) * x + share.to(x.dtype) * embedded
        h = tap(hooks, prefix + "attn.in", self.input_layernorm(x))
        x = x + self.self_attn(h, angles, mask, kernel, stored=stored, hooks=hooks, prefix=prefix, tokens_BT=tokens_BT)
        h = tap(hooks, prefix + "mlp.in", self.post_attention_layernorm(x))
        balance: Tensor | None = None
        if self.has_experts:
            y, balance = self.mlp(h, hooks, prefix, balanced=balanced)
        else:
            y = self.mlp(h, hooks, prefix)
        return tap(hooks, prefix + "residual", x + y), balance


class Body(nn.Module):
    """Embeddings, blocks and last norm; exists for the ``model.`` in the parameters' names."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = table(config.vocab_size, config.d_model)
        if config.position == "learned":
            self.embed_positions = table(config.max_positions, config.d_model)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.norm = make_norm(config)
        if config.residual_lambdas:
            self.residual_lambdas = nn.Parameter(torch.ones(config.n_layers))
            self.embed_lambdas = nn.Parameter(torch.zeros(config.n_layers))


class Decoder(nn.Module):
    """A language model: token ids (B, T) to logits (B, T, V).

    Parameters are float32 masters; ``compute_dtype`` is the type that they are cast to at use, and that of
    activations and outputs. ``kernel`` chooses how attention is computed: "products" or "sdpa".
    """

    def __init__(self, config: ModelConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        self.compute_dtype = torch.float32
        self.kernel: Kernel = "sdpa"
        self.model = Body(config)
        self.lm_head = Linear(config.d_model, config.vocab_size)
        self.tie()
        self.initialise(seed)

    def tie(self) -> None:
        """Make the head's matrix the table of embeddings, where the model has one for both."""
        if self.config.tie_embeddings:
            shared = self.model.embed_tokens.weight
            assert isinstance(shared, nn.Parameter)
            self.lm_head.weight = shared

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw the weights, the same on every machine for one ``seed``.

        Embeddings have unit variance, so that the first norm leaves them as they are (0.02 where the head shares
        them); matrices that read the residual stream have variance 1 / fan-in; those that write to it are zero, so
        that every block begins as the identity (arXiv 1901.09321); the head is small, for a first loss of ln V.
        Learned positions begin with half of the embeddings' deviation, gates at their middle, biases at zero.
        """
        if self.device.type == "meta":
            return
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 1:
                parameter.fill_(0.0 if name.endswith((".bias", ".embed_lambdas")) else 1.0)
                continue
            if name.endswith(("o_proj.weight", "down_proj.weight", "value_gate.weight")):
                parameter.zero_()
                continue
            if name == "model.embed_tokens.weight":
                std = 0.02 if self.config.tie_embeddings else 1.0
            elif name == "model.embed_positions.weight":
                std = 0.01 if self.config.tie_embeddings else 0.5
            elif name.endswith("value_embed.weight"):
                std = self.config.d_model**-0.5
            elif name == "lm_head.weight":
                std = 0.001
            else:
                std = parameter.shape[1] ** -0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * std)

    @property
    def device(self) -> torch.device:
        return self.lm_head.weight.device

    def new_cache(self, rows: int, capacity: int) -> KVCache:
        """An empty cache for ``rows`` rows of at most ``capacity`` tokens, in the compute type."""
        return KVCache(self.config, rows, capacity, dtype=self.compute_dtype, device=self.device)

    def forward(
        self,
        tokens_BT: Tensor,
        position_BT: Tensor | None = None,
        document_BT: Tensor | None = None,
        cache: KVCache | None = None,
        output: Literal["logits", "hidden"] = "logits",
        hooks: Hooks | None = None,
        router: list[Tensor] | None = None,
    ) -> Tensor:
        """Logits (B, T, V), or with ``output="hidden"`` the normalised last states (B, T, D) that the head reads.

        ``position_BT`` counts from 0 in each document (default: along the row). ``document_BT`` numbers the documents
        of packed rows: no token sees another document. With a ``cache`` the tokens are stored at their positions and
        see what their rows hold up to there; a cache serves one document a row. ``hooks`` maps names of
        ``hook_names(config)`` to functions that see a tensor and may return another in its place. Each mixture of
        experts appends how unevenly it was used, (B,), to ``router``.
        """
        b, t = tokens_BT.shape
        if hooks is not None:
            check_hooks(hooks, self.config)
        if position_BT is None:
            position_BT = torch.arange(t, device=tokens_BT.device).expand(b, t)
        window = self.config.sliding_window
        mask: Tensor | None = None
        limit = 0
        if cache is not None:
            assert document_BT is None, "a cache serves one document a row"
            limit = int(position_BT.max()) + 1 if cache.limit is None else cache.limit
            assert limit <= cache.capacity, f"position {limit - 1} lies beyond the cache's {cache.capacity}"
            mask = cache_mask(position_BT, limit, window)
        elif document_BT is not None:
            mask = document_mask(document_BT, window)
        elif self.kernel == "products" or window:
            mask = causal_mask(t, tokens_BT.device, window)
        if self.kernel == "products":
            assert mask is not None
            mask = additive(mask, self.compute_dtype)
        angles = self.angles(position_BT, self.compute_dtype)
        x = F.embedding(tokens_BT, self.model.embed_tokens.weight)
        if self.config.position == "learned":
            x = x + F.embedding(position_BT, self.model.embed_positions.weight)
        x = embedded = tap(hooks, "embed", x.to(self.compute_dtype))
        for layer, block in enumerate(self.model.layers):
            mixed = None
            if self.config.residual_lambdas:
                mixed = (self.model.residual_lambdas[layer], self.model.embed_lambdas[layer], embedded)
            x, balance = self.run_block(
                block,
                x,
                angles,
                mask,
                self.kernel,
                mixed=mixed,
                stored=None if cache is None else (cache, layer, position_BT, limit),
                hooks=hooks,
                prefix="" if hooks is None else f"layers.{layer}.",
                tokens_BT=tokens_BT,
                balanced=router is not None,
            )
            if router is not None and balance is not None:
                router.append(balance)
        x = tap(hooks, "norm", self.model.norm(x))
        return x if output == "hidden" else tap(hooks, "logits", self.head(x))

    @staticmethod
    def run_block(block: nn.Module, *arguments: Any, **named: Any) -> tuple[Tensor, Tensor | None]:
        """Call ``block``; training puts a compiled or a recomputing call in the place of this one."""
        return cast("tuple[Tensor, Tensor | None]", block(*arguments, **named))

    def head(self, hidden: Tensor) -> Tensor:
        """Logits (…, V) of normalised last states (…, D), bounded where ``logit_softcap`` is set."""
        logits = self.lm_head(hidden)
        cap = self.config.logit_softcap
        return cap * torch.tanh(logits / cap) if cap else logits

    def angles(self, position_BT: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Cosines and sines of rotary positions, each (B, 1, T, head_dim / 2); None where positions are learned."""
        c = self.config
        if c.position == "learned":
            return None
        return rope_angles(position_BT, c.head_dim, c.rope_theta, dtype, c.rope_scaling)
