"""The command line: words to calls into stages. Errors of the input are one line, never a traceback."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from cyclopts import App, CycloptsError

import fledge
from fledge.cli import doctor, look, plan, run, serve, ship, talk
from fledge.run.files import of_system
from fledge.run.ranks import leads, leave, rank, world_size
from fledge.types import FledgeError

INPUT_ERROR = 2
INTERRUPTED = 130
BROKEN_PIPE = 141
TERMINATED = 143
STOPPED = "stopped; the same command goes on from here"

OVERVIEW = """Raise a language model: raw text in, an assistant out that can be talked to and measured.

Begin with:

    fledge run recipes/demo.toml

    fledge chat runs/demo

On your own text (a file, a folder, an archive or a URL):

    fledge run recipes/library.toml --text.sources PATH

Each command tells more with --help."""


def build_app() -> App:
    """The whole command line."""
    app = App(
        name="fledge",
        help=OVERVIEW,
        version=f"fledge {fledge.__version__}",
        help_format="markdown",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    run.register(app)
    talk.register(app)
    serve.register(app)
    look.register(app)
    ship.register(app)
    plan.register(app)
    doctor.register(app)
    return app


def command() -> NoReturn:
    """The ``fledge`` command: run what the command line says, and end with its status."""
    status = main()
    if world_size() > 1:
        leave(status)
    sys.exit(status)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status: 0, 2 for an error of the input, 130 after Ctrl-C, 143 after SIGTERM."""
    # Before torch is loaded: threads that wait by spinning take the processor from those they wait for.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # The end of another process is told in a line; torch would warn of it with a stack of C++ functions.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if not leads():
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    _pass_all_text()
    words = list(sys.argv[1:] if words is None else words)
    try:
        with _terminations_raised():
            build_app()(words, exit_on_error=False, print_error=False)
            run.print_settings_help(words)
        sys.stdout.flush()
    except CycloptsError as error:
        return _tell(f"error: {' '.join(str(error).split())}", INPUT_ERROR)
    except KeyboardInterrupt:
        return _tell(STOPPED, INTERRUPTED)
    except _Terminated:
        return _tell(STOPPED, TERMINATED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing to flush at exit
        return BROKEN_PIPE
    except (FledgeError, OSError) as error:
        if os.environ.get("FLEDGE_DEBUG"):
            raise
        error = of_system(error) if isinstance(error, OSError) else error
        # a training that was asked to stop says so with the shell's exit status of the signal
        stopped = getattr(error, "exit_code", None)
        if not leads() and (stopped or getattr(error, "told", False)):  # the first process tells it
            return stopped or INPUT_ERROR
        return _tell(str(error) if stopped else f"error: {error}", stopped or INPUT_ERROR)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else _tell(str(stop.code), 1)
    return 0


class _Terminated(BaseException):
    """SIGTERM came: what is half-written goes, what is done stays."""


@contextmanager
def _terminations_raised() -> Iterator[None]:
    """SIGTERM raises inside, as Ctrl-C does; training has its own way, which saves first."""

    def handle(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _pass_all_text() -> None:
    """What a terminal or a pipe cannot write is written as escapes; what it sends and is no text reads as U+FFFD."""
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        # what stands in for a stream may lack this, and one that was read from takes no change
        if hasattr(stream, "reconfigure") and stream.errors != errors:
            stream.reconfigure(errors=errors)


def _tell(line: str, status: int) -> int:
    sys.stderr.write(f"fledge: {line}\n" if leads() else f"fledge: process {rank()}: {line}\n")
    return status


if __name__ == "__main__":
    command()
