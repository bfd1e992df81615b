"""A small trained tokenizer, a text in many scripts, and the place of the real data."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from fledge.tokens.tokenizer import Tokenizer

SENTENCES = (
    "The quick brown fox didn't jump over 12345 lazy dogs; she'll TRY again, WE'RE sure (really)!",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "Dès Noël, où un zéphyr haï me vêt de glaçons würmiens, je dîne d'exquis rôtis.",
    "Съешь ещё этих мягких французских булок, да выпей же чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "いろはにほへと ちりぬるを。カタカナ漢字交じり文です。",
    "我能吞下玻璃而不伤身体。一二三四五,共3.14元。",
    "키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.",
    "نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ٠١٢٣٤٥٦٧٨٩",
    "דג סקרן שט בים מאוכזב ולפתע מצא לו חברה",
    "ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले १२३",
    "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน",
    "Příliš žluťoučký kůň úpěl ďábelské ódy. Pijamalı hasta İstanbul'da ığdır.",
    "ⅷ ½ ² ① 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 e\u0301 \u200b\u00a0\u2003\ufeff 'ſ 'S 'LL",
    "def f(x):\n\treturn {'a': [1, 2,\r\n 3]}  # comment\n\n\n    if x >= 10_000:\n",
)
RANGES = ((0x20, 0x7F), (0xA0, 0x250), (0x370, 0x590), (0x590, 0x700), (0x900, 0xE00), (0xE00, 0x1000)) + (
    (0x1000, 0x2000),
    (0x2000, 0x3100),
    (0x3100, 0xD800),
    (0xE000, 0x11000),
    (0x10000, 0x1F800),
    (0x20000, 0x30000),
)


def in_many_scripts(n_bytes: int, seed: int = 0) -> str:
    """Sentences of many languages between words of random characters of every block, and odd spaces."""
    rng = random.Random(seed)
    parts: list[str] = []
    size = 0
    while size < n_bytes:
        kind = rng.random()
        if kind < 0.6:
            words = rng.choice(SENTENCES).split(" ")
            part = " ".join(rng.sample(words, len(words)))
        elif kind < 0.9:
            low, high = rng.choice(RANGES)
            part = "".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 12)))
        else:
            part = "".join(rng.choices(" \t\n\r\u00a0\u3000\x0b\x85\x1c", k=rng.randrange(1, 8)))
        parts += [part, rng.choice((" ", " ", "\n", "", "  "))]
        size += len(part.encode("utf-8")) + 1
    return "".join(parts)


@pytest.fixture(scope="session")
def many_scripts() -> Callable[[int, int], str]:
    return in_many_scripts


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([in_many_scripts(300_000, seed=1)], 1024)


@pytest.fixture(scope="session")
def data() -> Path:
    place = Path(os.environ.get("FLEDGE_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
    if not place.is_dir():
        pytest.skip("the real data is not here (FLEDGE_DATA)")
    return place
