"""The eval stage: the base model on texts and files, the assistant on tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.evals.config import EvalConfig
from fledge.run.files import read_json, write_json
from fledge.stages.figures import BITS_HEADER, TASK_HEADER, aligned, bits_rows, task_rows
from fledge.stages.table import StageContext, heldout_directories
from fledge.types import Task


def run(context: StageContext) -> dict[str, Any]:
    """Texts, multiple choice and minimal pairs are scored by the base model, for tuning changes what it expects of
    plain text; tasks that talk are for the assistant. Without one, the base model does all that it can.
    """
    import torch

    from fledge.evals.stage import run_eval
    from fledge.infer.load import load_engine
    from fledge.train.hardware import choose_device

    config: EvalConfig = context.settings
    device = choose_device("auto")
    dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
    heldout = heldout_directories(context.upstream)
    shards = context.upstream["tokens"] / "train"
    train_shards = sorted(path for path in shards.iterdir() if path.is_dir())
    assistant = context.upstream.get("sft")
    asks_base = replace(config, tasks=()) if assistant else config
    summaries: dict[str, dict[str, Any]] = {}
    with context.open_events() as events:
        for name, stage, asked, texts in (
            ("base", context.upstream["pretrain"], asks_base, heldout),
            ("", assistant, replace(config, perplexity=(), multiple_choice=(), blimp=""), {}),
        ):
            if stage is None:
                continue
            engine, tokenizer, _ = load_engine(stage / "model", device=device, dtype=dtype, max_batch=config.max_batch)
            tasks = world_tasks(context) if asked.tasks and assistant else []
            out = context.out / name if name else context.out
            summaries[name] = run_eval(asked, engine, tokenizer, tasks, texts, train_shards, out, events)
    results, summary = read_json(context.out / "base" / "results.json"), summaries["base"]
    if assistant:
        tuned = read_json(context.out / "results.json")
        results = {**results, "tasks": [*tuned["tasks"], *results["tasks"]]}
        summary = {**summary, "tasks": {**summaries[""]["tasks"], **summary["tasks"]}}
    else:
        write_json(context.out / "prompts.json", read_json(context.out / "base" / "prompts.json"))
    write_json(context.out / "results.json", results)
    for header, rows in ((BITS_HEADER, bits_rows(results)), (TASK_HEADER, task_rows(results))):
        if rows:
            print(aligned(header, rows), flush=True)
    return summary


def check(settings: EvalConfig, run: Path) -> None:
    """Raise FledgeError for tasks of the user's own that cannot be loaded."""
    from fledge.evals.tasks import own_tasks

    for name in settings.tasks:
        if ":" in name:
            own_tasks(name)


def world_tasks(context: StageContext) -> list[Task]:
    """The tasks of the run's own world, if it has one."""
    if "world" not in context.settings_of:
        return []
    from fledge.world.world import World

    return World(context.settings_of["world"]).tasks()
