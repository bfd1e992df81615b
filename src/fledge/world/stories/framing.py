"""Whole-sentence wordings: openings, wants, plans, closings, and the adverbials that open a sentence."""

from __future__ import annotations

from fledge.world.stories.scenery import DETAILS

FULL: dict[str, str] = {
    "hero": (
        "Once upon a time there was {Ai}, who was {doing} {At}."
        "|Once there lived {Ai}, who often came {To}, and one {weekday} {he} was there again, {doing}."
        "|One {weekday} after {meal}, {Ai} was {At}, {doing}.|{Ai} was {At} one {weekday} before {meal}, {doing}."
        "|On the {number_th} {weekday} of the month {Ai} stood {At} and {gaze} {thing_seen}."
        "|This is the story of {Ai}, who was {At} one {weekday}, {doing}."
        "|Not long ago {Ai} was sitting {At} with {thing_seen}."
        "|{Ai} had {dish} for breakfast and was now {At}, {doing}."
        "|Do you know {Ai}, who was {At} on {weekday}, {doing}?"
    ),
    "hold": (
        "{Bn} had {Ya}{own_tail}.|{Bn} was holding {Ya}{own_tail}.|{Bn} carried {Ya}{own_tail}."
        "|In {Bs} hands was {Ya}{thing_tail}.|Beside {Bn} lay {Ya}{thing_tail}."
    ),
    "plan_make": (
        "{A} wanted to make {Xa}, and for that {he} needed {Ya} and {Za}.|For {Xa} {A} needed {Ya} and {Za}."
        "|{A} had dreamed of making {Xa}, but first {he} had to get {Ya} and {Za}."
        "|To make {Xa}, one needs {Ya} and {Za}, and {A} had neither."
    ),
    "weather:sunny": DETAILS["w_sunny"],
    "weather:rainy": DETAILS["w_rainy"],
    "weather:windy": DETAILS["w_windy"],
    "weather:snowy": DETAILS["w_snowy"],
    "weather:foggy": DETAILS["w_foggy"],
    "weather:cloudy": DETAILS["w_cloudy"],
    "scene": "{view_out}|{view_in}",
    "end_happy": (
        "{A} was happy and {end_do}.|So {A} was happy, and {end_around}."
        "|In the end {A} went to bed happy and {end_dream}.|{A} smiled all evening, and {end_around}."
        "|From then on {A} was the happiest {kid} between {two} {trees}, and {end_around}."
        "|It was the best day in {number} months for {A}, and {end_around}."
        "|That evening {A} laughed and {end_do}.|Happily {A} {end_do}."
    ),
    "end_sad": (
        "{A} walked home with a heavy heart and {end_sad_do}.|That night {A} cried and {end_sad_do}."
        "|It was a sad day for {A}, and {end_sad_around}.|{A} was sad for {two} days and {end_sad_do}."
        "|So the day ended sadly, and {A} {end_sad_do}.|With tears in {his} eyes {A} {end_sad_do}."
    ),
    "end_funny": "Everybody laughed until {fun_effect}, and {A} laughed loudest of all."
    "|{A} had to laugh so much that {fun_effect}."
    "|Even {a_beast} seemed to giggle, and {A} laughed until {fun_effect}."
    "|To this day {A} giggles whenever {he} sees {thing_seen}."
    "|It was so funny that {fun_effect}, and {A} told it to {thing_seen}."
    "|{A} laughed about it all the way home, and {end_around}.",
    "end_wise": (
        "{A} had learned that {moral}.|From that day on {A} knew that {moral}.|{A} never forgot that {moral}."
        "|So {A} learned that {moral}, and {end_around}.|And since that day {A} has told everyone that {moral}."
    ),
}

FULL_RULES: dict[str, str] = {
    "kid": "child|creature|soul|person",
    "end_do": (
        "danced with {thing_seen}|ate {dish} and {sweet} for {meal}|sang {number} songs about {beasts}"
        "|fell asleep under a {colour} blanket|told {his} {uncle} about {thing_seen}"
        "|drank some {drink} and {gaze} {thing_seen}|dreamed of {thing_seen}|hugged {his} {uncle} {number} times"
    ),
    "end_dream": (
        "dreamed of {thing_seen}|thought of {memory}|counted {two} {beasts} before sleep came"
        "|could smell {smell} from the stove"
    ),
    "end_around": (
        "{two} {birds} sang {speed} on the {house}|{a_beast} sat next to {him} and {gaze} {thing_seen}"
        "|the whole house smelled of {smell}|there was {dish} with {sweet} for {meal}"
        "|{his} {uncle} told a story about {thing_seen}|even {thing_seen} looked friendly"
    ),
    "end_sad_do": (
        "did not want any {dish}|looked out at {thing_seen} for {number} hours|dreamed of {memory}"
        "|left {his} {drink} cold|thought of {memory}|did not even wave to {thing_seen}"
    ),
    "end_sad_around": (
        "not even {sweet} could help|{his} {uncle} sat beside {him} without a word"
        "|{two} {birds} sang {speed} on the {house}|{a_beast} looked at {him} with dark eyes"
    ),
    "fun_effect": (
        "{his} {part} hurt|{two} {beasts} ran away|{number} buttons came off|a~ {houseware} fell over"
        "|{his} {uncle} choked on {sweet}|tears ran down {his} nose|the {housewares} shook"
    ),
    "moral": (
        "a promise is worth more than {sweet}|it is better to ask than to {grab}"
        "|a friend is better than {two} {housewares}|saying sorry is harder than carrying {thing_seen}"
        "|sharing makes {sweet} taste better|even a~ {size} {beast} can help"
        "|one should look twice before {grabbing}|{two} hands are better than {look} tricks"
        "|help comes from {beasts} and from kings alike"
        "|what is broken can often be mended with {number} {small_things}"
    ),
    "grab": "grab like {a_beast}|shout at {thing_seen}|cry over {housewares}|chase {thing_seen}",
    "grabbing": "climbing over {thing_seen}|shouting at {a_beast}|running after {beasts}|laughing at {a_beast}",
    "small_things": "kind words|careful hands|deep breaths|honest words",
}

LEADS: dict[str, str] = {
    "then": (
        "Then|So|Soon|After that|At last|A little later|Next|Right away|After {number} minutes|After a while"
        "|At {number} o'clock|In the end|Before {meal}|After some {drink}|When {two} {birds} had flown by"
        "|As soon as {a_beast} was gone|Half an hour later|Before a~ {stranger0} could sneeze"
        "|When {thing_seen} had gone out of sight|As {two} {birds} flew over the {house}|At the sight of {thing_seen}"
    ),
    "but": (
        "But|But then|Sadly|All of a sudden|Suddenly|Just then|At that moment|While {two} {beasts} {watched}"
        "|Under the eyes of {thing_seen}"
    ),
}
