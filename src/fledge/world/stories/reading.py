"""Reads sentences back into events with the wordings that the realiser writes from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from fledge.world.stories import lexicon
from fledge.world.stories.reference import Focus
from fledge.world.stories.rules import Event, World
from fledge.world.stories.tagging import Tagged, split_sentences, tag
from fledge.world.stories.wordings import Wordings

GENDERS: dict[str, str] = {
    **dict.fromkeys(lexicon.GIRLS, "she"), **dict.fromkeys(lexicon.BOYS, "he"), **lexicon.KINDS, **lexicon.FAMILY,
}  # fmt: skip
_PRONOUN_OF = {"he": "he", "him": "he", "his": "he", "himself": "he", "she": "she", "her": "she", "herself": "she"}
_SUBJECT = re.compile(r"\b(?:C\d+|he|she)\b(?!')")
_JOINT = re.compile(r" and ")
_LIKENESS = re.compile(r" (?=like |as |while |before |with |in |without )")
_WORD = re.compile(r"[a-z][a-z'-]*")
MAX_SENTENCE = 500


@dataclass
class Reading:
    """What one sentence says: its events, and what is wrong with its references."""

    events: list[Event] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)
    recognized: bool = False


class Reader:
    """Reads a story sentence by sentence; keeps the focus, the descriptions and a view of the state."""

    def __init__(self, tables: Wordings, world: World) -> None:
        self.tables, self.world = tables, world
        self.focus = Focus()
        self.begun = False
        self.adjectives: dict[str, tuple[str, ...]] = {}

    def read(self, sentence: str) -> Reading:
        reading = Reading()
        tagged = tag(sentence[:MAX_SENTENCE])
        reading.mentioned = {p[0] for p in tagged.people.values()} | {t[0] for t in tagged.things.values()}
        plain = re.sub(r"\b[ICTLS]\d+('s)?", " ", tagged.text).lower()
        vocabulary = self.tables.vocabulary()
        if len(sentence) > MAX_SENTENCE or any(
            word.removesuffix("'s") not in vocabulary for word in _WORD.findall(plain)
        ):
            return reading
        done = (
            self._dialogue(tagged, reading)
            if '"' in tagged.text
            else self._whole(tagged, reading) or self._acts(tagged, reading)
        )
        reading.recognized = done
        if not done:
            reading.events, reading.faults = [], []
        return reading

    # forms of sentences -------------------------------------------------------------------------------------------

    def _whole(self, tagged: Tagged, reading: Reading) -> bool:
        for kind, wording in self.tables.full_starting(tagged.text.split(" ", 1)[0].strip(",.")):
            match = self.tables.pattern(wording).fullmatch(tagged.text)
            if match and self.tables.verified(match):
                self._event(kind, match, tagged, reading, "")
                return True
        return False

    def _acts(self, tagged: Tagged, reading: Reading) -> bool:
        text = tagged.text
        if not text.endswith("."):
            return False
        for i, subject in enumerate(_SUBJECT.finditer(text)):
            if i == 2:
                break
            lead = text[: subject.start()].rstrip()
            if lead and not self.tables.is_lead(lead):
                continue
            person = self._subject(subject[0], tagged, reading)
            reading.faults.clear()
            person = self._subject(subject[0], tagged, reading)
            start = self._state()
            first: tuple[tuple[object, ...], list[Event], list[str]] | None = None
            for clauses in self._clauses(text[subject.end() :].strip()[:-1]):
                faults = list(reading.faults)
                for kind, match in clauses:
                    self._event(kind, match, tagged, reading, person)
                if len(reading.faults) == len(faults):
                    return True
                first = first or (self._state(), reading.events, reading.faults)
                self._restore(start)
                reading.events, reading.faults = [], faults
            if first is not None:
                self._restore(first[0])
                reading.events, reading.faults = first[1], first[2]
                return True
        return False

    def _state(self) -> tuple[object, ...]:
        return self.focus, dict(self.adjectives), dict(self.world.facts)

    def _restore(self, state: tuple[object, ...]) -> None:
        self.focus, self.adjectives, facts = state  # type: ignore[assignment]
        self.world.facts = dict(facts)  # type: ignore[call-overload]

    def _clauses(self, text: str) -> Iterator[list[tuple[str, re.Match[str]]]]:
        """The readings of what follows the subject: one clause, a clause with a likeness, or two joined clauses."""
        for found in self._clause(text):
            yield [found]
        for cut in _LIKENESS.finditer(text):
            if self.tables.reads("likeness", text[cut.start() :]):
                for found in self._clause(text[: cut.start()]):
                    yield [found]
        for cut in _JOINT.finditer(text):
            for left in self._clause(text[: cut.start()]):
                for right in self._clause(text[cut.end() :]):
                    yield [left, right]

    def _clause(self, text: str) -> list[tuple[str, re.Match[str]]]:
        found = []
        for kind, wording in self.tables.acts_starting(text.split(" ", 1)[0].strip(",")):
            match = self.tables.pattern(wording).fullmatch(text)
            if match and self.tables.verified(match):
                found.append((kind, match))
        return found

    def _dialogue(self, tagged: Tagged, reading: Reading) -> bool:
        for wording in self.tables.reading_frames:
            match = self.tables.pattern(wording).fullmatch(tagged.text)
            if match is None or not self.tables.verified(match):
                continue
            groups = match.groupdict()
            content = next(v for k, v in groups.items() if k[0] == "Q")
            speaker_token = next(v for k, v in groups.items() if k.startswith("A_"))
            speaker = self._subject(speaker_token, tagged, reading)
            return self._speech(content, speaker, match, tagged, reading)
        return False

    def _speech(self, content: str, speaker: str, frame: re.Match[str], tagged: Tagged, reading: Reading) -> bool:
        if content.endswith(","):
            content = content[:-1] + "."
        listener = next((p[0] for p in tagged.people.values() if p[0] != speaker), "")
        listener = listener or self.focus.after(speaker, [], []).other
        said = False
        if any(key == speaker and token in content for token, (key, _, _) in tagged.people.items()):
            reading.faults.append(f"{speaker} talks to nobody else")
        before = self.focus
        for piece in split_sentences(content):
            piece = piece if piece[:2] in ("I ", "I'") or piece[1:2].isdigit() else piece[0].lower() + piece[1:]
            for kind, wording in self.tables.talk_wordings:
                match = self.tables.pattern(wording).fullmatch(piece)
                if match and self.tables.verified(match):
                    if kind != "chatter":
                        self.focus = before
                        self._event(kind, match, tagged, reading, speaker, listener)
                        said = True
                    break
            else:
                return False
        for name, value in frame.groupdict().items():
            slot = name.split("_")[0]
            if slot in ("he", "him", "his", "himself") and value and _PRONOUN_OF[value] != GENDERS.get(speaker):
                reading.faults.append(f"{value} does not mean {speaker}")
        return said

    # slots --------------------------------------------------------------------------------------------------------

    def _subject(self, token: str, tagged: Tagged, reading: Reading) -> str:
        if token in tagged.people:
            return tagged.people[token][0]
        person = self.focus.nominative(token, GENDERS)
        if not person:
            reading.faults.append(f"nobody is meant by {token}")
        return person

    def _event(
        self, kind: str, match: re.Match[str], tagged: Tagged, reading: Reading, subject: str, listener: str = ""
    ) -> None:
        slots: dict[str, str] = {"A": subject, "B": listener}
        kind, _, constant = kind.partition("/")[0].partition(":")
        if constant:
            slots["P"] = constant
        others: list[str] = []
        things: list[str] = []
        checks: list[tuple[str, str]] = []
        for name, token in match.groupdict().items():
            slot = name.split("_")[0]
            if token is None or slot[0] == "r" or slot[0] == "Q":
                continue
            if slot in ("At", "To"):
                place, preposition = tagged.places[token]
                slots["P"] = place
                if preposition != lexicon.PLACES[place][0 if slot == "At" else 1]:
                    reading.faults.append(f"{preposition} the {place}")
            elif slot == "S":
                slots["S"] = tagged.spots[token]
            elif slot in ("A", "Ai"):
                slots["A"] = (
                    self._subject(token, tagged, reading) if token[0] in "Ihs" or token in tagged.people else subject
                )
            elif slot in ("B", "Bi", "Bn", "Bs"):
                token = token.removesuffix("'s")
                if token in tagged.people:
                    slots["B"] = tagged.people[token][0]
                    others.append(slots["B"])
                    if slot == "Bi" and token[0] == "C" and slots["B"] not in lexicon.FAMILY:
                        reading.faults.append(f"{slots['B']} is not introduced")
                elif token in _PRONOUN_OF:
                    slots["B"] = self.focus.oblique(token, slots["A"], GENDERS)
                    others.append(slots["B"])
                    if not slots["B"]:
                        reading.faults.append(f"nobody is meant by {token}")
            elif slot[0] in "XYZ":
                noun = self._thing(slot, token, tagged, reading, slots)
                slots[slot[0]] = noun
                things.append(noun)
            else:
                checks.append((slot, token))
        if kind == "hold":
            slots["A"], others = slots["B"], []
        for slot, token in checks:
            person = slots["B" if slot[0] == "b" else "A"]
            if GENDERS.get(person) != _PRONOUN_OF.get(token):
                reading.faults.append(f"{token} does not mean {person}")
        event = self._completed(Event(kind, **{k: v for k, v in slots.items() if k in Event._fields}))
        if kind == "hero" and self.begun:
            reading.faults.append("a second beginning")
        elif not self.begun and kind not in ("hero", "weather", "scene"):
            reading.faults.append("no beginning")
        self.begun = self.begun or kind == "hero"
        reason = self.world.apply(event)
        if reason:
            reading.faults.append(reason)
        reading.events.append(event)
        reading.mentioned |= {value for value in event[1:6] if value}
        focus_people = [event.B] if listener else [p for p in others if p != event.A]
        self.focus = self.focus.after(event.A, [p for p in focus_people if p], things)

    def _thing(self, slot: str, token: str, tagged: Tagged, reading: Reading, slots: dict[str, str]) -> str:
        if token == "it":
            if not self.focus.thing:
                reading.faults.append("nothing is meant by it")
            return self.focus.thing
        noun, determiner, adjectives = tagged.things[token]
        known = self.adjectives.get(noun)
        if slot[1:] == "a":
            if determiner not in ("a", "an"):
                reading.faults.append(f"{determiner} {noun} where it is named first")
            if known is not None and known != adjectives:
                reading.faults.append(f"the {noun} is {' '.join(known)}, not {' '.join(adjectives)}")
            self.adjectives.setdefault(noun, adjectives)
            return noun
        if determiner in ("a", "an") or known is None:
            reading.faults.append(f"the {noun} is not introduced")
        elif any(a not in known for a in adjectives if a != "broken"):
            reading.faults.append(f"the {noun} is {' '.join(known)}, not {' '.join(adjectives)}")
        owner = self.world.get(noun, "owner")
        claimed = {"my": slots["A"], "your": slots["B"], "his": slots["A"], "her": slots["A"]}.get(determiner)
        if claimed is not None and owner != claimed:
            reading.faults.append(f"{determiner} {noun} is not {claimed}'s")
        if "'" in determiner and slot[1:] == "of":
            slots["B"] = determiner.removesuffix("'s").removeprefix("the ")
        return noun

    def _completed(self, event: Event) -> Event:
        """Fills the slots that a wording leaves to the reader: the thing that is guarded, stuck, lost or refused."""
        missing = {"block": ("X", "guard", event.B), "feed": ("X", "guard", event.B), "climb": ("X", "stuck", "yes"),
                   "search": ("X", "lost", "yes")}.get(event.kind)  # fmt: skip
        if missing and not getattr(event, missing[0]):
            for path, value in self.world.facts.items():
                if len(path) == 2 and path[1] == missing[1] and value == missing[2]:
                    return event._replace(**{missing[0]: path[0]})
        if event.kind == "sad_refused" and not event.Y:
            return event._replace(Y=self.world.get(event.B, "refused"))
        return event
