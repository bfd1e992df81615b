"""Whole-sentence wordings: openings, wants, plans, closings, and the adverbials that open a sentence."""

from __future__ import annotations

from fledge.world.stories.scenery import DETAILS

FULL: dict[str, str] = {
    "hero": (
        "Once upon a time there was {Ai}, who was {doing_here} {At}."
        "|Once there lived {Ai}, who often came {To}, and one {weekday} {he} was there again, {doing_here}."
        "|One {weekday} {Ai} was {At}, {doing_here}.|Early one {weekday} {Ai} was {At}, {doing_here}."
        "|On the {number_th} {weekday} of the month {Ai} was {At} with {someone}."
        "|This is the story of {Ai}, who was {At} one {weekday}, {doing_here}."
        "|Not long ago {Ai} was sitting {At} with {someone} and a~ {ware}."
        "|{Ai} had {dish} for breakfast and was now {At}, {doing_here}."
        "|There once was {Ai}, who had {many} {oddments} and was afraid of {insects}, and one {weekday} {he} was {At}."
        "|One morning {Ai} woke up, ate some {dish} and went {To}.|{Ai} lived with {his} {uncle} and liked to be {At}."
        "|{Ai}, whose {uncle} was a~ {stranger0}, was {At}, {doing_here}."
    ),
    "hold": (
        "{Bn} had {Ya}{hold_tail}.|{Bn} was holding {Ya}{hold_tail}.|{Bn} had brought {Ya}{hold_tail}."
        "|In {Bs} hands was {Ya}{hold_tail}.|Beside {Bn} lay {Ya}{hold_tail}."
    ),
    "plan_make": (
        "{A} wanted to make {Xa}, and for that {he} needed {Ya} and {Za}.|For {Xa} {A} needed {Ya} and {Za}."
        "|{A} had dreamed of making {Xa}, but first {he} had to get {Ya} and {Za}."
        "|To make {Xa}, one needs {Ya} and {Za}, and {A} had neither."
    ),
    "weather:sunny": DETAILS["w_sunny"],
    "weather:sunny/in": DETAILS["i_sunny"],
    "weather:rainy": DETAILS["w_rainy"],
    "weather:rainy/in": DETAILS["i_rainy"],
    "weather:windy": DETAILS["w_windy"],
    "weather:windy/in": DETAILS["i_windy"],
    "weather:snowy": DETAILS["w_snowy"],
    "weather:snowy/in": DETAILS["i_snowy"],
    "weather:foggy": DETAILS["w_foggy"],
    "weather:foggy/in": DETAILS["i_foggy"],
    "weather:cloudy": DETAILS["w_cloudy"],
    "weather:cloudy/in": DETAILS["i_cloudy"],
    "scene": "{view_here}",
    "end_happy": (
        "{A} was happy and {end_do}.|So {A} was happy, and {end_around}."
        "|In the end {A} went to bed happy and {end_dream}.|{A} smiled all evening, and {end_around}."
        "|That evening {A} was the happiest {kid} between the mountains and the sea, and {end_around}."
        "|It was the best day in {number} months for {A}, and {end_around}.|{A} went home happy, and {end_around}."
        "|That evening {A} laughed and {end_do}.|That evening {A} {end_do} and was happy."
        "|So it all ended well, and {A} {end_do}."
    ),
    "end_sad": (
        "{A} walked home with a heavy heart and {end_sad_do}.|That night {A} cried and {end_sad_do}."
        "|It was a sad day for {A}, and {end_sad_around}.|{A} was sad for {number} days and {end_sad_do}."
        "|So the day ended sadly, and {A} {end_sad_do}.|With tears in {his} eyes, {A} {end_tears}."
        "|{A} went to bed with a heavy heart, and {end_sad_around}."
    ),
    "end_funny": "Everybody laughed until {fun_effect}, and {A} laughed loudest of all."
    "|{A} had to laugh so much that {fun_effect}."
    "|Even {someone} had to giggle, and {A} laughed until {fun_effect}."
    "|To this day {A} giggles whenever {he} sees a~ {ware}."
    "|It was so funny that {fun_effect}, and {A} told {someone} about it."
    "|{A} laughed about it all the way home, and {end_around}.",
    "end_wise": (
        "{A} had learned that {moral}.|From that day on {A} knew that {moral}.|{A} never forgot that {moral}."
        "|So {A} learned that {moral}, and {end_around}.|And since that day {A} has told everyone that {moral}."
        "|{A} told {someone} that {moral}."
    ),
}
# what a story taught is about what happened in it: plot -> its morals
MORALS: dict[str, str] = {
    "moral_lost": (
        "one should look after one's things better than after {sweet}|it helps to ask {someone} and not only to look"
        "|what is lost can be found when {few} people look for it"
        "|friends are worth more than all the {oddments} in the world"
        "|it is no shame to ask the way, even for a~ {stranger0}|what {someone} does not know, somebody else does"
    ),
    "moral_stuck": (
        "one should not play near a~ {tree} when one could be eating {sweet}|it is better to ask for help than to fall"
        "|even {someone} needs help sometimes|what goes up must come down, be it a~ {ware} or a~ {bird}"
        "|a good friend is as useful as {few} {tools}|one should think before one climbs, not like {someone}"
    ),
    "moral_afloat": (
        "water is quicker than a~ {stranger0} {riding0}|one should not play too close to deep water"
        "|it is good to have friends who can swim like a~ {tale_hero}|even {someone} needs help sometimes"
        "|wet things dry, but a lost friend is worse than a lost {oddment}"
        "|help often comes when one is about to cry like a~ {stranger0}"
    ),
    "moral_broken": (
        "what is broken can often be mended with {few} careful hands|saying sorry is harder than carrying a~ {ware}"
        "|a friend is worth more than {many} {oddments}|pulling at things does no good to {wares}"
        "|one should be careful with what one loves, be it a~ {ware} or a friend"
        "|a mended thing is dearer than a new {oddment}"
    ),
    "moral_make": (
        "good work takes time, even for {someone}|sharing makes even {dish} taste better"
        "|it is fun to make things oneself"
        "|one has to ask for what one needs, like {someone}|what one has made is better than {sweet} from a shop"
        "|many hands make light work, as every {stranger0} knows"
    ),
    "moral_gift": (
        "giving is sweeter than {sweet}|it is good to listen to what others wish for"
        "|a gift need not be as dear as a~ {vehicle}"
        "|sharing makes even {dish} taste better|a kind friend is better than {many} {oddments}"
        "|one has to look for the right gift as long as {someone} does"
    ),
    "moral_growing": (
        "growing takes as long as learning the {music}|one needs patience with {flowers0} and with friends"
        "|small things can become as tall as a~ {stranger0}|nothing grows without care, not even {flowers0}"
        "|waiting is easier with a song about {tale}|good things take time, and so do {cargo}"
    ),
    "moral_borrowed": (
        "a promise is worth more than {sweet}|telling the truth is harder than carrying a~ {ware}"
        "|one should look after borrowed things better than after {few} {wares}"
        "|friends forgive more than {someone} does"
        "|borrowed things must be brought back, be it a~ {ware} or a~ {ware}"
    ),
}
for _plot in tuple(MORALS):
    FULL[f"end_wise/{_plot.removeprefix('moral_')}"] = FULL["end_wise"].replace("{moral}", "{" + _plot + "}")
del FULL["end_wise"]

FULL_RULES: dict[str, str] = {
    **MORALS,
    "kid": "child|creature|soul|person",
    "end_do": (
        "danced with {someone}|ate {dish} and {sweet} for supper|sang {few} songs about {tale}"
        "|fell asleep under a~ {worn_linen} blanket|told {his} {uncle} about {tale}|drank some {drink} with {someone}"
        "|dreamed of {tale}|hugged {his} {uncle} {number} times|drew it for {his} {uncle}"
        "|shared some {sweet} with {someone} and {someone}|played the {music} for {his} {uncle}"
    ),
    "end_dream": (
        "dreamed of {tale}|thought of {memory}|counted {many} {beasts} before sleep came|could smell {smell_in}"
        "|dreamed of {memory}|heard {someone} singing in the street"
    ),
    "end_around": (
        "{few} {birds} sang on the {part_of_house}|{someone} sat down next to {him} and told {him} about {tale}"
        "|the whole house smelled of {smell_in}|{his} {uncle} cooked {cooked} and brought out {sweet}"
        "|{his} {uncle} told a story about {tale}|even {someone} smiled|{someone} gave {him} some {sweet}"
        "|{his} {uncle} played the {music}|{his} {uncle} invited {someone} to a meal of {dish}"
    ),
    "end_sad_do": (
        "did not want any {dish}|looked at a~ {ware} for {number} hours|dreamed of {memory}"
        "|did not touch {his} {drink}"
        "|thought of {memory}|did not even wave to {someone}|could not sleep and counted {many} {beasts}"
        "|gave {his} {sweet} to {someone}|did not listen when {his} {uncle} told a story about {tale}"
    ),
    "end_tears": (
        "looked at a~ {ware} for {number} hours|thought of {memory}|gave {his} {sweet} to {someone}"
        "|told {his} {uncle} about {memory}|counted {many} {beasts} until sleep came"
    ),
    "end_sad_around": (
        "not even {sweet} could help|{his} {uncle} sat beside {him} without a word|{someone} could not cheer {him} up"
        "|{few} {birds} sang on the {part_of_house}, but {he} did not listen|not even a story about {tale} could help"
        "|{his} {uncle} brought {him} {drink}, but {he} did not drink it"
    ),
    "fun_effect": (
        "{his} tummy hurt|{few} {beasts} ran away|{few} buttons came off|a~ {worn} {upright} fell over"
        "|{his} {uncle} choked on {sweet}"
        "|tears ran down {his} nose|{few} {birds} flew up|{someone} began to hiccup|{someone} fell off a~ {vehicle0}"
    ),
}

LEADS: dict[str, str] = {
    "then": (
        "Then|So|Soon|After that|A little later|Next|Right away|After {number} minutes|After a while|Half an hour later"
        "|After some {drink},|When {few} {birds} had flown by,|As soon as a~ {vehicle} had gone past,"
        "|As soon as {few} {beasts} were gone,|When {someone} had gone past,|After a short talk with {someone},"
        "|After a song about {tale},|While {someone} was {doing_here},|After a few bites of {baked},"
        "|After a nod from {someone},"
    ),
    "but": (
        "But|But then|Sadly,|All of a sudden|Suddenly|Just then|At that moment|While {someone} {watched},"
        "|Just as a~ {vehicle} went past,|When nobody was watching,|While {someone} was {doing_here},"
        "|In front of {someone},"
    ),
}
