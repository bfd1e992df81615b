"""Settings of evaluation. No torch in here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from fledge.run.settings import setting
from fledge.types import FledgeError


@dataclass(frozen=True)
class EvalConfig:
    """What is measured, on how much."""

    tasks: tuple[str, ...] = setting(
        ("world",), "world: all of the world's tasks; or names of some of them; or your own as module:function"
    )
    split: Literal["heldout", "train"] = setting("heldout", "which examples of the tasks")
    n: int = setting(200, "examples a task; 0 = all that it has")
    seed: int = setting(0, "seed of sampled answers and of the choice of examples from files")
    max_tokens: int = setting(0, "longest answer in tokens; 0 = as each task asks")
    heldout_bytes: int = setting(400_000, "held-out text scored for bits per byte, bytes a source; 0 = all")
    perplexity: tuple[str, ...] = setting((), "text files scored for bits per byte")
    perplexity_bytes: int = setting(0, "bytes scored of each of these files; 0 = all")
    separator: str = setting("<|endoftext|>", "what stands between the documents of a text file")
    ngram_order: int = setting(5, "order of the n-gram baseline; 0 = none")
    ngram_tokens: int = setting(20_000_000, "training tokens that the n-gram baseline counts, at most")
    multiple_choice: tuple[str, ...] = setting((), "JSONL files of multiple choice or of last words to guess")
    multiple_choice_n: int = setting(0, "examples a file; 0 = all")
    blimp: str = setting("", "BLiMP's minimal pairs: a .tar.gz or a folder of .jsonl; empty = none")
    blimp_n: int = setting(200, "pairs a paradigm; 0 = all (1,000)")
    openers: tuple[str, ...] = setting((), "what to say in the transcript of a chat; empty = prompts of the tasks")
    precision: Literal["fp32", "bf16"] = setting("fp32", "arithmetic; bf16 is faster on some processors, fp32 exact")
    max_batch: int = setting(64, "rows decoded together", affects_result=False)

    def __post_init__(self) -> None:
        for name in (
            "n",
            "max_tokens",
            "heldout_bytes",
            "perplexity_bytes",
            "ngram_order",
            "ngram_tokens",
            "multiple_choice_n",
            "blimp_n",
        ):
            if getattr(self, name) < 0:
                raise FledgeError(f"{name} must not be negative, got {getattr(self, name)}", where=name)
        if self.max_batch < 1:
            raise FledgeError(f"max_batch must be at least 1, got {self.max_batch}", where="max_batch")
        if self.ngram_order > 8:
            raise FledgeError(f"ngram_order must be at most 8, got {self.ngram_order}", where="ngram_order")
