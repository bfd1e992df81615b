"""The pretrain stage: token shards to a base model, from nothing or from another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fledge.run.files import read_json
from fledge.run.progress import quantity
from fledge.run.ranks import leads
from fledge.stages.table import StageContext, heldout_directories
from fledge.stages.tokens import MIXTURE_NAME, check_same_tokenizer
from fledge.train.config import PretrainConfig
from fledge.types import Conversation, FledgeError

if TYPE_CHECKING:
    from fledge.model.config import ModelConfig
    from fledge.tokens.tokenizer import Tokenizer

PROMPTS: tuple[Conversation | str, ...] = ("", "Once upon a time", "The")


def run(context: StageContext) -> dict[str, Any]:
    from fledge.model.decoder import Decoder
    from fledge.model.targets import no_target
    from fledge.stages.training import (
        TrainingProgress,
        followed,
        heldout_callback,
        policy_of,
        sample_callback,
        save_final,
        summary_of,
    )
    from fledge.tokens.shards import open_shards
    from fledge.tokens.source import RowSource
    from fledge.tokens.tokenizer import Tokenizer
    from fledge.train.checkpoint import load_model
    from fledge.train.loop import Callback, Trainer
    from fledge.train.objective import TokenCrossEntropy
    from fledge.train.probe import check_memory

    config: PretrainConfig = context.settings
    tokenizer = Tokenizer.load(context.upstream["tokenizer"])
    sizes = config.model_config(tokenizer.vocab_size)
    if tokenizer.vocab_size > sizes.vocab_size:
        raise FledgeError(
            f"the tokenizer has {tokenizer.vocab_size} tokens, the model in init {sizes.vocab_size}",
            where="pretrain.init",
            fix=f'write path = "{config.init}" under [tokenizer]',
        )
    if "tokens" not in context.upstream:
        return _as_it_is(context, tokenizer, sizes)
    config = context.settings.for_model(sizes)
    check_memory(config, sizes)
    tokens = context.upstream["tokens"]
    mixture = read_json(tokens / MIXTURE_NAME)
    shards = {path.name: open_shards(path) for path in sorted((tokens / "train").iterdir()) if path.is_dir()}
    for each in shards.values():
        check_same_tokenizer(each, tokenizer)
    repetition = {"mixture": mixture["mixture"], "max_repetition": mixture["max_repetition"]}
    one_pass = RowSource(shards, context=config.context_length, batch_rows=1, **repetition).n_tokens
    affordable = int(one_pass * mixture["max_repetition"])
    if config.tokens > affordable:
        print(
            f"pretrain: {quantity(config.tokens)} tokens are wanted, the text is enough for {quantity(affordable)} "
            f"({mixture['max_repetition']:g} passes); add text, or raise tokens.max_repetition",
            flush=True,
        )
        config = context.settings.for_model(sizes, at_most=affordable)
    n_steps = config.n_steps()
    source = RowSource(
        shards,
        context=config.context_length,
        batch_rows=config.batch_rows,
        seed=config.seed,
        n_steps=n_steps,
        **repetition,
    )
    told = sizes.describe(config.context_length)
    print(
        f"pretrain: {sizes.n_layers} layers, {sizes.d_model} wide, {quantity(sizes.n_parameters)} parameters, "
        f"{quantity(told['flops_per_token'])} FLOPs a token, {quantity(told['state_bytes'])}B for weights and "
        f"optimizer, {n_steps} steps of {config.batch_tokens} tokens",
        flush=True,
    )
    if no_target(sizes):
        print(f"pretrain: {no_target(sizes)}", flush=True)
    for note in source.notes:
        print(f"pretrain: {note}", flush=True)
    model, before = load_model(Path(config.init)) if config.init else (Decoder(sizes, seed=config.seed), {})
    heldout = heldout_directories(context.upstream)
    for name in sorted({"world", "text"} & set(context.upstream) - set(heldout)):
        print(f"pretrain: {name} is too small to hold documents out, so nothing is measured on it", flush=True)
    callbacks: list[Callback] = [
        TrainingProgress("pretrain", config),
        heldout_callback(config, tokenizer, heldout),
        sample_callback(config, tokenizer, PROMPTS),
    ]
    trainer = Trainer(config, context.out, n_steps=n_steps, tell=lambda line: print(f"pretrain: {line}", flush=True))
    with followed(context) as followers:
        state = trainer.fit(
            {"policy": model},
            source,
            TokenCrossEntropy(config.z_loss, config.balance_loss if sizes.n_experts else 0.0),
            [*callbacks, *followers],
        )
    if not leads():
        return {}
    save_final(policy_of(state), config, tokenizer, context.out, tokenizer.eos, before)
    return {**summary_of(state), "batch_tokens": config.batch_tokens, "epochs": source.epochs(n_steps), "model": told}


def _as_it_is(context: StageContext, tokenizer: Tokenizer, sizes: ModelConfig) -> dict[str, Any]:
    """A recipe without token shards takes the model in ``init`` as it is, to tune it."""
    from fledge.stages.training import save_final
    from fledge.train.checkpoint import load_model

    config: PretrainConfig = context.settings
    model, before = load_model(Path(config.init))
    save_final(model, config, tokenizer, context.out, tokenizer.eos, before)
    told = sizes.describe(config.context_length)
    return {"steps": 0, "tokens": 0, "n_parameters": sizes.n_parameters, "taken_from": config.init, "model": told}
