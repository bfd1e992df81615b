"""Wordings of what characters do: each is the part of a sentence after its subject, who is ``A``."""

from __future__ import annotations

ACTS: dict[str, str] = {
    "own": (
        "had {Xa}{own_tail}|owned {Xa}{own_tail}|had {Xa}, and {he} {loved} it{more_than}"
        "|was the owner of {Xa}{own_tail}|went nowhere without {Xa}"
        "|had got {Xa} from {his} {uncle} {when_got}"
        "|had been given {Xa} by {someone}|had {Xa} that had once been found next to a~ {ware}"
    ),
    "meet": (
        "met {Bi}{meet_tail}|saw {Bi}{meet_tail}|came across {Bi}{meet_tail}|ran into {Bi}{meet_tail}"
        "|bumped into {Bi}{meet_tail}|found {Bi} there{meet_tail}"
    ),
    "meet_at": (
        "went {To} and met {Bi}{meet_tail}|walked {To}, where {Bi} was {doing_here}"
        "|came {To}, where {he} found {Bi}{meet_tail}|ran {To} and nearly bumped into {Bi}{meet_tail}"
        "|wandered {To} and saw {Bi}{meet_tail}"
    ),
    "see": "saw {Xa} {S}|noticed {Xa} {S}|spotted {Xa} {S}|discovered {Xa} {S}|caught sight of {Xa} {S}",
    "go": (
        "[went|walked|ran|hurried|marched|skipped|strolled|set off|trotted|rushed] {To}{go_tail}"
        "|took the {path_adj} [path|road|way] {To}{walk_tail}|found {his} way {To}{go_tail}"
        "|made {his} way {To}{go_tail}"
    ),
    "go_both": (
        "and {Bn} [went|walked|ran|hurried|skipped|strolled|set off] {To} together{go_tail}"
        "|took {B} by the hand and went {To}{walk_tail}"
    ),
    "lead": "[led|brought|took|guided] {B} {To}{go_tail}",
    "call": (
        "called {B}[, who came running| as loudly as {he} could, and {Bn} came], {_quick}"
        "|called for {B}, and soon {bhe} was there"
    ),
    "take": (
        "[took|grabbed|lifted|reached for] {X}{take_tail}|picked {X} up{take_tail}"
        "|put {X} under {his} arm[| very {manner}| while {someone} {watched}]|bent down and took {X}{still_tail}"
    ),
    "give": (
        "gave {X} to {B}{give_tail}|handed {X} to {B}{give_tail}|held {X} out, and {Bn} took it"
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
    "carry": ("carried {X} {To}{go_tail}|took {X} {To}{go_tail}|brought {X} {To}{go_tail}|hurried {To} with {X}"),
    "hide": "hid {X} {S}{hide_tail}|put {X} {S} so that nobody would see it{hide_tail}|tucked {X} away {S}{hide_tail}",
    "lose": (
        "lost {X}{lose_tail}|noticed that {X} was gone"
        "|reached for {X}, but it was not there any more|saw that {X} had disappeared"
        "|looked around, and {X} was not there any more"
    ),
    "search": (
        "[looked|searched|felt] {S}, but {found_only}|searched {S} for {X}, but {found_only}"
        "|looked for {X} {S}, but {found_only}"
    ),
    "find": (
        "found {X} {S}{find_tail}|looked {S}, and there was {Xf}{find_tail}|saw {X} lying {S}{find_tail}"
        "|reached {S} and pulled {X} out{find_tail}"
    ),
    "find_funny": (
        "found {X} on {his} own head{funny_tail}"
        "|put up a hand, and there was {Xf} on {his} own head{there_tail}"
        "|looked into {looking_glass} and saw {X} on {his} own head{funny_tail}"
        "|scratched {his} head, and there was {Xf}{there_tail}"
        "|was told by {someone} to feel on {his} own head, and there was {Xf}{there_tail}"
    ),
    "give_up": (
        "searched until {it_was_late}, but {X} was nowhere"
        "|asked {few} {strangers} and {someone}, but never saw {X} again"
        "|walked all the way home and back, but never saw {X} again"
        "|gave up looking for {X}{give_up_tail}"
    ),
    "lend": (
        "[gave|handed|lent] {B} {Yf}{give_tail}|laid {Y} in {Bs} hands{give_tail}"
        "|nodded and gave {Y} to {B}[| with a smile| very {manner}| in front of {someone}]"
    ),
    "fly_off": (
        "let go of {X}, and the wind carried it off until it hung {S}|lost hold of {X}, and it landed {S}"
        "|threw {X} too high, and it got stuck {S}|tripped, and {X} flew up and was caught {S}"
        "|tossed {X} into the air, and it came down {S}"
    ),
    "too_high": (
        "jumped {number} times, but could not reach {X}|stretched as far as {he} could, but {X} was too high"
        "|was too small to reach {X}, even on the tips of {his} toes"
        "|threw {few} twigs at {X}, but it did not move"
        "|stood on a~ {standing}, but {Xf} was still too high"
        "|climbed onto a~ {standing}, but could not reach {X}"
    ),
    "climb": "climbed up{climb_tail}|began to climb{climb_tail}|climbed higher and higher{climb_tail}",
    "fall": (
        "slipped and fell down[ into a heap of {soft_heap}|, right next to {someone}| in front of {someone}]"
        "|fell{fall_tail}|lost {his} grip and fell{fall_tail}"
        "|tumbled down{fall_tail}|held on to a dry twig, which broke, and fell{fall_tail}"
    ),
    "pull_down": (
        "reached out and pulled {X} free{still_tail}|got hold of {X} and climbed down again{still_tail}"
        "|freed {X} and came down with it{still_tail}"
    ),
    "reach": (
        "used {Y} to get {X} down{take_tail}|got {X} down with {Y}{take_tail}"
        "|held {Y} up and pushed until {X} came down"
        "|took {Y} in both hands and brought {X} down{still_tail}"
    ),
    "fly_up": "flew up and brought {X} down{still_tail}|spread {his} wings, flew up and pulled {X} free{still_tail}",
    "float": (
        "dropped {X} into the water, and it [floated|drifted] away{float_tail}"
        "|slipped, and {X} fell into the water and floated away{float_tail}"
        "|let {X} fall, and the water carried it off{float_tail}"
    ),
    "fish_out": (
        "used {Y} to get {X} out of the water{take_tail}|got {X} out of the water with {Y}{take_tail}"
        "|pulled {X} ashore with {Y}{take_tail}"
    ),
    "swim_out": (
        "swam out and brought {X} back[| very {manner}| while {someone} {watched}| in front of {someone}]"
        "|jumped into the water and swam after {X} until it was safe"
    ),
    "sink": (
        "watched {X} sink{sink_tail}|saw {X} go down in the deep water{sink_tail}"
        "|could only watch as {X} sank{sink_tail}"
    ),
    "dry": "dried {X} {dry_how}|rubbed {X} dry {dry_how}|wiped the water off {X} {dry_how}",
    "wash": "washed {X} {dry_how}|washed the dust off {X} {dry_how}",
    "break": (
        "broke {X}{break_tail}|dropped {X}, and it broke{break_tail}|stepped on {X} and broke it{crack}"
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
    "mend_both": "and {Bn} mended {X} with {Y}{mend_tail}|used {Y} to mend {X} while {Bn} held it still",
    "no_mend": (
        "tried {number} times to mend {X}, but it could not be mended|saw that nobody could mend {X}"
        "|put {X} together again, but it fell apart"
    ),
    "guard": (
        "saw that {Bi} was watching over {X}|saw {Bi} in front of {X}"
        "|wanted to reach for {X}, but {Bi} stood in the way"
    ),
    "block": (
        "was afraid of {Bn}, who {growled}|took a step, but {Bn} {growled}|tried to get past {B}, but {bhe} {growled}"
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
        "|gave {B} half of {X}, because it is good to share"
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
        "looked at {X} from all sides{use_tail}|walked around {X} {number} times{use_tail}"
        "|stood in front of {X} and {laughed}{use_tail}|was very proud of {X}{use_tail}"
    ),
    "collapse": "leaned on {X}, and it fell down with a crash{fall_tail2}|touched {X}, and it came apart{fall_tail2}",
    "plant": (
        "planted {X} {S}{plant_tail}|dug a hole {S} and planted {X}[|, {number} inches deep| while {someone} {watched}]"
    ),
    "tend": (
        "watered {X} every {morning_word} for {number} days|gave {X} water and pulled out the weeds around it"
        "|took care of {X} for {number} days and sang to it about {tale}|built a little roof over {X}"
        "|kept the {birds} away from {X} for {number} days|gave {X} a~ {pouring} of water every {morning_word}"
    ),
    "sleep": (
        "lay down and slept{rest_tail}|curled up and slept{rest_tail}"
        "|was so tired that {he} fell asleep{sleep_tail}"
        "|slept for a while[ next to {someone}| and dreamed of {tale}| on a heap of {soft_heap}]"
    ),
    "wake": "woke up{wake_tail}|opened {his} eyes again{wake_tail}|woke and stretched {his} arms{wake_tail}",
    "wait": (
        "waited{wait_tail}|sat down and waited{wait_tail}|waited and counted {many} {beasts}"
        "|waited and thought of {tale}"
    ),
    "grow": (
        "saw that the shoot from {Xf} was already {grow_how}|saw that the shoot from {Xf} had grown and was {grow_how}"
        "|found that the shoot from {Xf} was now {grow_how}"
    ),
    "wither": "saw that {X} had not grown at all|dug in the ground, but {X} was gone",
    "play": "played with {X}{play_tail}|had fun with {X}{play_tail}|spent {a_while} with {X}",
    "play_both": (
        "and {Bn} played with {X}{play_tail}|also let {B} play with {X}{play_tail}"
        "|and {Bn} took turns with {X}{play_tail}"
    ),
    "thank": "thanked {B} {thank_how}|gave {B} a hug to say thank you{hug_tail}|was grateful to {B}{hug_tail}",
    "comfort": (
        "put an arm around {B}{hug_tail}|comforted {B} {comfort_how}|dried {Bs} tears{hug_tail}"
        "|sat down beside {B} and told {bhim} {comfort_story}"
    ),
    "help": "helped {B} up{hug_tail}|helped {B} to {bhis} feet{hug_tail}|washed {Bs} {part} and helped {bhim} up",
    "sing": "sang a song about {tale}|sang {few} songs about {tale}|sang {speed} about {tale}",
    "dance": (
        "danced {speed} around a~ {ware}|danced {speed} like a~ {tale_hero}|danced until {someone} joined in"
        "|danced with {someone} to the music of {someone}"
    ),
    "follow": "followed {B}{go_tail}|followed {B} step by step{go_tail}",
    "sad_lost": (
        "[was sad|cried|felt like crying|wept]{sad_tail} because {X} was [lost|gone]"
        "|[was sad|cried|wept] because {X} was gone, but then {someone} sat down next to {him}"
        "|was so sad about {X} that {sad_effect}"
    ),
    "sad_broken": (
        "[was sad|cried|felt like crying|wept]{sad_tail} because {X} was broken"
        "|[was sad|cried|wept] because {X} was broken, but then {someone} sat down next to {him}"
        "|was so sad about {Xbroken} that {sad_effect}"
    ),
    "sad_refused": (
        "[was sad|cried|felt like crying]{sad_tail} because {Bn} had said no"
        "|was so sad about {Bs} answer that {sad_effect}"
    ),
    "sad_gone": (
        "[was sad|cried|felt like crying|wept]{sad_tail} because nothing could be done about {X}"
        "|missed {X} so much that {sad_effect}"
    ),
    "glad_have": (
        "was [glad|happy|proud]{joy} because {he} had {X} now|hugged {X}{glad_tail}"
        "|held {X} tight{glad_tail}|was so [glad|happy] about {X} that {glad_effect}"
    ),
    "invite": "invited {B} to a meal of {dish} and {sweet}|asked {B} to stay for {dish} and {sweet}",
}
