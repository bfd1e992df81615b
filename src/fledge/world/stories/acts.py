"""Wordings of what characters do: each is the part of a sentence after its subject, who is ``A``."""

from __future__ import annotations

ACTS: dict[str, str] = {
    "own": (
        "had {Xa}{own_tail}|owned {Xa}{own_tail}|had {Xa}, and {he} {loved} it{more_than}"
        "|was the owner of {Xa}{own_tail}"
    ),
    "meet": (
        "met {Bi}{meet_tail}|saw {Bi}{meet_tail}|came across {Bi}{meet_tail}|ran into {Bi}{meet_tail}"
        "|bumped into {Bi}{meet_tail}|found {Bi} there{meet_tail}"
    ),
    "meet_at": (
        "went {To} and met {Bi}{meet_tail}|walked {To}, where {Bi} was {doing}"
        "|came {To}, where {he} found {Bi}{meet_tail}|ran {To} and nearly bumped into {Bi}{meet_tail}"
        "|wandered {To} and saw {Bi}{meet_tail}"
    ),
    "see": "saw {Xa} {S}|noticed {Xa} {S}|spotted {Xa} {S}|discovered {Xa} {S}|caught sight of {Xa} {S}",
    "want": (
        "wanted {Xa}{want_tail}|wished for {Xa}{want_tail}|dreamed of having {Xa}{want_tail}"
        "|needed {Xa}{want_tail}|could think of nothing but {Xa}{want_tail}"
    ),
    "go": (
        "[went|walked|ran|hurried|marched|skipped|strolled|set off|trotted|rushed] {To}{go_tail}"
        "|took the {path_adj} path {To}{go_tail}|made {his} way {To}{go_tail}"
    ),
    "go_both": (
        "and {Bn} [went|walked|ran|hurried|skipped|strolled|set off] {To} together{go_tail}"
        "|took {B} by the hand and went {To}{go_tail}"
    ),
    "lead": "[led|brought|took|guided] {B} {To}{go_tail}",
    "call": (
        "called {B}[, who came running| as loudly as {he} could, and {Bn} came], {_quick}"
        "|called for {B}, and soon {bhe} was there"
    ),
    "take": (
        "[took|grabbed|lifted|reached for] {X}{take_tail}|picked {X} up{take_tail}"
        "|put {X} under {his} arm{take_tail}|bent down and took {X}{take_tail}"
    ),
    "give": (
        "gave {X} to {B}{give_tail}|handed {X} to {B}{give_tail}|held {X} out, and {Bn} took it{give_tail}"
        "|put {X} into {Bs} hands{give_tail}|passed {X} to {B}{give_tail}"
    ),
    "bring_back": "brought {X} back to {B}{give_tail}|gave {X} back to {B}{give_tail}|returned {X} to {B}{give_tail}",
    "swap": (
        "swapped {X} for {Y} with {B}{give_tail}|gave {X} to {B} and got {Y} for it{give_tail}"
        "|traded {X} for {Yof}{give_tail}"
    ),
    "pay": (
        "gave {B} {Zf} and got {Y} for it{give_tail}|swapped {Z} for {Yof}{give_tail}"
        "|handed {Z} over, and {Bn} gave {him} {Yf}{give_tail}"
    ),
    "show": ("showed {X} to {B}|held {X} up so that {Bn} could see it|let {B} look at {X}"),
    "carry": (
        "carried {X} {To}{go_tail}|took {X} along {To}{go_tail}|brought {X} {To}{go_tail}"
        "|hurried {To} with {X}{go_tail}"
    ),
    "hide": "hid {X} {S}{hide_tail}|put {X} {S} so that nobody would see it{hide_tail}|tucked {X} away {S}{hide_tail}",
    "lose": (
        "lost {X}{lose_tail}|noticed that {X} was gone{lose_tail}"
        "|reached for {X}, but it was not there any more{lose_tail}|saw that {X} had disappeared{lose_tail}"
        "|felt in {his} pocket, but {X} had slipped out{lose_tail}"
    ),
    "search": (
        "[looked|searched|peeped|felt|poked around] {S}, but {found_only}|searched {S} for {X}, but {found_only}"
        "|looked for {X} {S}, but {found_only}"
    ),
    "find": (
        "found {X} {S}{find_tail}|looked {S}, and there was {X}{find_tail}|saw {X} lying {S}{find_tail}"
        "|reached {S} and pulled {X} out{find_tail}"
    ),
    "find_funny": (
        "found {X} on {his} own {funny_place}{funny_tail}"
        "|put up a hand, and there was {X} on {his} own {funny_place}{funny_tail}"
        "|looked into a puddle and saw {X} on {his} own {funny_place}{funny_tail}"
    ),
    "give_up": (
        "searched until {it_was_late}, but {X} was nowhere"
        "|looked behind {two} {trees}, but never saw {X} again"
        "|gave up looking for {X}{give_up_tail}"
    ),
    "lend": (
        "[gave|handed|lent] {B} {Yf}{give_tail}|put {Y} into {Bs} arms{give_tail}"
        "|fetched {Y} and gave it to {B}{give_tail}"
    ),
    "fly_off": (
        "let go of {X}, and the wind blew it {S}|lost hold of {X}, and it landed {S}"
        "|threw {X} too high, and it got stuck {S}|tripped, and {X} flew up and was caught {S}"
        "|tossed {X} into the air, and it came down {S}"
    ),
    "too_high": (
        "jumped {number} times, but could not reach {X}|stretched as far as {he} could, but {X} was too high"
        "|was too small to reach {X}, even on the tips of {his} toes"
        "|threw {two} {tree} twigs at {X}, but it did not move"
        "|stood on a~ {look} {houseware}, but {X} was still too high"
    ),
    "climb": "climbed up{climb_tail}|began to climb{climb_tail}|climbed higher and higher{climb_tail}",
    "fall": (
        "slipped and fell down{fall_tail}|fell{fall_tail}|lost {his} grip and fell{fall_tail}"
        "|tumbled down and fell on {his} back{fall_tail}"
    ),
    "pull_down": (
        "reached out and pulled {X} free{take_tail}|got hold of {X} and climbed down again{take_tail}"
        "|freed {X} and came down with it{take_tail}"
    ),
    "reach": (
        "used {Y} to get {X} down{take_tail}|got {X} down with {Y}{take_tail}"
        "|held {Y} up and pushed until {X} came down{take_tail}"
        "|took {Y} in both hands and brought {X} down{take_tail}"
    ),
    "fly_up": "flew up and brought {X} down{take_tail}|spread {his} wings, flew up and pulled {X} free{take_tail}",
    "float": (
        "dropped {X} into the water, and it [floated|drifted] away{float_tail}"
        "|slipped, and {X} fell into the water{float_tail}|let {X} fall, and the water carried it off{float_tail}"
    ),
    "fish_out": (
        "used {Y} to get {X} out of the water{take_tail}|got {X} out of the water with {Y}{take_tail}"
        "|pulled {X} ashore with {Y}{take_tail}"
    ),
    "swim_out": (
        "swam out and brought {X} back{take_tail}|jumped into the water and swam after {X} until it was safe{take_tail}"
    ),
    "sink": (
        "watched {X} sink{sink_tail}|saw {X} go down in the deep water{sink_tail}"
        "|could only watch as {X} sank{sink_tail}"
    ),
    "dry": "dried {X} {dry_how}|rubbed {X} dry {dry_how}|wiped the water off {X} {dry_how}",
    "wash": "washed {X} {dry_how}|washed the dust off {X} {dry_how}",
    "break": (
        "broke {X}{break_tail}|dropped {X}, and it broke{break_tail}|stepped on {X} and broke it{break_tail}"
        "|pulled too hard, and {X} broke{break_tail}"
    ),
    "quarrel": (
        "and {Bn} both pulled at {X} until it broke{break_tail}"
        "|would not let {B} have {Xf}, and they pulled until it broke{break_tail}"
    ),
    "need": (
        "needed {Ya} to mend {X}|could only mend {X} with {Ya}|wanted to mend {X}, but for that {he} needed {Ya}"
        "|had no way to mend {X} without {Ya}"
    ),
    "mend": (
        "mended {X} with {Y}{mend_tail}|took {Y} and mended {X}{mend_tail}|used {Y} to mend {X}{mend_tail}"
        "|worked with {Y} until {X} was mended{mend_tail}"
    ),
    "mend_both": "and {Bn} mended {X} with {Y}{mend_tail}|used {Y} to mend {X} while {Bn} held it still{mend_tail}",
    "no_mend": (
        "tried {number} times to mend {X}, but it could not be mended|saw that nobody could mend {X}"
        "|put {X} together again, but it fell apart"
    ),
    "guard": (
        "saw that {Bi} was sitting on {X}|saw {Bi} in front of {X}|wanted to reach for {X}, but {Bi} stood in the way"
    ),
    "block": (
        "was afraid of {B}, who {growled}|took a step, but {B} {growled}|tried to get past {B}, but {bhe} {growled}"
    ),
    "feed": (
        "threw {Y} to {B}, who {ate_it} and went away|gave {Y} to {B}, who {ate_it} and left"
        "|fed {Y} to {B} until {bhe} trotted off"
    ),
    "eat": "ate {X}{eat_tail}|ate {X} up in {number} bites{eat_tail}|sat down and ate {X}{eat_tail}",
    "snatch": (
        "turned around, and {Bn} ate {X} in {number} bites|looked away, and {Bn} gobbled {X} up"
        "|sneezed, and while {his} eyes were shut {Bn} ate {X}"
    ),
    "share": (
        "shared {X} with {B}{share_tail}|cut {X} in two and shared it with {B}{share_tail}"
        "|gave {B} half of {X}, because it is good to share{share_tail}"
    ),
    "cook": (
        "mixed {Y} with {Z} and cooked {Xa}{cook_tail}|put {Y} and {Z} into a pan and cooked {Xa}{cook_tail}"
        "|cooked {Xa} from {Y} and {Z}{cook_tail}"
    ),
    "build": (
        "built {Xa} from {Y} and {Z}{build_tail}|put {Y} and {Z} together and built {Xa}{build_tail}"
        "|worked with {Y} and {Z} until {he} had built {Xa}{build_tail}"
    ),
    "use_build": (
        "tried out {X}, and it [held|was just right|worked]{use_tail}|climbed into {X} and {laughed}{use_tail}"
        "|spent the {part_of_day} with {X}{use_tail}"
    ),
    "collapse": "leaned on {X}, and it fell down with a crash{fall_tail2}|touched {X}, and it came apart{fall_tail2}",
    "plant": "planted {X} {S}{plant_tail}|dug a hole {S} and planted {X}{plant_tail}",
    "tend": (
        "watered {X} every {morning_word} for {two} days|gave {X} water and pulled out {two} {flowers} around it"
        "|took care of {X} for {two} days and sang to it"
    ),
    "sleep": (
        "lay down and slept{sleep_tail}|was so tired that {he} fell asleep{sleep_tail}|slept for a while{sleep_tail}"
    ),
    "wake": "woke up{wake_tail}|opened {his} eyes again{wake_tail}|woke and stretched {his} arms{wake_tail}",
    "wait": "waited{wait_tail}|sat down and waited{wait_tail}|waited and counted {two} {beasts}",
    "grow": "saw that {X} had grown {grow_how}|found that {X} was now {grow_how}",
    "wither": "saw that {X} had not grown at all|dug in the ground, but {X} was gone",
    "play": "played with {X}{play_tail}|had fun with {X}{play_tail}|spent the {part_of_day} with {X}",
    "play_both": (
        "and {Bn} played with {X}{play_tail}|let {B} play with {X} too{play_tail}"
        "|and {Bn} took turns with {X}{play_tail}"
    ),
    "thank": "thanked {B} {thank_how}|gave {B} a hug to say thank you{hug_tail}|was grateful and thanked {B}{hug_tail}",
    "comfort": (
        "put an arm around {B}{hug_tail}|comforted {B} {comfort_how}|wiped away {Bs} tears{hug_tail}"
        "|sat down beside {B} and told {bhim} {comfort_story}"
    ),
    "help": "helped {B} up{hug_tail}|helped {B} to {bhis} feet{hug_tail}|washed {Bs} {part} and helped {bhim} up",
    "sing": "sang a song about {thing_seen}|sang {number} songs about {beasts}|sang {speed} about {memory}",
    "dance": "danced around {thing_seen}|danced {speed} like {a_beast}|danced until {two} {beasts} joined in",
    "follow": "followed {B}{go_tail}|followed {B} step by step{go_tail}",
    "sad_lost": (
        "[was sad|cried|felt like crying|wept] because {X} was [lost|gone]{sad_tail}"
        "|was so sad about {X} that {sad_effect}"
    ),
    "sad_broken": (
        "[was sad|cried|felt like crying|wept] because {X} was broken{sad_tail}"
        "|was so sad about {Xbroken} that {sad_effect}"
    ),
    "sad_refused": (
        "[was sad|cried|felt like crying] because {Bn} had said no{sad_tail}"
        "|was so sad about {Bs} answer that {sad_effect}"
    ),
    "sad_gone": (
        "[was sad|cried|felt like crying|wept] because {X} was gone for good{sad_tail}"
        "|missed {X} so much that {sad_effect}"
    ),
    "glad_have": (
        "was [glad|happy|proud] because {he} had {X} now{glad_tail}|hugged {X}{glad_tail}"
        "|laughed and held {X} tight{glad_tail}|was so [glad|happy] about {X} that {glad_effect}"
    ),
    "invite": "invited {B} to {meal}|asked {B} to stay for {dish} and {sweet}",
}

TAILS: dict[str, str] = {
    "own_tail": "{from_whom}| that {smelled_like}| and kept it {kept_where}| and {loved} it{more_than}",
    "thing_tail": "{from_whom}| that {smelled_like}|",
    "from_whom": (
        ", a present from {his} {uncle}|, which {his} {uncle} had bought for {number} coins"
        "|, which had come by ship one {weekday}|, which {his} {uncle} had made one {season}"
        "| that once belonged to a~ {stranger}|, won at a fair in {month}"
    ),
    "smelled_like": "smelled of {smell}|looked a little like {shape}|had {pattern_on} painted on it",
    "pattern_on": "{two} {colour} {flowers}|a {colour} {beast}|{number} {colour} stars|the name of a~ {stranger}",
    "kept_where": (
        "next to {his} bed|in a~ {look} {houseware}|close to {his} pillow|with {his} {number} {colour} {housewares}"
    ),
    "loved": "loved|liked|treasured|admired",
    "more_than": (
        " more than {sweet}| more than all the {flowers} of {season}| as much as {his} {uncle}"
        "| even more than {dish} with {sweet}"
    ),
    "meet_tail": (
        "|, who was {doing}|, who had just been {job}|, who smelled of {smell}| in a {colour} {cloth2}"
        "|, who looked {mood}|, who was humming {speed}"
    ),
    "mood": "tired|merry|worried|sleepy|busy|hungry|cold|pleased|lost in thought",
    "want_tail": (
        "{for_reason}|, because {his} {uncle} had one| more than all the {sweet} in town|, as {look} as {shape}"
    ),
    "for_reason": (
        " for {his} {uncle}'s birthday| for the {season} fair| for a~ {look} show on {weekday}|, to keep {kept_where}"
    ),
    "go_tail": (
        "| past {thing_seen}| between {two} {trees}| over a~ {size} hump in the road"
        "| with {two} {insects} buzzing around {him}| in {number} minutes| and whistled on the way"
        "| without looking at {thing_seen}| past the {house} of a~ {stranger}|, humming {speed}"
        "| and passed {thing_seen}| by way of {number} {colour} houses"
    ),
    "path_adj": "short|long|muddy|narrow|stony|sandy|winding|shady",
    "_quick": "as quick as {a_beast}|out of breath|with {mood} eyes",
    "take_tail": (
        "| with both hands| and wiped off the dust| and blew {two} {insects} off it| very {carefully}"
        "|, as {speed} as {a_beast}| and held it up to the light| while {a_beast} {watched}"
        "| and laughed like {a_beast}| at the {number_th} try"
    ),
    "carefully": "carefully|gently|slowly|quickly|proudly",
    "number_th": "first|second|third|fourth|fifth",
    "give_tail": (
        "| with a smile| and bowed like a~ {stranger}| without a word| while {a_beast} {watched}"
        "| very {carefully}| and felt {his} heart beat|, wrapped in {wrapping}|, under a~ {size} {tree} leaf"
        "| and smiled like {a_beast}| in front of {thing_seen}"
    ),
    "wrapping": "{colour} paper|a {colour} towel|{number} leaves|an old newspaper|a {colour} cloth",
    "hide_tail": (
        "| and covered it with {wrapping}| and counted the steps to a~ {size} {tree}| while {a_beast} {watched}"
    ),
    "lose_tail": (
        " somewhere along the way| between {number} o'clock and {meal}| while {he} was looking at {thing_seen}"
        "|, and {he} turned as white as {soft_thing}| when {he} stopped to greet {thing_seen}"
        "| before {he} could count to {number}|, although {he} had held it {carefully}"
    ),
    "found_only": (
        "there was only {thing_seen}|found nothing but {thing_seen}|there was nothing but {two} {insects}"
        "|saw only {two} {colour} {housewares}|{two} {insects} were all that {he} found"
    ),
    "find_tail": (
        "| under {two} {tree} leaves|, a little dusty but whole|, with {a_beast} asleep on it"
        "|, just next to {thing_seen}|, wet from the dew| where {a_beast} must have dragged it"
        "|, covered with {insects}"
    ),
    "funny_place": "head|back|left arm|neck|shoulder",
    "funny_tail": (
        "|, where it had been since {meal}| and turned as red as a~ {look} {flower}|, and {two} {beasts} stared"
        "| and laughed until {his} {part} hurt"
    ),
    "it_was_late": "the stars came out|the lamps were lit|{his} feet hurt|it was time for {meal}",
    "give_up_tail": (
        " and went to sit under a~ {tree}| and kicked a~ {look} {houseware}| after {number} hours"
        "| and sighed like {a_beast}| and {gaze} {thing_seen}"
    ),
    "climb_tail": (
        " like {a_beast}|, {number} feet, then {number} more| past a nest of {birds}"
        "| while {two} {beasts} {watched}|, although {his} knees shook|, as {speed} as {a_beast}"
    ),
    "fall_tail": (
        " into a heap of {flowers}| and bumped {his} {part}| with a noise like {a_beast}"
        "| on {his} {part}, right next to {thing_seen}| into {number} inches of mud"
    ),
    "fall_tail2": "| that woke {two} {beasts}| and covered {him} with dust| in front of {thing_seen}| like {shape}",
    "float_tail": (
        "| past {thing_seen}| among {two} {colour} {flowers}| like {a_beast}| as fast as {a_beast}"
        "| with {two} {insects} on it"
    ),
    "sink_tail": (
        " among {two} {colour} fish| like {shape}| while {two} {insects} danced on the water| with {number} bubbles"
    ),
    "dry_how": (
        "with a {colour} towel|on {his} {cloth2}|with {number} leaves|in front of {thing_seen}"
        "|with the end of a {colour} {cloth2}"
    ),
    "break_tail": (
        " into {number} pieces| with a sound like {shape}| in front of {thing_seen}| down the middle"
        "| and scared {two} {beasts}"
    ),
    "mend_tail": (
        "| until it was as good as new| in {number} minutes| with {number} little drops and knots"
        "| and only {number} cracks could still be seen|, as {carefully} as a~ {stranger}"
        "| while {a_beast} {watched}| and put {pattern_on} over the crack"
    ),
    "growled": "growled like {shape}|showed {two} sharp teeth|stamped and snorted {speed}|made a noise like {a_beast}",
    "ate_it": "ate it in {number} bites|sniffed it {number} times, ate it|swallowed it whole|ate it {speed}",
    "eat_tail": (
        "| with some {drink}| and left {number} crumbs for {a_beast}| under a~ {size} {tree}"
        "| next to {thing_seen}| and licked {his} {part}"
    ),
    "share_tail": (
        " under a~ {size} {tree}| with some {drink}|, {number} bites for each of them| next to {thing_seen}"
        "| and gave the crumbs to {a_beast}"
    ),
    "cook_tail": (
        "| with a pinch of salt| with {sweet} on top| for {number} hours| until it smelled of {smell}"
        "| and stirred it {number} times| in a~ {look} {made} pan"
    ),
    "build_tail": (
        "| {number} feet high| with {pattern_on} painted on it| in {number} hours| between {two} {trees}"
        "| and sat down on a~ {look} {houseware}"
    ),
    "use_tail": (
        " until {meal}| and invited {a_beast}| with some {drink}| and ate {sweet} there| and {gaze} {thing_seen}"
    ),
    "laughed": "laughed|smiled|sang {speed}|cheered",
    "part_of_day": "rest of the day|time until {meal}|next {number} hours",
    "plant_tail": (
        "|, {number} inches deep| and patted the ground flat| next to {number} {colour} {flowers}"
        "| and chased away {two} {insects}"
    ),
    "morning_word": "morning|evening|day|noon",
    "sleep_tail": (
        " for {number} hours| and dreamed of {thing_seen}| under a~ {size} {tree} leaf| next to {thing_seen}"
        "| like {a_beast}"
    ),
    "wake_tail": (
        " when {two} {birds} began to sing| because {a_beast} was tickling {him}| and felt as fresh as {a_flower}"
        "| and looked straight at {thing_seen}"
    ),
    "a_flower": "a~ {flower} in {season}|a {colour} {flower}",
    "wait_tail": (
        " for {number} hours| until {two} {birds} had flown by| next to {thing_seen}"
        "| and drew {thing_seen} in the dust| like {a_beast}"
    ),
    "grow_how": (
        "as tall as {a_beast}|up to the {house}|by {number} inches and had {number} {colour} leaves"
        "|into a plant with {two} {colour} leaves"
    ),
    "play_tail": (
        " until {meal}| until {two} {birds} went to sleep| for {number} hours| near {thing_seen}"
        "| and laughed like {a_beast}| under a~ {size} {tree}"
    ),
    "thank_how": (
        "{number} times|with all {his} heart|and gave {bhim} {two} {colour} {flowers}"
        "|and promised {bhim} some {sweet}|with a bow like a~ {stranger}"
    ),
    "hug_tail": (
        "| and gave {bhim} some {sweet}| and hummed a song about {beasts}| under a~ {size} {tree}"
        "| while {a_beast} {watched}| and patted {bhis} {part}"
    ),
    "comfort_how": (
        "with a story about {thing_seen}|with some {drink} and {sweet}|and counted {two} {birds} with {bhim}"
    ),
    "comfort_story": "about {memory}|a story about {thing_seen}|a joke about {a_beast}",
    "sad_tail": (
        " and did not even look at {thing_seen}| and let {his} {part} hang"
        "| and wanted neither {sweet} nor {drink}| until {a_beast} came and sat next to {him}"
        "|, as quietly as {quiet_thing}"
    ),
    "sad_effect": (
        "{he} did not even look at {thing_seen}|{number} tears ran down {his} nose|{he} forgot {meal}"
        "|even {two} {insects} fell silent"
    ),
    "glad_tail": (
        " and jumped over {thing_seen}| and sang {speed}| and spun around {number} times| like {a_beast}"
        "| and laughed until {his} {part} shook"
    ),
    "glad_effect": (
        "{he} jumped {number} times|{he} sang to {thing_seen}|{he} kissed {a_beast}|{he} forgot {meal}"
        "|{his} {part} turned red"
    ),
}
