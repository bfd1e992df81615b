"""Chat with the assistant of a run, or a transcript of it where nobody sits at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fledge.run.files import read_json
from fledge.stages.finished import root_of, stale_note
from fledge.stages.graph import is_done
from fledge.stages.tools import tool_named, tools_of
from fledge.types import FledgeError

if TYPE_CHECKING:
    from fledge.infer.config import Precision

PROMPTS = ("Hello!", "Who are you?", "Tell me a short story about a cat.", "What is 3 + 4?")
PROMPTS_FILE = "eval/prompts.json"
MAX_PROMPTS = 8


def talk(
    run: Path, *, system: str = "", tools: Sequence[str] = (), precision: Precision = "float32", **sampling: Any
) -> None:
    """Chat on the terminal; without one, say the run's opening prompts and end.

    ``tools`` are names as :func:`fledge.stages.tools.tool_named` takes them, in place of those that the assistant was
    tuned with.
    """
    from fledge.infer.chat import ChatSession, Sampling
    from fledge.infer.load import load_engine
    from fledge.infer.terminal import run_chat, run_transcript
    from fledge.infer.tools.toolbox import Toolbox
    from fledge.tokens.templates import NoTemplate
    from fledge.train.hardware import choose_device

    engine, tokenizer, kind = load_engine(run, device=choose_device("auto"), precision=precision, max_batch=1)
    if note := stale_note(run / "sft" if is_done(run, "sft") else run):
        print(f"fledge: {note}", file=sys.stderr, flush=True)
    if kind != "chat":
        if isinstance(tokenizer.template, NoTemplate):
            raise FledgeError(tokenizer.template.why, where=str(run), fix=f'use fledge sample {run} "Once upon a time"')
        raise FledgeError(
            "has a base model and no assistant yet", where=str(run), fix=f'use fledge sample {run} "Once upon a time"'
        )
    root = root_of(run)
    toolbox = Toolbox(tool_named(name, root) for name in tools) if tools else tools_of(root)
    with toolbox or nullcontext():
        session = ChatSession(engine, tokenizer, Sampling(**sampling), system, toolbox)
        if sys.stdin.isatty() and sys.stdout.isatty():
            run_chat(session, sys.stdin, sys.stdout)
        else:
            run_transcript(session, opening_prompts(run), sys.stdout)


def opening_prompts(run: Path) -> list[str]:
    """What the eval stage of this run found worth asking, else a few general prompts."""
    path = run / PROMPTS_FILE
    if path.is_file():
        prompts = read_json(path)
        if isinstance(prompts, list) and prompts and all(isinstance(each, str) for each in prompts):
            return prompts[:MAX_PROMPTS]
    return list(PROMPTS)
