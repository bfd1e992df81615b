"""What every kind of event needs and what it changes: the one table that the simulation and the checker replay.

A rule reads ``conditions -> changes``. A condition is ``term=term``, ``term!=term``, ``term`` (is set), ``!term``
(is not set) or ``?term=term`` (is not set, or is equal). A change is ``term=term`` or ``term=`` (unset).
Terms are paths such as ``A.at``, ``X.holder``, ``B.ignorant.X``, where capitals stand for the event's slots.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Event(NamedTuple):
    """One thing that happens. Empty slots do not take part. People and things are named by the noun that tells them
    apart in the story; ``S`` is a whole phrase of place ("under the old bench")."""

    kind: str
    A: str = ""
    B: str = ""
    X: str = ""
    Y: str = ""
    Z: str = ""
    P: str = ""
    S: str = ""


RULES: dict[str, str] = {
    # who and what there is
    "hero": "!A.met -> A.met=yes A.at=P here.set=yes",
    "own": "A.met !X.met -> X.met=yes X.holder=A X.owner=A X.cond=fine",
    "meet": "A.at !B.met A!=B -> B.met=yes B.at=A.at",
    "meet_at": "A.at !B.met A!=B A.at!=P -> A.at=P B.met=yes B.at=P",
    "hold": "B.met !Y.met -> Y.met=yes Y.holder=B Y.owner=B Y.cond=fine",
    "see": "A.at !X.met -> X.met=yes X.at=A.at X.spot=S X.cond=fine",
    "guard": "A.at !B.met X.at=A.at -> B.met=yes B.at=A.at X.guard=B",
    "wish_for": "A.met B.met A!=B -> A.goal=X X.heard=yes B.wish=X",
    "plan_make": "A.met !X.met -> A.goal=X X.heard=yes Y.heard=yes Z.heard=yes X.parts=Y X.parts2=Z",
    # places
    "go": "A.at A.at!=P !A.high !A.asleep -> A.at=P",
    "go_both": "A.at A!=B A.at=B.at A.at!=P !A.high -> A.at=P B.at=P",
    "lead": "A.at A!=B A.at=B.at A.at!=P -> A.at=P B.at=P",
    "call": "A.at B.met A!=B A.at!=B.at -> B.at=A.at",
    # things that change hands
    "take": "X.at A.at=X.at !X.holder !X.stuck !X.guard !X.afloat -> X.holder=A X.at= X.spot=",
    "give": "X.holder=A A!=B A.at=B.at -> X.holder=B B.gift=A",
    "bring_back": "X.holder=A A!=B A.at=B.at X.owner=B -> X.holder=B B.gift=A",
    "swap": "X.holder=A Y.holder=B A!=B A.at=B.at -> X.holder=B Y.holder=A A.gift=B",
    "show": "X.holder=A A!=B A.at=B.at",
    "carry": "X.holder=A A.at A.at!=P -> A.at=P",
    "hide": "X.holder=A A.at -> X.holder= X.at=A.at X.spot=S X.hidden=A",
    # loss and search
    "lose": "X.holder=A !X.lost -> X.holder= X.lost=yes A.misses=X",
    "search": "X.lost A.at !X.holder -> X.not.S=A.at",
    "find": "X.lost A.at ?X.told=A.at ?X.toldspot=S X.not.S!=A.at -> X.lost= X.holder=A X.told= X.toldspot=",
    "find_funny": "X.lost -> X.lost= X.holder=A X.cond=fine",
    "give_up": "X.lost A.at -> X.gone=yes",
    "ask_where": "X.lost A.at A!=B A.at=B.at -> B.asked=X B.asker=A",
    "tell_where": "A.asked=X A.asker=B A.at=B.at !A.ignorant.X A.at!=P -> X.told=P X.toldspot=S A.asked= B.gift=A",
    "not_know": "A.asked=X A.asker=B A.at=B.at -> A.ignorant.X=yes A.asked=",
    # asking for things
    "ask_for": "Y.holder=B A!=B A.at=B.at -> B.asked=Y B.asker=A",
    "agree": "A.asked=Y A.asker=B A.at=B.at Y.holder=A -> A.asked= A.agreed=Y",
    "refuse": "A.asked=Y A.asker=B A.at=B.at Y.holder=A -> A.asked= A.refused=Y",
    "price": "A.asked=Y A.asker=B A.at=B.at Y.holder=A Z!=Y -> A.asked= A.price=Z Z.heard=yes",
    "lend": "A.agreed=Y Y.holder=A A!=B A.at=B.at -> Y.holder=B A.agreed= B.gift=A",
    "pay": "A!=B A.at=B.at B.price=Z Z.holder=A Y.holder=B -> Z.holder=B Y.holder=A B.price= A.gift=B",
    "promise": "A!=B A.at=B.at Y.holder=A Y.owner=B -> A.promised=Y",
    # high and wet
    "stuck": "X.holder=A !X.stuck -> X.holder= X.stuck=yes X.at=A.at X.spot=S",
    "fly_off": "X.holder=A !X.stuck -> X.holder= X.stuck=yes X.at=A.at X.spot=S",
    "too_high": "X.stuck A.at=X.at -> A.short=X",
    "climb": "X.stuck A.at=X.at !A.high -> A.high=yes",
    "fall": "A.high -> A.high= A.hurt=yes",
    "pull_down": "A.high X.stuck A.at=X.at -> A.high= X.stuck= X.holder=A X.at= X.spot=",
    "reach": "X.stuck A.at=X.at Y.holder=A Y.cond!=broken -> X.stuck= X.holder=A X.at= X.spot=",
    "fly_up": "X.stuck A.at=X.at -> X.stuck= X.holder=A X.at= X.spot=",
    "float": "X.holder=A !X.afloat -> X.holder= X.afloat=yes X.at=A.at X.cond=wet",
    "fish_out": "X.afloat A.at=X.at Y.holder=A Y.cond!=broken -> X.afloat= X.holder=A X.at=",
    "swim_out": "X.afloat A.at=X.at -> X.afloat= X.holder=A X.at=",
    "sink": "X.afloat A.at=X.at -> X.gone=yes X.at= X.afloat= X.lost=yes",
    "dry": "X.holder=A X.cond=wet -> X.cond=dry",
    # whole and broken
    "wash": "X.holder=A !X.gone",
    "break": "X.holder=A X.cond!=broken -> X.cond=broken X.breaker=A",
    "quarrel": "X.holder=A A!=B A.at=B.at X.cond!=broken -> X.cond=broken X.breaker=A A.cross=B B.cross=A",
    "need": "X.cond=broken X.holder=A -> Y.heard=yes X.needs=Y",
    "mend": "X.cond=broken X.holder=A Y.holder=A Y.cond!=broken -> X.cond=mended",
    "mend_both": "X.cond=broken X.holder=A A!=B A.at=B.at Y.holder=A -> X.cond=mended B.helped=A A.gift=B",
    "no_mend": "X.cond=broken X.holder=A -> X.gone=yes",
    # guards
    "block": "X.guard=B A.at=B.at -> A.afraid=B",
    "feed": "Y.holder=A X.guard=B A.at=B.at A!=B -> X.guard= Y.gone=yes Y.holder= Y.eater=B",
    # food, making, growing
    "eat": "X.holder=A !X.gone -> X.gone=yes X.holder= X.eater=A",
    "snatch": "X.holder=A A!=B A.at=B.at !X.gone -> X.gone=yes X.holder= X.eater=B",
    "share": "X.holder=A A!=B A.at=B.at !X.gone -> X.gone=yes X.eater=A B.gift=A",
    "cook": "X.heard !X.met Y.holder=A Z.holder=A ?X.parts=Y ?X.parts2=Z -> "
    "X.met=yes X.holder=A X.cond=fine Y.gone=yes Y.holder= Z.gone=yes Z.holder=",
    "build": "X.heard !X.met Y.holder=A Z.holder=A ?X.parts=Y ?X.parts2=Z -> "
    "X.met=yes X.at=A.at X.cond=fine Y.gone=yes Y.holder= Z.gone=yes Z.holder= X.maker=A",
    "use_build": "X.maker=A A.at=X.at X.cond!=broken",
    "collapse": "X.maker=A A.at=X.at X.cond!=broken -> X.cond=broken",
    "plant": "X.holder=A A.at -> X.holder= X.at=A.at X.planted=A X.spot=S",
    "tend": "X.planted=A A.at=X.at -> X.tended=yes",
    "sleep": "A.at !A.asleep -> A.asleep=yes",
    "wake": "A.asleep -> A.asleep= A.rested=yes",
    "wait": "A.at !A.asleep",
    "grow": "X.planted A.at=X.at X.tended -> X.grown=yes",
    "wither": "X.planted A.at=X.at !X.grown -> X.gone=yes",
    # people
    "play": "X.holder=A X.cond!=broken !X.lost",
    "play_both": "X.holder=A X.cond!=broken A!=B A.at=B.at",
    "thank": "A!=B A.at=B.at A.gift=B",
    "comfort": "A!=B A.at=B.at B.low -> B.low=",
    "help": "A!=B A.at=B.at B.hurt -> B.hurt= B.gift=A",
    "apologise": "A!=B A.at=B.at X.breaker=A -> A.sorry=B",
    "confess": "A!=B A.at=B.at X.owner=B X.lost -> A.sorry=B",
    "forgive": "A!=B A.at=B.at B.sorry=A -> B.forgiven=A A.cross= B.cross=",
    "not_forgive": "A!=B A.at=B.at B.sorry=A -> A.angry=B",
    "invite": "A!=B A.at=B.at",
    "sing": "A.at !A.asleep",
    "dance": "A.at !A.asleep !A.hurt",
    "follow": "A!=B A.at=B.at",
    # feelings with their cause
    "sad_lost": "X.lost A.met -> A.low=yes",
    "sad_broken": "X.cond=broken A.met -> A.low=yes",
    "sad_refused": "A!=B B.refused=Y -> A.low=yes",
    "sad_gone": "X.gone A.met -> A.low=yes",
    "glad_have": "X.holder=A X.cond!=broken -> A.low=",
    "glad_given": "A!=B A.holds.X!=no X.holder=A A.gift=B -> A.low=",
    # closings
    "end_happy": "A.met -> end.set=yes",
    "end_sad": "A.met A.low -> end.set=yes",
    "end_funny": "A.met -> end.set=yes",
    "end_wise": "A.met -> end.set=yes",
    # details that change nothing
    "muse": "A.met !A.asleep",
    "weather": "?here.weather=P -> here.weather=P",
    "scene": "",
    "chatter": "",
}


class World:
    """The state of one day: paths to values. ``apply`` replays an event and says what is wrong with it, if anything."""

    def __init__(self) -> None:
        self.facts: dict[tuple[str, ...], str] = {}

    def get(self, *path: str) -> str:
        return self.facts.get(path, "")

    def apply(self, event: Event) -> str | None:
        conditions, changes = compiled_rule(event.kind)
        facts = self.facts
        reason = None
        if (
            facts.get(("end", "set"))
            and not event.kind.startswith("end_")
            and event.kind not in ("scene", "muse", "weather")
        ):
            reason = f"{event.kind}: happens after the end"
        for test, left, right in conditions:
            value = _value(left, event, facts)
            other = _value(right, event, facts) if right else ""
            if test == "set":
                ok = bool(value)
            elif test == "unset":
                ok = not value
            elif test == "eq":
                ok = bool(value) and value == other
            elif test == "maybe":
                ok = not value or value == other
            else:
                ok = value != other
            if not ok:
                reason = reason or f"{event.kind}: {'.'.join(left)} {test} {'.'.join(right)} fails for {_named(event)}"
        for left, right in changes:
            key = tuple(_slot(name, event) for name in left)
            value = _value(right, event, facts) if right else ""
            if value:
                facts[key] = value
            else:
                facts.pop(key, None)
        return reason


_SLOTS = frozenset("ABXYZPS")


def _named(event: Event) -> str:
    return ", ".join(value for value in event[1:] if value)


def _slot(name: str, event: Event) -> str:
    return str(getattr(event, name)) if name in _SLOTS else name


def _value(term: tuple[str, ...], event: Event, facts: dict[tuple[str, ...], str]) -> str:
    if len(term) == 1:
        return _slot(term[0], event)
    return facts.get(tuple(getattr(event, name) if name in _SLOTS else name for name in term), "")


Condition = tuple[str, tuple[str, ...], tuple[str, ...]]
Change = tuple[tuple[str, ...], tuple[str, ...]]


@cache
def compiled_rule(kind: str) -> tuple[tuple[Condition, ...], tuple[Change, ...]]:
    before, _, after = RULES[kind].partition("->")
    conditions: list[Condition] = []
    for word in before.split():
        left, _, right = word.partition("!=" if "!=" in word else "=")
        test = "ne" if "!=" in word else "eq" if right else "set"
        if left[0] == "!":
            test, left = "unset", left[1:]
        elif left[0] == "?":
            test, left = "maybe", left[1:]
        conditions.append((test, tuple(left.split(".")), tuple(right.split(".")) if right else ()))
    changes = []
    for word in after.split():
        left, _, right = word.partition("=")
        changes.append((tuple(left.split(".")), tuple(right.split(".")) if right else ()))
    return tuple(conditions), tuple(changes)
