"""The process in which isolated tools run: ``python -m fledge.infer.tools.worker PARENT``.

It reads questions as lines of JSON and answers each with one: ``{"load": reference}`` with ``{}``, ``{"call":
reference, "arguments", "chars"}`` with ``{"text"}``; either with ``{"error", "output"}`` where it fails. What
tools print goes nowhere. It ends with its parent, however that ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
from typing import Any, BinaryIO

from fledge.infer.tools.call import ToolError
from fledge.infer.tools.named import loaded
from fledge.infer.tools.results import as_text
from fledge.types import FledgeError

PR_SET_PDEATHSIG = 1


def main(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.name == "posix" and os.getppid() != parent:
        return
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(questions, waiting), daemon=True).start()
    while True:
        answer = _answer(json.loads(waiting.get()))
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _listen(questions: BinaryIO, waiting: queue.SimpleQueue[bytes]) -> None:
    """Pass questions on; at the end of them, which is the parent's end, end this process and all that it started."""
    for line in questions:
        waiting.put(line)
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(0)


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    try:
        if "load" in question:
            loaded(question["load"])
            return {}
        text = as_text(loaded(question["call"]).call(**question["arguments"]))
        return {"text": text[: question["chars"] + 1]}
    except (ToolError, FledgeError) as error:
        output = getattr(error, "output", "")
        return {"error": str(error), "output": output[: question.get("chars", 0) + 1]}
    except (Exception, SystemExit) as error:
        return {"error": f"{type(error).__name__}: {error}"[:10_000], "output": ""}


if __name__ == "__main__":
    main(int(sys.argv[1]))
