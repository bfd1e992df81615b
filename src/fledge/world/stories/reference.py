"""Who a pronoun means: one rule for the realiser and the reader."""

from __future__ import annotations

from typing import NamedTuple


class Focus(NamedTuple):
    """What the last sentence left in mind: its subject, the other person, and the one thing that it named."""

    subject: str = ""
    other: str = ""
    thing: str = ""

    def after(self, subject: str, others: list[str], things: list[str]) -> Focus:
        """The focus after a sentence with this subject ("" where it has no person), other people and things."""
        subject = subject or self.subject
        other = next((p for p in (*others, self.subject, self.other) if p and p != subject), "")
        distinct = set(things)
        return Focus(subject, other, things[0] if len(distinct) == 1 else "")

    def nominative(self, pronoun: str, genders: dict[str, str]) -> str:
        """The person whom "he" or "she" means as the subject of a sentence; "" where nobody fits."""
        for person in (self.subject, self.other):
            if person and genders.get(person) == pronoun:
                return person
        return ""

    def oblique(self, pronoun: str, subject: str, genders: dict[str, str]) -> str:
        """The person other than the subject whom "him" or "her" means; "" where nobody fits."""
        wanted = "he" if pronoun in ("him", "his", "he") else "she"
        for person in (self.subject, self.other):
            if person and person != subject and genders.get(person) == wanted and genders.get(subject) != wanted:
                return person
        return ""
