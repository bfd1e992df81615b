"""Small stages that stand in for the real ones: each joins its upstream's text with its own setting."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from fledge.run.files import write_text
from fledge.run.settings import setting
from fledge.stages.job import Job
from fledge.stages.table import StageContext, StageSpec


@dataclass(frozen=True)
class First:
    letter: str = setting("a", "what is written")
    source: str = setting("", "a file that is read")
    workers: int = setting(1, "never changes the output", affects_result=False)


@dataclass(frozen=True)
class Second:
    times: int = setting(2, "how often")
    parts: int = setting(3, "pieces, written one after the other")


@dataclass(frozen=True)
class Third:
    upper: bool = setting(False, "capitals")


def _count(context: StageContext, name: str) -> None:
    """Note every call outside of the run directory's stages."""
    with open(context.run.parent / "calls.txt", "a", encoding="utf-8") as file:
        file.write(name + ("+" if context.resume else "") + "\n")


def first(context: StageContext) -> dict:
    _count(context, "first")
    source = Path(context.settings.source).read_text(encoding="utf-8") if context.settings.source else ""
    # letters beyond m give the same bytes, so that a re-run without an effect can be seen
    write_text(context.out / "data" / "text.txt", min(context.settings.letter, "m") + source)
    write_text(context.out / "aside.txt", context.settings.letter)
    return {"n_letters": 1, "letter": context.settings.letter}


def second(context: StageContext) -> dict:
    _count(context, "second")
    text = (context.upstream["first"] / "data" / "text.txt").read_text(encoding="utf-8")
    kill_at = int(os.environ.get("KILL_AT", "-1"))
    for part in range(context.settings.parts):
        path = context.out / f"part-{part}.txt"
        if part == kill_at:
            (context.out / ".partial-1-part").write_text("half", encoding="utf-8")
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        if not path.exists():
            write_text(path, f"{text * context.settings.times}{part}")
    return {"n_parts": context.settings.parts}


def third(context: StageContext) -> dict:
    _count(context, "third")
    text = (context.upstream["second"] / "part-0.txt").read_text(encoding="utf-8")
    write_text(context.out / "out.txt", text.upper() if context.settings.upper else text)
    return {}


def broken(context: StageContext) -> dict:
    raise AssertionError("never called")


def specs() -> tuple[StageSpec, ...]:
    # dotted by file, since tests are no package
    here = "fake_stages"
    return (
        StageSpec("first", f"{here}:first", input_settings=("source",)),
        StageSpec("second", f"{here}:second", upstream={"first": ("data/**",)}, needs=(("first",),)),
        StageSpec("third", f"{here}:third", upstream={"second": ("**",)}, needs=(("second",),)),
    )


def job(run: Path, name: str = "fake", **settings: object) -> Job:
    chosen = {"first": First(), "second": Second(), "third": Third(), **settings}
    chosen = {key: value for key, value in chosen.items() if value is not None}
    return Job(name, chosen, f'name = "{name}"\n', run, specs())
