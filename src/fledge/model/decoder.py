"""The decoder: exactly Qwen3 (arXiv 2505.09388), with the parameter names of its Hugging Face state dict."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fledge.model.attention import Attention, Kernel, additive, cache_mask, causal_mask, document_mask
from fledge.model.cache import KVCache
from fledge.model.config import ModelConfig
from fledge.model.hooks import Hooks, check_hooks, tap
from fledge.model.linear import Linear
from fledge.model.mlp import SwiGLU
from fledge.model.norm import RMSNorm
from fledge.model.rope import rope_angles


class Block(nn.Module):
    """Attention and MLP, each reading the normalised residual stream and adding to it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = SwiGLU(config)
        self.input_layernorm = RMSNorm(config.d_model, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.d_model, config.rms_norm_eps)

    def forward(
        self,
        x: Tensor,
        angles: tuple[Tensor, Tensor],
        mask: Tensor | None,
        kernel: Kernel,
        *,
        layer: int = 0,
        stored: tuple[KVCache, Tensor, int] | None = None,
        hooks: Hooks | None = None,
    ) -> Tensor:
        prefix = f"layers.{layer}."
        h = tap(hooks, prefix + "attn.in", self.input_layernorm(x))
        x = x + self.self_attn(h, angles, mask, kernel, layer=layer, stored=stored, hooks=hooks, prefix=prefix)
        h = tap(hooks, prefix + "mlp.in", self.post_attention_layernorm(x))
        return tap(hooks, prefix + "residual", x + self.mlp(h, hooks, prefix))


class Body(nn.Module):
    """Embeddings, blocks and last norm; exists for the ``model.`` in the parameters' names."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, config.rms_norm_eps)


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
        if config.tie_embeddings:
            shared = self.model.embed_tokens.weight
            assert isinstance(shared, nn.Parameter)
            self.lm_head.weight = shared
        self.initialise(seed)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Draw the weights, the same on every machine for one ``seed``.

        Embeddings have unit variance, so that the first norm leaves them as they are (0.02 where the head shares
        them); matrices that read the residual stream have variance 1 / fan-in; those that write to it are zero, so
        that every block begins as the identity (arXiv 1901.09321); the head is small, for a first loss of ln V.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 1:
                parameter.fill_(1.0)
                continue
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.zero_()
                continue
            if name == "model.embed_tokens.weight":
                std = 0.02 if self.config.tie_embeddings else 1.0
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
    ) -> Tensor:
        """Logits (B, T, V), or with ``output="hidden"`` the normalised last states (B, T, D) that the head reads.

        ``position_BT`` counts from 0 in each document (default: along the row). ``document_BT`` numbers the documents
        of packed rows: no token sees another document. With a ``cache`` the tokens are stored at their positions and
        see what their rows hold up to there; a cache serves one document a row. ``hooks`` maps names of
        ``hook_names(config)`` to functions that see a tensor and may return another in its place.
        """
        b, t = tokens_BT.shape
        if hooks is not None:
            check_hooks(hooks, self.config)
        if position_BT is None:
            position_BT = torch.arange(t, device=tokens_BT.device).expand(b, t)
        mask: Tensor | None = None
        stored: tuple[KVCache, Tensor, int] | None = None
        if cache is not None:
            assert document_BT is None, "a cache serves one document a row"
            limit = int(position_BT.max()) + 1
            assert limit <= cache.capacity, f"position {limit - 1} lies beyond the cache's {cache.capacity}"
            stored = (cache, position_BT, limit)
            mask = cache_mask(position_BT, limit)
        elif document_BT is not None:
            mask = document_mask(document_BT)
        elif self.kernel == "products":
            mask = causal_mask(t, tokens_BT.device)
        if self.kernel == "products":
            assert mask is not None
            mask = additive(mask, self.compute_dtype)
        angles = rope_angles(position_BT, self.config.head_dim, self.config.rope_theta, self.compute_dtype)
        x = F.embedding(tokens_BT, self.model.embed_tokens.weight).to(self.compute_dtype)
        x = tap(hooks, "embed", x)
        for layer, block in enumerate(self.model.layers):
            x = block(x, angles, mask, self.kernel, layer=layer, stored=stored, hooks=hooks)
        x = tap(hooks, "norm", self.model.norm(x))
        return x if output == "hidden" else tap(hooks, "logits", self.lm_head(x))
