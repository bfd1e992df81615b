"""Classes of words for scenery: nouns with the adjectives that suit them.

Nouns here never name a thing, place, spot or character of the state (``lexicon.py``). A rule ``x_here`` reads
``x_in`` indoors, ``x_fair`` outdoors in fair weather and ``x_rough`` outdoors in rain, snow or fog; ``x_any`` belongs
to the first two, ``x_out`` to the last two and ``x_all`` to all three.
"""

from __future__ import annotations

WORDS: dict[str, str] = {
    "colour": (
        "red|blue|green|yellow|purple|pink|brown|black|white|grey|orange|golden|crimson|turquoise|cream|scarlet"
        "|lilac|silver|beige|navy blue|dark green|light blue"
    ),
    "few": "two|three|four|five|six",
    "number": "two|three|four|five|six|seven|eight|nine|ten",
    "many": "seven|eight|nine|ten|eleven|twelve|fourteen|fifteen|twenty|a dozen",
    "speed": "slowly|quickly|quietly|softly|happily|proudly|gently|sweetly|calmly|merrily|cheerfully|carefully",
    "weekday": "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday",
    "season": "spring|summer|autumn|winter",
    "month": "March|April|May|June|July|September|October",
    "uncle": (
        "uncle|aunt|godmother|big brother|big sister|great-aunt|little brother|little sister|great-uncle"
        "|godfather|cousin|grandmother|grandfather|older cousin|twin brother|twin sister|stepmother|best friend"
        "|stepfather"
    ),
    "part": "ear|nose|chin|knee|elbow|cheek|left foot|right foot|thumb|left shoulder|right shoulder|forehead",
    # people who pass by
    "stranger0": (
        "nurse|juggler|judge|barber|dancer|milkmaid|hunter|knight|poet|plumber|piper|printer|drummer|skater"
        "|waiter|mayor|dentist|pilot|porter|student|tourist|grocer|clerk|beekeeper|pirate|magician|florist"
        "|butcher|lawyer|soldier|cobbler|jeweller|ranger|librarian|hairdresser|chemist|bricklayer|coachman"
        "|watchman|ferryman|pedlar|watchmaker|choirboy|firefighter|locksmith|goldsmith|glassblower"
        "|goatherd|huntsman|woodcutter|roofer|chimney sweep|bus driver|engine driver|violinist"
        "|pianist|acrobat|swimmer|runner|climber|explorer|inventor|scientist|astronomer|vet|midwife|banker"
        "|cashier|shopkeeper|innkeeper|cheesemonger|fishmonger|laundress|seamstress|governess"
        "|stable boy|paper boy|lighthouse keeper|night watchman|musician|conductor|photographer|sculptor|author"
        "|journalist|detective|sheriff|guard|messenger|traveller|hermit|wanderer|monk|duke|duchess|countess|baron"
    ),
    "stranger": (
        "{mood} {stranger0}|{mood} {stranger0}|{mood} {stranger0}|{stranger0}|{stranger0}|{stranger0} from {town}"
    ),
    "someone": (
        "a~ {stranger}|a~ {stranger}|{title} {surname}|old {title} {surname}|{mood} {title} {surname}"
        "|{mood} {title} {surname}"
    ),
    "title": "Mr|Mrs|Miss",
    "surname": (
        "Plum|Pepper|Crumb|Thistle|Marble|Bramble|Pickle|Button|Nutmeg|Twig|Pebble|Mallow|Sorrel|Buckle|Tassel"
        "|Muffin|Turnip|Parsley|Whisker|Puddle|Dimple|Kettle|Barley|Clover|Sparrow|Nettle|Mustard|Ginger|Copper"
        "|Sprout|Bobbin|Thimble|Waffle|Trumpet|Pocket|Pumpkin|Velvet|Cinnamon|Lemon|Sugar|Acorn|Cricket|Feather"
        "|Bumble|Gosling|Pigeon|Cherry|Biscuit|Candle|Mitten|Apple|Almond|Ladle|Saddle|Cabbage|Radish|Hedge"
        "|Willow|Larkin|Brick|Sparkle|Pillow|Blanket|Saucer|Towel|Ribbons|Bucket|Hammer|Needle|Lantern|Anchor"
        "|Barrel|Feathers|Honey|Peach|Melon|Carrot|Onion|Leek|Garlic|Walnut|Hazelnut|Raisin|Custard|Noodle|Toast"
        "|Butter|Crust|Pancake|Doughnut|Toffee|Fudge|Caramel|Sherbet|Cocoa|Lark|Heron|Magpie|Badger|Mole|Otter"
        "|Hare|Beetle|Moth|Snail|Spider|Poppy|Tulip|Violet|Bluebell|Cowslip|Lupin|Heather|Fern|Moss|Reed|Birch"
        "|Maple|Alder|Rowan|Poplar|Hill|Field|Brook|Lake|Meadow|Bridge|Stone|Sand|Snow|Frost|Winter|Summer|March"
        "|Tuesday|Saturday|Silver|Golden|Brass|Iron|Wool|Cotton|Linen|Thread|Bell|Drum|Fiddle|Whistle|Banjo|Harp"
        "|Quiet|Merry|Jolly|Nimble|Proud|Gentle|Small|Short|Long|Broad"
    ),
    "strangers": (
        "nurses|jugglers|judges|dancers|knights|poets|plumbers|pirates|soldiers|students|pilots|drummers"
        "|firefighters|acrobats|explorers|musicians|travellers|monks|swimmers|runners|woodcutters|tourists"
        "|hunters|waiters|inventors|climbers|messengers"
    ),
    "mood": (
        "shy|friendly|merry|restless|cheeky|nervous|busy|clever|jolly|nosy|dreamy|solemn|polite|cheerful|tired"
        "|old|tall|round|stout|elegant|famous|lonely|absent-minded|sunburnt|freckled|red-haired|talkative|curious"
        "|grumpy|kind|brave|proud|quiet|patient|gentle|lanky|plump|sleepy|worried|generous|stern|forgetful|chubby"
        "|thin|short|serious|calm|excited|puzzled|pale|hungry|helpful|modest|wise|noisy|hasty|well-dressed"
        "|barefoot|smiling|limping|whistling|yawning|blushing|sneezing"
    ),
    "town": (
        "the north|the south|the next village|the coast|the mountains|the city|the islands|the valleys"
        "|the capital|the forest|the lowlands|the east|the west|the moors|a far country|the old quarter"
        "|the suburbs|the marshes|the highlands"
    ),
    "cloth": (
        "jacket|dress|jumper|waistcoat|nightgown|raincoat|robe|uniform|sweater|tunic|kilt|blouse|cardigan|shirt"
        "|cape|pullover|gown|blazer|overall|smock|vest|bathrobe|poncho|dressing gown|anorak"
    ),
    "cloths": (
        "shirts|jumpers|sweaters|aprons|towels|blankets|trousers|stockings|pillowcases|dresses|nightgowns|jackets"
        "|socks|skirts|scarves|sheets|curtains|napkins|mittens|vests|capes"
    ),
    "pattern": (
        "{colour} spots|{colour} stripes|{colour} stars|{number} {colour} pockets|{colour} squares|a~ {colour} hem"
        "|{colour} flowers|{number} {colour} buttons|{colour} hearts|a~ {colour} lining"
    ),
    # animals
    "bird0": (
        "sparrow|lark|finch|wren|gull|thrush|magpie|swallow|heron|cuckoo|kingfisher|stork|crane|hawk|starling|jay"
        "|blackbird|wagtail|woodpecker|bullfinch|nightingale|dove|sandpiper|partridge|warbler|chaffinch"
        "|plover|siskin|curlew"
    ),
    "birds0": (
        "sparrows|larks|finches|wrens|gulls|magpies|swallows|herons|storks|cranes|thrushes|starlings|jays"
        "|blackbirds|wagtails|bullfinches|woodpeckers|kingfishers|cuckoos|nightingales|robins|doves|sandpipers"
        "|partridges|crows|ducks|owls"
    ),
    "bird_adj": (
        "small|young|bright|noisy|plump|shy|cheeky|brown|grey|little|hungry|speckled|nosy|lively|white|black"
        "|quick|tame|proud|round|fluffy|plain|thirsty|busy|sleepy"
    ),
    "bird": "{bird0}|{bird_adj} {bird0}",
    "birds": "{birds0}|{bird_adj} {birds0}",
    "insect": (
        "bee|beetle|moth|cricket|ladybird|spider|snail|grasshopper|caterpillar|ant|butterfly|dragonfly|bumblebee"
        "|hoverfly|wasp|earwig|centipede|water beetle|stag beetle|glow-worm|woodlouse|horsefly|silkworm"
        ""
    ),
    "insects": (
        "bees|beetles|moths|crickets|ladybirds|spiders|snails|grasshoppers|caterpillars|ants|butterflies"
        "|dragonflies|bumblebees|midges|wasps|gnats|centipedes|glow-worms|woodlice|fireflies|flies|earwigs"
    ),
    "insect_colour": (
        "brown|black|green|yellow|red|white|spotted|striped|tiny|shiny|blue|golden|orange|fat|small|large|hairy"
        "|young|sleepy|slow"
    ),
    "beast0": (
        "puppy|calf|lizard|shrew|newt|kitten|chick|foal|piglet|weasel|hare|duckling|chipmunk|stoat|gosling"
        "|fawn|cub|dormouse|vole|marten|salamander|tortoise|guinea pig|peahen|turkey|rooster|gander"
        "|tadpole|colt|hound|sheepdog|poodle|spaniel|terrier|dachshund|cygnet"
    ),
    "beasts0": (
        "puppies|calves|sheep|horses|lizards|newts|kittens|chicks|foals|piglets|hares|ducklings|lambs|goats|cows"
        "|rabbits|squirrels|chipmunks|ponies|geese|goslings|fawns|cubs|voles|tortoises|turkeys|roosters|colts"
        "|hounds|sheepdogs|poodles|spaniels|terriers|cats|dogs|mice|hedgehogs|pigeons|donkeys|foxes|hens"
        "|guinea pigs|oxen|frogs|toads"
    ),
    "beast_adj": (
        "small|tiny|young|shy|sleepy|hungry|playful|curious|nosy|plump|timid|lively|cheeky|brown|grey|white|black"
        "|spotted|muddy|lazy|quiet|skinny|friendly|restless|wet|fluffy|clumsy|dusty|patient|proud|gentle|brave"
        "|frightened|stubborn|noisy|round|well-fed|bold|old|thirsty|greedy|golden|ginger|dark|pale|scruffy|wild"
        "|tame|obedient|cautious|drowsy"
    ),
    "beast": "{beast_adj} {beast0}|{beast_adj} {beast0}|{beast0}|{bird}",
    "beasts": "{beast_adj} {beasts0}|{beast_adj} {beasts0}|{beasts0}|{birds}",
    # plants
    "flower": (
        "daisy|poppy|tulip|rose|violet|buttercup|lily|dandelion|bluebell|primrose|sunflower|pansy|marigold|crocus"
        "|cornflower|foxglove|cowslip|lupin|hollyhock|carnation|orchid|chrysanthemum|peony|snapdragon|honeysuckle"
        "|thistle|forget-me-not|geranium|begonia|daffodil|hyacinth"
    ),
    "flowers0": (
        "daisies|poppies|tulips|roses|violets|buttercups|lilies|dandelions|bluebells|primroses|sunflowers|pansies"
        "|marigolds|cornflowers|foxgloves|snowdrops|cowslips|lupins|hollyhocks|carnations|orchids|peonies"
        "|snapdragons|thistles|forget-me-nots|geraniums|begonias|daffodils|hyacinths|crocuses"
    ),
    "flowers": "{flowers0}|{scent} {flowers0}|{scent} {flowers0}",
    "scent": (
        "fresh|wild|sweet|late|early|pale|fragrant|tall|delicate|little|bright|lovely|tiny|soft|perfumed|drooping"
        "|graceful|beautiful|rare|dewy|crumpled|withered|splendid|modest"
    ),
    "tree": (
        "oak|elm|birch|pine|willow|maple|beech|chestnut|poplar|larch|cedar|alder|hazel|ash|hawthorn|rowan|lime"
        "|hornbeam|cypress|spruce|fir|yew|sycamore|aspen|laurel"
    ),
    "tree_adj": (
        "old|tall|leaning|mossy|ancient|twisted|slender|gnarled|sturdy|lonely|crooked|broad|hollow|young|bent"
        "|shady|bushy|withered|thick|proud|flowering|swaying|dark|dense|straight|silent|rustling"
        "|knotted|little|small|beautiful|magnificent"
    ),
    "trees": (
        "oaks|elms|birches|pines|willows|maples|beeches|chestnuts|poplars|larches|cedars|alders|hazels|ashes"
        "|rowans|limes|cypresses|spruces|firs|yews|sycamores|aspens|hawthorns|laurels"
    ),
    "kitchenware": (
        "plate|spoon|fork|kettle|jug|tray|mug|teacup|ladle|saucer|frying pan|milk can|sieve|saucepan|teaspoon"
        "|rolling pin|pepper mill|sugar bowl|soup bowl|coffee pot|pitcher|goblet"
        "|tumbler|thermos|corkscrew|whisk|grater|toaster|funnel|colander"
    ),
    "kitchenwares": (
        "plates|spoons|forks|kettles|jugs|trays|mugs|teacups|ladles|saucers|frying pans|milk cans|bowls|saucepans"
        "|teaspoons|rolling pins|soup bowls|pitchers|goblets|tumblers|whisks|graters|funnels"
        "|knives|teapots|cups|bottles|bread baskets"
    ),
    "linen": (
        "pillow|blanket|towel|cushion|carpet|tablecloth|quilt|handkerchief|bath mat|tea towel|bedspread"
        "|pillowcase|mattress|hammock|sleeping bag|napkin|duvet|eiderdown"
    ),
    "linens": (
        "pillows|blankets|towels|cushions|carpets|tablecloths|quilts|handkerchiefs|bath mats|tea towels"
        "|bedspreads|pillowcases|mattresses|hammocks|sleeping bags|napkins|rugs|sacks"
    ),
    "tool": (
        "shovel|pitchfork|wheelbarrow|spade|watering can|mop|brush|trowel|axe|hoe|crowbar|hosepipe"
        "|scythe|chisel|pickaxe|paintbrush|sledgehammer|lawnmower|anvil|pair of tongs|pair of shears|dustpan"
        "|wrench"
    ),
    "tools": (
        "shovels|pitchforks|wheelbarrows|spades|watering cans|mops|brushes|trowels|hammers|ladders|axes|hoes"
        "|scythes|chisels|pickaxes|paintbrushes|anvils|saws|rakes|wrenches|oars|nets|poles|planks"
    ),
    "oddment": (
        "lamp|globe|trumpet|suitcase|parcel|notebook|pencil|slipper|flag|telescope|thimble|typewriter|trombone"
        "|banjo|accordion|stamp album|birdcage|fishbowl|jigsaw|chessboard|magnifying glass|rucksack|calendar"
        "|barometer|thermometer|microscope|gramophone|radio|camera|saxophone|tambourine|xylophone|guitar"
        "|harmonica|diary|dictionary|atlas|cookbook|newspaper|magazine|hourglass|weather vane|statue|candlestick"
        "|chandelier|footstool|armchair|rocking horse|model ship|wig|fan|crutch"
        "|parasol|handbag|briefcase|wallet|purse|bracelet|earring|pair of glasses|hairbrush|toothbrush|sponge"
        "|football|tennis racket|skateboard|sledge|boomerang|yo-yo|domino|marble"
        "|paperweight|inkwell|ruler|eraser|paintbox|easel|tripod|horseshoe|saddle|cowbell"
        "|beehive|flowerpot|vacuum cleaner|mousetrap|pendulum|lampshade"
    ),
    "oddments": (
        "lamps|globes|trumpets|suitcases|parcels|notebooks|pencils|slippers|flags|telescopes|thimbles|crayons"
        "|stamps|marbles|postcards|candles|bells|buttons|baskets|kites|umbrellas|hats|toys|puppets|clocks|corks"
        "|jars|brooms|radios|cameras|diaries|dictionaries|atlases|newspapers|magazines|statues|candlesticks"
        "|armchairs|rocking horses|wigs|fans|parasols|handbags|wallets|bracelets|earrings|hairbrushes|sponges"
        "|footballs|skateboards|boomerangs|dominoes|inkwells|rulers|flowerpots|beehives|horseshoes|saddles"
        "|cowbells|lampshades|mousetraps|coins|shells|feathers|keys|ribbons|drums|whistles|boxes|books|maps"
        "|mirrors|vases|letters|pebbles|medals|lanterns|pens|combs"
    ),
    "worn": (
        "old|new|chipped|dented|forgotten|polished|spare|dusty|patched|scratched|second-hand|faded|heavy|fine"
        "|cracked|rusty|bent|battered|wooden|shiny|strange|borrowed|lost|tiny|huge|expensive|cheap|ugly"
        "|handsome|precious|valuable|sticky|greasy|spotless|painted|odd|curious|famous|antique"
        "|crooked|wobbly|elegant|useless|square|round|light|mysterious|foreign|dirty|ordinary|beloved|magnificent"
        "|unusual|splendid|handmade"
    ),
    "worn_linen": (
        "old|new|soft|folded|patched|striped|woollen|clean|faded|spotted|thick|warm|velvet|cotton|linen|silk"
        "|checked|frayed|fluffy|knitted|embroidered|damp|dry|large|small|moth-eaten|cosy|crumpled|flowered"
        "|tartan|borrowed|quilted|fine|heavy|light|torn"
    ),
    "ware": "{worn} {kitchenware}|{worn_linen} {linen}|{worn} {oddment}|{worn} {tool}|{colour} {oddment}",
    "wares": (
        "{worn} {kitchenwares}|{worn_linen} {linens}|{colour} {linens}|{colour} {kitchenwares}|{worn} {oddments}"
        "|{colour} {oddments}|{worn} {tools}"
    ),
    "small_wares": "{oddments}|{kitchenwares}|{linens}|{tools}",
    "bowl": "saucer|jug|tray|saucepan|milk can|watering can",
    "container": "suitcase|wheelbarrow|birdcage|milk can|rucksack|slipper|piano|bathtub|hatbox|violin case",
    "metal": "{kitchenwares}|trumpets|lamps|candlesticks|doorknobs|buckles|bells|medals|trombones",
    "vehicle0": (
        "bus|truck|tractor|bicycle|van|sleigh|coach|tram|lorry|scooter|trolley|handcart|milk float|motorbike|cart"
        "|carriage|caravan|fire engine|ambulance|taxi|limousine|jeep|rickshaw|tricycle"
        "|ice cream van|post van|delivery van|minibus|trailer|stagecoach|racing car|convertible"
        "|moped|excavator|steamroller"
    ),
    "vehicle": "{colour} {vehicle0}|{worn_car} {vehicle0}|{worn_car} {colour} {vehicle0}",
    # one rides on some vehicles and in the others
    "ridden": "bicycle|scooter|motorbike|tricycle|moped|sleigh|tram|bus|tractor|steamroller|trolley|handcart|trailer",
    "entered": (
        "van|coach|lorry|carriage|caravan|fire engine|ambulance|taxi|limousine|jeep|rickshaw|minibus|stagecoach"
        "|racing car|convertible|delivery van|ice cream van|post van|truck"
    ),
    "riding": "on a~ {worn_car} {ridden}|in a~ {worn_car} {entered}",
    "riding0": "on a~ {ridden}|in a~ {entered}",
    "worn_car": (
        "old|new|rusty|muddy|noisy|dusty|slow|shiny|rattling|heavy|narrow|creaking|crowded|empty|overloaded"
        "|battered|fast|elegant|tiny|huge|small|long|hooting|smoking|broken-down|open|comfortable|borrowed"
        "|splendid|modern|antique|wobbling|speeding|parked|dented|well-kept|patched|striped|ancient|gleaming"
        "|dirty|polished"
    ),
    "truck0": ("truck|van|handcart|lorry|trolley|trailer|delivery van|sleigh|wheelbarrow|barrow|milk float|hay cart"),
    "truck": "{colour} {truck0}|{worn_car} {truck0}|{worn_car} {colour} {truck0}",
    "boat": "{small_boat}|{ship}|{ship}|{ship}",
    "small_boat": "canoe|rowing boat|submarine|lifeboat|gondola|kayak|dinghy",
    "ship": (
        "ship|barge|ferry|steamer|sailing boat|fishing boat|houseboat|tugboat|yacht|paddle steamer|whaler|schooner"
        "|trawler|galleon|frigate"
    ),
    "aboard": "in a~ {small_boat}|on a~ {ship}",
    "cargo": (
        "apples|turnips|hay|pumpkins|carrots|firewood|potatoes|cabbages|milk cans|carpets|suitcases|sand|straw"
        "|barrels|melons|leaves|pears|onions|chairs|parcels|flour|coal|fish|roses|cheese|tulips|plums|pianos"
        "|old clocks|bricks|oats|peas|beans|lemons|oranges|cherries|grapes|eggs|honey|butter|wool|timber|gravel"
        "|books|beds|mattresses|mirrors|toys|bicycles|drums|violins|paint|salt|sugar|pepper|tea|walnuts|hazelnuts"
        "|radishes|beetroots|lettuces|leeks|garlic|mushrooms|strawberries|raspberries|apricots|peaches|figs|dates"
        "|rice|corn|nails|ropes|ladders|shoes|hats|clocks|mats|pots|statues|newspapers|ice|cushions|birdcages"
        "|flowerpots"
    ),
    "drink": (
        "tea|cocoa|milk|lemonade|cider|water|orange juice|broth|coffee|buttermilk|berry juice|ginger tea|mint tea"
        "|hot chocolate|peppermint tea|elderberry juice|cranberry juice"
        "|raspberry lemonade|iced tea|malt coffee|rose-hip tea|camomile tea|chicken broth|warm milk"
        "|ginger beer|barley water|tomato juice|soda water"
    ),
    "dish": "{cooked}|{cooked}|{cooked}|{cooked}|{cooked}|{cold_dish}",
    "cold_dish": ("toast|rye bread|pickled herring|cold ham|smoked trout|prawns|pea pods|cucumber sandwiches|muesli"),
    "cooked": (
        "porridge|noodles|rice|pea soup|scrambled eggs|baked beans|oatmeal|custard|fried fish|stewed apples"
        "|mashed turnips|leek soup|fried mushrooms|spinach|lentils|macaroni|tomato soup|boiled potatoes"
        "|roast chestnuts|cheese on toast|meatballs|fish pie"
        "|lentil soup|grilled sausages|roast chicken|mutton chops"
        "|mushroom risotto|spaghetti|dumplings|sauerkraut|cauliflower|fried potatoes"
        "|boiled eggs|barley soup|crab cakes|chicken wings|stuffed peppers|corn fritters|rice pudding|pancakes"
        "|salmon|asparagus|creamed spinach|baked apples|vegetable curry|goulash|waffles|semolina"
    ),
    "baked": (
        "gingerbread|shortbread|sponge cake|doughnuts|cinnamon rolls|almond biscuits|chocolate cake|marble cake"
        "|jam tarts|sponge fingers|ginger biscuits|custard tarts|macaroons|brownies|eclairs|cream puffs|honey cakes"
    ),
    "sweet": (
        "toffee|fudge|jelly|ice cream|gingerbread|chocolate|marzipan|whipped cream|honeycomb|nougat|liquorice"
        "|shortbread|sponge cake|caramel|doughnuts|lollipops|cinnamon rolls|meringue|peppermints|butterscotch"
        "|almond biscuits|sherbet|chocolate cake|jelly babies"
        "|liquorice sticks|candied oranges|marble cake|vanilla pudding"
        "|peppermint creams|barley sugar|chocolate mousse|jam tarts|sponge fingers|sherbet drops|popcorn"
        "|candyfloss|sugared almonds|ginger biscuits|custard tarts"
        "|treacle toffee|blancmange|macaroons|brownies|eclairs|trifle|pralines|nut brittle|cream puffs"
        "|honey cakes"
    ),
    "smell_in": (
        "{dish}|{sweet}|soap|old paper|fresh paint|wet wool|mint|dust|lavender|polish|cinnamon|vanilla"
        "|warm bread|leather|pepper|turpentine|glue|coffee|roses|straw|smoke|tobacco|garlic|apples|oranges|lemons"
        "|sawdust|varnish|wet dogs|cloves|peppermint|ink|fresh laundry|flour|onions|cheese|moss|pine wood|vinegar"
        "|camphor"
    ),
    "smell_fair": (
        "cut grass|hay|wild mint|lavender|warm earth|{flowers}|pine needles|smoke|honey|fresh bread|clover|thyme"
    ),
    "smell_rough": (
        "smoke|moss|pine needles|wet wool|fresh bread|firewood|roast chestnuts|coal|wet stone|hot soup|wet leaves"
    ),
    "sound_all": "laughing|whistling|singing|sneezing|coughing|humming|snoring",
    "sound_in": "hammering|washing up|playing the trumpet|sweeping|practising the banjo|sharpening knives",
    "sound_out": "chopping wood|calling for a puppy|ringing bells|playing the trumpet|hammering|beating carpets",
    "part_of_house": (
        "roof|chimney|window|front door|porch|balcony|gutter|doorstep|shutters|weathercock"
        "|back door|drainpipe|skylight|chimney pots|flagpole|steps|walls|windowsills|tiles"
        "|lightning rod|archway|veranda|terrace|arches|pillars|awning"
    ),
    "building": (
        "bank|post office|church|museum|town hall|hospital|theatre|hotel|factory|chapel|police station|bus stop"
        "|bakehouse|courthouse|fire station|railway station|university|cathedral|art gallery|cinema"
        "|dairy|laundry|brewery|sawmill|windmill|boathouse|lighthouse"
        "|toy shop|bookshop|sweet shop|flower shop|tea room|coffee house|prison|palace|monastery"
        "|orphanage|swimming pool|skating rink|zoo|circus tent|telegraph office|customs house|shipyard|warehouse"
        "|almshouse"
    ),
    "compass": "north|south|east|west|hills|sea|mountains",
    "near": "nearby|close by|not far off|some steps away|in the distance|around the corner|a little further on",
}
