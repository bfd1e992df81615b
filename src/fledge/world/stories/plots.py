"""What a story is about: a goal, obstacles that arise on the way, and the outcome that follows from them."""

from __future__ import annotations

from collections.abc import Callable

from fledge.world.stories import lexicon
from fledge.world.stories.cast import Stage

Plot = Callable[[Stage, str, str], str]  # (stage, hero, wished ending) -> the thing that the story is about

GIFTS = tuple(lexicon.TREASURES)
EDIBLE = tuple(food for food in lexicon.FOODS if food not in ("bag of flour", "bag of sugar", "pot of cream"))
KEEPSAKES = (*lexicon.TOYS, *lexicon.WEAR, *lexicon.TREASURES)
BREAKABLE = tuple(lexicon.TOYS) + (
    "cup",
    "vase",
    "box",
    "clock",
    "lantern",
    "umbrella",
    "teapot",
    "music box",
    "pipe",
    "bag",
    "belt",
)


def meet_someone(s: Stage, hero: str, at: str = "") -> str:
    other = s.anyone(hero)
    if at and s.where(hero) != at:
        s.do("meet_at", hero, other, P=at)
    else:
        s.do("meet", hero, other)
    return other


def obtain(s: Stage, hero: str, thing: str, depth: int = 1) -> bool:
    """The hero gets hold of a thing that nobody has named a place for: by luck, by asking, or by a swap."""
    draw = s.rng.random()
    place = s.new_place()
    if draw < 0.3:
        s.go(hero, place)
        s.do("see", hero, X=thing, S=s.spot(place))
        if s.chance(0.3) and depth:
            guard = s.animal(lexicon.GUARDS)
            s.do("guard", hero, guard, X=thing)
            s.do("block", hero, guard, X=thing)
            food = s.thing(lexicon.FOODS)
            if not obtain(s, hero, food, 0):
                return False
            s.go(hero, place, food)
            s.do("feed", hero, guard, Y=food, X=thing)
        s.do("take", hero, X=thing)
        return True
    other = meet_someone(s, hero, place)
    s.do("hold", other, other, Y=thing)
    if depth and (draw > 0.9 or "refuse" in s.wanted):
        wise = meet_someone(s, hero)
        s.do("ask_for", hero, other, Y=thing)
        s.do("refuse", other, hero, Y=thing)
        s.do("sad_refused", hero, other, Y=thing)
        s.do("comfort", wise, hero)
    s.do("ask_for", hero, other, Y=thing)
    if draw < 0.65 or not depth:
        s.do("agree", other, hero, Y=thing)
        s.do("lend", other, hero, Y=thing)
        if s.chance(0.5) and thing in (*lexicon.REACHERS, *lexicon.MENDERS, *lexicon.NETS):
            s.do("promise", hero, other, Y=thing)
        elif s.chance(0.7):
            s.do("thank", hero, other)
        return True
    price = s.thing((*lexicon.FOODS, *lexicon.TREASURES, *lexicon.WEAR))
    s.do("price", other, hero, Y=thing, Z=price)
    if not obtain(s, hero, price, 0):
        return False
    s.go(hero, place, price)
    s.do("pay", hero, other, Y=thing, Z=price)
    return True


def refused(s: Stage, hero: str, thing: str) -> None:
    other = meet_someone(s, hero, s.new_place())
    s.do("hold", other, other, Y=thing)
    s.do("ask_for", hero, other, Y=thing)
    s.do("refuse", other, hero, Y=thing)
    s.do("sad_refused", hero, other, Y=thing)


def mender(s: Stage, thing: str) -> str:
    """A tool that suits what is broken, or the one that is ordered."""
    unfit = {
        *(() if thing in lexicon.STITCHED else lexicon.STITCHERS),
        *(() if thing in lexicon.NAILED else lexicon.NAILERS),
    }
    return s.thing(tuple(tool for tool in lexicon.MENDERS if tool not in unfit or tool in s.wanted))


def lost(s: Stage, hero: str, ending: str) -> str:
    thing = s.thing(("hat", "cap", "bonnet", "crown", "mask") if ending == "funny" else KEEPSAKES)
    s.do("own", hero, X=thing)
    if s.chance(0.4):
        s.do("play" if thing in lexicon.TOYS else "glad_have", hero, X=thing)
    if s.chance(0.7):
        s.do("carry", hero, X=thing, P=s.new_place())
    s.do("lose", hero, X=thing)
    if s.chance(0.5):
        s.do("sad_lost", hero, X=thing)
    for _ in range(1 + s.chance(0.4)):
        s.do("search", hero, X=thing, S=s.spot(s.where(hero)))
        if s.chance(0.5):
            s.do("go", hero, P=s.new_place())
    if s.chance(0.5) or ending == "sad":
        other = meet_someone(s, hero)
        s.do("ask_where", hero, other, X=thing)
        s.do("not_know", other, hero, X=thing)
    if ending == "sad":
        s.do("go", hero, P=s.new_place())
        s.do("search", hero, X=thing, S=s.spot(s.where(hero)))
        s.do("give_up", hero, X=thing)
        s.do("sad_gone", hero, X=thing)
        return thing
    if ending == "funny":
        other = meet_someone(s, hero)
        s.do("ask_where", hero, other, X=thing)
        s.do("find_funny", hero, X=thing)
        return thing
    helper = meet_someone(s, hero, s.new_place())
    s.do("ask_where", hero, helper, X=thing)
    place = s.new_place()
    spot = s.spot(place)
    s.do("tell_where", helper, hero, X=thing, P=place, S=spot)
    if s.chance(0.5):
        s.do("thank", hero, helper)
        s.do("go", hero, P=place)
        s.do("find", hero, X=thing, S=spot)
    else:
        s.do("lead", helper, hero, P=place)
        s.do("find", hero, X=thing, S=spot)
        s.do("thank", hero, helper)
    s.do("glad_have", hero, X=thing)
    return thing


def stuck(s: Stage, hero: str, ending: str) -> str:
    thing = s.thing(("kite", "balloon", "ball", "paper plane", "hat", "hoop", "feather", "scarf", "cap", "ribbon"))
    s.do("own", hero, X=thing)
    if s.where(hero) not in lexicon.OUTDOORS:
        s.do("carry", hero, X=thing, P=s.new_place(lexicon.OUTDOORS))
    if thing in lexicon.TOYS:
        s.do("play", hero, X=thing)
    place = s.where(hero)
    s.do("fly_off", hero, X=thing, S=s.treetop())
    s.do("too_high", hero, X=thing)
    draw = s.rng.random()
    if ending == "sad":
        other = s.fresh(tuple(lexicon.REACHERS))
        s.cast.things[other] = ()
        refused(s, hero, other)
        return thing
    if ending == "funny" or draw < 0.35:
        s.do("climb", hero, X=thing)
        if ending == "funny" or s.chance(0.5):
            s.do("fall", hero)
            helper = meet_someone(s, hero)
            s.do("help", helper, hero)
            s.do("thank", hero, helper)
            s.do("climb", hero, X=thing)
        s.do("pull_down", hero, X=thing)
    elif draw < 0.6:
        bird = s.animal(lexicon.CAN_FLY)
        s.do("meet", hero, bird)
        s.do("fly_up", bird, X=thing)
        s.do("give", bird, hero, X=thing)
        s.do("thank", hero, bird)
    else:
        tool = s.thing(tuple(lexicon.REACHERS))
        obtain(s, hero, tool)
        s.go(hero, place, tool)
        s.do("reach", hero, X=thing, Y=tool)
    s.do("play" if thing in lexicon.TOYS and s.chance(0.5) else "glad_have", hero, X=thing)
    return thing


def afloat(s: Stage, hero: str, ending: str) -> str:
    thing = s.thing(("toy boat", "ball", "hat", "box", "bottle", "doll", "shoe", "basket", "flute", "mask", "mitten"))
    s.do("own", hero, X=thing)
    place = s.new_place(lexicon.WATERS)
    s.go(hero, place, thing)
    s.do("float", hero, X=thing)
    draw = s.rng.random()
    if ending == "sad":
        s.do("sink", hero, X=thing)
        s.do("sad_gone", hero, X=thing)
        return thing
    if draw < 0.5:
        swimmer = s.animal(lexicon.CAN_SWIM)
        s.do("meet", hero, swimmer)
        s.do("swim_out", swimmer, X=thing)
        s.do("give", swimmer, hero, X=thing)
        s.do("thank", hero, swimmer)
    else:
        tool = s.thing(tuple(lexicon.NETS) if thing != "basket" else ("net", "oar"))
        obtain(s, hero, tool)
        s.go(hero, place, tool)
        s.do("fish_out", hero, X=thing, Y=tool)
    if s.chance(0.7):
        s.do("dry", hero, X=thing)
    s.do("glad_have", hero, X=thing)
    return thing


def broken(s: Stage, hero: str, ending: str) -> str:
    thing = s.thing(BREAKABLE)
    s.do("own", hero, X=thing)
    friend = ""
    if s.chance(0.5) or ending == "wise":
        friend = meet_someone(s, hero)
        if s.chance(0.5):
            s.do("quarrel", hero, friend, X=thing)
        else:
            s.do("show", hero, friend, X=thing)
            s.do("give", hero, friend, X=thing)
            s.do("break", friend, X=thing)
            s.do("apologise", friend, hero, X=thing)
            s.do("forgive" if ending != "sad" else "not_forgive", hero, friend)
            s.do("give", friend, hero, X=thing)
    else:
        s.do("break", hero, X=thing)
    s.do("sad_broken", hero, X=thing)
    if ending == "sad":
        s.do("no_mend", hero, X=thing)
        s.do("sad_gone", hero, X=thing)
        return thing
    tool = mender(s, thing)
    s.do("need", hero, X=thing, Y=tool)
    obtain(s, hero, tool)
    if friend and s.chance(0.6):
        s.go(hero, s.where(friend), tool)
        s.do("mend_both", hero, friend, X=thing, Y=tool)
        if thing in lexicon.TOYS:
            s.do("play_both", hero, friend, X=thing)
    else:
        s.do("mend", hero, X=thing, Y=tool)
    s.do("glad_have", hero, X=thing)
    return thing


def make(s: Stage, hero: str, ending: str) -> str:
    cooking = s.chance(0.6) and not any(w == "build" or w in lexicon.BUILDS for w in s.wanted)
    thing = s.thing(lexicon.DISHES if cooking else lexicon.BUILDS)
    parts = lexicon.RECIPES[thing]
    first, second = s.thing(parts), s.thing(parts)
    kitchens = tuple(p for p in ("kitchen", "bakery", "inn", "castle") if p not in s.used)
    home = s.new_place(kitchens if cooking else lexicon.OUTDOORS)
    s.do("plan_make", hero, X=thing, Y=first, Z=second)
    obtain(s, hero, first)
    if ending == "sad":
        refused(s, hero, second)
        return thing
    obtain(s, hero, second, 0)
    s.go(hero, home)
    s.do("cook" if cooking else "build", hero, X=thing, Y=first, Z=second)
    if ending == "funny":
        guest = meet_someone(s, hero)
        if cooking:
            s.do("snatch", hero, guest, X=thing)
        else:
            s.do("collapse", hero, X=thing)
    elif cooking:
        guest = meet_someone(s, hero)
        s.do("share", hero, guest, X=thing)
        s.do("thank", guest, hero)
    else:
        s.do("use_build", hero, X=thing)
    return thing


def gift(s: Stage, hero: str, ending: str) -> str:
    thing = s.thing((*GIFTS, *lexicon.WEAR, *EDIBLE) if ending != "funny" else EDIBLE)
    friend = meet_someone(s, hero)
    home = s.where(friend)
    s.do("wish_for", friend, hero, X=thing)
    if ending == "sad":
        refused(s, hero, thing)
        return thing
    obtain(s, hero, thing)
    if ending == "funny":
        thief = s.animal()
        s.do("meet", hero, thief)
        s.do("snatch", hero, thief, X=thing)
        return thing
    s.go(hero, home, thing)
    s.do("give", hero, friend, X=thing)
    s.do("thank", friend, hero)
    if thing in lexicon.FOODS:
        s.do("share", friend, hero, X=thing)
    else:
        s.do("glad_have", friend, X=thing)
    return thing


def growing(s: Stage, hero: str, ending: str) -> str:
    thing = s.thing(lexicon.SEEDS)
    obtain(s, hero, thing)
    place = s.new_place(lexicon.OUTDOORS)
    s.go(hero, place, thing)
    s.do("plant", hero, X=thing, S=s.ground(place))
    if ending != "sad" or s.chance(0.3):
        s.do("tend", hero, X=thing)
    if s.chance(0.4):
        s.do("sleep", hero)
        s.do("wake", hero)
    else:
        s.do("wait", hero)
    if ending == "sad":
        s.do("wither", hero, X=thing)
        s.do("sad_gone", hero, X=thing)
        return thing
    s.do("grow", hero, X=thing)
    if s.chance(0.6):
        other = meet_someone(s, hero)
        s.do("invite", hero, other)
        if s.chance(0.5):
            s.do("sing", other)
    return thing


def borrowed(s: Stage, hero: str, ending: str) -> str:
    """A thing is lent on a promise: it comes back, or its loss has to be told."""
    thing = s.thing((*lexicon.TOYS, *lexicon.TREASURES))
    place = s.new_place()
    owner = meet_someone(s, hero, place)
    s.do("hold", owner, owner, Y=thing)
    s.do("ask_for", hero, owner, Y=thing)
    s.do("agree", owner, hero, Y=thing)
    s.do("lend", owner, hero, Y=thing)
    s.do("promise", hero, owner, Y=thing)
    s.do("carry", hero, X=thing, P=s.new_place())
    if thing in lexicon.TOYS:
        if s.chance(0.5):
            s.do("play_both", hero, meet_someone(s, hero), X=thing)
        else:
            s.do("play", hero, X=thing)
    elif s.chance(0.5):
        s.do("show", hero, meet_someone(s, hero), X=thing)
    if ending == "happy":
        s.go(hero, place, thing)
        s.do("bring_back", hero, owner, X=thing)
        s.do("thank", owner, hero)
        if s.chance(0.5):
            s.do("invite", owner, hero)
        return thing
    s.do("lose", hero, X=thing)
    s.do("sad_lost", hero, X=thing)
    s.do("search", hero, X=thing, S=s.spot(s.where(hero)))
    s.go(hero, place)
    s.do("confess", hero, owner, X=thing)
    s.do("not_forgive" if ending == "sad" else "forgive", owner, hero)
    return thing


PLOTS: dict[str, tuple[Plot, tuple[str, ...]]] = {
    "lost": (lost, ("happy", "sad", "funny", "wise")),
    "stuck": (stuck, ("happy", "sad", "funny", "wise")),
    "afloat": (afloat, ("happy", "sad", "wise")),
    "broken": (broken, ("happy", "sad", "wise")),
    "make": (make, ("happy", "sad", "funny", "wise")),
    "gift": (gift, ("happy", "sad", "funny", "wise")),
    "borrowed": (borrowed, ("happy", "sad", "wise")),
    "growing": (growing, ("happy", "sad", "wise")),
}
