"""The world: documents, facts, conversations and tasks, each a pure function of the settings and a number."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from random import Random

from fledge.types import Conversation, Document, FledgeError, Split, Task
from fledge.world.config import WorldConfig
from fledge.world.conversations.writer import ConversationWriter
from fledge.world.facts.documents import FactWriter
from fledge.world.facts.universe import Fact, Universe, build_universe
from fledge.world.lookup.dialogues import Dialogue, DialogueWriter
from fledge.world.lookup.directory import Directory, own_directory
from fledge.world.lookup.reading import ReadingWriter
from fledge.world.randomness import share_of, stream
from fledge.world.skills.documents import SkillWriter
from fledge.world.skills.hops import chain, paths
from fledge.world.stories.story import write_story
from fledge.world.tasks import build_tasks

GOLDEN = (5**0.5 - 1) / 2
KINDS = ("stories", "facts", "skills", "reading")
LEAST_CHAIN_SHARE = 0.02
"""Below it, a writer that draws until a chain fits may draw in vain."""
N_MEASURED = 160
"""Documents of each kind that are written to learn how long they are."""


def chain_share(config: WorldConfig, universe: Universe) -> float:
    """The share of the questions of several facts, drawn as tuning draws them, that pass only people asked about."""
    asked, untold = universe.group("asked"), {person.name for person in universe.group("unasked")}
    shares = []
    for hops in range(min(2, config.hops), config.hops + 1):
        trained = paths(hops, heldout=False if hops > 1 else None)
        chains = [chain(universe, start, path) for start in asked for path in trained]
        # from one asked about, a chain leaves them where a link or the answer names another
        told = [facts for facts in chains if facts and not untold & {fact.value for fact in facts}]
        shares.append(len(told) / max(1, len(chains)))
    return sum(shares) / len(shares)


class World:
    """An invented town for which everything is known.

    Raises FledgeError where too few people may be asked about for questions of several facts.
    """

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        self.universe: Universe = build_universe(config)
        talks = config.unknown_share < 1 and config.n_conversations + config.heldout_conversations > 0
        if (talks or config.skill_share > 0) and chain_share(config, self.universe) < LEAST_CHAIN_SHARE:
            raise FledgeError(
                f"leaves {len(self.universe.group('asked'))} of {config.n_people} people to be asked about, too few "
                "who are friend, teacher or sibling of another",
                where="world.unasked_share",
                fix="lower unasked_share, or raise n_people",
            )
        self._facts = FactWriter(config, self.universe)
        self._skills = SkillWriter(config, self.universe)
        self._reading = ReadingWriter(config, self.universe)
        self._conversations = ConversationWriter(config, self.universe)
        self._dialogues = DialogueWriter(config, self.universe)

    def facts(self) -> tuple[Fact, ...]:
        return tuple(self.universe.facts.values())

    def information_bits(self) -> float:
        """Bits that the facts hold: the sum of log2 of the choices."""
        return self.universe.information_bits()

    def _write(self, kind: str, rng: Random, heldout: bool) -> tuple[str, str, tuple[str, ...]]:
        """``(kind, text, keys of the facts told)``."""
        if kind == "stories":
            story = write_story(rng)
            return "stories", f"{story.title}\n\n{story.text}" if story.title else story.text, ()
        own: FactWriter | SkillWriter = self._facts if kind == "facts" else self._skills
        name, text, told = (self._reading if kind == "reading" else own).write(rng, heldout)
        return f"{kind}/{name}", text, told

    @cached_property
    def _weights(self) -> tuple[tuple[float, ...], float]:
        """Odds of each kind of document that give the wished shares of the bytes, and the mean size in bytes."""
        config = self.config
        every = (config.story_share, config.fact_share, config.skill_share, config.reading_share)
        shares = dict(zip(KINDS, every, strict=True))
        odds = []
        for kind in KINDS:
            n_bytes = 0
            for i in range(N_MEASURED if shares[kind] else 0):
                n_bytes += len(self._write(kind, stream("measure", config.seed, kind, i), False)[1].encode())
            odds.append(shares[kind] * N_MEASURED / n_bytes if n_bytes else 0.0)
        return tuple(odd / sum(odds) for odd in odds), 1 / sum(odds)

    def n_documents(self, split: Split = "train") -> int:
        """How many documents come to the wished size."""
        n_bytes = self.config.n_bytes if split == "train" else self.config.heldout_bytes
        return -(-n_bytes // round(self._weights[1])) if n_bytes else 0

    def kind(self, index: int, split: Split = "train") -> tuple[str, Random]:
        """What document ``index`` is (stories, facts, skills or reading), and the random stream that writes it.

        Kinds follow the golden ratio, which keeps the shares even in any run of documents.
        """
        point = (index * GOLDEN + share_of("kinds", self.config.seed, split)) % 1
        last = max(i for i, weight in enumerate(self._weights[0]) if weight)
        ends = accumulate(self._weights[0][:last])
        kind = next((kind for kind, end in zip(KINDS, ends, strict=False) if point < end), KINDS[last])
        return kind, stream("document", self.config.seed, split, index)

    def document(self, index: int, split: Split = "train") -> Document:
        """Document ``index`` of a split; depends on the settings, ``split`` and ``index`` only.

        ``meta`` holds its kind and ``facts``, the keys of the facts that it tells, one for each telling.
        """
        kind, rng = self.kind(index, split)
        name, text, told = self._write(kind, rng, split == "heldout")
        return Document(f"world-{split}-{index:08d}", text, "world", {"kind": name, "facts": list(told)})

    def documents(self, split: Split = "train") -> Iterator[Document]:
        return (self.document(index, split) for index in range(self.n_documents(split)))

    def conversation(self, index: int, split: Split = "train") -> Conversation:
        """Conversation ``index`` of a split; depends on the settings, ``split`` and ``index`` only."""
        return self._conversations.write(index, split)

    def n_conversations(self, split: Split = "train") -> int:
        return self.config.n_conversations if split == "train" else self.config.heldout_conversations

    def conversations(self, split: Split = "train") -> Iterator[Conversation]:
        return (self.conversation(index, split) for index in range(self.n_conversations(split)))

    def dialogue(self, index: int) -> Dialogue:
        """Dialogue ``index`` in which tools are offered; depends on the settings and ``index`` only."""
        return self._dialogues.write(index)

    def directory(self, number: int | None = None) -> Directory:
        """The documents that the assistant may look up, or those of a dialogue's ``directory``."""
        return own_directory(self.config, self.universe) if number is None else self._dialogues.directory(number)

    def tasks(self) -> list[Task]:
        return list(build_tasks(self.config, self.universe))
