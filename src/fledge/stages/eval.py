"""The eval stage: the base model on texts and files, the assistant on tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.evals.config import EvalConfig
from fledge.evals.names import names_of_files
from fledge.evals.tools import WithTools
from fledge.run.files import read_json, write_json
from fledge.stages.figures import (
    BITS_HEADER,
    CALLS_HEADER,
    MAY_BE_SEEN,
    TASK_HEADER,
    aligned,
    bits_rows,
    call_rows,
    task_rows,
)
from fledge.stages.plan import UNGUARDED, files_of, read_begun
from fledge.stages.table import StageContext, heldout_directories
from fledge.stages.tools import toolbox_of
from fledge.types import Task

WITH_TOOLS_TOO = {"greetings": "", "sums_2": "", "facts_unasked": "search"}
"""Tasks that can do without tools and are asked with them as well, and the tool that is right to use."""


def run(context: StageContext) -> dict[str, Any]:
    """Texts, multiple choice and minimal pairs are scored by the base model, for tuning changes what it expects of
    plain text; tasks that talk are for the assistant. Without one, the base model does all that it can.
    """
    from fledge.evals.stage import run_eval
    from fledge.infer.config import Precision
    from fledge.infer.load import load_engine
    from fledge.train.hardware import choose_device

    config: EvalConfig = context.settings
    device = choose_device("auto")
    precision: Precision = "bfloat16" if config.precision == "bf16" else "float32"
    heldout = heldout_directories(context.upstream)
    train_shards: list[Path] = []
    if "tokens" in context.upstream:
        train_shards = sorted(path for path in (context.upstream["tokens"] / "train").iterdir() if path.is_dir())
    assistant = context.upstream.get("sft")
    asks_base = replace(config, tasks=()) if assistant else config
    summaries: dict[str, dict[str, Any]] = {}
    box = toolbox_of(context.upstream["tools"]) if "tools" in context.upstream else None
    offered = box.descriptions if box else ()
    begun = read_begun(context.out)
    tools: dict[str, Any] = {"toolbox": box, "tools_identity": begun.inputs.get("tools", "") if begun else ""}
    with context.open_events() as events:
        for name, stage, asked, texts in (
            ("base", context.upstream["pretrain"], asks_base, heldout),
            ("", assistant, replace(config, perplexity=(), multiple_choice=(), blimp=""), {}),
        ):
            if stage is None:
                continue
            engine, tokenizer, _ = load_engine(
                stage / "model", device=device, precision=precision, max_batch=config.max_batch
            )
            tasks = world_tasks(context.settings_of, offered) if asked.tasks and assistant else []
            out = context.out / name if name else context.out
            summaries[name] = run_eval(asked, engine, tokenizer, tasks, texts, train_shards, out, events, **tools)
    results, summary = read_json(context.out / "base" / "results.json"), summaries["base"]
    if assistant:
        tuned = read_json(context.out / "results.json")
        results = {**results, "tasks": [*tuned["tasks"], *results["tasks"]]}
        summary = {**summary, "tasks": {**summaries[""]["tasks"], **summary["tasks"]}}
    else:
        write_json(context.out / "prompts.json", read_json(context.out / "base" / "prompts.json"))
    unguarded = not_kept_out(config, context.out)
    mark(results, config, unguarded)
    write_json(context.out / "results.json", results)
    tables = ((BITS_HEADER, bits_rows), (TASK_HEADER, task_rows), (CALLS_HEADER, call_rows))
    for header, rows_of in tables:
        if rows := rows_of(results):
            print(aligned(header, rows), flush=True)
    if unguarded:
        files = ", ".join(Path(file).name for file in unguarded)
        kept_out = "tokens" not in context.settings_of or context.settings_of["tokens"].decontaminate_eval
        way = f"fledge run {context.run} trains without it" if kept_out else "tokens.decontaminate_eval is false"
        print(f"eval: {MAY_BE_SEEN}: {files} (the tokens stage did not keep it out; {way})", flush=True)
    return {**summary, "not_kept_out": unguarded} if unguarded else summary


def check(settings_of: Mapping[str, Any]) -> None:
    """Raise FledgeError for tasks that there are none of, and for files that cannot be scored."""
    from fledge.evals.blimp import Blimp
    from fledge.evals.tasks import choose_tasks, file_task

    config: EvalConfig = settings_of["eval"]
    if config.tasks:
        known = world_tasks(settings_of, ("",) if "tools" in settings_of else ()) if "sft" in settings_of else []
        choose_tasks([name for name in config.tasks if known or name != "world"], known)
    for file in config.multiple_choice:
        file_task(file, config.seed)
    if config.blimp:
        Blimp(config.blimp, n_per_paradigm=config.blimp_n, seed=config.seed)
    if config.perplexity:
        from fledge.evals.perplexity import texts_of_file

        for file in config.perplexity:
            texts_of_file(file, config.separator, config.perplexity_bytes)


def world_tasks(settings_of: Mapping[str, Any], descriptions: Sequence[str] = ()) -> list[Task]:
    """The tasks of the run's own world, if it has one; those that need tools, and some that do not, with these too."""
    if "world" not in settings_of:
        return []
    from fledge.world.world import World

    tasks: list[Task] = []
    for task in World(settings_of["world"]).tasks():
        tasks += [task] if getattr(task, "also_without", True) else []
        tool = getattr(task, "tool", "")
        if descriptions and (tool or task.name in WITH_TOOLS_TOO):
            tasks.append(WithTools(task, descriptions, tool or WITH_TOOLS_TOO[task.name]))
    return tasks


def not_kept_out(config: EvalConfig, out: Path) -> list[str]:
    """The user's files that are scored although the tokens stage did not keep their texts out of training."""
    begun = read_begun(out)
    unguarded = set(json.loads(begun.inputs.get(UNGUARDED, "[]")) if begun else ())
    entries = dict.fromkeys((*config.perplexity, *config.multiple_choice, config.blimp))
    return [entry for entry in entries if entry and any(file.as_posix() in unguarded for file in files_of(entry))]


def mark(results: Mapping[str, Any], config: EvalConfig, unguarded: Sequence[str]) -> None:
    """Mark the results of the files of ``unguarded``; those of files come last, in the order of the settings."""
    texts = list(names_of_files(config.perplexity, ending=True))
    choices = [*names_of_files(config.multiple_choice, ending=False), *([config.blimp] if config.blimp else [])]
    for key, files in (("bits_per_byte", texts), ("tasks", choices)):
        of_files = results[key][len(results[key]) - len(files) :]
        for file, result in zip(files, of_files, strict=True):
            if file in unguarded:
                result["may_be_seen"] = True
