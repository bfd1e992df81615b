"""Supervised tuning: conversations as a source of packed rows, and the same cross-entropy as in pretraining."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fledge.tokens.conversations import REJECTS_NAME, read_conversations, write_conversation_shards
from fledge.tokens.decontaminate import RunIndex
from fledge.tokens.exclude import clean_conversations
from fledge.tokens.shards import ShardSet, open_shards
from fledge.tokens.source import RowSource
from fledge.tokens.tokenizer import Tokenizer
from fledge.train.checkpoint import load_model
from fledge.train.loop import Callback, Tell, Trainer, TrainState
from fledge.train.objective import TokenCrossEntropy
from fledge.tune.config import SftConfig
from fledge.types import FledgeError


def write_sft_shards(
    paths: Sequence[Path], tokenizer: Tokenizer, out: Path, config: SftConfig, index: RunIndex | None = None
) -> dict[str, Any]:
    """Render JSONL conversations into shards at ``out``; what has no token to learn or does not fit is refused.

    With ``index`` what shares words with an evaluation text is refused too. Returns the index of the shards with
    ``n_refused`` and ``refused`` (by reason); the refused stand in ``out/rejects.jsonl``. Raises FledgeError where
    nothing is left.
    """
    # A row of T tokens holds T targets, hence a conversation of T + 1 tokens.
    conversations = read_conversations(paths)
    if index is not None:
        conversations = clean_conversations(conversations, index)
    made = write_conversation_shards(conversations, tokenizer, out, max_tokens=config.context_length + 1)
    if not len(open_shards(out, verify=False)):
        raise FledgeError(
            f"no conversation can be learned, {made['n_refused']} refused" if made["n_refused"] else "is empty",
            where=", ".join(map(str, paths)),
            fix=f"see {out / REJECTS_NAME}",
        )
    return made


def sft_steps(config: SftConfig, n_rows: int) -> int:
    """Optimizer steps: ``epochs`` passes over ``n_rows`` rows, or what ``tokens`` pay for."""
    return config.n_steps() if config.tokens else max(1, round(config.epochs * n_rows / config.batch_rows))


def sft_source(shards: ShardSet, config: SftConfig) -> RowSource:
    """Whole conversations packed into rows; documents are masked from each other, other roles' turns weigh nothing."""
    return RowSource(
        {"conversations": shards},
        context=config.context_length,
        batch_rows=config.batch_rows,
        seed=config.seed,
        fill=False,
    )


def run_sft(
    config: SftConfig,
    base: Path,
    shards: Path,
    directory: Path,
    callbacks: Iterable[Callback] = (),
    *,
    tell: Tell = print,
) -> TrainState:
    """Tune the model at ``base`` (a checkpoint, a ``model/`` directory or a stage) on the shards, in ``directory``.

    The loss of a step is divided by its number of learned tokens.
    """
    model, _ = load_model(base)
    opened = open_shards(shards)
    if opened.vocab_size > model.config.vocab_size:
        raise FledgeError(
            f"the conversations use {opened.vocab_size} tokens, the model knows {model.config.vocab_size}",
            where=str(shards),
            fix="tokenise them with the model's own tokenizer",
        )
    source = sft_source(opened, config)
    trainer = Trainer(config, directory, n_steps=sft_steps(config, source.n_rows), tell=tell)
    objective = TokenCrossEntropy(config.z_loss, config.balance_loss if model.config.n_experts else 0.0)
    return trainer.fit({"policy": model}, source, objective, list(callbacks))
