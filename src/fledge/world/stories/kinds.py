"""Which kinds of events may be told how."""

from __future__ import annotations

from fledge.world.stories import lexicon

# kinds whose subject may carry on into a second clause of the same sentence
JOINABLE = frozenset(
    lexicon.word_list("""
    take give show carry hide search find lend bring_back eat play thank glad_have mend dry climb sing
    dance follow comfort share wait sleep fish_out reach pull_down swap pay tend plant
    """)
)
LIKENED = frozenset(
    lexicon.word_list("go take carry hide give find climb dance sing follow eat mend dry wash lend lead")
)
# what is asked for to be used and given back; other things are asked for to be kept
LENT = frozenset((*lexicon.REACHERS, *lexicon.MENDERS, *lexicon.NETS))
# what no lead goes before, no "so" goes before, and what happens beside the thread of a story
UNTIMED = frozenset(
    lexicon.word_list("own muse hold need tend wake sad_lost sad_broken sad_refused sad_gone thank glad_have")
)
UNSOUGHT = frozenset(lexicon.word_list("see meet meet_at find find_funny give_up guard block too_high"))
IDLE = frozenset(lexicon.word_list("hero weather scene muse"))
SUDDEN = frozenset(lexicon.word_list("lose break fly_off float fall snatch collapse sink wither quarrel"))
