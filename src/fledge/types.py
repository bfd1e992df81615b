"""The small frozen dataclasses that pass between rooms. Standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant", "tool"]
Split = Literal["train", "heldout"]


class FledgeError(Exception):
    """A fault of the input or the machine, told to the person in one line.

    ``what`` was wrong, ``where`` (file, row, setting), and ``fix``: what to do about it.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        line = f"{where}: {what}" if where else what
        if fix:
            line = f"{line}; {fix}"
        super().__init__(" ".join(line.split()))


@dataclass(frozen=True)
class Document:
    """One clean text. ``source`` names where it came from; ``meta`` holds JSON values only."""

    id: str
    text: str
    source: str
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reject:
    """A piece of input that was set aside: by which rule, and why. Kept and counted, never lost."""

    id: str
    source: str
    rule: str
    reason: str
    text: str = ""
    n_bytes: int = 0


@dataclass(frozen=True)
class Verdict:
    """What a filter says of a text."""

    keep: bool
    reason: str = ""


@dataclass(frozen=True)
class Message:
    """One turn. ``thinking`` and ``tool_calls`` are for assistants; a tool's result has role ``tool``."""

    role: Role
    content: str
    thinking: str = ""
    tool_calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """Turns in order; ``tools`` are the tool descriptions that the system shows the model."""

    messages: tuple[Message, ...]
    tools: tuple[str, ...] = ()
    id: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """Token positions ``start:end`` of one part of a rendered conversation."""

    start: int
    end: int
    message: int
    kind: str


@dataclass(frozen=True)
class Rendered:
    """A conversation as token ids; ``weight[i]`` is 1.0 where ``ids[i]`` is to be learned, else 0.0."""

    ids: list[int]
    weight: list[float]
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Batch:
    """Rows for one step, numpy arrays of shape (B, T).

    ``tokens`` and ``targets`` are int32 or int64, ``targets[b, t]`` is the token that follows ``tokens[b, t]``;
    ``weight`` float32, 0 where nothing is learned; ``position`` counts from 0 in each document; ``document``
    numbers the documents of a row (padding has its own number, -1). ``group`` (B,) joins rows that are never
    split; ``streams`` holds what algorithms add, each (B, T) or (B, T, K).
    """

    tokens: Any
    targets: Any
    weight: Any
    position: Any
    document: Any
    inputs: Any = None
    group: Any = None
    streams: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """One item of a task: a prompt (a conversation, or plain text to continue) and its gold answer."""

    id: str
    prompt: Conversation | str
    gold: str
    choices: tuple[str, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a task asks of a model: to generate after ``prompt``, or to score ``continuation`` after it."""

    kind: Literal["generate", "loglikelihood"]
    prompt: Conversation | str
    continuation: str = ""
    max_tokens: int = 128
    temperature: float = 0.0


@dataclass(frozen=True)
class Answer:
    """The reply to a :class:`Request`: text, or the summed log-probability (nats) of its continuation."""

    text: str = ""
    logprob: float = 0.0
    n_tokens: int = 0


@dataclass(frozen=True)
class Score:
    """A score, or None where it cannot be computed: such examples are excluded and counted, never 0."""

    value: float | None
    reason: str = ""


class Task(Protocol):
    """Serves evaluation, rejection sampling and reinforcement learning alike."""

    name: str
    chance: float

    def examples(self, split: Split) -> Iterator[Example]: ...

    def requests(self, example: Example) -> Sequence[Request]: ...

    def score(self, example: Example, answers: Sequence[Answer]) -> Score: ...

    def validate(self) -> None:
        """Score every gold answer; raises FledgeError where one does not score 1."""
        ...


@dataclass(frozen=True)
class Reaction:
    """What an environment answers: ids that the model reads next, a reward if there is one, and whether it ended."""

    ids: Sequence[int] = ()
    reward: float | None = None
    done: bool = True


class Environment(Protocol):
    """What a model acts in, token in and token out. Single use."""

    def start(self) -> Sequence[int]:
        """The ids of the first prompt."""
        ...

    def step(self, action_ids: Sequence[int]) -> Reaction:
        """The model's completion, its stop token included, and what comes of it; may be called on another thread."""
        ...


@dataclass(frozen=True)
class Episode:
    """All ids of an environment's run in order: each prompt, completion and reaction extends what was there exactly.

    ``weight`` is 1 for the model's own tokens, whose log-probabilities as they were sampled are in ``behavior_logp``
    (0 elsewhere). ``reward`` has the rewards at the last token of the completion that earned them, None where none was
    given at all. ``finish_reason`` is "done", "length" (no room or no turns left) or "cancelled".
    """

    ids: tuple[int, ...]
    weight: tuple[float, ...]
    behavior_logp: tuple[float, ...]
    reward: tuple[float, ...] | None
    finish_reason: str
    group: int = 0
    weights_version: int = 0
