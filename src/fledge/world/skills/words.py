"""Plain words for spelling, sorting and counting; a fixed fifth is kept for tests."""

from __future__ import annotations

from fledge.world.grammar import words
from fledge.world.randomness import share_of

HELDOUT_SHARE = 0.2

WORDS = words(
    "apple bag ball barn basket bed bell bench bird boat book boot bottle bowl box bread bridge brush bucket bus cake "
    "candle cap card carpet carrot cart castle chair cheese cherry church clock cloud coat coin cup curtain desk dish "
    "doll door drum duck ear egg eye farm feather fence field fish flag floor flower fork fox frog garden gate glass "
    "glove goat gold grape grass hammer hand hat head hill honey horse house island jacket jar kettle key kitchen "
    "kite knife ladder lake lamp leaf lemon letter lion lock map market mill mirror money moon mouse mushroom nail "
    "needle nest net night nose nut ocean onion orange oven owl paint pan paper park path pear pen pencil picture pie "
    "pillow plate plum pocket pond pot potato queen rabbit rain ribbon ring river road roof room rope rose sail salt "
    "sand school seed sheep shelf shell ship shirt shoe shop sky snow soap sock spoon spring stable star stone storm "
    "street string summer sun table tail tent thread tiger tomato tower town train tree trumpet tulip umbrella "
    "village wagon wall water wheel wind window winter wolf wood wool yard"
)
THINGS = words(
    "apple bag ball basket bell bird boat book boot bottle bowl box brush bucket candle cap card carrot chair cherry "
    "clock coat coin cup doll drum duck egg feather flag flower fork frog glove goat hat key kite lamp lemon "
    "letter map mirror needle nut onion orange pan pear pen pencil plate plum pot rabbit ring rose seed shell shirt "
    "shoe sock spoon star stone tulip umbrella wheel"
)
"""Those of them that can be counted, each with a regular plural."""


def is_heldout(word: str) -> bool:
    """Whether ``word`` is never spelled in training."""
    return share_of("spelling", word) < HELDOUT_SHARE


TRAIN_WORDS = tuple(word for word in WORDS if not is_heldout(word))
HELDOUT_WORDS = tuple(word for word in WORDS if is_heldout(word))
