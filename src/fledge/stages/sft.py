"""The sft stage: a base model and conversations to an assistant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fledge.run.files import read_json
from fledge.run.ranks import leads
from fledge.stages.table import StageContext
from fledge.stages.tools import CONVERSATIONS
from fledge.tune.config import SftConfig
from fledge.types import Conversation, FledgeError, Message

PROMPTS = ("Hello!", "Who are you?", "Tell me a story.")


def run(context: StageContext) -> dict[str, Any]:
    from fledge.infer.load import check_tokenizer
    from fledge.stages.training import (
        TrainingProgress,
        followed,
        policy_of,
        sample_callback,
        save_final,
        summary_of,
    )
    from fledge.tokens.conversations import REJECTS_NAME
    from fledge.tokens.decontaminate import load_index
    from fledge.tokens.exclude import CONTAMINATED
    from fledge.tokens.stage import EVALUATION
    from fledge.tokens.tokenizer import Tokenizer
    from fledge.train.loop import Callback
    from fledge.train.mesh import world
    from fledge.tune.sft import run_sft, write_sft_shards

    config: SftConfig = context.settings
    base = context.upstream["pretrain"] / "model"
    check_tokenizer(base, context.upstream["tokenizer"])
    tokenizer = Tokenizer.load(context.upstream["tokenizer"])
    shards = context.out / "conversations"
    evaluation = load_index(context.run / "tokens" / EVALUATION)
    files = conversation_files(context)
    index = world().once(lambda: write_sft_shards(files, tokenizer, shards, config, evaluation))
    if index["n_refused"]:
        kept = context.run / "sft" / shards.name / REJECTS_NAME
        why = ", ".join(f"{rule} {count}" for rule, count in index["refused"].items())
        print(f"sft: {index['n_refused']} conversations refused ({why}); see {kept}", flush=True)
    if n_shared := index["refused"].get(CONTAMINATED, 0):
        print(f"sft: conversations set aside for words shared with evaluation texts: {n_shared}", flush=True)
    prompts = [Conversation((Message("user", text),)) for text in PROMPTS]
    callbacks: list[Callback] = [TrainingProgress("sft", config), sample_callback(config, tokenizer, prompts)]
    with followed(context) as followers:
        state = run_sft(
            config,
            base,
            shards,
            context.out,
            [*callbacks, *followers],
            tell=lambda line: print(f"sft: {line}", flush=True),
        )
    if not leads():
        return {}
    save_final(policy_of(state), config, tokenizer, context.out, tokenizer.end, read_json(base / "config.json"))
    return {
        **summary_of(state),
        "n_conversations": index["n_documents"],
        "n_refused": index["n_refused"],
        "refused": index["refused"],
    }


def conversation_files(context: StageContext) -> list[Path]:
    """The conversations of the world, those with tools, and those that the settings name."""
    files = [Path(name) for name in context.settings.conversations]
    if "world" in context.upstream:
        files.insert(0, context.upstream["world"] / "conversations" / "train.jsonl")
    if "tools" in context.upstream:
        files.insert(1, context.upstream["tools"] / CONVERSATIONS)
    if not files:
        raise FledgeError(
            "no conversations to tune on",
            where="sft.conversations",
            fix="give JSONL files: --sft.conversations FILE",
        )
    return files
