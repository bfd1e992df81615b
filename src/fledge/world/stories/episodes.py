"""A small first episode with an ordered verb, for the endings that no plot with this verb has."""

from __future__ import annotations

from fledge.world.stories import lexicon
from fledge.world.stories.cast import Stage
from fledge.world.stories.plots import meet_someone, mender


def pick_up(s: Stage, hero: str, thing: str) -> None:
    s.do("see", hero, X=thing, S=s.spot(s.where(hero)))
    s.do("take", hero, X=thing)


def _make(s: Stage, hero: str, verb: str) -> None:
    thing = s.thing(lexicon.DISHES if verb == "cook" else lexicon.BUILDS)
    parts = lexicon.RECIPES[thing]
    first, second = s.thing(parts), s.thing(parts)
    s.do("plan_make", hero, X=thing, Y=first, Z=second)
    pick_up(s, hero, first)
    pick_up(s, hero, second)
    s.do(verb, hero, X=thing, Y=first, Z=second)
    s.do("eat" if verb == "cook" else "use_build", hero, X=thing)


def _plant(s: Stage, hero: str, verb: str) -> None:
    if s.where(hero) not in lexicon.OUTDOORS:
        s.do("go", hero, P=s.new_place(lexicon.OUTDOORS))
    seed = s.thing(lexicon.SEEDS)
    pick_up(s, hero, seed)
    s.do(verb, hero, X=seed, S=s.ground(s.where(hero)))


def _break(s: Stage, hero: str, verb: str) -> None:
    thing = s.thing(("cup", "vase", "teapot", "drum", "doll", "umbrella", "lantern"))
    s.do("own", hero, X=thing)
    if verb == "apologise":
        friend = meet_someone(s, hero)
        s.do("give", hero, friend, X=thing)
        s.do("break", friend, X=thing)
        s.do("apologise", friend, hero, X=thing)
        s.do("forgive", hero, friend)
        return
    s.do("break", hero, X=thing)
    if verb == "mend":
        tool = mender(s, thing)
        s.do("need", hero, X=thing, Y=tool)
        pick_up(s, hero, tool)
        s.do("mend", hero, X=thing, Y=tool)


def _climb(s: Stage, hero: str, verb: str) -> None:
    if s.where(hero) not in lexicon.OUTDOORS:
        s.do("go", hero, P=s.new_place(lexicon.OUTDOORS))
    thing = s.thing(("kite", "balloon", "ball", "cap", "hoop"))
    s.do("own", hero, X=thing)
    s.do("fly_off", hero, X=thing, S=s.treetop())
    s.do("climb", hero, X=thing)
    if verb != "climb":
        s.do("fall", hero)
    if verb == "help":
        helper = meet_someone(s, hero)
        s.do("help", helper, hero)
        s.do("thank", hero, helper)
    if verb == "climb":
        s.do("pull_down", hero, X=thing)


def _ask(s: Stage, hero: str, verb: str) -> None:
    other = meet_someone(s, hero)
    thing = s.thing((*lexicon.TREASURES, *lexicon.FOODS))
    s.do("hold", other, other, Y=thing)
    price = ""
    if verb == "swap":
        price = s.thing(tuple(lexicon.TREASURES))
        s.do("own", hero, X=price)
    s.do("ask_for", hero, other, Y=thing)
    if verb == "refuse":
        s.do("refuse", other, hero, Y=thing)
    elif verb == "swap":
        s.do("price", other, hero, Y=thing, Z=price)
        s.do("pay", hero, other, Y=thing, Z=price)
    else:
        s.do("agree", other, hero, Y=thing)
        s.do("lend", other, hero, Y=thing)
        s.do("promise", hero, other, Y=thing)


def _lose(s: Stage, hero: str, verb: str) -> None:
    thing = s.thing((*lexicon.TREASURES, *lexicon.WEAR))
    s.do("own", hero, X=thing)
    s.do("lose", hero, X=thing)
    s.do("search", hero, X=thing, S=s.spot(s.where(hero)))
    place = s.new_place()
    s.do("go", hero, P=place)
    s.do("find", hero, X=thing, S=s.spot(place))


EPISODES = {
    "cook": _make,
    "build": _make,
    "plant": _plant,
    "break": _break,
    "mend": _break,
    "apologise": _break,
    "climb": _climb,
    "fall": _climb,
    "help": _climb,
    "ask": _ask,
    "refuse": _ask,
    "swap": _ask,
    "promise": _ask,
    "give": _ask,
    "lose": _lose,
    "search": _lose,
    "find": _lose,
}
