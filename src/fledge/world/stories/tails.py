"""How an act may go on: the rules that the wordings of ``acts.py`` end in. ``A`` acts."""

from __future__ import annotations

TAILS: dict[str, str] = {
    "own_tail": "{from_whom}| that {marked}| and had brought it along with a~ {ware}| and {loved} it{more_than}",
    "hold_tail": (
        "|, and beside it lay {few} {wares}|, a present from {his} {uncle}"
        "|, bought from {someone} for {number} coins|, a present from {someone}"
        "|, sent by {someone}|, won at a fair in {month}|, got from {someone} for {few} {wares}"
    ),
    "from_whom": (
        ", a present from {his} {uncle}|, which {his} {uncle} had bought for {number} coins"
        "|, which {his} {uncle} had given {him} one {season}|, which {his} {uncle} had brought from {town}"
        "| that once belonged to {someone}|, won at a fair in {month}|, a present from {someone} for {his} birthday"
    ),
    "marked": (
        "smelled of {smell_in}|had {few} {colour} {painted} painted on it|had on it a drawing of {tale}"
        "|had the name of a~ {stranger0} on it|once belonged to {his} {uncle}|{someone} had mended with {colour} string"
    ),
    "painted": "{flowers0}|stars|{birds0}|hearts|circles|{insects}|leaves|letters|dots|crosses",
    "when_got": "last {season}|in {month}|one {weekday}|on {his} birthday|after a trip to {town}|for helping {someone}",
    "loved": "loved|liked|treasured|admired",
    "more_than": (
        " more than {sweet}| more than all {his} {oddments}| as much as {his} {uncle}"
        "| even more than {dish} with {sweet}"
        "| more than the {oddments} and {oddments} of {his} {uncle}"
    ),
    "meet_tail": (
        "|, who was {doing_here}|, who was {doing_here}|, who had just met {someone}|, who smelled of {smell_in}"
        "| in a~ {colour} {cloth}|, who looked {feeling}|, who was on the way to {someone}"
        "|, who was carrying {few} {wares}"
        "|, who was telling {someone} about {tale}|, who had lived next to a~ {stranger0} for {number} years"
    ),
    "feeling": "tired|merry|worried|sleepy|busy|hungry|cold|pleased|lost in thought|bored|cheerful",
    "go_tail": (
        "|, past {someone} and a~ {vehicle}| and talked to {someone} on the way| in {number} minutes"
        "| and whistled on the way|, humming a song about {tale}|, past the {building} and the {building}"
        "|, past the house of {someone}| {riding}| with {someone}"
        "| and thought of {tale}|, along a street full of {strangers} and {vehicle0_s}"
        "|, past a garden full of {trees}"
    ),
    "walk_tail": (
        "|, past {someone} and a~ {vehicle}|, humming a song about {tale}|, past the {building} and the {building}"
        "|, past the house of {someone}|, past a garden full of {trees}"
        "|, along a street full of {strangers} and {vehicle0_s}"
    ),
    "vehicle0_s": "buses|trucks|bicycles|vans|coaches|trams|lorries|scooters|handcarts|tractors",
    "path_adj": "short|long|narrow|stony|sandy|winding|shady|steep|quiet",
    "_quick": "as quick as a hare|out of breath|with {feeling} eyes|still holding a~ {oddment}",
    "take_tail": (
        "| and wiped off the dust| very {manner}| and held it up to the light"
        "| while {someone} {watched}| and showed it to {someone}| at the {number_th} try"
        "| and laughed| and wrapped it in {wrapping}"
    ),
    "number_th": "first|second|third|fourth|fifth",
    "still_tail": (
        "| very {manner}| while {someone} {watched}| at the {number_th} try| with both hands| in front of {someone}"
    ),
    "give_tail": (
        "| with a smile| with a bow| without a word| very {manner}|, wrapped in {wrapping}|, together with some {sweet}"
        "| in front of {someone}| while {someone} {watched}| and asked for nothing| and drank some {drink} with {bhim}"
    ),
    "wrapping": (
        "{colour} paper|a~ {worn_linen} towel|leaves|an old newspaper|a~ {colour} cloth|a~ {colour} handkerchief"
    ),
    "hide_tail": (
        "| and covered it with {wrapping}| and counted the steps to a~ {ware}| while nobody {watched}"
        "| and told only {his} {uncle} about it| and laid {few} {linens} over it"
    ),
    "lose_tail": (
        " somewhere along the way|, and {he} turned as white as {soft_thing}| when {he} stopped to greet {someone}"
        "| while {he} was looking at a~ {vehicle}| before {he} could count to {number}"
        "|, although {he} had held it tight"
        "| while {he} was listening to {someone}| when {he} had to make room for a~ {vehicle}"
        ""
    ),
    "found_only": (
        "there was only a~ {found}|found nothing but {few} {found_many}|there was nothing but a~ {found}"
        "|saw only {few} {found_many} and some {rubbish}|{few} {found_many} were all that {he} found"
        "|found only {sweet} and {rubbish}"
        "|there was only a~ {insect_colour} {insect}|there was only a~ {found} that belonged to {someone}"
    ),
    "found": "{worn} {kitchenware}|{colour} {kitchenware}|{worn} {trinket}|{colour} {trinket}",
    "found_many": "{worn} {kitchenwares}|{colour} {kitchenwares}|{colour} {trinkets}|{worn} {trinkets}",
    "trinket": (
        "notebook|pencil|slipper|thimble|calendar|tambourine|harmonica|diary|magazine|hourglass|wallet|purse|bracelet"
        "|earring|pair of glasses|hairbrush|toothbrush|sponge|yo-yo|domino|marble|ruler|eraser|paintbrush|horseshoe"
    ),
    "trinkets": (
        "notebooks|pencils|slippers|thimbles|crayons|stamps|marbles|postcards|diaries|magazines|wallets|bracelets"
        "|earrings|hairbrushes|sponges|dominoes|rulers|horseshoes|napkins|handkerchiefs|tea towels|pillowcases"
    ),
    "rubbish": "dust|old newspapers|crumbs|corks|string|sand|marbles|nutshells|wool|corn|straw|rags",
    "find_tail": (
        "| under {few} leaves|, a little dusty but whole|, with a~ {beast} asleep next to it|, just next to a~ {ware}"
        "|, covered with {rubbish}|, guarded by {few} {birds}|, between {few} {wares}"
        "|, exactly where a~ {beast} had dragged it"
        "|, under a~ {worn_linen} {linen}"
    ),
    "funny_tail": (
        "|, where it had been all the time| and turned as red as a~ {flower}|, and {someone} laughed"
        "| and laughed until {his} tummy hurt|, and even a~ {beast} seemed to smile"
        "|, under a~ {worn_linen} handkerchief"
    ),
    "there_tail": (
        "|, where it had been all the time|, and {someone} laughed|, and even a~ {beast} seemed to smile"
        "|, under a~ {worn_linen} handkerchief"
    ),
    "looking_glass": "a shop window|a puddle|a shiny {kitchenware}|the window of a~ {vehicle}|a barrel of water",
    "it_was_late": "the stars came out|the lamps were lit|{his} feet hurt|it grew dark|{someone} sent {him} home",
    "give_up_tail": (
        " and went to sit under a~ {tree}| and kicked a~ {worn} milk can| after {number} hours| and sighed"
        "| and told {someone} about it| and sat down next to {someone}"
    ),
    "upright": (
        "lamp|candlestick|easel|tripod|globe|jug|kettle|milk can|coffee pot|pitchfork|shovel|statue|parasol|pepper mill"
    ),
    "standing": (
        "{worn} suitcase|{vehicle}|{worn} milk can|pile of newspapers|{worn} wheelbarrow|{worn} armchair"
        "|{worn} footstool"
    ),
    "climb_tail": (
        "|, {number} feet, then {number} more| past a nest of {birds0}| while {someone} {watched}"
        "|, although {his} knees shook"
        "| as {manner} as {he} could|, one foot after the other| past {few} {birds}| in spite of {his} fear"
    ),
    "fall_tail": (
        " into a heap of {soft_heap}| and bumped {his} {part}|, right next to {someone}|, past {few} {birds}"
        "| onto a~ {truck} full of {cargo}| in front of {someone} and {someone}|, and a~ {ware} fell after {him}"
    ),
    "soft_heap": "leaves|hay|straw|{linens}|{cloths}|moss|sand|wool|pine needles|sawdust",
    "fall_tail2": (
        " that woke {few} {beasts}| and covered {him} with {rubbish}| in front of {someone}| with a crash"
        "| and knocked over a~ {worn} {upright}"
    ),
    "float_tail": (
        "| past a~ {boat}| among the leaves| faster and faster| with {few} leaves on it| past {someone} {aboard}"
        "|, followed by {few} {birds}| towards {town}| and spun in circles"
    ),
    "sink_tail": (
        " among {few} {colour} fish| like a stone| while {someone} {watched}| with {number} bubbles"
        "|, not far from a~ {boat}| next to a~ {boat}"
    ),
    "dry_how": (
        "with a~ {worn_linen} towel|on {his} {colour} {cloth}|with {few} leaves|with a~ {colour} handkerchief"
        "|with the end of a~ {colour} {cloth}|with {rubbish} and a~ {worn_linen} blanket"
    ),
    "break_tail": (
        " into {number} pieces| with a loud crack| in front of {someone}| down the middle| and scared {few} {beasts}"
        "| while {someone} {watched}| next to a~ {ware}"
    ),
    "crack": (
        " into {number} pieces| with a loud crack| in front of {someone}| down the middle| while {someone} {watched}"
    ),
    "mend_tail": (
        "| until it was as good as new| in {number} minutes|, and only {few} cracks could still be seen"
        "| as {manner} as a~ {stranger0}| while {someone} {watched}"
        "| and painted {few} {colour} {painted} over the crack"
        "|, just as {his} {uncle} had taught {him}"
    ),
    "growled": (
        "growled|showed {few} sharp teeth|stamped {number} times|made a noise like a~ {vehicle0}|did not move|grumbled"
        "|said that nobody might pass|looked at {him} with angry eyes"
    ),
    "ate_it": (
        "ate it in {number} bites|sniffed at it, ate it|swallowed it whole|ate it {speed}|ate it with some {drink}"
    ),
    "eat_tail": (
        "| with some {drink}| and left {few} crumbs for a~ {beast}| next to {someone}"
        "| and licked {his} fingers| on a~ {worn_linen} blanket| with a~ {worn} fork"
    ),
    "share_tail": (
        ", with some {drink}|, {number} bites for each of them| next to {someone}"
        "| and gave the last bit to a~ {beast}| on a~ {worn_linen} blanket"
    ),
    "cook_tail": (
        "| with a pinch of {pinch}| with {pinch} and {pinch}| for {number} hours| and tasted it {number} times"
        "| in a~ {worn} {pan}| while {someone} {watched}|, as {his} {uncle} had taught {him}"
    ),
    "pan": "frying pan|saucepan|kettle|copper pan|pot",
    "pinch": "salt|pepper|cinnamon|mint|parsley|ginger|vanilla|mustard|thyme|garlic|nutmeg",
    "build_tail": (
        "|, {number} feet high|, with {few} {colour} {painted} painted on it| in {number} hours| between two {trees}"
        "| and asked {someone} to look at it| with the help of {someone}|, as {his} {uncle} had taught {him}"
    ),
    "use_tail": (
        "| and invited {someone} to see it| and drank some {drink}| and ate some {sweet}| and smiled at {someone}"
        "| with {someone}"
    ),
    "laughed": "laughed|smiled|sang {speed}|cheered|clapped",
    "a_while": "a long time|a whole hour|{number} hours|some happy hours|a good while|{many} minutes",
    "plant_tail": (
        "|, {number} inches deep| and patted the ground flat| with a~ {worn} {digger}| and put {few} stones around it"
        "| while {someone} {watched}| and covered it with {soft_heap}"
    ),
    "digger": "shovel|spade|trowel|pitchfork",
    "pouring": "jug|kettle|mug|watering can|milk can",
    "morning_word": "morning|evening|day|afternoon",
    "sleep_tail": (
        " for {number} hours| and dreamed of {tale}| next to {someone}| on a heap of {soft_heap}"
        "| and dreamed of {memory}| with a~ {worn_linen} blanket under {his} head"
    ),
    "rest_tail": (
        "| for {number} hours| next to {someone}| on a heap of {soft_heap}| under a~ {worn_linen} blanket"
        "| with a~ {worn_linen} blanket under {his} head"
    ),
    "wake_tail": (
        " when {few} {birds} began to sing| because a~ {beast} was tickling {him}| and felt fresh"
        "| and yawned {number} times"
        "| when {someone} began to sing| because of the noise of a~ {vehicle}"
    ),
    "wait_tail": (
        " for {number} hours| until {few} {birds} had flown by| next to {someone}| and made a drawing of {tale}"
        "| and talked to {someone}| and ate some {sweet}| on a~ {worn_linen} {linen}"
    ),
    "grow_how": (
        "as tall as a~ {stranger0}|as high as a window|{number} inches tall and had {few} {colour} leaves"
        "|a plant with {many} leaves on {few} twigs|as high as a~ {vehicle0}"
    ),
    "play_tail": (
        " for {number} hours| near a~ {ware}| in front of {few} {strangers}| and thought of {tale}"
        "| while {someone} {watched}"
        "| for {a_while}| and told {someone} about it| until {someone} wanted to play too"
    ),
    "thank_how": (
        "{number} times|with all {his} heart|and gave {bhim} {few} {colour} {flowers0}|and promised {bhim} some {sweet}"
        "|with a deep bow|with a song about {tale}|and gave {bhim} {few} {found_many}"
    ),
    "hug_tail": (
        "| and gave {bhim} some {sweet}| and hummed a song about {tale}| while {someone} {watched}"
        "| and told {bhim} about {tale}| and drank some {drink} with {bhim}"
    ),
    "comfort_how": (
        "with a story about {tale}|with some {drink} and {sweet}|and counted {many} {birds} with {bhim}"
        "|with a song about {tale}"
    ),
    "comfort_story": "a story about {tale}|a joke about {tale}|about {memory}",
    "sad_tail": (
        " and let {his} head hang| and wanted neither {sweet} nor {drink}| for {number} minutes"
        "| and stared at a~ {ware}"
        "| and turned away from {someone}| and sat down next to {someone}| and leaned on {someone}"
        "| and hid behind a~ {standing}"
    ),
    "sad_effect": (
        "{he} did not even greet {someone}|{number} tears ran down {his} nose|{he} forgot {his} {sweet}"
        "|even {someone} fell silent|{he} could not hear {someone} calling|{he} gave {his} {dish} to {someone}"
    ),
    "joy": (
        "| and jumped over a~ {ware}| and spun around {number} times| and smiled at {someone}| and danced {speed}"
        "| and sang {few} songs| and danced with {someone}| and clapped {number} times| and hugged {someone}"
    ),
    "glad_tail": (
        " and jumped over a~ {ware}| and sang {speed} about {tale}| and spun around {number} times"
        "| and ran to tell {someone}"
        "| and laughed until {his} tummy hurt| and danced with {someone}"
    ),
    "glad_effect": (
        "{he} jumped {number} times|{he} hugged {someone}|{he} forgot {his} {sweet}"
        "|{he} shared {his} {sweet} with {someone}"
        "|{he} sang about {tale}|{his} cheeks turned red"
    ),
}
