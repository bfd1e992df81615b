"""transformers' ``generate``, as its documentation runs it on a CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def imports() -> None:
    import torch  # noqa: F401
    from transformers import AutoModelForCausalLM  # noqa: F401


class Runner:
    def __init__(self, folder: Path, precision: str, threads: int, rows: int) -> None:
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        logging.disable_progress_bar()
        torch.set_num_threads(threads)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(folder / "hf", dtype=getattr(torch, precision)).eval()

    def generate(self, prompts: Sequence[Sequence[int]], n_tokens: int) -> int:
        """Prompts of one length."""
        ids = self.torch.tensor([list(prompt) for prompt in prompts])
        with self.torch.inference_mode():
            out = self.model.generate(
                ids,
                attention_mask=self.torch.ones_like(ids),
                min_new_tokens=n_tokens,
                max_new_tokens=n_tokens,
                do_sample=False,
                pad_token_id=0,
            )
        return out.numel() - ids.numel()
