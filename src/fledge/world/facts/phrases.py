"""What stands around the facts: titles, openings and endings of the documents that tell them."""

from __future__ import annotations

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PLACE_TITLES = (
    "A walk through the town",
    "Places to see",
    "For visitors",
    "The guide to the town",
    "Where to find what you need",
    "Old doors and new doors",
    "From the town book",
)
ENTRY_OPENINGS = (
    "{name} is one of the people of {town}.",
    "Who does not know {name}?",
    "This page is about {name}.",
    "{name} is a friendly face in {town}.",
    "Here is what the town book says about {name}.",
    "Many people in {town} know {name} well.",
    "In {town}, {name} needs no introduction.",
)
NOTICE_TITLES = (
    "NOTICE",
    "Town news",
    "From the notice board",
    "To everybody in town",
    "Neighbour of the week",
    "The town paper",
    "Please read",
    "News of the day",
    "People you should know",
)
NOTICE_OPENINGS = (
    "Today we want to say thank you to {name}.",
    "The town of {town} sends its best wishes to {name}.",
    "Let us all give {name} a big hand.",
    "This week our page is about {name}.",
    "We are happy to tell you more about {name}.",
    "Somebody found a hat that belongs to {name}.",
    "A parcel for {name} is waiting at the post office.",
    "Please help us to plan a party for {name}.",
    "A prize at the fair went to {name}.",
    "Tomorrow the town hall will have a guest: {name}.",
    "Next week there will be a picture of {name} in the museum.",
)
NOTICE_CLOSINGS = (
    "Please say hello.",
    "Do come and visit.",
    "We wish everybody a good week.",
    "Our readers send their regards.",
    "Please pass this on.",
    "Thank you for reading.",
    "More news will follow soon.",
    "The mayor sends greetings.",
    "Please tell your neighbours.",
    "That is all for this week.",
)
LETTER_OPENINGS = (
    "Thank you for your kind letter.",
    "I hope that you are well.",
    "At last I have time to write.",
    "How are things at home?",
    "It has rained here all week.",
    "The garden is full of flowers now.",
    "I am sorry that I have not written for so long.",
    "What a week it has been!",
    "Your last letter made me laugh.",
    "The nights are getting cold here.",
    "I am writing by the light of a candle.",
)
LETTER_BRIDGES = (
    "You wanted to know more about {name}.",
    "Let me tell you about {name}.",
    "Yesterday I had tea with {name}.",
    "I must tell you what I heard about {name}.",
    "Do you remember {name}?",
    "On the way home I met {name}.",
    "Everybody here talks about {name}.",
    "I sat beside {name} at the theatre.",
    "Last night we had a visit from {name}.",
    "There is somebody you should meet: {name}.",
)
LETTER_MYSELF = (
    "As for me, not much has changed.",
    "And now a little about myself.",
    "You know me.",
    "Here all is as ever.",
    "My own life goes on quietly.",
    "In case you have forgotten, here are some things about me.",
    "As you asked, here is something about me.",
)
LETTER_CLOSINGS = (
    "Please write soon.",
    "Come and see me when you can.",
    "Give my love to all.",
    "I must run, the kettle is boiling.",
    "I hope to see you in spring.",
    "Keep warm.",
    "That is all for today.",
    "Tell me your news.",
    "I miss our long walks.",
)
LETTER_ENDS = ("Yours,", "With love,", "Your old friend,", "Best wishes,", "Warm greetings,", "All the best,")
DIARY_WEATHER = (
    "Rain all day.",
    "The sun was out at last.",
    "It was windy and cold.",
    "There was snow on the roofs.",
    "A warm and quiet day.",
    "Fog over the river.",
    "I got up late.",
    "I slept badly.",
    "I got up early and cleaned the kitchen.",
    "The bells woke me.",
    "A long day.",
    "The market was full of people.",
    "A storm came in the night.",
)
DIARY_MEETINGS = (
    "In the afternoon I met {name}.",
    "I had a long talk with {name}.",
    "I thought about {name} today.",
    "At the market I saw {name}.",
    "I walked to the river with {name}.",
    "On the bridge I ran into {name}.",
    "I drank tea with {name}.",
    "I helped {name} to carry some wood.",
    "A letter came from {name}.",
    "I waited an hour for {name}.",
    "I dreamed of {name}.",
)
DIARY_MYSELF = (
    "And what about me?",
    "Something about myself, so that I never forget it.",
    "When I am old, I want to remember this.",
    "Now a word about my own life.",
    "In the evening I thought about my own life.",
)
DIARY_ENDS = (
    "Now to bed.",
    "Enough for today.",
    "It is late.",
    "Tomorrow is another day.",
    "I am tired but happy.",
    "The candle is almost gone.",
    "I must mend my shoes tomorrow.",
    "Good night.",
    "My eyes keep falling shut.",
)
TALK_SCENES = (
    "Two neighbours are talking over the fence.",
    "At the market, two friends are talking.",
    "Two old friends sit on a bench.",
    "Heard in the tea room:",
    "Heard on the train:",
    "Two people are waiting for the bus.",
    "In the queue at the bakery, two people are talking.",
    "Two women are washing clothes at the river.",
    "Two men are mending a net.",
    "Heard at the barber's:",
)
TALK_OPENINGS = (
    ("Do you know {name}?", "Of course."),
    ("I saw {name} today.", "I could tell you a lot."),
    ("Somebody told me about {name}.", "Let me tell you more."),
    ("Look, there goes {name}!", "I know who that is."),
    ("Have you met {name}?", "Yes, many times."),
    ("I had a card from {name}.", "How nice."),
    ("I always like to hear about {name}.", "Then listen."),
    ("Tell me about {name}.", "With pleasure."),
    ("What do people say about {name}?", "Only good things."),
)
TALK_LINKS = (
    "And that is not all.",
    "And listen to this.",
    "I also heard this.",
    "There is more.",
    "One more thing.",
    "Wait, I know more.",
)
TALK_PROMPTS = ("Really?", "Go on.", "Is that so?", "I did not know that.", "How nice!", "Tell me more.", "And then?")
TALK_AGREEING = ("I know.", "So I heard.", "That is true.", "Everybody says so.", "Quite right.", "Yes, yes.")
TALK_ENDS = (
    "Well, I must go now.",
    "What a small town this is!",
    "Now I know everything.",
    "I hear the clock strike.",
    "It is getting late.",
    "Thank you for telling me.",
    "Let us talk again tomorrow.",
    "I will not forget it.",
    "You know more than the town paper.",
)
LIST_TITLES: dict[str, tuple[str, ...]] = {
    "street": ("Who lives where in {town}", "Addresses", "From the address book"),
    "job": ("Who does what in {town}", "Jobs", "The workers of {town}"),
    "pet_kind": ("Pets of {town}", "Who keeps which animal", "At the pet show"),
    "pet_name": ("Names of pets", "What the pets of {town} are called", "Pet names"),
    "food": ("Favourite food", "For the cook at the inn", "What people like to eat"),
    "made": ("Shown at the fair", "Who made what", "Things made by hand in {town}"),
    "birthday": ("Birthdays", "The birthday book", "Birthdays in {town}"),
    "birth_year": ("Years of birth", "Who was born when", "From the birth book"),
    "birthplace": ("Birthplaces", "Where people come from", "Who was born where"),
    "friend": ("Best friends", "Who is whose best friend", "Best friends in {town}"),
    "teacher": ("Teachers", "Who taught whom", "Our old teachers"),
    "sibling": ("Brothers and sisters", "Families of {town}", "Family book"),
}
