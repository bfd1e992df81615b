"""The people and things of one story, drawn so that no two can be mistaken for each other."""

from __future__ import annotations

import random
from functools import cache

from fledge.world.stories import lexicon
from fledge.world.stories.rules import Event, World
from fledge.world.stories.tell import Cast

Options = tuple[str, ...]


@cache
def _fitting(noun: str) -> tuple[Options, Options, Options]:
    """The looks, sizes and colours that suit a thing."""
    if noun in lexicon.FOODS:
        sizes = lexicon.TREASURE_SIZES
        if " of " in noun:  # the look is that of what holds the food
            return ("fresh", "tasty") if noun.startswith(("slice", "piece", "cob")) else ("fine", "clean"), sizes, ()
        looks = (*(("sweet",) if noun in lexicon.SWEET else ()), *(("warm",) if noun in lexicon.WARM else ()))
        return ("fresh", "tasty", "fine", "round", *looks), sizes, ()
    if noun in lexicon.DISHES or noun in lexicon.BUILDS:
        return lexicon.PLAIN_LOOKS[2:], lexicon.TREASURE_SIZES, ()
    if noun in lexicon.SEEDS:
        return (
            ("strange", "round", "smooth", "fine"),
            ("big", "small", "little", "large", "tiny"),
            ("brown", "black", "white"),
        )
    if noun in lexicon.WEAR or noun in (
        "kite",
        "doll",
        "puppet",
        "balloon",
        "sheet",
        "sack",
        "umbrella",
        "paper plane",
    ):
        sizes = (
            lexicon.SIZES if noun in ("scarf", "ribbon", "belt", "coat", "cloak", "shawl") else lexicon.TREASURE_SIZES
        )
        looks = lexicon.CLOTH_LOOKS if noun in lexicon.WEAR else tuple(a for a in lexicon.CLOTH_LOOKS if a != "warm")
        return looks, sizes, lexicon.COLOURS
    if noun in lexicon.TOYS or noun in lexicon.TREASURES:
        return lexicon.HARD_LOOKS, lexicon.TREASURE_SIZES, lexicon.COLOURS
    sizes = (
        lexicon.SIZES
        if noun in ("ladder", "pole", "rope", "fishing rod", "oar", "plank", "board")
        else ("big", "small", "little")
    )
    painted = noun not in ("pile of bricks", "bundle of sticks", "bag of nails", "needle", "screw", "hook", "saw")
    return lexicon.PLAIN_LOOKS, sizes, ("red", "blue", "green", "yellow", "brown", "white", "grey") if painted else ()


class UsedUp(Exception):
    """A story already holds all that a part of it could be; another one is tried."""


class Stage:
    """Builds a story's events: ``do`` refuses an event whose conditions do not hold."""

    def __init__(self, rng: random.Random, words: tuple[str, ...] = ()) -> None:
        self.rng = rng
        self.cast = Cast()
        self.world = World()
        self.events: list[Event] = []
        self.wanted = list(words)
        self.used: set[str] = set()
        self.place = ""

    # drawing ------------------------------------------------------------------------------------------------------

    def choice(self, options: tuple[str, ...] | list[str]) -> str:
        return options[int(self.rng.random() * len(options))]

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def fresh(self, options: tuple[str, ...] | list[str]) -> str:
        """An option that the story does not hold yet; an ordered word where one fits."""
        for word in self.wanted:
            if word in options and word not in self.used:
                self.used.add(word)
                return word
        for _ in range(200):
            option = options[int(self.rng.random() * len(options))]
            if option not in self.used and option not in self.wanted:
                self.used.add(option)
                return option
        raise UsedUp

    def thing(self, nouns: tuple[str, ...] | list[str]) -> str:
        noun = self.fresh(nouns)
        food = noun in lexicon.FOODS
        looks, sizes, colours = _fitting(noun)
        ordered = [w for w in self.wanted if w in lexicon.ADJECTIVES and w not in self.used]
        materials = lexicon.MATERIALS_OF.get(noun, "").split()
        adjectives: list[str] = []
        word = ordered[0] if ordered else ""
        fits = (word not in lexicon.MATERIALS or word in materials) and (word not in lexicon.FOOD_LOOKS or food)
        if word and fits:
            adjectives.append(word)
            self.used.add(word)
        draw = self.rng.random()
        if draw < 0.5 and not adjectives:
            adjectives.append(self.choice(looks))
        elif draw < 0.75 and not adjectives:
            adjectives.append(self.choice(sizes))
        if colours and not any(a in lexicon.COLOURS for a in adjectives) and self.chance(0.6):
            adjectives.append(self.choice(colours))
        metal = {"gold", "silver", "copper", "brass"}
        if materials and not any(a in lexicon.MATERIALS for a in adjectives) and self.chance(0.45):
            fitting = [m for m in materials if not (metal & {m}) or not any(a in lexicon.COLOURS for a in adjectives)]
            if fitting:
                adjectives.append(self.choice(fitting))
        self.cast.things[noun] = tuple(adjectives)
        return noun

    def _register(self, key: str, gender: str, phrase: str, name: str) -> str:
        self.cast.genders[key], self.cast.phrases[key], self.cast.names[key] = gender, phrase, name
        return key

    def _trait(self, traits: tuple[str, ...]) -> str:
        for word in self.wanted:
            if word in traits and word not in self.used:
                self.used.add(word)
                return word
        return self.choice(traits)

    def hero(self) -> str:
        girl = self.chance(0.5)
        animal = next((w for w in self.wanted if w in lexicon.ANIMALS), "") if self.chance(0.5) else ""
        if animal or self.chance(0.25):
            kind = animal or self.choice(list(lexicon.ANIMALS))
            self.used.add(kind)
            girl = lexicon.ANIMALS[kind] == "she"
        else:
            kind = "girl" if girl else "boy"
            self.used.add(kind)
        name = self.fresh(lexicon.GIRLS if girl else lexicon.BOYS)
        word = self.choice(("named", "called"))
        return self._register(
            name, "she" if girl else "he", f"a~ {self._trait(lexicon.TRAITS)} {kind} {word} {name}", name
        )

    def animal(self, kinds: tuple[str, ...] | None = None) -> str:
        kind = self.fresh(kinds or tuple(lexicon.ANIMALS))
        return self._register(kind, lexicon.ANIMALS[kind], f"a~ {self._trait(lexicon.TRAITS)} {kind}", f"the {kind}")

    def anyone(self, hero: str) -> str:
        draw = self.rng.random()
        ordered = [w for w in self.wanted if w not in self.used]
        if draw < 0.25 or any(w in lexicon.ANIMALS for w in ordered):
            return self.animal()
        if draw < 0.5 or any(w in lexicon.GROWN_UPS for w in ordered):
            kind = self.fresh(tuple(lexicon.GROWN_UPS))
            gender = lexicon.GROWN_UPS[kind]
            phrase = f"a~ {self._trait(lexicon.GROWN_TRAITS)} {kind}"
            if self.chance(0.4):
                name = self.fresh(lexicon.GIRLS if gender == "she" else lexicon.BOYS)
                return self._register(name, gender, f"{phrase} named {name}", name)
            return self._register(kind, gender, phrase, f"the {kind}")
        if draw < 0.62:
            role = self.fresh(tuple(lexicon.FAMILY))
            return self._register(role, lexicon.FAMILY[role], role, role)
        girl = self.chance(0.5)
        name = self.fresh(lexicon.GIRLS if girl else lexicon.BOYS)
        if draw < 0.82:
            his = "his" if self.cast.genders[hero] == "he" else "her"
            return self._register(name, "she" if girl else "he", f"{his} {self.choice(lexicon.RELATIONS)} {name}", name)
        phrase = f"a~ {self._trait(lexicon.TRAITS)} {'girl' if girl else 'boy'} named {name}"
        return self._register(name, "she" if girl else "he", phrase, name)

    def new_place(self, options: tuple[str, ...] | None = None) -> str:
        return self.fresh(options or tuple(lexicon.PLACES))

    def spot(self, place: str) -> str:
        looks = lexicon.SPOT_LOOKS_IN if lexicon.PLACES[place][2] else lexicon.SPOT_LOOKS_OUT
        table = lexicon.SPOTS_IN if lexicon.PLACES[place][2] else lexicon.SPOTS_OUT
        while True:
            noun = self.choice(list(table))
            key = f"spot {noun}"
            if key not in self.used:
                self.used.add(key)
                break
        look = self.choice(looks) + " " if self.chance(0.5) and " " not in noun else ""
        return f"{self.choice(table[noun].split())} the {look}{noun}"

    def ground(self, place: str) -> str:
        """A spot where one can dig."""
        while True:
            spot = self.spot(place)
            if spot.startswith(("beside", "behind", "near", "next to")):
                return spot

    def treetop(self) -> str:
        look = self.choice(lexicon.TREE_LOOKS) + " " if self.chance(0.5) else ""
        return f"{self.choice(('in', 'at the top of'))} the {look}{self.choice(lexicon.TREES)}"

    # acting -------------------------------------------------------------------------------------------------------

    def do(
        self, kind: str, A: str = "", B: str = "", X: str = "", Y: str = "", Z: str = "", P: str = "", S: str = ""
    ) -> None:
        event = Event(kind, A, B, X, Y, Z, P, S)
        reason = self.world.apply(event)
        assert reason is None, reason
        self.events.append(event)

    def where(self, person: str) -> str:
        return self.world.get(person, "at")

    def holds(self, person: str, thing: str) -> bool:
        return self.world.get(thing, "holder") == person and not self.world.get(thing, "gone")

    def go(self, hero: str, place: str, with_thing: str = "") -> None:
        if self.where(hero) == place:
            return
        if with_thing and self.chance(0.4):
            self.do("carry", hero, X=with_thing, P=place)
        else:
            self.do("go", hero, P=place)
