"""The threads of the library."""

from __future__ import annotations

import os
from ctypes import c_void_p
from functools import lru_cache

import torch

from fledge.infer.native.build import library


def team() -> c_void_p:
    """As many as torch may use now."""
    return c_void_p(_team_of(os.getpid(), torch.get_num_threads()))


@lru_cache(maxsize=8)
def _team_of(process: int, n_threads: int) -> int:
    """Threads of this process: those of another do not come along when it is forked."""
    address = library().team(n_threads)
    assert isinstance(address, int)
    return address
