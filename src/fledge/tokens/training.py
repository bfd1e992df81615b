"""Byte-pair merges learned from text, by rustbpe (parallel and deterministic)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fledge.tokens.config import N_SPECIAL
from fledge.tokens.vocabulary import QWEN2_PATTERN, merge

# Longer runs teach no merge worth having, and cost the trainer time in proportion to length × merges.
RUN_LIMIT = 500
_CHUNK = re.compile(rf"\S{{1,{RUN_LIMIT}}}\s{{0,{RUN_LIMIT}}}|\s{{1,{RUN_LIMIT}}}")
_LONG = re.compile(rf"\S{{{RUN_LIMIT + 1}}}|\s{{{RUN_LIMIT + 1}}}")


def train_tokens(texts: Iterable[str], vocab_size: int) -> list[bytes]:
    """Tokens in merge order, the 256 bytes first; with the specials they make ``vocab_size``, or fewer.

    Fewer come out where the text has no more pairs to merge. The result depends on the texts only, not on their
    order nor on the number of threads. A token that its own merges cannot reach (a neighbour always takes a part
    of it) is left out, because implementations disagree on it.
    """
    import rustbpe

    wanted = vocab_size - N_SPECIAL
    texts = list(_split_runs(texts))
    spare = 0
    while True:
        trainer = rustbpe.Tokenizer()
        trainer.train_from_iterator(iter(texts), wanted + spare, pattern=QWEN2_PATTERN)
        made = trainer.get_mergeable_ranks()
        tokens = reachable([bytes(token) for token, _ in made])
        if len(tokens) >= wanted or len(made) < wanted + spare:
            return tokens[:wanted]
        spare += 2 * (wanted + spare - len(tokens))


def reachable(tokens: list[bytes]) -> list[bytes]:
    """Those of ``tokens``, in order, that plain merging by rank puts together out of single bytes."""
    ranks: dict[bytes, int] = {}
    for token in tokens:
        if token not in ranks:
            ranks[token] = len(ranks)
            if len(merge(token, ranks)) > 1:
                del ranks[token]
    return list(ranks)


def _split_runs(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        clean = text.encode("utf-8", "ignore").decode("utf-8")
        if _LONG.search(clean):
            yield from _CHUNK.findall(clean)
        else:
            yield clean
