"""The seam behind which text becomes ids: tiktoken's core where it can, Hugging Face's tokenizers elsewhere."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any, Protocol

from fledge.tokens.vocabulary import Vocabulary
from fledge.types import FledgeError

# tiktoken's regex engine keeps one stack entry for each character of a run of spaces and gives up near a million.
LONG_RUN = 20_000
_LONG_SPACE = re.compile(rf"\s{{{LONG_RUN}}}")
_BAD_BYTES = re.compile("([\udc80-\udcff]+)")


class Encoder(Protocol):
    """Text or bytes to ids; never yields a special token."""

    def encode(self, text: str) -> list[int]: ...

    def encode_bytes(self, data: bytes) -> list[int]:
        """Ids of any bytes; those of valid UTF-8 are the ids of its text."""
        ...


def require_text(text: str) -> None:
    """Raise FledgeError where ``text`` holds a lone surrogate, which no encoding can carry."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FledgeError(
            f"the text holds a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}",
            fix="decode its source with errors='replace'",
        ) from None


class ByteLevelEncoder:
    """Byte-level BPE by rank, through tiktoken's core."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        import tiktoken

        self._vocabulary = vocabulary
        # No special is registered here, so that text can never become one.
        self._core = tiktoken.Encoding(
            "fledge", pat_str=vocabulary.pattern, mergeable_ranks=dict(vocabulary.ranks), special_tokens={}
        )._core_bpe

    def __reduce__(self) -> Any:
        return ByteLevelEncoder, (self._vocabulary,)

    @cached_property
    def _reference(self) -> Any:
        from fledge.tokens.huggingface import to_tokenizers

        return to_tokenizers(self._vocabulary, with_special=False)

    def encode(self, text: str) -> list[int]:
        try:
            if len(text) < LONG_RUN or not _LONG_SPACE.search(text):
                return self._core.encode_ordinary(text)
        except UnicodeEncodeError:
            require_text(text)
            raise
        except BaseException as error:
            # The panic of a Rust extension is no Exception; its engine ran out of stack.
            if type(error).__name__ != "PanicException":
                raise
        require_text(text)
        return list(self._reference.encode(text, add_special_tokens=False).ids)

    def encode_bytes(self, data: bytes) -> list[int]:
        ids: list[int] = []
        for stretch in _BAD_BYTES.split(data.decode("utf-8", "surrogateescape")):
            if stretch and "\udc80" <= stretch[0] <= "\udcff":
                ids += self._core.encode_single_piece(stretch.encode("utf-8", "surrogateescape"))
            elif stretch:
                ids += self.encode(stretch)
        return ids


class TokenizersEncoder:
    """Any tokenizer that Hugging Face's ``tokenizers`` holds. Special tokens' literals count as ordinary text."""

    def __init__(self, inner: Any, vocabulary: Vocabulary) -> None:
        self._inner = inner
        self._inner.encode_special_tokens = True
        # a file may ask for both, for batches of its own; text would lose its end without a word
        self._inner.no_truncation()
        self._inner.no_padding()
        self._byte_ids = _byte_ids(vocabulary)
        self._prefix = vocabulary.dummy_prefix

    def encode(self, text: str) -> list[int]:
        require_text(text)
        return list(self._inner.encode(text, add_special_tokens=False).ids)

    def encode_bytes(self, data: bytes) -> list[int]:
        try:
            return self.encode(data.decode("utf-8"))
        except UnicodeDecodeError:
            if self._byte_ids is None:
                raise FledgeError("this tokenizer has no tokens for single bytes, only text can be encoded") from None
            return [self._byte_ids[byte] for byte in (b" " if self._prefix else b"") + data]


def _byte_ids(vocabulary: Vocabulary) -> list[int] | None:
    special = set(vocabulary.special.values())
    found = {token: index for index, token in enumerate(vocabulary.token_bytes) if index not in special}
    singles = [bytes([byte]) for byte in range(256)]
    return [found[single] for single in singles] if all(single in found for single in singles) else None
