"""Rules for everything that colours a story without changing its state: sights, sounds, weather, memories, likenesses.

Nouns here never name a thing, place, spot or character of the state (``lexicon.py``).
"""

from __future__ import annotations

WORDS: dict[str, str] = {
    "colour": "red|blue|green|yellow|purple|pink|brown|black|white|grey|golden|silver",
    "size": "big|small|little|tall|tiny|huge|thin|fat|long|wide|short|vast|flat|narrow|round|slim|broad|middling",
    "look": (
        "old|new|pretty|dusty|crooked|bright|striped|spotted|muddy|shaggy|sleepy|noisy|lonely|plain|fine|rusty"
        "|proud|lazy|hungry|gentle|clumsy|wild|calm|cosy|faded|hollow|silent|sticky|curly|smelly|damp|grumpy"
        "|elegant|modern|odd|famous|heavy|wobbly"
    ),
    "bird": "{bird0}|{bird0}|{mood2} {bird0}",
    "birds": "{birds0}|{birds0}|{mood2} {birds0}",
    "insect": "{insect0}|{insect0}|{mood2} {insect0}",
    "insects": "{insects0}|{insects0}|{mood2} {insects0}",
    "beast": (
        "{bird}|{insect}|puppy|calf|lizard|bat|shrew|newt|kitten|chick|foal|piglet|weasel|hare|seal|camel|zebra"
        "|tiger|lion|monkey|crab|gecko|rat|duckling"
    ),
    "beasts": (
        "{birds}|{insects}|puppies|calves|sheep|horses|lizards|bats|shrews|newts|kittens|chicks|foals|piglets"
        "|weasels|hares|seals|camels|zebras|tigers|lions|monkeys|crabs|geckos|rats|ducklings"
    ),
    "flower": (
        "daisy|poppy|tulip|rose|violet|buttercup|lily|dandelion|bluebell|thistle|snowdrop|primrose|sunflower"
        "|pansy|marigold|crocus|clover"
    ),
    "flowers": "{flowers0}|{flowers0}|{scent} {flowers0}",
    "tree": "oak|elm|birch|pine|willow|maple|beech|chestnut|holly|poplar|larch",
    "trees": "{trees0}|{trees0}|{leafy} {trees0}",
    "houseware": "{houseware0}|{houseware0}|{worn} {houseware0}",
    "housewares": "{housewares0}|{housewares0}|{worn} {housewares0}",
    "vehicle": "{vehicle0}|{vehicle0}|{worn} {vehicle0}",
    "stranger": "{stranger0}|{stranger0}|{mood2} {stranger0}",
    "uncle": "uncle|aunt|godmother|big brother|big sister|great-aunt|little brother|little sister",
    "bird0": (
        "sparrow|lark|finch|wren|gull|thrush|magpie|swallow|heron|cuckoo|kingfisher|pheasant|stork|crane|falcon"
        "|hawk|peacock|penguin"
    ),
    "birds0": (
        "sparrows|larks|finches|wrens|gulls|magpies|swallows|herons|cuckoos|kingfishers|pheasants|storks|cranes"
        "|falcons|hawks|peacocks|penguins|thrushes"
    ),
    "insect0": (
        "bee|beetle|moth|cricket|ladybird|spider|snail|worm|wasp|grasshopper|caterpillar|ant|gnat|slug|butterfly"
        "|dragonfly"
    ),
    "insects0": (
        "bees|beetles|moths|crickets|ladybirds|spiders|snails|worms|wasps|grasshoppers|caterpillars|ants|gnats"
        "|slugs|butterflies|dragonflies"
    ),
    "houseware0": (
        "plate|spoon|fork|kettle|pillow|blanket|lamp|jug|tray|mug|towel|teacup|thimble|sponge|lid|ladle|barrow"
        "|saucer|carpet|suitcase|globe|bathtub|parcel|notebook|pencil|crayon|slipper|trumpet|flag"
        "|anchor|telescope|paddle|pitchfork|shovel|stamp|cushion"
    ),
    "housewares0": (
        "plates|spoons|forks|kettles|pillows|blankets|lamps|jugs|trays|mugs|towels|teacups|thimbles|sponges|lids"
        "|ladles|barrows|saucers|carpets|suitcases|globes|bathtubs|parcels|notebooks|pencils|crayons"
        "|slippers|trumpets|flags|anchors|telescopes|paddles|pitchforks|shovels|stamps|cushions"
    ),
    "vehicle0": (
        "bus|truck|wheelbarrow|tractor|ship|barge|bicycle|van|sleigh|ferry|coach|canoe|tram|lorry|steamer|glider"
        "|scooter|trolley"
    ),
    "stranger0": (
        "nurse|juggler|judge|barber|dancer|milkmaid|hunter|knight|prince|poet|plumber|lady|gentleman|piper"
        "|printer|drummer|skater|waiter|mayor|dentist|pilot|porter|student|tourist|grocer|clerk|beekeeper|pirate"
        "|princess|magician"
    ),
    "flowers0": (
        "daisies|poppies|tulips|roses|violets|buttercups|lilies|dandelions|bluebells|thistles|primroses"
        "|sunflowers|pansies|marigolds|snowdrops|nettles"
    ),
    "trees0": "oaks|elms|birches|pines|willows|maples|beeches|chestnuts|poplars|larches",
    "mood2": (
        "shy|brave|friendly|merry|restless|cheeky|angry|nervous|playful|drowsy|busy|timid|clever|jolly|nosy"
        "|stubborn|dreamy|solemn"
    ),
    "worn": (
        "cracked|bent|chipped|borrowed|forgotten|polished|cheap|spare|dented|patched|splendid|scratched|precious"
        "|used|second-hand"
    ),
    "scent": "fresh|wilted|sweet|late|early|frosty|pale|fragrant|tall|delicate",
    "leafy": "leafy|bare|mossy|swaying|ancient|lofty|twisted|slender|gnarled|sturdy",
    "gaze": (
        "looked at|stared at|gazed at|blinked at|nodded at|frowned at|smiled at|waved to|pointed at|whistled at"
        "|winked at|bowed to"
    ),
    "watched": "looked on|watched|yawned|blinked|stood by|snored|listened|sneezed|giggled|nodded|stared|clapped",
    "two": "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|a dozen|twenty",
    "number": "two|three|four|five|six|seven|eight|nine|ten",
    "drink": (
        "tea|cocoa|milk|lemonade|cider|water|juice|broth|coffee|buttermilk|berry juice|ginger tea|mint tea"
        "|hot chocolate"
    ),
    "dish": (
        "porridge|noodles|toast|rice|pea soup|scrambled eggs|baked beans|oatmeal|custard|fish|stewed apples"
        "|rye bread|mashed turnips|roast goose|leek soup|fried mushrooms|spinach|lentils|macaroni|pickles"
    ),
    "sweet": (
        "toffee|fudge|jelly|ice cream|gingerbread|candy|chocolate|marzipan|whipped cream|honeycomb|nougat"
        "|liquorice|shortbread|sponge cake|caramel|doughnuts|lollipops|cinnamon rolls|meringue"
    ),
    "smell": (
        "smoke|{dish}|{sweet}|wet wool|{flowers}|mint|fresh paint|cut grass|soap|hay|old paper|sea salt|lavender"
        "|pine needles"
    ),
    "weekday": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "season": "spring|summer|autumn|winter",
    "month": "March|April|May|July|September|October",
    "meal": "breakfast|lunch|dinner|supper|tea",
    "part": "ear|nose|tummy|chin|knee|elbow|cheek|left foot|right foot|thumb|neck|left shoulder|right shoulder",
    "cloth": "jacket|dress|jumper|waistcoat|vest|trousers|skirt|shirt|nightgown|raincoat",
    "pattern": (
        "{colour} spots|{colour} stripes|{colour} stars|{number} {colour} pockets|{colour} squares|a {colour} collar"
    ),
    "made": "wooden|tin|glass|paper|clay|stone|iron|copper|straw",
    "shape": "{a_beast}|a~ {vehicle}|a~ {houseware}|a {size} {flower}|a~ {tree} leaf|a judge's nose|a sleeping {beast}",
    "a_beast": (
        "a~ {size} {beast}|a {colour} {beast}|a~ {look} {beast}|a~ {size}, {look} {beast}"
        "|a~ {look} {colour} {beast}|a~ {size} {colour} {beast}"
    ),
    "house": "roof|chimney|window|front door|porch|balcony|gutter|doorstep",
    "near": "nearby|far away|close by|somewhere|in the distance|not far off|high above|down below",
    "job": (
        "{jobbing} the {size} {housewares}|{jobbing} {number} {look} {housewares}|{jobbing} a {colour} {cloth2}"
        "|{jobbing} the {look} {houseware}|{jobbing} {housewares} and {housewares}"
    ),
    "jobbing": (
        "washing|counting|selling|painting|dusting|drying|polishing|packing|scrubbing|sorting|mending|drawing"
        "|stacking|hiding|moving|weighing|carrying|wrapping"
    ),
    "cloth2": (
        "jacket|dress|jumper|waistcoat|vest|skirt|shirt|nightgown|raincoat|robe|uniform|sweater|tunic|kilt|blouse"
    ),
    "speed": (
        "slowly|quickly|quietly|loudly|softly|lazily|merrily|happily|sadly|proudly|gently|boldly|sweetly|wildly"
        "|politely|calmly|neatly|bravely"
    ),
    "thing_seen": (
        "a~ {size} {vehicle}|{a_beast}|{two} {colour} {beasts}|a~ {stranger} with a~ {look} {houseware}"
        "|a~ {look} {vehicle} full of {housewares}|{two} {size} {trees}|a row of {colour} {flowers}"
        "|a~ {stranger} in a {colour} {cloth2}|{two} {look} {housewares}|a~ {size} {made} {houseware}"
        "|a~ {look} {stranger} on a~ {size} {vehicle}|{two} {look} {beasts} on a~ {vehicle}"
        "|a~ {made} {houseware} with {two} {flowers}|a~ {size}, {look} {beast}"
        "|a {colour} {flower} between {two} {housewares}|a~ {look} {beast} and {two} {flowers}"
        "|a heap of {look} {housewares}|a~ {stranger} selling {colour} {housewares}"
        "|a {colour} {houseware} under a~ {tree}"
    ),
    "doing": (
        "chasing a~ {size} {beast}|sleeping under a~ {look} {tree}|looking for {colour} {insects}"
        "|drinking {drink} with a~ {stranger}|carrying {two} {housewares}|eating {dish} with {sweet}|{job}"
        "|hopping over a {colour} {houseware}|singing to {two} {beasts}|resting near a~ {look} {vehicle}"
        "|drawing {thing_seen}|building a tower of {housewares}|talking to a~ {look} {stranger}"
        "|hiding from {a_beast}|picking {colour} {flowers}|teaching {a_beast} to dance"
        "|throwing {flowers} at a~ {size} {houseware}|pushing a~ {look} {vehicle}|learning a song about {beasts}"
        "|cutting {dish} into {number} parts|feeding {two} {size} {beasts}"
    ),
}

DETAILS: dict[str, str] = {
    # what stands around, by where one is
    "view_out": (
        "{near}, {a_beast} was {doing}.|{a_beast} was {doing}, and {thing_seen} stood behind it."
        "|Along the road came {thing_seen}, and behind it {thing_seen}."
        "|There were {two} {colour} {flowers} on one side and {two} {size} {trees} on the other."
        "|{two} {look} {beasts} were {doing}.|From there one could see {thing_seen}."
        "|A~ {stranger} was {doing} {near}."
        "|The {trees} were full of {size} {birds}, and the ground was covered with {flowers}."
        "|Between {two} {trees} stood {thing_seen}.|It smelled of {smell} and {smell}."
        "|A~ {stranger} went past with {thing_seen} and whistled {speed}."
        "|{two} {birds} sang {speed} in a~ {size} {tree}.|One could hear {two} {beasts} {near}."
        "|A {colour} {insect} sat on a~ {flower} and did not move.|The path was as {as_adj} as {shape}."
        "|Somebody had left a~ {look} {houseware} and {two} {housewares} on the ground."
        "|The grass was {as_adj} under the {look} {tree}."
    ),
    "view_in": (
        "It smelled of {smell} and {smell}.|On the wall hung a~ {look} drawing of {thing_seen}."
        "|{two} {colour} {housewares} stood in a row, next to a~ {size} {made} {houseware}."
        "|A {colour} {insect} was crawling up the wall."
        "|There was dust on the {housewares} and on the {look} {houseware}."
        "|In one corner stood a~ {size} {houseware}, and in the other {two} {colour} {housewares}."
        "|Through the window one could see {thing_seen}.|A~ {stranger} was {job} {near}."
        "|{a_beast} was asleep on a {colour} pillow.|A~ {look} lamp threw a shadow like {shape}."
        "|The floor was {as_adj}, and somewhere a~ {houseware} was dripping.|It was as quiet as {quiet_thing}."
        "|{two} {made} {housewares} hung above a~ {look} {houseware}."
        "|Someone had painted {two} {colour} {flowers} on the door."
    ),
    "as_adj": "wet|cold|dry|soft|warm|smooth|muddy|slippery|bright|dark",
    "quiet_thing": "a sleeping {beast}|a~ {houseware} under the bed|{two} {beasts} in {season}|a~ {tree} at night",
    # weather
    "w_sunny": (
        "The sun was as {bright_adj} as a {colour} {houseware}."
        "|Sunlight lay {speed} on the {trees} and the {house}."
        "|It was so warm that {two} {beasts} were lying in the shade of a~ {tree}."
        "|The sky was blue, and {two} {birds} flew over the {house}.|The sun made the {house} shine like {shape}."
        "|It was a warm day, and the {flowers} were open.|The sun dried the {look} {cloth2} on the washing line."
    ),
    "bright_adj": "bright|round|golden|warm|yellow",
    "w_rainy": (
        "Rain ran down the {house} and made {two} puddles."
        "|The rain fell {speed} on the {trees}, and {a_beast} hid under a leaf."
        "|It rained so hard that {two} {beasts} ran for the {house}."
        "|Big drops fell on a~ {look} {houseware} and rang like music."
        "|A~ {stranger} in a {colour} raincoat hurried by."
        "|It was a wet day, and even the {beasts} stayed at home."
        "|The rain drummed {speed} on a~ {look} {vehicle}."
    ),
    "w_windy": (
        "The wind shook the {trees} and blew {two} {colour} leaves over the {house}."
        "|The wind pulled {speed} at the {trees}.|A gust of wind carried a {colour} {cloth2} past the {house}."
        "|The wind howled like {shape}.|It was so windy that {two} {birds} flew backwards."
        "|That day the wind came from the {compass} and smelled of {smell}."
        "|The wind rattled a~ {look} {houseware} {near}."
    ),
    "compass": "north|south|east|west|hills|sea",
    "w_snowy": (
        "Snow lay on the {house} like {soft_thing}."
        "|The snow fell {speed}, and {two} {beasts} left their tracks in it."
        "|A {size} snowman with a {colour} {cloth2} stood {near}."
        "|The snow was so deep that a~ {vehicle} was stuck in it.|{two} icicles hung from the {house}."
        "|It was a white day, and the {trees} looked like {shape}.|Snowflakes settled on the back of {a_beast}."
    ),
    "soft_thing": "a white blanket|sugar on a spoon|a clean pillow|whipped cream|wool",
    "w_foggy": (
        "The fog was so thick that the {house} could not be seen.|In the fog, a~ {tree} looked like {shape}."
        "|Out of the fog came the sound of {two} {beasts}.|The fog crept {speed} over the {house}."
        "|It was a grey day, and the fog smelled of {smell}.|Only {two} {trees} showed through the fog."
        "|Somewhere in the fog a~ {stranger} was whistling."
    ),
    "w_cloudy": (
        "One of the clouds looked like {shape}.|{two} clouds rolled {speed} over the {house}."
        "|The clouds were as {cloud_adj} as {soft_thing}.|A cloud like {shape} passed over the {trees}."
        "|It was a dull day, and the {flowers} were closed.|Low clouds hung over the {trees} and the {house}."
        "|No sun came through the clouds, and {two} {beasts} shivered."
    ),
    "cloud_adj": "soft|white|thick|grey|round",
}

# what a character does beside the thread of the story; A is the subject
MUSING: str = (
    "thought of {memory}|remembered {memory}|counted {two} {beasts} on the way"
    "|had {dish} and {sweet} for {meal} that day|was wearing a {colour} {cloth2} with {pattern}"
    "|[stopped to look at|walked around|sang to|tiptoed past|laughed at|made room for|took a good look at"
    "|stuck out {his} tongue at] {thing_seen}|{gaze} {thing_seen}"
    "|glanced at {a_beast} and then at {thing_seen}|had dreamed of {thing_seen} that night"
    "|stepped over {a_beast}|waved to a~ {stranger} who was {doing}|listened to {two} {birds} {near}"
    "|hummed a song about {thing_seen}|could smell {smell} and {smell}|liked {flowers} more than {sweet}"
    "|scratched {his} {part} and {gaze} {thing_seen}|was as quiet as {quiet_thing}"
    "|felt {his} heart jump like {shape}|picked {two} {colour} {flowers}|said hello to {thing_seen}"
    "|had always been afraid of {beasts} and {housewares}|made a face like {shape}"
    "|nearly tripped over a~ {look} {houseware}|saw {thing_seen} and, next to it, {thing_seen}"
    "|drank some {drink} and wiped {his} {part}|told {himself} not to think of {sweet}"
    "|knew {two} songs about {beasts}|wondered why {beasts} are so {look}|wished for {a_beast} of {his} own"
)
MEMORY: dict[str, str] = {
    "memory": (
        "the {weekday} when {his} {uncle} had {past_deed}|a~ {season} day when {a_beast} had {beast_deed}"
        "|what {his} {uncle} always said about {beasts}|a story about {thing_seen}|a dream about {thing_seen}"
        "|the smell of {smell} at {his} {uncle}'s house|the time when {two} {beasts} had {beast_deed}"
    ),
    "past_deed": (
        "cooked {dish} for {two} {beasts}|bought a~ {look} {vehicle}|painted the {house} {colour}"
        "|lost {two} {housewares}|danced with a~ {stranger}|grown {two} {size} {flowers}|fallen off a~ {vehicle}"
        "|sewn a {colour} {cloth2} with {pattern}"
    ),
    "beast_deed": (
        "eaten all the {sweet}|slept in a~ {houseware}|climbed onto the {house}|run off with a {colour} {cloth2}"
        "|jumped over a~ {look} {vehicle}|broken {two} {housewares}|followed a~ {stranger} to town"
    ),
}

LIKENESS = (
    " like {a_beast}| as {speed} as {a_beast}| like {shape} on a~ {weekday}| as if {he} were {a_beast}"
    "| like a~ {stranger0} who is {doing}| while {two} {beasts} {watched}| while {a_beast} {watched}"
    "| before a~ {stranger} could count to {number}| while a~ {stranger} was {job}"
    "| with {two} {insects} buzzing around {him}"
)
