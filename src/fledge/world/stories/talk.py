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
    "ask_for": (
        "May I have {Y}?|May I borrow {Y}?|Could you give me {Y}?|Would you let me have {Y}?"
        "|Can I have {Y}, please?|Will you lend me {Y}?"
    ),
    "agree": (
        "Yes, you may have {Y}.|Of course you can have {Y}.|Take {Y}, I do not need it before {weekday}."
        "|Gladly, {Y} is yours until {meal}.|You can have {Y} if you are careful."
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
        "I promise to bring {Y} back.|I promise that {Y} will come back to you by {meal}."
        "|You will have {Y} back before {weekday}, I promise.|I promise to be careful with {Y}."
    ),
    "apologise": (
        "I am sorry that I broke {X}.|I apologise, I should not have broken {X}."
        "|Please forgive me, I did not mean to break {X}.|I feel bad because I broke {X}, and I am sorry."
    ),
    "confess": (
        "I am sorry, but I have lost {X}.|I must tell you the truth, I lost {X}.|I lost {X}, and I am very sorry."
    ),
    "forgive": (
        "I forgive you.|It is all right, I am not angry any more.|Never mind, a friend is worth more than {dish}."
        "|I forgive you, and I was wrong as well.|I am not cross with you, it could happen to {a_beast}."
    ),
    "not_forgive": (
        "I cannot forgive you.|I am still angry with you.|Go away, I do not want to see you."
        "|I need {number} days before I can forgive you."
    ),
    "thank": (
        "Thank you, you are as kind as {my} {uncle}.|Thank you so much!|How can I ever thank you?"
        "|Thank you, I will bake you {sweet} for {weekday}.|Thank you, now I can sing like {a_bird}."
    ),
    "wish_for": (
        "I wish I had {Xa}.|All I want is {Xa}.|If only I had {Xa}!|I need {Xa} for {weekday}."
        "|For my birthday I would like {Xa}.|I have always wanted {Xa}."
    ),
    "comfort": (
        "Do not cry, we will have some {drink} together.|Cheer up, even {beasts} cry sometimes."
        "|It is all right to be sad, {my} {uncle} cries too."
    ),
    "invite": (
        "Come and have {dish} with us.|Stay for {meal}, there is {dish} and {sweet}."
        "|Will you eat {sweet} with me on {weekday}?"
    ),
}

TALK_RULES: dict[str, str] = {
    "my": "my",
    "a_bird": "a~ {bird}|{two} {birds}",
    "chatter": (
        "My {uncle} once saw {thing_seen} and did not sleep for {number} days.|I dreamed of {thing_seen}."
        "|On {weekday} I had {dish} for {meal}.|There is {thing_seen} {near}, did you see it?"
        "|Your {cloth2} is as {colour} as a~ {flower}.|I was {job}.|Even {a_beast} could see that."
        "|My {part} hurts when the {trees} move.|The {birds} have talked of nothing else since {weekday}."
        "|It smells of {smell} here.|I was just thinking about {beasts}.|In {month} the {flowers} were better."
        "|I have to feed {two} {beasts} before {meal}.|My {uncle} would laugh like {a_beast}."
        "|You look like {shape} today.|A~ {stranger} told me about {thing_seen}.|I had to step over {thing_seen}."
        "|There were {two} {beasts} and {two} {housewares}, and then nothing."
        "|I counted {two} {colour} {insects} on the way.|Please have some {drink} first."
        "|I like {flowers} better than {sweet}.|They say that {beasts} bring good luck in {season}."
    ),
    "opener": (
        "Oh, {B}!|Dear {B}!|Good day, {B}!|Oh dear!|Listen, {B}!|Well, well!|Hello, {B}!|My goodness!|Hm!"
        "|Hello there!|Look at me, {B}!"
    ),
}

# Q is what is said; Qc is the same with its last full stop turned into a comma
FRAMES: dict[str, str] = {
    "tell": (
        '"{Qc}" {said} {A}{how}.|{A} {said}{how}, "{Q}"|"{Qc}" {said} {A} and {gesture}.'
        '|{A} {gesture}. "{Qc}" {he} {said}.|{A} {gesture} and {said}, "{Q}"|{A} {said} to {B}, "{Q}"'
        '|"{Qc}" {said} {A}, {gesturing}.'
    ),
    "ask": (
        '"{Qc}" {asked} {A}{how}.|{A} asked {B}{how}, "{Q}"|"{Qc}" {asked} {A} and {gesture}.'
        '|{A} {gesture}. "{Qc}" {he} {asked}.|{A} {gesture} and {asked}, "{Q}"'
        '|{A} turned to {B} and {asked}, "{Q}"|"{Qc}" {asked} {A}, {gesturing}.'
    ),
}
FRAME_RULES: dict[str, str] = {
    "said": "said|answered|replied|whispered|cried|called out|explained|muttered|declared|sighed",
    "asked": "asked|begged|inquired",
    "how": (
        "| {speed}| in a {voice} voice| with {dish} in {his} mouth| with a smile like {a_beast}"
        "| without looking up from {his} {houseware}| after {number} deep breaths"
    ),
    "voice": "low|high|soft|deep|shaky|small|loud|bright|sleepy|hoarse",
    "gesture": (
        "scratched {his} {part}|pointed at {thing_seen}|looked up at {two} {birds}|put down a~ {look} {houseware}"
        "|smiled like {a_beast}|jumped over {two} {flowers}|stopped {job}|wiped {his} {part}"
        "|straightened {his} {colour} {cloth2}|coughed {number} times|nodded {speed}|chewed on {sweet}"
        "|watched {a_beast}|took a sip of {drink}"
    ),
    "gesturing": (
        "scratching {his} {part}|pointing at {thing_seen}|looking up at {two} {birds}"
        "|putting down a~ {look} {houseware}|smiling like {a_beast}|{job}|wiping {his} {part}|chewing on {sweet}"
        "|with {two} {insects} buzzing around {him}|watching {a_beast}|nodding {speed}"
    ),
}
QUESTIONS = ("ask_where", "ask_for")
