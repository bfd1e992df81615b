"""Every noun, name and adjective that a story's state may hold, in plain tables.

Things, places, spots and characters are told apart by their nouns, so a noun never stands in two tables;
scenery words, which never enter the state, stand in ``scenery.py``.
"""

from __future__ import annotations


def word_list(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIRLS = tuple(
    word_list("""
    Ada Amy Ann Bea Bella Cara Cora Clara Daisy Dora Edith Ella Elsa Emma Etta Eva Fay Flora Gina Greta
    Hanna Hazel Heidi Ida Ines Iris Ivy Jane Jill Josie Kate Kira Lena Lily Lina Lola Lotta Lucy Luna
    Mabel Mara Maya Mia Milly Mina Molly Nell Nina Nora Olga Oona Pia Polly Rita Rosa Ruth Sally Sara
    Selma Stella Sue Tara Tess Tilda Tina Vera Wilma Yara Zoe Zara
    """)
)
BOYS = tuple(
    word_list("""
    Abe Adam Alec Anton Arlo Axel Basil Ben Bill Bruno Carl Caleb Colin Dan Dave Dean Eddie Eli Emil Ezra
    Felix Finn Frank Fred Gus Hank Hans Henry Hugo Ian Isaac Ivan Jack Jake Jim Joe Jonas Josh Karl Kurt
    Lars Leo Liam Louis Luke Max Milo Ned Nick Nils Noah Olaf Omar Oscar Otto Owen Paul Pete Ralph Remy
    Rob Rolf Sam Seth Simon Sven Ted Theo Tim Toby Tom Victor Walt Yusuf Zack
    """)
)
NAMES: tuple[str, ...] = GIRLS + BOYS

# kind -> the pronoun that stories use for it
ANIMALS: dict[str, str] = {
    **dict.fromkeys(
        word_list("fox bear frog goat badger otter crow donkey mole beaver toad wolf robin dog pony hamster raven ram"),
        "he",
    ),
    **dict.fromkeys(
        word_list("rabbit mouse owl duck hen cat squirrel hedgehog goose cow turtle deer swan lamb parrot pigeon"),
        "she",
    ),
}
GROWN_UPS: dict[str, str] = {
    **dict.fromkeys(
        word_list("fisherman miller shepherd tailor carpenter sailor postman cook smith king clown giant"), "he"
    ),
    **dict.fromkeys(
        word_list("farmer baker gardener painter potter doctor captain teacher weaver singer queen witch"), "she"
    ),
}
FAMILY: dict[str, str] = {"Grandma": "she", "Grandpa": "he", "Mama": "she", "Papa": "he"}
CHILDREN: dict[str, str] = {"boy": "he", "girl": "she"}
KINDS: dict[str, str] = {**ANIMALS, **GROWN_UPS, **CHILDREN}
RELATIONS = ("friend", "cousin", "neighbour")
CAN_FLY = ("crow", "owl", "robin", "parrot", "raven", "pigeon")
CAN_SWIM = ("duck", "otter", "frog", "swan", "beaver", "toad", "goose", "turtle")
GUARDS = ("dog", "goat", "wolf", "bear", "donkey", "cow", "ram")

TRAITS = tuple(
    word_list("""
    kind brave shy clever curious cheerful gentle stubborn lazy proud patient quiet noisy busy dreamy
    polite careful friendly merry silly hungry sleepy tiny young small thin strong lively
    """)
)
GROWN_TRAITS = tuple(
    word_list("old kind tall gruff cheerful quiet busy tired friendly polite round thin proud gentle merry strong")
)

# noun -> what it may be made of; the kind of a thing says what can happen to it
TOYS: dict[str, str] = {
    "ball": "rubber leather woollen",
    "kite": "paper silk",
    "doll": "wooden cloth china",
    "drum": "tin wooden",
    "toy boat": "wooden tin paper",
    "toy train": "wooden tin",
    "hoop": "wooden tin",
    "whistle": "tin wooden silver",
    "flute": "wooden silver clay",
    "puppet": "wooden cloth paper",
    "balloon": "rubber",
    "sled": "wooden",
    "wagon": "wooden tin",
    "puzzle": "wooden paper",
    "mask": "paper wooden clay",
    "spinning top": "wooden tin",
    "fiddle": "wooden",
    "horn": "brass tin",
    "paper plane": "",
    "toy soldier": "tin wooden",
    "rattle": "tin wooden",
    "toy sword": "wooden tin",
}
WEAR: dict[str, str] = {
    "hat": "straw woollen felt",
    "scarf": "woollen silk",
    "cap": "woollen leather cloth",
    "mitten": "woollen leather",
    "coat": "woollen leather",
    "boot": "leather rubber",
    "ribbon": "silk velvet",
    "shoe": "leather cloth",
    "belt": "leather cloth",
    "shawl": "woollen silk",
    "cloak": "velvet woollen",
    "bag": "leather cloth straw",
    "sock": "woollen",
    "apron": "cloth leather",
    "bonnet": "straw silk",
}
TREASURES: dict[str, str] = {
    "book": "leather paper",
    "shell": "",
    "feather": "",
    "coin": "gold silver copper",
    "button": "brass wooden bone",
    "ring": "gold silver copper",
    "key": "iron brass silver",
    "map": "paper leather",
    "mirror": "glass silver",
    "vase": "china clay glass",
    "cup": "china clay tin",
    "box": "wooden tin paper",
    "picture": "paper wooden",
    "necklace": "gold silver glass",
    "clock": "brass wooden",
    "letter": "paper",
    "candle": "wax",
    "pebble": "",
    "medal": "gold silver brass",
    "teapot": "china clay tin",
    "lantern": "paper tin glass brass",
    "bell": "brass silver",
    "crown": "gold paper",
    "compass": "brass",
    "umbrella": "silk cloth",
    "bottle": "glass clay",
    "pen": "silver wooden",
    "star chart": "paper",
    "music box": "wooden silver",
    "brooch": "gold silver glass",
    "comb": "bone wooden",
    "watch": "gold silver brass",
    "pipe": "clay wooden",
}
REACHERS: dict[str, str] = {
    "ladder": "wooden rope",
    "pole": "wooden iron",
    "broom": "straw",
    "rake": "wooden iron",
    "walking stick": "wooden",
    "fishing rod": "wooden",
    "hook": "iron brass",
}
MENDERS: dict[str, str] = {
    "hammer": "iron wooden",
    "needle": "iron bone",
    "pot of glue": "",
    "roll of tape": "",
    "ball of string": "",
    "saw": "iron",
    "bag of nails": "",
    "spool of thread": "",
    "screw": "iron brass",
}
# cloth is stitched and wood is nailed; what else is mended with glue, tape or string
STITCHED = ("doll", "puppet", "kite", "bag", "belt", "umbrella", "ball", "balloon")
NAILED = ("wagon", "sled", "toy train", "toy boat", "box", "drum", "hoop", "clock", "music box", "toy sword", "fiddle")
STITCHERS = ("needle", "spool of thread")
NAILERS = ("hammer", "saw", "bag of nails", "screw")
NETS: dict[str, str] = {"net": "rope", "oar": "wooden", "rope": "", "bucket": "tin wooden", "basket": "straw"}
FOODS: tuple[str, ...] = tuple(
    word_list("""
    apple pear plum peach carrot turnip bun cake pie pancake biscuit tart muffin pretzel potato pumpkin
    melon sausage egg onion cherry fig grape lemon walnut sandwich radish cabbage waffle
    """)
) + (
    "jar of honey",
    "slice of cheese",
    "bottle of milk",
    "bag of flour",
    "piece of bread",
    "bowl of soup",
    "cob of corn",
    "bag of sugar",
    "jar of jam",
    "pot of cream",
    "box of raisins",
)
SWEET = tuple(word_list("apple pear plum peach bun cake pie pancake biscuit tart muffin melon cherry fig grape waffle"))
WARM = tuple(word_list("bun cake pie pancake tart muffin pretzel potato sausage egg waffle"))
DISHES: tuple[str, ...] = ("stew", "pudding", "salad", "dumpling", "birthday cake", "fruit pie", "omelette", "pasty")
BUILDS: tuple[str, ...] = ("tree house", "raft", "fort", "bird house", "scarecrow", "go-cart", "den", "swing")
BUILD_PARTS: dict[str, str] = {
    "plank": "wooden",
    "wheel": "wooden iron",
    "sack": "cloth",
    "board": "wooden",
    "pile of bricks": "",
    "bundle of sticks": "",
    "sheet": "cloth",
    "can of paint": "",
}
# what a dish is cooked from and a thing is built from
RECIPES: dict[str, tuple[str, ...]] = {
    "stew": ("carrot", "turnip", "potato", "onion", "sausage", "cabbage", "cob of corn", "pumpkin"),
    "pudding": (
        "jar of jam",
        "bag of sugar",
        "bottle of milk",
        "egg",
        "pot of cream",
        "box of raisins",
        "bag of flour",
    ),
    "salad": ("radish", "cabbage", "onion", "carrot", "egg", "slice of cheese", "potato"),
    "dumpling": ("potato", "bag of flour", "plum", "egg", "onion", "jar of jam"),
    "birthday cake": (
        "egg",
        "bag of flour",
        "bag of sugar",
        "pot of cream",
        "bottle of milk",
        "jar of honey",
        "walnut",
    ),
    "fruit pie": ("apple", "pear", "plum", "peach", "cherry", "bag of flour", "bag of sugar", "grape", "fig"),
    "omelette": ("egg", "onion", "slice of cheese", "potato", "pot of cream", "bottle of milk", "sausage"),
    "pasty": ("potato", "onion", "carrot", "slice of cheese", "bag of flour", "sausage", "turnip"),
    "tree house": ("plank", "board", "can of paint", "bundle of sticks"),
    "raft": ("plank", "board", "bundle of sticks"),
    "fort": ("plank", "board", "pile of bricks", "bundle of sticks", "sheet"),
    "bird house": ("plank", "board", "can of paint"),
    "scarecrow": ("sack", "sheet", "bundle of sticks", "plank"),
    "go-cart": ("wheel", "board", "plank", "can of paint"),
    "den": ("sheet", "sack", "bundle of sticks", "board"),
    "swing": ("board", "plank", "can of paint"),
}
SEEDS: tuple[str, ...] = ("seed", "bean", "acorn", "bulb", "cutting")

THINGS: tuple[str, ...] = (
    *TOYS,
    *WEAR,
    *TREASURES,
    *REACHERS,
    *MENDERS,
    *NETS,
    *FOODS,
    *DISHES,
    *BUILDS,
    *BUILD_PARTS,
    *SEEDS,
)
MATERIALS_OF: dict[str, str] = {**TOYS, **WEAR, **TREASURES, **REACHERS, **MENDERS, **NETS, **BUILD_PARTS}

COLOURS = tuple(word_list("red blue green yellow orange purple pink brown black white grey golden silver"))
SIZES = tuple(word_list("big small little large tiny long"))
LOOKS = tuple(
    word_list("""
    old new shiny pretty soft heavy light striped spotted plain painted lovely bright smooth
    strange fine simple clean beautiful funny rare
    """)
)
# what suits anything, what is made of cloth, and what is hard
PLAIN_LOOKS = tuple(word_list("old new strange fine simple clean"))
CLOTH_LOOKS = tuple(
    word_list("old new pretty soft light striped spotted plain lovely bright fine simple clean beautiful funny warm")
)
HARD_LOOKS = tuple(
    word_list("old new shiny pretty heavy light painted lovely smooth strange fine simple clean beautiful funny rare")
)
TREASURE_SIZES = tuple(word_list("big small little large tiny"))
FOOD_LOOKS = tuple(word_list("fresh sweet warm tasty round fine"))
MATERIALS = tuple(sorted({m for row in MATERIALS_OF.values() for m in row.split()}))
ADJECTIVES: tuple[str, ...] = tuple(dict.fromkeys((*SIZES, *LOOKS, *CLOTH_LOOKS, *FOOD_LOOKS, *COLOURS, *MATERIALS)))

# place -> (where one is, where one goes, indoors?)
PLACES: dict[str, tuple[str, str, bool]] = {
    **dict.fromkeys(
        word_list("pond river lake beach bridge well farm harbour fountain stream crossroads"), ("at", "to", False)
    ),
    **dict.fromkeys(word_list("wood meadow garden orchard park field valley yard square market"), ("in", "to", False)),
    **dict.fromkeys(
        word_list("barn hut mill library attic cellar stable workshop kitchen bakery"), ("in", "into", True)
    ),
    **dict.fromkeys(word_list("school shop tower castle inn greenhouse station cottage"), ("in", "to", True)),
    **dict.fromkeys(word_list("hill pier playground island"), ("on", "to", False)),
}
OUTDOORS = tuple(p for p, (_, _, indoors) in PLACES.items() if not indoors)
INDOORS = tuple(p for p, (_, _, indoors) in PLACES.items() if indoors)
WATERS = ("pond", "river", "lake", "stream", "harbour")

SPOT_PREPOSITIONS = ("under", "behind", "beside", "next to", "in", "inside", "on", "between", "near")
SPOTS_OUT: dict[str, str] = {
    **dict.fromkeys(word_list("bench cart"), "under behind beside on"),
    **dict.fromkeys(word_list("bush fern"), "under behind beside"),
    **dict.fromkeys(word_list("wall fence gate rock signpost"), "behind beside near"),
    **dict.fromkeys(word_list("log stump haystack"), "behind beside on"),
}
SPOTS_OUT |= {
    "hedge": "under behind in",
    "ditch": "in",
    "tall grass": "in",
    "heap of leaves": "under in behind",
    "hollow tree": "in inside behind",
    "flower bed": "in beside",
    "bird bath": "in under",
    "stone steps": "under on",
    "barrel": "behind inside under",
}
SPOTS_IN: dict[str, str] = {
    **dict.fromkeys(word_list("table chair stool"), "under on behind"),
    **dict.fromkeys(word_list("cupboard chest drawer trunk"), "in inside behind"),
    **dict.fromkeys(word_list("stove staircase door curtain"), "behind beside"),
}
SPOTS_IN |= {
    "shelf": "on under",
    "window sill": "on",
    "rug": "under",
    "crate": "in behind under",
    "old sofa": "under behind",
    "stack of papers": "under behind",
    "broken clock case": "in behind",
    "coat rack": "behind under",
}
SPOT_NOUNS: tuple[str, ...] = (*SPOTS_OUT, *SPOTS_IN)
SPOT_LOOKS_OUT = tuple(word_list("old big little mossy dark low crooked"))
SPOT_LOOKS_IN = tuple(word_list("old big little dusty dark narrow low"))
TREE_LOOKS = tuple(word_list("old big tall crooked mossy"))
SPOT_LOOKS = tuple(dict.fromkeys((*SPOT_LOOKS_OUT, *SPOT_LOOKS_IN, *TREE_LOOKS)))
TREES = tuple(word_list("oak elm birch pine willow maple beech chestnut"))

WEATHERS = ("sunny", "rainy", "windy", "snowy", "foggy", "cloudy")
ENDINGS = ("happy", "sad", "funny", "wise")
# base form, past form: the verbs that may be ordered
VERBS: dict[str, str] = {
    "ask": "asked",
    "give": "gave",
    "find": "found",
    "lose": "lost",
    "break": "broke",
    "mend": "mended",
    "hide": "hid",
    "share": "shared",
    "swap": "swapped",
    "help": "helped",
    "climb": "climbed",
    "fall": "fell",
    "call": "called",
    "wait": "waited",
    "sleep": "slept",
    "cook": "cooked",
    "eat": "ate",
    "plant": "planted",
    "build": "built",
    "promise": "promised",
    "apologise": "apologised",
    "refuse": "refused",
    "follow": "followed",
    "carry": "carried",
    "sing": "sang",
    "wash": "washed",
    "dance": "danced",
    "search": "searched",
}
