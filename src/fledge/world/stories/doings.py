"""What people and animals beside the thread of a story do, where they do it, and what tales tell of."""

from __future__ import annotations

# what passers-by and animals do, so that it suits who does it and where
DOINGS: dict[str, str] = {
    "doing_any": (
        "drinking {drink}|eating {dish}|eating {sweet}|counting {oddments}|humming a song about {tale}"
        "|talking to {someone}|telling {someone} about {tale}|mending a~ {ware}|polishing {metal}"
        "|sorting {colour} and {colour} {oddments}|packing {small_wares} into a~ {worn} suitcase"
        "|learning a poem about {tale}|looking for a~ lost {oddment}|making a drawing of {tale}"
        "|trying on a~ {colour} {cloth}"
        "|practising the {music}|waiting for {someone}|painting a~ {oddment} {colour}"
    ),
    "doing_in": (
        "sweeping the floor|washing {kitchenwares}|folding {cloths}|sewing a~ {colour} {cloth}"
        "|writing to {someone} about {tale}|reading about {tale}|wrapping a~ {oddment} in {colour} paper"
        "|stacking {wares}|dusting the {oddments}|unpacking {wares}|knitting a~ {colour} {cloth}"
    ),
    "doing_fair": (
        "picking {colour} {flowers0}|feeding {few} {beasts}|resting under a~ {tree}|chasing a~ {insect}"
        "|watching {few} {birds}|sitting under a~ {tree_adj} {tree}|hanging up {colour} {cloths}"
        "|pushing a~ {vehicle}|loading a~ {truck} with {cargo}|throwing crumbs to {few} {birds}"
        "|teaching a~ {beast} to {trick}|watering the {flowers}|balancing on one leg|drawing a~ {tree_adj} {tree}"
        "|making a chain of {flowers}|counting {insects}|selling {cargo} to {someone}|raking leaves"
    ),
    "doing_rough": (
        "waiting under a~ {tree_adj} {tree}|looking for shelter|pulling a~ {vehicle} out of a ditch"
        "|hurrying along with a~ {ware}|looking for {few} {beasts}|covering a~ {truck} with {linens}"
        "|jumping up and down to keep warm|sharing {drink} with {someone}|feeding {few} {beasts}"
        "|stacking firewood|watching {few} {birds}|loading a~ {truck} with {cargo}"
    ),
    "music": (
        "trumpet|trombone|banjo|accordion|piano|violin|guitar|harp|clarinet|tuba|cello|saxophone|xylophone"
        "|harmonica|bagpipes|organ|recorder|triangle|mandolin|tambourine|bassoon|oboe|cymbals|zither"
        "|double bass"
    ),
    "trick": "sit|dance|jump|bow|roll over|count to {number}|shake hands|fetch a stick|walk on two legs|close doors",
    "beast_doing_in": (
        "sleeping on a~ {worn_linen} {linen}|hiding behind a~ {worn} {container}|nibbling at the {sweet}"
        "|chasing a~ {insect}"
        "|drinking from a~ {worn} saucer|playing with a~ {worn} thimble|sitting on a heap of {cloths}"
        "|scratching at the floor"
        "|watching a~ {insect}|staring at a~ {worn} {kitchenware}|looking out of the window"
    ),
    "beast_doing_fair": (
        "chasing a~ {insect}|sleeping under a~ {tree}|nibbling at the {flowers}|strolling through the grass"
        "|turning in circles|watching {few} {birds}|sitting in the sun|nibbling at a~ {flower}"
        "|jumping over the {flowers}"
        "|looking for {insects}|drinking from a~ {worn} {bowl}|hopping around a~ {tree_adj} {tree}"
        "|hiding behind a~ {tree_adj} {tree}|following {someone}"
    ),
    "beast_doing_rough": (
        "hiding under a~ {tree_adj} {tree}|sheltering under a~ {vehicle}|running for shelter|searching for food"
        "|shivering|pressed against a~ {tree}|following {someone}|looking for a dry place"
        "|staring at a~ {worn} {tool}|half asleep under a~ {tree}|calling for food"
    ),
    # stories, songs, drawings and dreams may hold what the town does not
    "tale": (
        "a~ {tale_adj} {tale_hero} who {tale_deed}|a~ {tale_adj} {tale_hero} who {tale_deed}"
        "|a~ {tale_hero} and {few} {tale_crowd}|{few} {tale_crowd} {aboard}|{few} {tale_crowd} at a~ {tale_feast}"
        "|the {tale_hero} and the {tale_adj} {tale_hero2}"
    ),
    "tale_adj": (
        "brave|foolish|sleepy|golden|lonely|singing|one-eyed|flying|hungry|clever|dancing|talking|greedy|lazy"
        "|enormous|tiny|forgetful|grumpy|polite|invisible|silver|homesick|laughing|tired|hairy|spotted|striped"
        "|curious|careless|proud|jealous|noisy|wise|timid|shy|stubborn|generous|purple|green|yellow|three-legged"
        "|toothless|bald|bearded|sneezing|ticklish|seasick|snoring|cross-eyed|whispering|untidy|vain|gigantic"
        "|lost|blind|dusty|cowardly|fat|thirsty"
    ),
    "tale_hero": (
        "dragon|camel|zebra|tiger|lion|monkey|penguin|seal|elephant|crocodile|whale|unicorn|pirate|knight"
        "|princess|prince|wizard|dwarf|mermaid|ghost|snowman|robot|ostrich|peacock|shark|hippo|goblin|fairy"
        "|octopus|walrus|troll|ogre|pixie|elf|sphinx|giraffe|rhinoceros|panda|gorilla|kangaroo|koala|leopard"
        "|cobra|python|pelican|flamingo|dolphin|squid|jellyfish|lobster|sea horse|starfish|mammoth|dinosaur|yeti"
        "|vampire|mummy|sorcerer|emperor|sultan|empress|viking|samurai|astronaut|cowboy|highwayman"
        "|smuggler|gnome|phoenix|griffin|centaur|werewolf|hyena|jackal|buffalo|antelope"
        "|llama|chimpanzee|baboon|parakeet|vulture|turkey|eel|sardine|swordfish"
    ),
    "tale_hero2": "dragon|tiger|lion|monkey|penguin|whale|pirate|princess|wizard|ghost|mermaid|crocodile|fairy|goblin",
    "tale_crowd": (
        "dragons|camels|zebras|tigers|lions|monkeys|penguins|seals|elephants|crocodiles|whales|pirates|knights"
        "|wizards|dwarfs|mermaids|ghosts|fairies|goblins|peacocks|ostriches|crabs|trolls|elves|pixies|giraffes"
        "|pandas|gorillas|kangaroos|leopards|flamingos|dolphins|lobsters|dinosaurs|vampires|astronauts|cowboys"
        "|gnomes|vikings|emperors|llamas|baboons|vultures|jackals|smugglers|ogres|hyenas|sardines|snails"
    ),
    "tale_feast": (
        "wedding|picnic|fair|tea party|circus|birthday party|dance|concert|football match|funeral|regatta"
        "|carnival|spelling contest|horse race|opera|parade|auction|housewarming|chess game|garden party|banquet"
        "|ballet|school play|dinner party|museum"
    ),
    "tale_deed": (
        "could not {trick}|lived in a~ {container}|wanted to be a~ {stranger0}|fell asleep {riding0}"
        "|ate nothing but {sweet}|ate {dish} all day|was afraid of {insects}|sailed around the world {aboard}"
        "|lost a~ {colour} {cloth}|collected {oddments}|learned the {music}|married a~ {stranger0}"
        "|had {many} sisters|never said thank you|travelled by {vehicle0} to {town}|kept {few} {beasts0} as pets"
        "|could talk to {insects}|sold {cargo}|built a house of {sweet}|hid in a~ {worn} suitcase"
        "|forgot how to {trick}|painted the moon {colour}|swallowed a~ {worn} {oddment}"
        "|stole {cargo} from a~ {stranger0}|slept for {many} years|could hear {flowers0} grow"
        "|fell in love with a~ {tale_hero2}|wore {few} {cloths} at once|dug a tunnel to {town}"
        "|taught {strangers} the {music}|gave away all {cargo}|turned a~ {stranger0} into a~ {beast0}"
        "|won a~ {vehicle0} at cards|cooked {cooked} for {strangers}|never washed|bathed in {drink}"
        "|was allergic to {flowers0}|sneezed out {colour} {oddments}|opened a museum of {oddments}"
        "|guarded {many} {kitchenwares}|lived on {sweet} and {drink}|grew as tall as a~ {tree}"
        "|wrote letters to a~ {stranger0}|missed the {tale_feast}"
    ),
}
