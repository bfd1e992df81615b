"""Log-probabilities as OpenAI's API writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from fledge.infer.request import Likeliest, Token
from fledge.infer.text import TextStream
from fledge.serve.served import Served

Mode = Literal["raw", "sampled"]


class CompletionLogprobs:
    """Tokens of a text completion, told in one piece or in several; offsets count characters of the text."""

    def __init__(self, served: Served, mode: Mode, n_top: int, offsets: TextStream) -> None:
        self._served, self._mode, self._n_top, self._offsets = served, mode, n_top, offsets
        self._at = 0

    def of(self, tokens: Sequence[Token | int]) -> dict[str, Any]:
        """``tokens`` that follow those of earlier calls; a bare id is a first token, which has no probability."""
        texts, values, tops, offsets = [], list[float | None](), list[dict[str, float] | None](), []
        for token in tokens:
            index = token if isinstance(token, int) else token.id
            texts.append(self._served.text_of(index))
            offsets.append(self._at)
            self._at += sum(len(piece.text) for piece in self._offsets.feed(index))
            if isinstance(token, int):
                values.append(None)
                tops.append(None)
            else:
                value, top = _of_mode(token, self._mode)
                values.append(value)
                tops.append({self._served.text_of(i): v for i, v in ((index, value), *top[: self._n_top])})
        return {"tokens": texts, "token_logprobs": values, "top_logprobs": tops, "text_offset": offsets}


def chat_logprobs(served: Served, mode: Mode, n_top: int, tokens: Sequence[Token]) -> dict[str, Any]:
    return {"content": list(_entries(served, mode, n_top, tokens)), "refusal": None}


def _entries(served: Served, mode: Mode, n_top: int, tokens: Sequence[Token]) -> Iterator[dict[str, Any]]:
    for token in tokens:
        value, top = _of_mode(token, mode)
        yield {
            **_entry(served, token.id, value),
            "top_logprobs": [_entry(served, index, logprob) for index, logprob in top[:n_top]],
        }


def _entry(served: Served, index: int, value: float) -> dict[str, Any]:
    known = served.tokenizer.token_bytes
    data = known[index] if index < len(known) else b""
    return {"token": served.text_of(index), "logprob": value, "bytes": list(data)}


def _of_mode(token: Token, mode: Mode) -> tuple[float, Likeliest]:
    return (token.raw_logprob, token.raw_top) if mode == "raw" else (token.logprob, token.top)
