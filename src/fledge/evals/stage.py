"""The whole evaluation of a model: each part kept as soon as it is done, results and transcripts at the end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fledge.evals.baseline import fit_baseline
from fledge.evals.blimp import Blimp
from fledge.evals.config import EvalConfig
from fledge.evals.names import file_name, names_of_files
from fledge.evals.ngram import NgramModel
from fledge.evals.perplexity import bits_per_byte, ngram_bits_per_byte, texts_of_file, texts_of_shards
from fledge.evals.run import evaluate_tasks
from fledge.evals.tasks import choose_tasks, file_task
from fledge.evals.tools import WithTools
from fledge.infer.engine import Engine
from fledge.infer.tools.toolbox import Toolbox
from fledge.run.events import EventLog
from fledge.run.files import encodable, read_json, write_json, write_text
from fledge.run.progress import Progress
from fledge.tokens.tokenizer import Tokenizer
from fledge.types import Conversation, Task

RESULTS_VERSION = 2
MAX_OPENERS = 10


@dataclass
class Evaluation:
    """What every part of an evaluation needs. ``identity`` stands for model and tokenizer in the keys of parts, and
    ``tools_identity`` for what the tools may look up.
    """

    config: EvalConfig
    engine: Engine
    tokenizer: Tokenizer
    train_shards: Sequence[Path]
    out: Path
    events: EventLog
    identity: str
    toolbox: Toolbox | None = None
    tools_identity: str = ""
    baseline: NgramModel | None = None

    def part(self, name: str, settings: Mapping[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The result of ``measure``, or what an earlier process measured with the same settings and model."""
        key = _digest({"version": RESULTS_VERSION, "identity": self.identity, "name": name, **settings})
        path = self.out / "parts" / f"{file_name(name)}.json"
        if path.is_file():
            kept = read_json(path)
            if kept.get("key") == key:
                return dict(kept["result"])
        result = measure()
        write_json(path, {"key": key, "result": result})
        self.events.write("result", name=name, result=result)
        return result

    def task(self, task: Task, n: int) -> dict[str, Any]:
        """Evaluate one task and keep the transcript of every example."""
        config = self.config
        asked = [(example.id, example.gold) for example in islice(task.examples(config.split), n or None)]
        settings = {"examples": _digest(asked), "seed": config.seed, "max_tokens": config.max_tokens}
        if isinstance(task, WithTools):
            settings["tools"] = [*task.descriptions, self.tools_identity]

        def measure() -> dict[str, Any]:
            rows: list[str] = []
            with Progress(task.name, len(asked), "examples") as progress:
                result = evaluate_tasks(
                    self.engine,
                    self.tokenizer,
                    [task],
                    config.split,
                    n,
                    seed=config.seed,
                    max_tokens=config.max_tokens,
                    toolbox=self.toolbox,
                    progress=progress,
                    on_example=lambda _, row: rows.append(_line(row)),
                )[0]
            path = self.out / "transcripts" / f"{file_name(task.name)}.jsonl"
            write_text(path, "".join(row + "\n" for row in rows))
            return result.to_dict()

        return self.part(f"task/{task.name}", settings, measure)

    def texts(self, name: str, texts: Sequence[str]) -> dict[str, Any]:
        """Bits per byte of ``texts`` by the model and, where there is one, by the n-gram baseline."""
        order, counted = self.config.ngram_order, self.config.ngram_tokens
        settings = {"texts": _digest(list(texts)), "ngram_order": order, "ngram_tokens": counted}

        def measure() -> dict[str, Any]:
            with Progress(name, None, "tokens") as progress:
                result = bits_per_byte(self.engine, self.tokenizer, texts, name, progress).to_dict()
            if order and self.train_shards:
                if self.baseline is None:
                    self.baseline = fit_baseline(self.train_shards, self.tokenizer, order, counted)
                beside = ngram_bits_per_byte(self.baseline, self.tokenizer, texts, name)
                result["ngram"] = {"order": order, "bits_per_byte": beside.bits_per_byte, "stderr": beside.stderr}
            return result

        return self.part(f"text/{name}", settings, measure)


def run_eval(
    config: EvalConfig,
    engine: Engine,
    tokenizer: Tokenizer,
    tasks: Sequence[Task],
    heldout: Mapping[str, Path],
    train_shards: Sequence[Path],
    out: Path,
    events: EventLog,
    *,
    toolbox: Toolbox | None = None,
    tools_identity: str = "",
) -> dict[str, Any]:
    """Measure everything that ``config`` asks for; returns the summary.

    ``tasks`` are the world's (none for a base model), ``heldout`` maps a source's name to its held-out parquet
    shards, ``train_shards`` are token shards for the n-gram baseline; ``toolbox`` carries out calls, and
    ``tools_identity`` changes with what it may look up. Writes ``results.json`` (every figure with its
    standard error and chance level), ``transcripts/<task>.jsonl`` and ``prompts.json`` (openers for a chat). Run
    again in the same ``out``, it goes on with what is missing.
    """
    identity = _digest([engine.fingerprint(), tokenizer.fingerprint, engine.context_length, config.precision])
    evaluation = Evaluation(
        config, engine, tokenizer, train_shards, out, events, identity, toolbox=toolbox, tools_identity=tools_identity
    )
    texts = []
    for name, directory in heldout.items():
        texts.append(evaluation.texts(f"heldout/{name}", texts_of_shards(directory, config.heldout_bytes)))
    names = names_of_files(config.perplexity, ending=True, taken=[each["name"] for each in texts])
    for file, name in names.items():
        scored = texts_of_file(file, config.separator, config.perplexity_bytes)
        texts.append(evaluation.texts(name, scored))
    chosen = choose_tasks([name for name in config.tasks if tasks or name != "world"], tasks)
    results = [evaluation.task(task, config.n) for task in chosen]
    taken = [*(task.name for task in chosen), *([Blimp.name] if config.blimp else [])]
    for file, name in names_of_files(config.multiple_choice, ending=False, taken=taken).items():
        results.append(evaluation.task(file_task(file, config.seed, name), config.multiple_choice_n))
    if config.blimp:
        blimp = Blimp(config.blimp, n_per_paradigm=config.blimp_n, seed=config.seed)
        results.append(evaluation.task(blimp, 0))
    write_json(out / "prompts.json", list(config.openers) or openers(chosen))
    write_json(out / "results.json", {"version": RESULTS_VERSION, "bits_per_byte": texts, "tasks": results})
    figures = ("mean", "stderr", "n", "excluded", "chance")
    return {
        "bits_per_byte": {each["name"]: {k: each[k] for k in ("bits_per_byte", "stderr")} for each in texts},
        "ngram_bits_per_byte": {each["name"]: each["ngram"]["bits_per_byte"] for each in texts if "ngram" in each},
        "tasks": {each["name"]: {k: each[k] for k in figures} for each in results},
    }


def openers(tasks: Sequence[Task]) -> list[str]:
    """The first held-out prompt of each family of tasks (``sums_2`` and ``sums_3`` are one), at most ten."""
    found: dict[str, str] = {}
    for task in tasks:
        family = task.name.split("_")[0]
        example = next(iter(task.examples("heldout")), None) if family not in found else None
        if example is not None and isinstance(example.prompt, Conversation) and example.prompt.messages:
            found[family] = example.prompt.messages[-1].content
    return list(found.values())[:MAX_OPENERS]


def _line(row: dict[str, Any]) -> str:
    line = json.dumps(row, ensure_ascii=False)
    return line if encodable(line) else json.dumps(row)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
