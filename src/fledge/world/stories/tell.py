"""Turns events into English: chooses wordings, refers to people and things, joins sentences, adds detail."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from fledge.world.stories import lexicon
from fledge.world.stories.grammar import FAIR, IN, ROUGH, Wording, expand
from fledge.world.stories.kinds import IDLE, JOINABLE, LENT, LIKENED, SUDDEN, UNSOUGHT, UNTIMED
from fledge.world.stories.phrasing import (
    CLOSED,
    COMPANY,
    PASSER_BY,
    POINTING,
    THING_BESIDE,
    TWICE,
    awkward,
    crowds,
    sentence,
)
from fledge.world.stories.reference import Focus
from fledge.world.stories.rules import Event, World
from fledge.world.stories.talk import FRAME_OF, MORE
from fledge.world.stories.wordings import Wordings

OBLIQUE = {"he": "him", "she": "her"}
POSSESSIVE = {"he": "his", "she": "her"}
REFLEXIVE = {"he": "himself", "she": "herself"}
FORGOTTEN_AFTER = 2  # sentences without a name after which no pronoun means somebody any more


@dataclass
class Cast:
    """How the people and things of one story are described."""

    genders: dict[str, str] = field(default_factory=dict)
    phrases: dict[str, str] = field(default_factory=dict)  # person -> "a~ shy boy named Tom"
    names: dict[str, str] = field(default_factory=dict)  # person -> "Tom", "the fox"
    things: dict[str, tuple[str, ...]] = field(default_factory=dict)  # noun -> its adjectives


class Teller:
    """Writes one story, replaying its events so that what is said agrees with the state."""

    def __init__(
        self,
        rng: random.Random,
        cast: Cast,
        tables: Wordings,
        prefer: tuple[str, ...] = (),
        weather: str = "sunny",
        plot: str = "lost",
    ) -> None:
        self.rng, self.random, self.cast, self.tables, self.prefer = rng, rng.random, cast, tables, prefer
        self.outdoors = ROUGH if weather in ("rainy", "snowy", "foggy") else FAIR
        self.plot = plot
        self.world = World()
        self.focus = Focus()
        self.event = Event("")
        self.people: list[str] = []
        self.named: list[str] = []
        self.speaking = False
        self.said: set[int] = set()
        self.subject = ""
        self.crowded = False  # whether somebody has been named since whom a pronoun could mean as well
        self.here = ""  # the place of the last event that named one
        self.begun = False  # whether something has happened that "then" could follow
        self.last = ""  # the kind of the last event
        self.unnamed = 0  # sentences since the other person was named
        self.busy: set[str] = set()  # whose doings have been told
        self.endings: set[str] = set()  # the last words of the clauses told
        self.speaker = ""  # who said the last sentence
        self.weekday = "?"

    # slots --------------------------------------------------------------------------------------------------------

    def fill(self, slot: str) -> str:
        event = self.event
        if slot == "he":
            return self.cast.genders[event.A]
        if slot == "his":
            return POSSESSIVE[self.cast.genders[event.A]]
        if slot == "him":
            return OBLIQUE[self.cast.genders[event.A]]
        first = slot[0]
        if first in "XYZ":
            return self.thing(slot, getattr(event, first))
        if slot == "B":
            return self.person(event.B)
        if slot == "A":
            return self.subject
        if slot == "At":
            return f"{lexicon.PLACES[event.P][0]} the {event.P}"
        if slot == "To":
            return f"{lexicon.PLACES[event.P][1]} the {event.P}"
        if slot == "S":
            return event.S
        if slot == "Bn":
            self.people.append(event.B)
            return self.cast.names[event.B]
        if slot == "Bs":
            self.people.append(event.B)
            return f"{self.cast.names[event.B]}'s"
        if slot == "Ai" or slot == "Bi":
            person = event.A if slot == "Ai" else event.B
            if slot == "Bi":
                self.people.append(person)
            return self.cast.phrases[person]
        if slot == "himself":
            return REFLEXIVE[self.cast.genders[event.A]]
        gender = self.cast.genders[event.B]
        return gender if slot == "bhe" else OBLIQUE[gender] if slot == "bhim" else POSSESSIVE[gender]

    def person(self, person: str) -> str:
        self.people.append(person)
        if self.speaking:  # "Dear miller!"
            return self.cast.names[person].removeprefix("the ")
        pronoun = OBLIQUE[self.cast.genders[person]]
        known = self.focus.oblique(pronoun, self.event.A, self.cast.genders) == person
        if known and not self.crowded and self.random() < 0.5:
            return pronoun
        return self.cast.names[person]

    def thing(self, slot: str, noun: str) -> str:
        adjectives = self.cast.things.get(noun, ())
        self.named.append(noun)
        if slot[1:] == "a":
            return " ".join(("a~", *adjectives, noun))
        full = slot[1:] == "f"
        if slot[1:] == "broken":
            return f"the broken {noun}"
        if slot[1:] == "of":
            return f"{self.cast.names[self.event.B]}'s {noun}"
        random = self.random
        owner = self.world.facts.get((noun, "owner"))
        if self.speaking:
            listener = self.event.B
            if owner and owner in (self.event.A, listener) and random() < 0.7:
                determiner = "my" if owner == self.event.A else "your"
            else:
                determiner = "the"
        else:
            if (
                self.focus.thing == noun
                and self.named.count(noun) == 1
                and len(self.named) == 1
                and not full
                and random() < 0.4
            ):
                return "it"
            determiner = "the"
            if owner and owner == self.event.A and random() < 0.35:
                determiner = POSSESSIVE[self.cast.genders[owner]]
        if adjectives and random() < 0.4:
            return f"{determiner} {adjectives[int(random() * len(adjectives))]} {noun}"
        return f"{determiner} {noun}"

    # sentences ----------------------------------------------------------------------------------------------------

    def pick(self, alternatives: tuple[Wording, ...]) -> Wording:
        if self.prefer:
            for form in self.prefer:
                fitting = [w for w in alternatives if self.tables.says(w, form)]
                if fitting:
                    return fitting[int(self.random() * len(fitting))]
        wording = alternatives[int(self.random() * len(alternatives))]
        for _ in range(6 if len(alternatives) > 3 else 0):  # one wording is not said twice while there are others
            if id(wording) not in self.said:
                break
            wording = alternatives[int(self.random() * len(alternatives))]
        self.said.add(id(wording))
        return wording

    def words(self, wording: Wording, fill: Callable[[str], str] | None = None) -> str:
        n_people, n_named = len(self.people), len(self.named)
        for _ in range(4):
            del self.people[n_people:], self.named[n_named:]
            out: list[str] = []
            expand(wording, fill or self.fill, self.random, out, self.where())
            text = "".join(out)
            if not TWICE.search(text) and not (self.speaking and self.weekday in text):
                break
        return text

    def where(self) -> int:
        """The surrounding of the current event: on the way it is outdoors."""
        event = self.event
        if event.kind in ("go", "go_both", "lead", "carry"):
            return self.outdoors
        place = event.P if event.P in lexicon.PLACES and event.kind != "tell_where" else ""
        place = place or self.world.get(event.A, "at") or self.here
        return IN if not place or lexicon.PLACES[place][2] else self.outdoors

    def begin(self, event: Event) -> None:
        self.event = event
        if event.P in lexicon.PLACES and event.kind != "tell_where":
            self.here = event.P
        self.people, self.named = [], []

    def end(self, event: Event, subject: str, text: str) -> None:
        others = [person for person in self.people if person != subject]
        before = self.focus.other
        focus = self.focus.after(subject, others, self.named)
        self.unnamed = self.unnamed + 1 if focus.other == before and before not in others else 0
        if self.unnamed >= FORGOTTEN_AFTER:
            focus = focus._replace(other="")
        self.focus = focus
        self.look_beside(text)
        self.world.apply(event)
        self.begun = self.begun or event.kind not in IDLE
        self.last = event.kind
        self.speaker = ""

    def look_beside(self, text: str) -> None:
        """No "it" where another thing has come into view."""
        if self.focus.thing and THING_BESIDE.search(text):
            self.focus = self.focus._replace(thing="")

    def new_paragraph(self) -> None:
        self.focus = self.focus._replace(other="")

    def subject_of(self, person: str) -> str:
        gender = self.cast.genders[person]
        focus = self.focus
        if self.crowded:
            return self.cast.names[person]
        if focus.subject == person and self.cast.genders.get(focus.other) != gender and self.random() < 0.65:
            return gender
        return self.cast.names[person]

    def clause(self, event: Event, *, joined: bool = False) -> str:
        """What the subject does; "" where it cannot be said without an "and" of its own and is to be ``joined``."""
        self.begin(event)
        wordings = self.tables.fitting(self.tables.acts, event.kind, self.where())
        for _ in range(6):
            self.people, self.named = [], []
            text = self.words(self.pick(wordings))
            ending = " ".join(text.split(" ")[-3:])
            if (
                not awkward(text, event.kind, self.last)
                and not (joined and " and " in text)
                and ending not in self.endings
            ):
                break
        if joined and " and " in text:
            return ""
        if event.kind in ("meet", "meet_at") and " was " in text:
            self.busy.add(event.B)
        self.endings.add(ending)
        self.end(event, event.A, text)
        return text

    def narrate(self, event: Event, following: Event | None) -> tuple[str, bool]:
        """One sentence for the event, and whether it took in the following one as well."""
        random, rules = self.random, self.tables.grammar.rule
        lead = ""
        if self.begun and random() < 0.33 and event.kind not in UNTIMED:
            self.event = event
            lead = self.words(self.pick(rules("but" if event.kind in SUDDEN else "then"))) + " "
            self.crowded = self.crowded or bool(COMPANY.match(lead))
            self.look_beside(lead)
        subject = self.subject_of(event.A)
        text = self.clause(event)
        if lead.startswith(("while", "in front", "when", "just as", "as soon")) and any(
            w in text for w in (" while ", " in front ", " when ", " before ")
        ):
            lead = ""
        if (
            text.startswith("spent ")
            or ("minutes" in lead and " minutes" in text)
            or (lead == "so " and event.kind in UNSOUGHT)
        ):
            lead = ""
        joined = False
        if (
            following is not None
            and following.A == event.A
            and following.kind in JOINABLE
            and not CLOSED.search(text)
            and random() < 0.75
        ):
            more = self.clause(following, joined=True)
            joined = bool(more)
            text += " and " + more if more else ""
        elif (
            event.kind in LIKENED
            and random() < 0.4
            and len(lead + text) < 50
            and not any(
                w in text
                for w in (
                    ",",
                    " like ",
                    " as ",
                    " while ",
                    " with ",
                    " in ",
                    " past ",
                    " of ",
                    " on a",
                    " until ",
                    " and ",
                )
            )
        ):
            text += self.words(self.pick(self.tables.likeness))
        self.crowded = crowds(text)
        self.look_beside(lead + text)
        return sentence(f"{lead}{subject} {text}."), joined

    def whole(self, event: Event) -> str:
        """A sentence of a kind that is worded whole."""
        self.begin(event)
        kind = f"weather:{event.P}" if event.kind == "weather" else event.kind
        self.subject = self.cast.names.get(event.A, "")
        if event.kind == "end_wise":
            kind = f"end_wise/{self.plot}"
        if event.kind == "weather" and lexicon.PLACES[self.here][2]:
            kind += "/in"
        alternatives = self.tables.full[kind]
        if kind == "scene":
            alternatives = self.tables.grammar.rule("view_here").readings[self.where()]  # type: ignore[attr-defined]
        text = self.words(self.pick(alternatives))
        if kind == "hero":
            self.busy.add(event.A)
            self.weekday = next((word for word in re.findall(r"\w+day\b", text)), "?")
        subject = event.A
        if event.kind == "hold":
            subject, self.people = event.B, []
        self.end(event, subject, text)
        self.crowded = bool(PASSER_BY.search(text)) if event.kind in ("scene", "weather") else crowds(text)
        return sentence(text)

    def say(self, event: Event) -> str:
        """A line of dialogue with its frame."""
        random, rules = self.random, self.tables.grammar.rule
        self.begin(event)
        self.speaking = True
        wordings = self.tables.talk[event.kind]
        if event.Y in LENT or self.plot == "borrowed":
            wordings = wordings + self.tables.talk.get(f"{event.kind}/borrow", ())
        content = sentence(self.words(self.pick(wordings)))
        content_things = self.named
        known = self.focus.after(event.A, [], []).other == event.B
        if event.kind in MORE and random() < 0.7:
            more = sentence(self.words(self.pick(rules(f"more_{event.kind}"))))
            # a question ends the speech, but where "it" would stand before what it means
            last = content[-1] == "?" and not POINTING.search(more)
            content = f"{more} {content}" if last else f"{content} {more}"
        opener = random()
        if not known:
            content = sentence(self.words(rules("opener")[int(random() * 4)])) + " " + content
        elif opener < 0.2:
            content = sentence(self.words(rules("opener")[4 + int(random() * 4)])) + " " + content
        self.speaking = False
        self.people, self.named = [], []
        asks = content[-1] == "?"
        frames = self.tables.frames["ask" if asks else FRAME_OF.get(event.kind, "tell")]
        for _ in range(6):
            frame = self.pick(frames)
            again = frame[0] != "A" and self.speaker == event.A
            if not again and not (event.A in self.busy and self.tables.says(frame, "stopped")):
                break
        self.subject = self.subject_of(event.A) if known and frame[0] == "A" else self.cast.names[event.A]
        comma = content[:-1] + "," if content[-1] == "." else content
        spoken = {"Q": content, "Qc": comma}
        text = self.words(frame, lambda slot: spoken.get(slot) or self.fill(slot))
        self.crowded = False
        self.people = [event.B]
        self.named = content_things
        self.end(event, event.A, "")
        self.busy.add(event.A)
        self.speaker = event.A
        return sentence(text)
