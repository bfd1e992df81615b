"""Counts of a server for Prometheus."""

from __future__ import annotations

import math
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from fledge.infer.request import Completion

Outcome = Literal["completed", "failed", "cancelled"]
LONGEST_WAIT = 60  # seconds that a client is told to wait at most
STEPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """May be told from several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._completions = Counter(
            "fledge_completions", "Completions that ended, by how.", ["outcome"], registry=self.registry
        )
        self._responses = Counter(
            "fledge_http_responses", "HTTP responses.", ["path", "status"], registry=self.registry
        )
        self._prompt = Counter("fledge_prompt_tokens", "Prompt tokens of completed requests.", registry=self.registry)
        self._cached = Counter(
            "fledge_cached_prompt_tokens", "Prompt tokens that were not read anew.", registry=self.registry
        )
        self._generated = Counter("fledge_generated_tokens", "Tokens sampled.", registry=self.registry)
        self._running = Gauge("fledge_running", "Completions in the batch.", registry=self.registry)
        self._waiting = Gauge("fledge_waiting", "Completions in the queue.", registry=self.registry)
        self._first = Histogram(
            "fledge_time_to_first_token_seconds", "From arrival.", buckets=STEPS, registry=self.registry
        )
        self._between = Histogram(
            "fledge_inter_token_seconds", "From token to token.", buckets=STEPS, registry=self.registry
        )
        self._mean_seconds = 1.0

    def page(self) -> bytes:
        return generate_latest(self.registry)

    def response(self, path: str, status: int) -> None:
        self._responses.labels(path, str(status)).inc()

    def ended(self, outcome: Outcome) -> None:
        self._completions.labels(outcome).inc()

    def load(self, n_running: int, n_waiting: int) -> None:
        self._running.set(n_running)
        self._waiting.set(n_waiting)

    def token(self, seconds_since_arrival: float, seconds_since_last: float | None) -> None:
        self._generated.inc()
        if seconds_since_last is None:
            self._first.observe(seconds_since_arrival)
        else:
            self._between.observe(seconds_since_last)

    def completed(self, completion: Completion, n_prompt_tokens: int, seconds: float) -> None:
        self._prompt.inc(n_prompt_tokens)
        self._cached.inc(completion.n_cached)
        self._mean_seconds += 0.1 * (seconds - self._mean_seconds)

    def seconds_to_wait(self, batches: float) -> int:
        """When there may be a place again, as far as the last completions tell."""
        return min(LONGEST_WAIT, max(1, math.ceil(self._mean_seconds * max(batches - 1, 0.1))))
