"""How an ordered verb enters a story: the plots that hold it, and small last episodes for those that fit anywhere."""

from __future__ import annotations

from fledge.world.stories import lexicon
from fledge.world.stories.cast import Stage
from fledge.world.stories.plots import EDIBLE, meet_someone

# verb -> kinds of events whose wordings say it
VERB_KINDS: dict[str, tuple[str, ...]] = {
    "ask": ("ask_for", "ask_where"),
    "give": ("give", "lend", "feed", "share", "bring_back"),
    "find": ("find", "find_funny", "meet"),
    "lose": ("lose", "fly_off"),
    "break": ("break", "quarrel"),
    "mend": ("mend",),
    "hide": ("hide",),
    "share": ("share",),
    "swap": ("pay",),
    "help": ("help",),
    "climb": ("climb",),
    "fall": ("fall",),
    "call": ("call",),
    "wait": ("wait",),
    "sleep": ("sleep",),
    "cook": ("cook",),
    "eat": ("eat", "snatch"),
    "plant": ("plant",),
    "build": ("build",),
    "promise": ("promise",),
    "apologise": ("apologise",),
    "refuse": ("refuse",),
    "follow": ("follow",),
    "carry": ("carry",),
    "sing": ("sing",),
    "wash": ("wash",),
    "dance": ("dance",),
    "search": ("search",),
}
VERB_PLOTS: dict[str, tuple[str, ...]] = {
    "find": ("lost",),
    "lose": ("lost", "stuck", "borrowed"),
    "search": ("lost",),
    "break": ("broken",),
    "mend": ("broken",),
    "apologise": ("broken",),
    "help": ("stuck",),
    "climb": ("stuck",),
    "fall": ("stuck",),
    "wait": ("growing",),
    "plant": ("growing",),
    "cook": ("make",),
    "build": ("make",),
    "give": ("gift",),
    "promise": ("borrowed", "stuck", "afloat", "broken"),
    "swap": ("make", "gift", "growing"),
    "ask": ("make", "gift", "lost"),
    "refuse": ("make", "gift", "growing"),
}


def told(stage: Stage, verbs: tuple[str, ...]) -> bool:
    kinds = {event.kind for event in stage.events}
    return all(any(kind in kinds for kind in VERB_KINDS[verb]) for verb in verbs)


def keepsake(stage: Stage, hero: str, noun: str) -> None:
    """The hero owns an ordered thing from the start, where the plot has no other place for it."""
    if noun in lexicon.THINGS and noun not in stage.used:
        stage.do("own", hero, X=stage.thing((noun,)))


def last_episode(stage: Stage, hero: str, verb: str) -> None:
    """A small episode with the ordered verb, where the story so far did not call for it."""
    if verb == "wash" and not any(stage.holds(hero, noun) for noun in stage.cast.things):
        found = stage.thing((*lexicon.TREASURES, *lexicon.WEAR))
        stage.do("see", hero, X=found, S=stage.spot(stage.where(hero)))
        stage.do("take", hero, X=found)
    held = [noun for noun in stage.cast.things if stage.holds(hero, noun)]
    if verb in ("sing", "dance", "sleep", "wait"):
        stage.do(verb, hero)
        if verb == "sleep":
            stage.do("wake", hero)
    elif verb in ("eat", "share"):
        food = stage.thing(EDIBLE)
        other = meet_someone(stage, hero) if verb == "share" else ""
        stage.do("see", hero, X=food, S=stage.spot(stage.where(hero)))
        stage.do("take", hero, X=food)
        stage.do(verb, hero, other, X=food)
    elif verb == "follow":
        stage.do("follow", hero, meet_someone(stage, hero))
    elif verb == "call":
        friend = meet_someone(stage, hero)
        stage.do("go", hero, P=stage.new_place())
        stage.do("call", hero, friend)
    elif held and verb == "hide":
        stage.do("hide", hero, X=held[0], S=stage.spot(stage.where(hero)))
    elif held and verb == "wash":
        stage.do("wash", hero, X=held[0])
    elif held and verb == "carry":
        stage.do("carry", hero, X=held[0], P=stage.new_place())
    elif held and verb == "give":
        friend = meet_someone(stage, hero)
        stage.do("give", hero, friend, X=held[0])
        stage.do("thank", friend, hero)
