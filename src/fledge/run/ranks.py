"""Which of several processes of one command this is, from the variables that ``torchrun`` and Slurm scripts set."""

from __future__ import annotations

import atexit
import os
import sys
from typing import NoReturn

REQUIRED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def world_size() -> int:
    """Processes of this command; 1 unless all of ``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ``MASTER_PORT`` are set."""
    return int(os.environ["WORLD_SIZE"]) if all(os.environ.get(name) for name in REQUIRED) else 1


def rank() -> int:
    """The number of this process, from 0."""
    return int(os.environ["RANK"]) if world_size() > 1 else 0


def leads() -> bool:
    """Whether this is the process that writes, tells and decides."""
    return rank() == 0


def leave(status: int) -> NoReturn:
    """End this process, one of several, with what is to be done at exit but without taking the interpreter down.

    Threads of gloo may let go of their last tensors late, which aborts an interpreter that is half gone
    (pytorch/pytorch#179291).
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
