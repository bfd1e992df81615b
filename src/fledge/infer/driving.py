"""What drives an engine that submits, steps and cancels: whole batches, streams, and events that wait for others."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

from fledge.infer.request import Completion, Event, GenerateRequest, Token
from fledge.run.progress import Progress
from fledge.types import FledgeError


class Driven(ABC):
    """An engine: :meth:`submit`, :meth:`step` and :meth:`cancel`, with :meth:`generate` and :meth:`stream` on top."""

    context_length: int

    def __init__(self) -> None:
        self._unheard: list[Event] = []
        self._stepping = threading.Lock()
        self.driven: set[int] = set()
        """Requests whose driver waits for their end: one that somebody else cancels is told to it."""

    @abstractmethod
    def check(self, request: GenerateRequest) -> None:
        """Raises FledgeError for a request that :meth:`submit` would refuse; a constraint is looked at only there."""

    @abstractmethod
    def submit(self, request: GenerateRequest) -> int:
        """Take ``request`` into the queue; returns its number in the events of :meth:`step`.

        Raises FledgeError for a prompt longer than the context, for tokens outside the vocabulary, and for a
        constraint that cannot be met.
        """

    def cancel(self, request: int) -> Completion | None:
        """End ``request`` at once: what it has by now, or None where it had ended already."""
        completion = self._cancel(request)
        self._unheard = [event for event in self._unheard if event.request != request]
        if completion is not None and request in self.driven:
            self._unheard.append(Event(request, None, completion))
        return completion

    @abstractmethod
    def _cancel(self, request: int) -> Completion | None: ...

    @abstractmethod
    def _step(self) -> list[Event]: ...

    def step(self) -> list[Event]:
        """One pass: let requests in, read some of the unread prompts, and give a token to everybody who has read all.

        Nothing to do gives no events. Raises FledgeError where the model gives no numbers.
        """
        if not self._stepping.acquire(blocking=False):
            raise FledgeError("an engine cannot be stepped from two threads at once", fix="give each its own")
        try:
            new = self._step()
            events, self._unheard = self._unheard + new, []
            return events
        finally:
            self._stepping.release()

    def put_back(self, events: Sequence[Event]) -> None:
        """Events of others' requests, for whoever steps next."""
        self._unheard += events

    def generate(
        self,
        requests: Sequence[GenerateRequest],
        on_token: Callable[[int, Token], None] | None = None,
        progress: Progress | None = None,
    ) -> list[Completion]:
        """Complete every request; results in the order of ``requests``.

        ``on_token(index of the request, token)`` is called as tokens come, ``progress`` counts finished requests.
        Raises FledgeError for a request that :meth:`submit` refuses.
        """
        results: dict[int, Completion] = {}
        for index, event in self._drive(requests):
            if event.token is not None and on_token is not None:
                on_token(index, event.token)
            if event.completion is not None:
                results[index] = event.completion
                if progress is not None:
                    progress.update(1)
        return [results[index] for index in range(len(requests))]

    def stream(self, request: GenerateRequest) -> Iterator[Token]:
        """Yield the tokens of one completion as they come: the same as :meth:`generate` gives."""
        self.check(request)
        return (event.token for _, event in self._drive([request]) if event.token is not None)

    def _drive(self, requests: Sequence[GenerateRequest]) -> Iterator[tuple[int, Event]]:
        """Submit and step to the end of all; what the caller leaves is cancelled. Others' events wait for theirs."""
        index_of: dict[int, int] = {}
        for request in requests:
            self.check(request)
        try:
            for index, request in enumerate(requests):
                number = self.submit(request)
                self.driven.add(number)
                index_of[number] = index
            while index_of:
                events = self.step()
                self.put_back([event for event in events if event.request not in index_of])
                for event in [event for event in events if event.request in index_of]:
                    index = index_of[event.request]
                    if event.completion is not None:
                        del index_of[event.request]
                        self.driven.discard(event.request)
                    yield index, event
        finally:
            for number in index_of:
                self.driven.discard(number)
                self.cancel(number)
