"""What colours a story without changing its state: sights, weather, small doings, memories, manners of acting."""

from __future__ import annotations

DETAILS: dict[str, str] = {
    "view_fair": (
        "A~ {beast} was {beast_doing_fair} {near}.|{near}, {someone} was {doing_here}."
        "|A~ {stranger} in a~ {colour} {cloth} was {doing_here}.|Along the road came a~ {truck} full of {cargo}."
        "|A~ {stranger} came by and greeted {someone}.|The air smelled of {smell_fair} and {smell_fair}."
        "|Under the {trees} grew {colour} {flowers0} and {scent} {flowers0}."
        "|{few} {birds} were sitting on the {part_of_house} of the {building}."
        "|{few} {beasts} were resting under a~ {tree_adj} {tree}."
        "|A~ {insect_colour} {insect} sat on a~ {flower} and did not move.|Somebody {near} was {sound_here}."
        "|A~ {worn_car} {entered} stopped at the {building}, and {someone} got out."
        "|A~ {stranger} and {someone} were {doing_here}.|{few} {birds} sang in the {trees}."
        "|A~ {stranger} went past with {few} {worn} {oddments} and nodded to {someone}."
        "|Somebody had left a~ {ware} on the grass.|A~ {stranger} was showing a~ {ware} to {someone}."
        "|A~ {beast} had stolen some {dish} from {someone}."
        "|A~ {stranger} was quarrelling with {someone} about {cargo}."
        "|A~ {stranger} had hung {colour} {cloths} between two {trees}."
        "|The grass was full of {flowers} and {insects}.|A~ {beast} and a~ {beast} were {pair_doing}."
        "|From there one could see a~ {boat} and the {part_of_house} of the {building}."
        "|A~ {stranger} was selling {cargo} and {cargo} from a~ {truck}."
        "|{few} children were playing with a~ {ware} and a~ {worn} {oddment}."
    ),
    "view_rough": (
        "A~ {beast} was {beast_doing_rough}.|{near}, {someone} was {doing_here}."
        "|A~ {stranger} in a~ {colour} {cloth} was {doing_here}.|Along the road came a~ {truck} full of {cargo}."
        "|The air smelled of {smell_rough} and {smell_rough}.|{few} {beasts} were {beast_doing_rough}."
        "|A~ {worn_car} {entered} stopped at the {building}, and {someone} got out.|Somebody {near} was {sound_here}."
        "|There was a light in the window of the {building}.|A~ {stranger} was {doing_here} at the {building}."
        "|A~ {stranger} and {someone} hurried past the {building}."
        "|The {part_of_house} of the {building} looked wet, and {few} {birds} were hiding below."
        "|Somebody had left a~ {ware} out in the wet.|A~ {stranger} was showing a~ {ware} to {someone}."
        "|A~ {stranger} was quarrelling with {someone} about {cargo}."
        "|A~ {stranger} ran past with a~ {worn} {oddment}."
        "|{few} children with {colour} boots ran by.|{few} {birds} were sitting close together in the {trees}."
    ),
    "view_in": (
        "The air smelled of {smell_in} and {smell_in}.|On the wall hung a~ {worn} drawing of {tale}."
        "|{few} {wares} lay in a row, next to a~ {ware}.|A~ {insect_colour} {insect} was crawling up the wall."
        "|There was dust on the {kitchenwares} and on a~ {ware}."
        "|In one corner lay a~ {ware}, and in the other {few} {wares}."
        "|Through the window one could see a~ {vehicle} and {someone}."
        "|A~ {beast} was {beast_doing_in}.|{near_in}, a~ {stranger} was {doing_here}."
        "|Somebody in the next room was {sound_here}.|Someone had painted {colour} {flowers0} on the door."
        "|A~ {stranger} in a~ {colour} {cloth} was {doing_here}.|{few} {worn} {oddments} lay about on the floor."
        "|A~ {stranger} was showing a~ {ware} to {someone}.|A~ {beast} had stolen some {dish} from {someone}."
        "|A~ {stranger} had left some {drink} and some {sweet} by the window."
        "|A~ {worn} lamp gave a little light, enough to see a~ {ware}."
        "|A~ {stranger} came in, asked for a~ {ware} and left.|The floor was covered with {wares} and {oddments}."
        "|A~ {stranger} was telling {few} {strangers} about {tale}."
    ),
    "near_in": "in a corner|by the window|upstairs|at the back|in the next room",
    "pair_doing": (
        "playing together|chasing each other|sharing some {sweet}|sleeping side by side|looking for {insects}"
        "|fighting over some {dish}|running around a~ {tree}|watching {someone}"
    ),
    # weather, outdoors and seen from indoors
    "w_sunny": (
        "The sun was shining, and {few} {birds} flew over the {building}."
        "|It was so warm that {few} {beasts} were resting under a~ {tree}."
        "|The sky was blue, and {someone} was {doing_fair}."
        "|The sun shone on the {part_of_house} of the {building}."
        "|It was a warm day, and the {flowers} were open.|It was a sunny day, and {someone} was {doing_fair}."
        "|The sun shone, and a~ {beast} was {beast_doing_fair}."
        "|In the sunshine even a~ {worn_car} {vehicle0} looked new.|The sun dried the {cloths} on the washing line."
    ),
    "w_rainy": (
        "Rain ran down the {part_of_house} of the {building} and made {few} puddles."
        "|It rained so hard that {someone} ran to the {building}.|Big drops of rain fell on a~ {vehicle}."
        "|The rain fell on the {trees}, and a~ {beast} was {beast_doing_rough}."
        "|Because of the rain {someone} in a~ {colour} raincoat was {doing_rough}."
        "|It was a wet day, and {few} {beasts} were {beast_doing_rough}."
        "|The rain drummed on the {part_of_house} of the {building}."
        "|It was raining, and {someone} was {doing_rough}."
    ),
    "w_windy": (
        "The wind shook the {trees} and blew leaves over the {part_of_house} of the {building}."
        "|A gust of wind carried a~ {colour} {cloth} past the {building}."
        "|The wind blew so hard that {few} {birds} flew backwards."
        "|The wind came from the {compass} and smelled of {smell_rough}."
        "|The wind rattled the {part_of_house} of the {building}."
        "|It was a windy day, and {someone} was running after a~ {colour} {cloth}."
        "|The wind knocked over a~ {truck}, and {cargo} rolled into the street."
        "|It was so windy that {someone} had to hold on to a~ {tree}."
    ),
    "w_snowy": (
        "Snow lay on the {part_of_house} of the {building} like {soft_thing}."
        "|It was snowing, and {few} {beasts} had left their tracks."
        "|A~ {snow_adj} snowman in a~ {colour} {cloth} stood at the {building}."
        "|The snow was so deep that a~ {vehicle} was stuck in it."
        "|{few} icicles hung from the {part_of_house} of the {building}."
        "|It was a white and cold day, and {someone} was {doing_rough}."
        "|A~ {stranger} was clearing the snow from a~ {truck}.|Snowflakes settled on the back of a~ {beast}."
    ),
    "snow_adj": "big|small|tall|crooked|round|fat|smiling|melting|thin",
    "soft_thing": "a white blanket|sugar|a clean pillow|whipped cream|wool|a thick quilt|cotton",
    "w_foggy": (
        "The fog was so thick that the {building} could not be seen."
        "|In the fog, a~ {tree} looked like a~ {foggy_thing}."
        "|Out of the fog came {someone}, who asked the way to the {building}."
        "|The fog crept over the {part_of_house} of the {building}."
        "|It was a grey and foggy day, and it smelled of {smell_rough}."
        "|Only {few} {trees} showed through the fog.|Somewhere in the fog {someone} was {sound_all}."
        "|In the fog a~ {vehicle} went by with its lights on."
    ),
    "foggy_thing": (
        "soldier|ghost|tall man|lamp post|woman with a~ {colour} {cloth}|church|dragon|watchman|sleeping horse"
    ),
    "w_cloudy": (
        "One of the clouds looked like a~ {tale_hero}.|Grey clouds hung over the {part_of_house} of the {building}."
        "|The clouds were as white as {soft_thing}."
        "|A cloud in the shape of a~ {tale_hero} passed over the {trees}."
        "|It was a cloudy day, and {someone} was {doing_fair}.|Low clouds hung over the {trees}."
        "|No sun came through the clouds, and {few} {birds} flew low."
        "|It was a grey day, and a~ {beast} was {beast_doing_fair}."
    ),
    "i_sunny": (
        "Outside, the sun was shining on a~ {vehicle}.|The sun shone through the window onto a~ {ware}."
        "|Outside, it was warm, and {someone} was {doing_fair}.|A ray of sun fell on {few} {wares}."
        "|Through the window one could see {few} {birds} in the sunshine."
    ),
    "i_rainy": (
        "Rain ran down the window, and outside {someone} was {doing_rough}.|Rain drummed on the roof."
        "|Outside, it was raining, and a~ {beast} was {beast_doing_rough}."
        "|Rain dripped through the roof onto a~ {ware}."
        "|A~ {stranger} came in out of the rain and shook a~ {colour} {cloth}."
    ),
    "i_windy": (
        "Outside, the wind shook the {trees}.|The wind rattled the window and blew dust over {few} {wares}."
        "|The wind whistled in the chimney, and {few} {kitchenwares} rattled."
        "|Outside, the wind chased a~ {colour} {cloth} along the street."
        "|The wind was so strong that {someone} came in to rest."
    ),
    "i_snowy": (
        "Outside, the snow lay like {soft_thing}.|There were ice flowers on the window."
        "|Outside, it was snowing, and {someone} was {doing_rough}."
        "|Outside, {few} {birds} were hopping about in the snow."
        "|A~ {stranger} came in with snow on a~ {colour} {cloth}."
    ),
    "i_foggy": (
        "Outside, the fog was so thick that the {building} could not be seen.|Outside, {someone} was lost in the fog."
        "|The fog was so thick that the lamps were lit.|Through the fog outside came the sound of {few} {birds}."
        "|Outside, a~ {vehicle} went by in the fog."
    ),
    "i_cloudy": (
        "Outside, grey clouds hung over the {trees}.|It was so cloudy outside that a~ {worn} lamp was lit."
        "|Through the window one could see a cloud in the shape of a~ {tale_hero}."
        "|It was a grey day outside, and {someone} was {doing_fair}."
    ),
}

# what the hero does beside the thread of the story; A is the subject
MUSING: dict[str, str] = {
    "muse": (
        "thought of {memory}|remembered {memory}|could not help thinking of {memory}"
        "|was wearing a~ {colour} {cloth} with {pattern}"
        "|hummed a song about {tale}|told {himself} a story about {tale}|had dreamed all night of {tale}"
        "|still had the taste of {dish} in {his} mouth|looked forward to {dish} and {sweet}|scratched {his} {part}"
        "|waved to {someone}, who was {doing_here}|said hello to {someone} and {someone}|nearly tripped over a~ {ware}"
        "|shared some {sweet} with {someone}|met {someone}, who told {him} about {tale}"
        "|wondered whether {his} {uncle} would cook {cooked} that evening|stopped to look at a~ {ware}"
        "|sneezed, and {someone} sneezed too|whistled a song about {tale}|made up a poem about {tale}"
        "|found some {sweet} in {his} pocket and was pleased|wished for a~ {stranger0} as a neighbour"
        "|wondered what {someone} was doing with so many {oddments}|asked {someone} the way to the {building}"
        "|promised {someone} to bring some {sweet}"
        "|had been told by {his} {uncle} never to touch {wares}|let {someone} go past"
    ),
    "muse/in": (
        "looked out of the window at a~ {vehicle}|sat down on a~ {worn_linen} {linen} for a moment"
        "|drank some {drink} by the window"
        "|tiptoed past {someone}, who was {doing_in}|wrote {his} name in the dust"
        "|smiled at a~ {beast} that was {beast_doing_in}"
        "|counted {few} {wares}|walked around {few} {wares}|ate some {dish} with {someone}"
    ),
    "muse/fair": (
        "stopped to watch a~ {beast} that was {beast_doing_fair}|admired {few} {colour} {flowers0}"
        "|smelled the {flowers}"
        "|could smell {smell_fair} and {smell_fair}|counted {many} {birds} and {few} {insects}"
        "|listened to {few} {birds} {near}"
        "|stepped around a~ {insect_colour} {insect}|made room for a~ {vehicle}|looked up at a~ {tree_adj} {tree}"
        "|smiled at a~ {beast} that was {beast_doing_fair}|put a~ {colour} {flower} behind {his} ear"
        "|raced a~ {beast} to a~ {tree_adj} {tree}|waved to {few} {strangers} {riding}"
        "|talked for a while with {someone} about {cargo} and {cargo}"
    ),
    "muse/rough": (
        "stopped to look at a~ {beast} that was {beast_doing_rough}|could smell {smell_rough} and {smell_rough}"
        "|turned up {his} collar|rubbed {his} cold hands|made room for a~ {vehicle}"
        "|sniffed at the cold air"
        "|waited for a moment under a~ {tree_adj} {tree}|helped {someone} to push a~ {vehicle}"
        "|drank some hot {hot} on the way"
        "|talked for a while with {someone} about {cargo} and {cargo}"
        "|wiped {his} {part} with a~ {worn_linen} handkerchief"
    ),
    "hot": "tea|milk|cocoa|broth|cider|soup",
}
MEMORY: dict[str, str] = {
    "memory": (
        "the {weekday} when {his} {uncle} had {past_deed}|the {season} when a~ {beast} had {beast_deed}"
        "|a story about {tale}|the smell of {smell_in} at {his} {uncle}'s house"
        "|the time when {few} {beasts} had {beast_deed}"
        "|a holiday {aboard}|the {stranger0} who had {past_deed}|the day when {someone} had {past_deed}"
        "|a~ {season} picnic with {dish} and {sweet}|a song about {tale}"
    ),
    "past_deed": (
        "cooked {cooked} for {many} {strangers}|bought a~ {vehicle}|painted the {part_of_house} {colour}"
        "|lost {few} {oddments}"
        "|danced with {someone}|grown {many} {flowers}|fallen off a~ {vehicle}|sewn a~ {colour} {cloth} with {pattern}"
        "|told everybody about {tale}|driven a~ {vehicle} into a puddle|slept {aboard}|eaten {sweet} with {dish}"
        "|sold {cargo} to {someone}|learned the {music}|dressed up as a~ {tale_hero}|burned the {dish}"
        "|travelled by {vehicle0} to {town}|sung to {few} {beasts}|won a~ {ware} at a fair|broken a~ {ware}"
    ),
    "beast_deed": (
        "eaten all the {sweet}|slept in a~ {worn} {container}|climbed onto the {part_of_house}"
        "|run off with a~ {colour} {cloth}"
        "|jumped over a~ {vehicle}|broken {few} {kitchenwares}|followed {someone} to the {building}"
        "|knocked over the {drink}|hidden in a heap of {cloths}|stolen {dish} from {someone}"
    ),
}

LIKENESS = (
    " without a word| as {manner} as {he} could| while {someone} {watched}"
    "| before anybody could stop {him}| as if it were the easiest thing in the world| without being seen by {someone}"
    "| with {his} tongue between {his} teeth| like somebody who has done it {many} times"
    "| as {his} {uncle} had taught {him}"
    "| while {someone} was {doing_here}| while {few} {birds} {watched}"
)
MANNERS: dict[str, str] = {
    "manner": "quietly|quickly|carefully|gently|calmly|lightly|neatly|slowly",
    "watched": "looked on|watched|stood by|stared|waited",
}
