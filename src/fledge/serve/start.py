"""``fledge serve``: load a model, say where it answers, and answer until told to stop."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fledge.infer.config import Precision
from fledge.run.progress import quantity
from fledge.serve.config import ServeConfig
from fledge.types import FledgeError


def serve_run(
    run: Path,
    config: ServeConfig,
    *,
    precision: Precision = "float32",
    device: str = "auto",
    max_batch: int = 32,
    context_length: int | None = None,
    tools: Sequence[str] = (),
) -> None:
    """Serve what ``run`` names until SIGINT or SIGTERM; see :func:`fledge.infer.load.load_engine`.

    Without a name in ``config.model`` it gets the run's. ``tools`` are names as :func:`fledge.stages.tools.tool_named`
    takes them. Raises FledgeError where something is missing, before anything listens.
    """
    try:
        from fledge.serve.app import build_app
        from fledge.serve.server import Server, bound_socket
    except ImportError as error:
        raise FledgeError(f"serving needs {error.name}", fix="pip install 'fledge[serve]'") from None
    from fledge.infer.load import load_engine
    from fledge.infer.tools.toolbox import Toolbox
    from fledge.stages.finished import root_of, stale_note
    from fledge.stages.tools import tool_named
    from fledge.train.hardware import choose_device

    if max_batch < 1:
        raise FledgeError(f"must be at least 1, got {max_batch}", where="--max-batch")
    config = replace(config, model=config.model or model_name(run))
    toolbox = Toolbox(tool_named(name, root_of(run)) for name in tools)
    with toolbox, bound_socket(config.host, config.port) as listener:
        engine, tokenizer, kind = load_engine(
            run,
            device=choose_device(device),
            precision=precision,
            max_batch=max_batch,
            context_length=context_length,
        )
        if note := stale_note(run):
            print(f"fledge: {note}", file=sys.stderr, flush=True)
        for line in greeting(config, engine, kind, precision, listener.getsockname()[1]):
            print(line, flush=True)
        app = build_app(engine, tokenizer, kind, config, toolbox if tools else None)
        Server(app, config).run([listener])
        print("stopped", flush=True)


def key_of(given: str) -> str:
    return given or os.environ.get("FLEDGE_API_KEY", "")


def model_name(run: Path) -> str:
    """The name of the run that ``run`` is or lies in; of something else that holds a model, its own."""
    from fledge.stages.finished import root_of

    return root_of(run).name


def greeting(config: ServeConfig, engine: Any, kind: str, precision: str, port: int) -> list[str]:
    """What the person is told."""
    host = f"[{config.host}]" if ":" in config.host else config.host
    n = quantity(sum(parameter.numel() for parameter in engine.model.parameters()))
    what = "an assistant" if kind == "chat" else "a base model"
    who = "with the key" if config.api_key else "no key is asked for"
    return [
        f"{config.model}: {what} of {n} parameters, {engine.context_length} tokens of context, "
        f"{precision} on {engine.model.device.type}, up to {engine.max_batch} completions at once",
        f"http://{host}:{port}/v1 answers as OpenAI's API does ({who}); /health and /metrics tell how it is",
        "Ctrl-C stops: what runs by then is finished first",
    ]
