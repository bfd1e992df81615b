"""What can be known of a person or a place, and the values that it can take."""

from __future__ import annotations

from dataclasses import dataclass

from fledge.world.facts.names import PETS

STREETS = (
    "Mill Lane", "Bridge Street", "Orchard Row", "Church Close", "Station Road", "Willow Walk", "Market Street",
    "Harbour Street", "Chapel Lane", "Garden Road", "Castle Street", "River Walk", "School Lane", "Tower Street",
    "Meadow Road", "Fountain Lane", "Forest Road", "Abbey Row", "Lantern Street", "Cherry Lane", "Park Row",
    "Sunset Close", "Stable Lane", "Pond Street",
)  # fmt: skip
JOBS = (
    "baker", "gardener", "nurse", "carpenter", "tailor", "farmer", "plumber", "painter", "clockmaker", "librarian",
    "sailor", "miller", "shepherd", "blacksmith", "cook", "driver", "dentist", "florist", "potter", "barber",
    "butcher", "fisher", "beekeeper", "printer", "weaver", "roofer", "pilot", "cobbler", "doctor", "builder",
)  # fmt: skip
PET_KINDS = ("dog", "cat", "rabbit", "parrot", "goat", "pony", "duck", "tortoise", "hamster", "donkey", "goose", "hen")
FOODS = (
    "apple pie", "pea soup", "honey cake", "fried fish", "plum jam", "cheese toast", "onion stew", "roast potatoes",
    "bread pudding", "lemon tart", "mushroom soup", "pancakes", "boiled eggs", "carrot salad", "rice pudding",
    "chicken pie", "nut bread", "pickled beans", "cherry tart", "corn soup", "ginger cake", "baked apples",
    "tomato stew", "pumpkin pie", "smoked ham", "walnut cake", "leek soup", "strawberry ice", "oat porridge",
    "cabbage rolls",
)  # fmt: skip
THINGS = (
    "wooden boat", "red kite", "oak chair", "silver ring", "clay bowl", "glass lamp", "stone bench", "paper lantern",
    "iron gate", "wool blanket", "brass bell", "tall clock", "straw basket", "leather bag", "copper kettle",
    "rocking horse", "birdhouse", "bamboo flute", "garden swing", "tin whistle", "velvet coat", "rope ladder",
    "puppet theatre", "toy train", "sundial", "picture frame", "chess set", "wax candle", "water wheel", "feather hat",
)  # fmt: skip
VILLAGES = (
    "Eldham", "Brackwell", "Cotterby", "Dunscombe", "Everley", "Farnby", "Greyford", "Holmbury", "Kettleby", "Lowick",
    "Marston", "Nunwick", "Oxley", "Penhallow", "Stanwick", "Thornby",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
BIRTHDAYS = tuple(f"{day} {month}" for month in MONTHS for day in range(1, 29))
BIRTH_YEARS = tuple(str(year) for year in range(1930, 1990))
PLACES = (
    "bakery", "bookshop", "flower shop", "toy shop", "library", "museum", "town hall", "post office", "inn", "theatre",
    "swimming pool", "hospital", "fire station", "shoe shop", "tea room", "fish market", "music school", "bicycle shop",
    "hat shop", "boathouse",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "yellow", "white", "black", "brown", "orange", "purple", "grey")
OPENING_YEARS = tuple(str(year) for year in range(1860, 1930))


@dataclass(frozen=True)
class Attribute:
    """One thing to know; ``values`` is empty where the value is another person of the town."""

    name: str
    values: tuple[str, ...] = ()


PERSON_ATTRIBUTES = (
    Attribute("street", STREETS),
    Attribute("job", JOBS),
    Attribute("pet_kind", PET_KINDS),
    Attribute("pet_name", PETS),
    Attribute("food", FOODS),
    Attribute("made", THINGS),
    Attribute("birthday", BIRTHDAYS),
    Attribute("birth_year", BIRTH_YEARS),
    Attribute("birthplace", VILLAGES),
    Attribute("friend"),
    Attribute("teacher"),
    Attribute("sibling"),
)
PLACE_ATTRIBUTES = (
    Attribute("place_street", STREETS),
    Attribute("place_door", COLOURS),
    Attribute("place_opened", OPENING_YEARS),
)
RELATIONS = ("friend", "teacher", "sibling")
"""Attributes whose value is a person: the links of multi-hop questions."""
TESTED = tuple(attribute.name for attribute in PERSON_ATTRIBUTES if attribute.name not in RELATIONS)
"""Attributes asked about in the tasks on facts."""
VALUES = {attribute.name: attribute.values for attribute in (*PERSON_ATTRIBUTES, *PLACE_ATTRIBUTES)}
