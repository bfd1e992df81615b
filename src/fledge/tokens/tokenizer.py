"""The tokenizer: text and conversations to ids and back."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from fledge.tokens.encoding import ByteLevelEncoder, Encoder
from fledge.tokens.render import FledgeTemplate, Template
from fledge.tokens.training import train_tokens
from fledge.tokens.vocabulary import Vocabulary, trained
from fledge.types import Conversation, FledgeError, Message, Rendered


class Tokenizer:
    """A vocabulary, the encoder that serves it, and the template that renders conversations with it.

    ``encode`` never yields a special token: text that spells one is ordinary text. Make one with
    :meth:`train` or :meth:`load`.
    """

    def __init__(
        self, vocabulary: Vocabulary, encoder: Encoder | None = None, template: Template | None = None
    ) -> None:
        self.vocabulary = vocabulary
        self._encoder: Encoder = encoder if encoder is not None else ByteLevelEncoder(vocabulary)
        self.template: Template = template if template is not None else FledgeTemplate()
        self.token_bytes: list[bytes] = vocabulary.token_bytes
        self.special: Mapping[str, int] = vocabulary.special
        self.vocab_size = len(self.token_bytes)
        self.dtype: type = np.uint16 if self.vocab_size <= 1 << 16 else np.uint32

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> Tokenizer:
        """Learn byte-level BPE from ``texts``. Where they hold too few pairs, ``vocab_size`` comes out smaller."""
        return cls(trained(train_tokens(texts, vocab_size)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Tokenizer:
        """Load a directory with ``tokenizer.json``, or a file of any kind that ``load.py`` knows."""
        from fledge.tokens.load import load_tokenizer

        return load_tokenizer(Path(path))

    def save(self, directory: str | os.PathLike[str], *, model_max_length: int | None = None) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json``, as Hugging Face's libraries read them."""
        from fledge.tokens.huggingface import write_tokenizer

        write_tokenizer(self.vocabulary, Path(directory), model_max_length)

    @property
    def bos(self) -> int:
        return self._role("bos")

    @property
    def eos(self) -> int:
        return self._role("eos")

    @property
    def pad(self) -> int:
        return self._role("pad")

    @property
    def end(self) -> int:
        """The end of a turn in a conversation."""
        return self._role("end")

    def _role(self, name: str) -> int:
        try:
            return self.special[self.vocabulary.roles[name]]
        except KeyError:
            raise FledgeError(f"this tokenizer has no {name} token") from None

    @cached_property
    def byte_lengths(self) -> np.ndarray:
        """(V,) int32: bytes of text that each token stands for; 0 for specials."""
        lengths = np.array([len(token) for token in self.token_bytes], dtype=np.int32)
        lengths[list(self.special.values())] = 0
        return lengths

    @cached_property
    def special_ids(self) -> frozenset[int]:
        return frozenset(self.special.values())

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that decides the ids."""
        return self.vocabulary.fingerprint()

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``. Raises FledgeError for a lone surrogate."""
        return self._encoder.encode(text)

    def encode_batch(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Ids of each text as arrays of ``self.dtype``."""
        return [np.array(self.encode(text), dtype=self.dtype) for text in texts]

    @property
    def opening(self) -> list[int]:
        """What stands before a document: bos, or nothing where the tokenizer puts none."""
        return [self.bos] if "bos" in self.vocabulary.roles else []

    @property
    def border(self) -> int:
        """The token between two documents that a first word is predicted from: bos, or eos where there is no bos."""
        return self.bos if "bos" in self.vocabulary.roles else self.eos

    def encode_document(self, text: str) -> list[int]:
        """``<|bos|>`` text ``<|eos|>``, as base models are trained on it."""
        return [*self.opening, *self.encode(text), self.eos]

    def encode_bytes(self, data: bytes) -> list[int]:
        """Ids of any bytes; ``decode_bytes`` gives them back."""
        return self._encoder.encode_bytes(data)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that the ids stand for; specials give their literal text."""
        data = b"".join([self.token_bytes[index] for index in ids])
        return data[1:] if self.vocabulary.dummy_prefix and data.startswith(b" ") else data

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the ids; bytes that are no UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def render(self, conversation: Conversation, add_generation_prompt: bool = False) -> Rendered:
        """Ids and weights of a conversation; see ``render.py``."""
        return self.template.render(self, conversation, add_generation_prompt)

    def parse(self, ids: Sequence[int]) -> Conversation:
        """The conversation that renders to ``ids``; the inverse of :meth:`render` but for ``id`` and ``meta``."""
        return self.template.parse(self, ids)

    def parse_reply(self, ids: Sequence[int]) -> Message:
        """The assistant's message out of the ids generated after ``render(…, add_generation_prompt=True)``."""
        return self.template.parse_reply(self, ids)
