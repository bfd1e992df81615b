"""What a step reads: chunks of prompts, and the last token of everybody else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from fledge.infer.native.decoder import NativeDecoder
from fledge.infer.request import Token
from fledge.infer.row import Row
from fledge.infer.sampler import likeliest
from fledge.infer.scoring import Scorer
from fledge.infer.slots import BLOCK, Slots
from fledge.infer.torch_step import Record, TorchStep
from fledge.model.decoder import Decoder

PREFILL_TOKENS = 4_096  # tokens of a step's pass over prompts while nobody waits for a next token
CHUNK_TOKENS = 512  # the same while somebody does
STEP_TOKENS = 64  # the same where a step of the library reads it together with everybody's next tokens
STEP_PAIRS = 2**14  # and pairs of such a token and one before its chunk: a pass over prompts is faster at these

Recorder = Callable[[Decoder], Record | None]
Plan = list[tuple[Row, int]]
"""Rows, and how many tokens of each are read."""


class Reader:
    """Feeds a model the tokens of rows, whose keys and values lie in ``slots``."""

    def __init__(
        self, model: Decoder, n_slots: int, capacity: int, native: NativeDecoder | None, recorder: Recorder | None
    ) -> None:
        self._recorder = recorder
        self.slots = Slots(model.new_cache(n_slots + 1, capacity))
        self.use(model, native)

    def use(self, model: Decoder, native: NativeDecoder | None) -> None:
        """Go on with ``model``, of the same sizes; whoever changes it must flush ``slots``."""
        self.model, self.native, self._scorer = model, native, Scorer(model, native)
        record = None if self._recorder is None else self._recorder(model)
        self._torch_step = TorchStep(model, self.slots.cache, record)

    def admit(self, row: Row) -> None:
        """Give ``row`` a slot, of which one must be free, with what is known of its prompt."""
        row.slot = self.slots.take(row.shareable)
        self._share(row)

    def read(self, running: Sequence[Row]) -> tuple[list[Row], Tensor | None]:
        """Read a chunk of some prompts, and the last token of everybody who has read all else.

        Gives the rows that may have a next token by that, and the logits (B, V) after them, which the next call
        overwrites.
        """
        plan = self._prompts(running)
        last = [row for row in running if row.n_unread == 1 and row.room]
        if self.native is not None and _short(plan):  # nobody waits for two passes
            plan, last = [], [*(row for row, _ in plan), *last]
        ready, logits = self._read(plan) if plan else ([], [])
        if last:
            logits.append(self._step(last))
        return ready + last, torch.cat(logits) if len(logits) > 1 else logits[0] if logits else None

    def _prompts(self, running: Sequence[Row]) -> Plan:
        """Whose prompt is read, and how much of it.

        A row whose next block another one reads at this step waits, to copy it at the next one.
        """
        budget = PREFILL_TOKENS if all(row.n_unread > 1 for row in running) else CHUNK_TOKENS
        reading: list[Row] = []
        under_way: set[bytes] = set()
        for row in running:
            if row.n_unread > 1:
                self._share(row)
            following = row.shareable[row.n_read // BLOCK :][:1] if row.n_unread > 1 else []
            if row.n_unread > 1 and not under_way.intersection(following):
                under_way.update(following)
                reading.append(row)
        if not reading:
            return []
        return _even_plan(reading, budget) if self.native is None else _plan(reading, budget)

    def _share(self, row: Row) -> None:
        n_read = self.slots.share(row.slot, row.shareable, row.n_read)
        row.n_cached, row.n_read = row.n_cached + n_read - row.n_read, n_read

    def _read(self, plan: Plan) -> tuple[list[Row], list[Tensor]]:
        """The rows that have read their prompts by this and want a token, and the logits after them."""
        rows = [row for row, _ in plan]
        texts = [row.ids[row.n_read : row.n_read + n] for row, n in plan]
        starts, slots = [row.n_read for row in rows], [row.slot for row in rows]
        if self.native is not None:
            states = self.native.read(texts, starts, slots, self.slots.cache).split([len(text) for text in texts])
        else:
            states = self._padded_states(texts, starts, slots)
        ready, last = [], []
        for row, text, states_TD in zip(rows, texts, states, strict=True):
            if row.scored:
                row.prompt += self._prompt_tokens(row, states_TD)
            self.slots.holds(row.slot, row.read(len(text)))
            if not row.n_unread and row.room:
                ready.append(row)
                last.append(states_TD[-1])
        return ready, [self._scorer.head(torch.stack(last))] if ready else []

    def _padded_states(
        self, texts: Sequence[Sequence[int]], starts: Sequence[int], slots: Sequence[int]
    ) -> list[Tensor]:
        """Normalised last states (T, D) of each text. Its last token again pads it, which stores what is there."""
        lengths = np.array([len(text) for text in texts])
        place = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
        tokens = np.array([[text[at] for at in places] for text, places in zip(texts, place.tolist(), strict=True)])
        position = np.array(starts)[:, None] + place
        hidden = self.model(
            torch.from_numpy(tokens).to(self.model.device),
            torch.from_numpy(position).to(self.model.device),
            cache=self.slots.cache.of(slots, int(position.max()) + 1),
            output="hidden",
        )
        return [states[:n] for states, n in zip(hidden, lengths.tolist(), strict=True)]

    def _step(self, rows: Sequence[Row]) -> Tensor:
        """Read all that is left of every row, which is one token mostly."""
        texts, starts, slots = ([getattr(row, name) for row in rows] for name in ("unread", "n_read", "slot"))
        if self.native is not None:
            logits = self.native.step(texts, starts, slots, self.slots.cache)
        else:
            logits = self._torch_step([token for (token,) in texts], starts, slots)
        for row in rows:
            self.slots.holds(row.slot, row.read(row.n_unread))
        return logits

    def _prompt_tokens(self, row: Row, hidden_TD: Tensor) -> list[Token]:
        """Log-probabilities of the prompt's tokens that follow those just read."""
        n = row.request.prompt_logprobs or 0
        following = row.ids[row.n_read + 1 : row.n_read + 1 + len(hidden_TD)]
        found = []
        for logprobs_NV, targets_N in self._scorer.pieces(hidden_TD[: len(following)], torch.tensor(following)):
            for logprobs_V, index in zip(logprobs_NV, targets_N.tolist(), strict=True):
                value = float(logprobs_V[index])
                top = likeliest(logprobs_V, n) if n else ()
                found.append(Token(index, value, value, top, top))
        return found


def _plan(rows: Sequence[Row], budget: int) -> Plan:
    """Texts of any lengths: half for the row that came first, so that it gets on, the rest as urgency says."""
    first, *others = rows
    plan = [(first, min(first.n_unread, max(1, budget // 2)))]
    left = budget - plan[0][1]
    for row in sorted(others, key=_urgency):
        if n := min(row.n_unread, left):
            plan.append((row, n))
            left -= n
    plan[0] = (first, min(first.n_unread, plan[0][1] + left))
    return plan


def _even_plan(rows: Sequence[Row], budget: int) -> Plan:
    """Texts that are padded to one length: that of the most urgent, or twice it where that ends others too."""
    rows = sorted(rows, key=_urgency)
    width = min(budget, max(row.n_unread for row in rows if row.n_unread <= 2 * rows[0].n_unread))
    return [(row, min(row.n_unread, width)) for row in rows[: max(1, budget // width)]]


def _short(plan: Plan) -> bool:
    """Whether these prompts end with what is read, and are as soon read by a step as by a pass of their own."""
    few = sum(n for _, n in plan) <= STEP_TOKENS and sum(n * row.n_read for row, n in plan) <= STEP_PAIRS
    return few and all(n == row.n_unread and not row.scored for row, n in plan)


def _urgency(row: Row) -> tuple[int, int]:
    """Greater priorities first, then shorter rests."""
    return -row.request.priority, row.n_unread
