"""Hard-wrapped lines joined into paragraphs."""

from __future__ import annotations

import itertools
import re

_BLANK = re.compile(r"\n(?:[^\S\n]*\n)+")
MIN_WIDTH, MAX_WIDTH = 50, 100
SLACK = 6


def is_wrapped(line: str, following: str, width: int) -> bool:
    """Whether ``line`` ends because the first word of ``following`` would not have fitted into ``width`` columns."""
    return len(line.rstrip()) + 1 + len(following.split(maxsplit=1)[0]) > width


def join_lines(lines: list[str]) -> str:
    """Lines as one; a line that ends in a hyphen or dash takes the next one without a space."""
    joined = lines[0].strip()
    for line in lines[1:]:
        joined += line.strip() if joined.endswith(("-", "—")) else " " + line.strip()
    return joined


def unwrap(text: str, *, min_share: float = 0.6, min_block_share: float = 0.75) -> str:
    """Return ``text`` with the lines of each prose paragraph joined, other texts as they are.

    A break counts as wrapped where the next word would not have fitted. The text is rewritten only if at least
    ``min_share`` of the breaks inside its paragraphs are, each paragraph only if ``min_block_share`` of its own are:
    verse, tables and lists stay. Paragraphs are then parted by one empty line.
    """
    blocks = [block.split("\n") for block in _BLANK.split(text.strip("\n"))]
    lengths = sorted(len(line) for block in blocks for line in block[:-1])
    if not lengths:
        return text
    # Nearly all wrapped lines lie within a few columns of the width; a few overlong ones must not set it.
    width = lengths[min(len(lengths) - 1, len(lengths) * 95 // 100)]
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        return text
    shares = [_wrapped_share(block, width - SLACK) for block in blocks]
    weights = [len(block) - 1 for block in blocks]
    if sum(share * weight for share, weight in zip(shares, weights, strict=True)) < min_share * sum(weights):
        return text
    joined = (
        join_lines(block) if len(block) > 1 and share >= min_block_share else "\n".join(block)
        for block, share in zip(blocks, shares, strict=True)
    )
    return "\n\n".join(joined)


def _wrapped_share(lines: list[str], width: int) -> float:
    """Of the breaks between ``lines``, the share that are wrapped; none where nearly each line begins as verse does."""
    following = lines[1:]
    if len(following) >= 3 and sum(line.lstrip()[:1].isupper() for line in following) > 0.75 * len(following):
        return 0.0
    n_wrapped = sum(is_wrapped(line, after, width) for line, after in itertools.pairwise(lines))
    return n_wrapped / max(1, len(following))
