"""Wordings of what characters say. ``A`` speaks and ``B`` listens; the frame around the words is in ``FRAMES``."""

from __future__ import annotations

TALK: dict[str, str] = {
    "ask_where": (
        "Have you seen {X}?|Do you know where {X} is?|Where can {X} be?|Did you see {X} anywhere?"
        "|Have you come across {X}?|Could you tell me where {X} is?|Has anybody here seen {X}?"
    ),
    "tell_where": (
        "I saw {X} {At}, {S}.|Look {At}, {S}, for there I saw {X}.|{X} must be {At}, {S}."
        "|Somebody left {X} {At}, {S}.|You will find {X} {At}, {S}.|I think {X} lies {At}, {S}."
    ),
    "not_know": (
        "I have not seen {X}.|I do not know where {X} is.|Nobody told me where {X} is."
        "|I wish I knew where {X} is.|I cannot tell you where {X} is."
    ),
    "ask_for": ("May I have {Y}?|Could you give me {Y}?|Would you let me have {Y}?|Can I have {Y}, please?"),
    "ask_for/borrow": ("May I borrow {Y}?|Will you lend me {Y}?"),
    "agree": ("Yes, you may have {Y}.|Of course you can have {Y}."),
    "agree/borrow": (
        "Take {Y}, for I do not need it before {weekday}.|Gladly, {Y} is yours until {weekday}."
        "|You can have {Y} if you are careful."
    ),
    "refuse": (
        "No, you cannot have {Y}.|No, I will not give {Y} to anyone.|I refuse, for I need {Y} myself."
        "|No, {Y} stays with me.|I am sorry, but I must keep {Y}."
    ),
    "price": (
        "You can have {Y} if you bring me {Za}.|Bring me {Za}, and {Y} is yours.|I will swap {Y} for {Za}."
        "|Only for {Za} will I give you {Y}."
    ),
    "promise": (
        "I promise to bring {Y} back.|I promise that {Y} will come back to you soon."
        "|You will have {Y} back before {weekday}, I promise.|I promise to be careful with {Y}."
    ),
    "apologise": (
        "I am sorry that I broke {X}.|I apologise, for I should not have broken {X}."
        "|Please forgive me, for I did not mean to break {X}.|I feel bad because I broke {X}, and I am sorry."
    ),
    "confess": ("I am sorry, but I have lost {X}.|The truth is that I lost {X}.|I lost {X}, and I am very sorry."),
    "forgive": (
        "I forgive you.|It is all right, for I am not angry any more."
        "|Never mind, for a friend is worth more than {oddments}."
        "|I forgive you, and I was wrong as well.|I am not cross with you, for it could happen to {someone}."
    ),
    "not_forgive": (
        "I cannot forgive you.|I am still angry with you.|Go away, for I do not want to see you."
        "|I need {number} weeks before I can forgive you."
    ),
    "thank": (
        "Thank you, you are as kind as {my} {uncle}.|Thank you so much!|How can I ever thank you?"
        "|Thank you, and I will bake you {baked} for {weekday}.|I am so glad that I could sing like a~ {bird0}."
        "|I thank you with all my heart.|Thank you a hundred times."
    ),
    "wish_for": (
        "I wish I had {Xa}.|All I want is {Xa}.|If only I had {Xa}!|I need {Xa} for {weekday}."
        "|For my birthday I would like {Xa}.|I have always wanted {Xa}."
    ),
    "comfort": (
        "Do not cry, for we will have some {drink} and {sweet}.|Cheer up, for even {strangers} cry sometimes."
        "|It is all right to be sad, for {my} {uncle} cries too."
    ),
    "invite": (
        "Come and have {dish} with us.|Stay a while, for my {uncle} has made {cooked}."
        "|Will you eat {sweet} with me on {weekday}?"
    ),
}

TALK_RULES: dict[str, str] = {
    "my": "my",
    "opener": ("Oh, {B}!|Dear {B}!|Good day, {B}!|Hello, {B}!|My goodness!|Listen, {B}!|Oh, {B}!|Well!"),
}
# what somebody may add, by what is said: it must fit the matter
MORE: dict[str, str] = {
    "ask_where": (
        "I have already asked {someone}.|I had it only {number} minutes ago.|I have looked everywhere."
        "|I feel like crying."
        "|My {uncle} will be so sad.|I have been looking for {number} hours.|A~ {stranger} told me to ask you."
        "|I took it with me when I went to see {someone}.|I was looking at a~ {vehicle}, and then it was gone."
        "|I stopped to talk to {someone}, and then it was gone.|I would give {many} {oddments} to have it back."
        "|I have asked {someone} and even {someone}.|My {uncle} told me to take care of it."
    ),
    "tell_where": (
        "A~ {stranger} was standing next to it.|A~ {stranger} nearly stepped on it.|I wondered whose it was."
        "|I saw it {number} minutes ago.|There was a~ {ware} next to it.|A~ {beast} was sniffing at it."
        "|You cannot miss it."
        "|I was there with {someone}.|I thought it belonged to {someone}.|I am sure, for {someone} saw it too."
        "|I was there to meet my {uncle}.|I wanted to show it to {someone}."
    ),
    "not_know": (
        "Perhaps {someone} has it.|Ask {someone}.|I have only been here for {number} minutes."
        "|I have lost a~ {ware} myself."
        "|I have seen nothing but a~ {ware}.|My {uncle} loses things every day."
        "|I know nothing of it, but a~ {stranger} was here before you."
        "|I was {doing_any} and saw nothing.|I hope that {someone} will find it."
        "|I have seen only {someone} and a~ {vehicle}."
    ),
    "ask_for": (
        "I will be very careful.|I have looked for one everywhere.|It is just what I need."
        "|I have asked {someone} in vain."
        "|A~ {stranger} told me to ask you.|My {uncle} has none.|I have been to {number} houses."
        "|I can give you some {sweet} for it."
        "|A~ {stranger} wanted {many} coins for one.|I asked {someone} and even {someone}.|I have no other way."
        "|I will carry your {cargo} for you.|There is none left in any shop."
    ),
    "agree": (
        "I have another one at home.|I lent it to {someone} last {season}.|I would rather have a~ {ware}."
        "|I have no use for it this {season}."
        "|You once helped my {uncle}.|I was going to give it to {someone} anyway.|I like to help."
        "|You always share your {sweet}."
        "|I would rather have some {sweet}.|I have {few} more.|I would only forget it in a~ {vehicle}."
        "|My {uncle} taught me to share."
    ),
    "refuse": (
        "My {uncle} would be cross.|I did not even let {someone} have it.|I have only this one."
        "|I have promised it to {someone}."
        "|You would only lose it.|I would not part with it for {many} coins.|I want to show it to {someone}."
        "|Ask {someone}."
        "|I had to wait {number} months for it.|The last time I lent something, {someone} sat on it."
        "|I need it on {weekday}."
    ),
    "price": (
        "I have wanted one since {season}.|My {uncle} would like that.|That is a fair swap."
        "|A~ {stranger} got the same answer."
        "|I need it on {weekday}.|I want to give it to {someone}.|I have eaten nothing but {dish} today."
        "|I have promised one to {someone}.|I would not even give it to {someone} for less."
        "|Not for all the {sweet} in the world."
    ),
    "promise": (
        "You can ask my {uncle}.|I never break a promise.|I will not even show it to {someone}."
        "|And I will bring you some {sweet}."
        "|I will keep it next to my bed.|I will wrap it in {wrapping}.|Nobody will touch it, not even {someone}."
        "|I once lent my {oddments} to {someone}, so I know how it is."
    ),
    "apologise": (
        "I was looking at {someone}.|I will help you.|I did not see it.|My hands were cold.|I was thinking of {tale}."
        "|You can have my {sweet}.|I will give you my {oddments}.|A~ {stranger} called, and I turned around."
        "|I was too quick."
    ),
    "confess": (
        "I was looking at {someone}.|I will give you my {oddments} for it.|I looked everywhere."
        "|I asked {someone} and {someone}."
        "|I could think of nothing else.|I had put it down next to a~ {ware}.|I was talking to {someone}."
    ),
    "forgive": (
        "I once broke {few} {kitchenwares} myself.|You told me the truth.|Let us have some {drink}.|We are friends."
        "|Even {someone} makes mistakes.|My {uncle} breaks something every {weekday}.|Come, have some {sweet} with me."
    ),
    "not_forgive": (
        "My {uncle} will be so cross.|I was going to show it to {someone}.|I loved it so much."
        "|I had it for {number} years."
        "|I do not want your {sweet}.|I told you to be careful.|I would not even forgive {someone}."
    ),
    "thank": (
        "I will tell my {uncle} about you.|I will never forget it.|You must come and eat {dish} with us.|I could dance."
        "|Here, have some {sweet}.|You are a true friend.|I was so worried.|Now I can sleep again."
        "|I will write a poem about you."
        "|Next time I will help you.|I would have cried like a~ {stranger0}.|Even {someone} could not have done it."
        "|You shall have all my {oddments}.|Wait until {someone} hears about this."
    ),
    "wish_for": (
        "A~ {stranger} has one.|My {uncle} had one.|I have wanted one since {month}."
        "|I saw one in the window of a~ {stranger0}."
        "|I dream of it every night.|I would give {many} {oddments} for it.|I have asked {someone} for one."
        "|Then I would be happier than a~ {stranger0} with {sweet}.|There was one on a~ {vehicle}, but it drove away."
        "|My {uncle} says that I must wait until {month}."
    ),
    "comfort": (
        "Here, have some {sweet}.|I will tell you about {tale}.|Let us sing a song about {tale}.|I will stay with you."
    ),
    "invite": (
        "A~ {stranger} will come too.|My {uncle} will sing for us.|Then I will tell you about {tale}."
        "|There will be {drink} too."
    ),
}

# Q is what is said; Qc is the same with its last full stop turned into a comma
FRAMES: dict[str, str] = {
    kind: (
        '"{Qc}" {verb} {A}{how}.|{A} said{how}, "{Q}"|"{Qc}" {verb} {A} and {gesture}.'
        '|{A} {gesture}. "{Qc}" {he} {verb}.|{A} {gesture} and said, "{Q}"|{A} said to {B}, "{Q}"'
        '|{A} {gesture} and {verb}, "{Q}"'
        '|"{Qc}" {verb} {A}, {gesturing}.'
        + ('|{A} stopped {doing_here} and {verb}, "{Q}"' if kind in ("reply", "deny") else "")
    ).replace("{verb}", "{" + verb + "}")
    for kind, verb in (("tell", "said"), ("reply", "replied"), ("deny", "denied"), ("thank", "thanked_aloud"))
} | {
    "ask": (
        '"{Qc}" {asked} {A}{how}.|{A} asked {B}{how}, "{Q}"|"{Qc}" {asked} {A} and {gesture}.'
        '|{A} {gesture}. "{Qc}" {he} {asked}.|{A} {gesture} and {asked}, "{Q}"'
        '|{A} turned to {B} and {asked}, "{Q}"|"{Qc}" {asked} {A}, {gesturing}.'
    ),
}
FRAME_OF: dict[str, str] = {
    **dict.fromkeys(("tell_where", "not_know", "agree", "price", "forgive"), "reply"),
    **dict.fromkeys(("refuse", "not_forgive"), "deny"),
    "thank": "thank",
}
FRAME_RULES: dict[str, str] = {
    "said": "said|said|whispered|called",
    "replied": "said|answered|replied",
    "denied": "said|answered|replied|grumbled|muttered",
    "thanked_aloud": "said|cried|called|whispered",
    "asked": "asked",
    "how": (
        "| {manner_said}| in a~ {voice} voice| with some {sweet} in {his} mouth| with a~ {smile} smile"
        "| after a bite of {baked}| after a deep breath| after {number} deep breaths"
    ),
    "manner_said": "slowly|quietly|softly|gently|calmly|carefully|politely|solemnly|quickly",
    "collar": "collar|sleeves|hair|cuffs|spectacles",
    "lean_on": "shovel|pitchfork|spade|suitcase|wheelbarrow|armchair|pickaxe|sledgehammer",
    "voice": "low|high|soft|deep|shaky|small|loud|bright|sleepy|hoarse|clear|solemn",
    "smile": "broad|shy|friendly|crooked|tired|warm|little|polite|sleepy|clever",
    "gesture": (
        "scratched {his} {part}|pointed at a~ {ware}|looked up at {few} {birds}|put down a~ {ware}|smiled|made a bow"
        "|wiped {his} {part}|straightened {his} {collar}|coughed {number} times|nodded {number} times"
        "|chewed on some {baked}"
        "|took a sip of {drink}|took {number} deep breaths|leaned on a~ {worn} {lean_on}|dusted a~ {worn} {oddment}"
    ),
    "gesturing": (
        "scratching {his} {part}|pointing at a~ {ware}|looking up at {few} {birds}|putting down a~ {ware}"
        "|wiping {his} {part}"
        "|chewing on some {baked}|nodding {number} times|leaning on a~ {worn} {lean_on}|dusting a~ {worn} {oddment}"
        "|pouring some {drink}"
        "|straightening {his} {collar}|with a~ {ware} in {his} hands"
    ),
}
