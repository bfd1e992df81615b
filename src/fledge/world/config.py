"""Settings of the invented town: how much of it is written, and how hard it is to learn."""

from __future__ import annotations

from dataclasses import dataclass

from fledge.run.settings import setting
from fledge.types import FledgeError

FACT_KINDS = ("entry", "notice", "letter", "diary", "overheard", "list")
MAX_WORDINGS = 8
MAX_PEOPLE = 480


@dataclass(frozen=True)
class WorldConfig:
    """One world. The same settings give the same bytes, on any machine and with any number of workers."""

    seed: int = setting(1, "which world: another seed gives other people, facts and texts")
    n_bytes: int = setting(45_000_000, "size of the training documents, bytes of UTF-8 text (kept to within 3 %)")
    heldout_bytes: int = setting(400_000, "size of the held-out documents, bytes of UTF-8 text")
    story_share: float = setting(0.40, "share of the bytes that are stories")
    fact_share: float = setting(0.35, "share of the bytes that tell facts")
    skill_share: float = setting(0.25, "share of the bytes that are worked exercises")
    reading_share: float = setting(0.0, "share of the bytes that are passages on strangers and what is asked of them")

    n_people: int = setting(120, "people whose facts stand in the text")
    unasked_share: float = setting(0.4, "share of the people who are never asked about in tuning (the tested ones)")
    wordings: int = setting(MAX_WORDINGS, f"in how many sentences each fact may be worded, 1 to {MAX_WORDINGS}")
    shuffle_order: bool = setting(True, "tell the facts of a person in a new order each time")
    name_share: float = setting(0.4, "share of later sentences on a person that repeat the name; others say she or he")
    fact_kinds: tuple[str, ...] = setting(FACT_KINDS, "kinds of fact documents, any of " + ", ".join(FACT_KINDS))

    sum_digits: int = setting(2, "digits of the largest numbers added without steps")
    step_digits: int = setting(3, "digits of the largest numbers added with worked steps")
    hops: int = setting(2, "longest chain of facts in trained multi-hop questions, 1 to 3")
    list_items: int = setting(5, "most things to sort or to count in trained exercises")

    n_conversations: int = setting(12_000, "conversations for tuning")
    heldout_conversations: int = setting(500, "held-out conversations")
    unknown_share: float = setting(0.0, "share of the conversations on people who stand nowhere in the town")
    system_share: float = setting(0.1, "share of the conversations that begin with a system message")

    workers: int = setting(0, "processes that write at once; 0 takes one for each processor", affects_result=False)

    def __post_init__(self) -> None:
        shares = ("story_share", "fact_share", "skill_share", "reading_share")
        fractions = (*shares, "unasked_share", "name_share", "unknown_share", "system_share")
        for name in fractions:
            if not 0 <= getattr(self, name) <= 1:
                raise FledgeError(f"{name} must lie between 0 and 1, got {getattr(self, name)}", where=name)
        if abs(sum(getattr(self, name) for name in shares) - 1) > 1e-6:
            total = sum(getattr(self, name) for name in shares)
            raise FledgeError(f"{', '.join(shares)} must add up to 1, got {total:g}", where="story_share")
        bounds = {
            "n_bytes": (1, 10**13),
            "heldout_bytes": (0, 10**13),
            "n_people": (12, MAX_PEOPLE),
            "wordings": (1, MAX_WORDINGS),
            "sum_digits": (1, 6),
            "step_digits": (1, 6),
            "hops": (1, 3),
            "list_items": (3, 9),
            "n_conversations": (0, 10**9),
            "heldout_conversations": (0, 10**9),
            "workers": (0, 1024),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                raise FledgeError(f"{name} must lie between {low} and {high}, got {getattr(self, name)}", where=name)
        unknown = [kind for kind in self.fact_kinds if kind not in FACT_KINDS]
        if unknown or not self.fact_kinds:
            what = f"fact_kinds holds {unknown[0]!r}" if unknown else "fact_kinds is empty"
            raise FledgeError(what, where="fact_kinds", fix="choose from " + ", ".join(FACT_KINDS))
