"""Sampling by ``draws.h``: what ``sampling.py`` does, for a batch of rows on a CPU, several times faster."""

from __future__ import annotations

from ctypes import c_int64, c_void_p
from typing import Any

import numpy as np
from torch import Tensor

from fledge.infer.native.build import library
from fledge.infer.native.team import team

WANTED = np.dtype(
    [("uniform", "f8"), ("temperature", "f4"), ("top_p", "f4"), ("min_p", "f4"), ("top_k", "i4")], align=True
)
DRAWN = np.dtype([("token", "i8"), ("logprob", "f4"), ("raw_logprob", "f4"), ("fault", "i4")], align=True)
NO_TOKEN, NO_NUMBERS = 1, 2

Array = np.ndarray[Any, Any]


def draw(logits_BV: Tensor, raw_BV: Tensor, wanted_B: Array) -> Array:
    """A record of :data:`DRAWN` for each row of float32 logits.

    ``raw_BV`` are those before rules and biases, ``wanted_B`` records of :data:`WANTED`; at temperature 0 the likeliest
    token is taken. ``fault`` is NO_TOKEN where the rules leave none, NO_NUMBERS where the model gave no numbers.
    """
    drawn = np.zeros(len(wanted_B), dtype=DRAWN)
    logits, raw = (values if values.stride(1) == 1 else values.contiguous() for values in (logits_BV, raw_BV))
    given = []
    for values in (logits, raw):
        given += [c_void_p(values.data_ptr()), c_int64(values.stride(0))]
    library().draw(*given, *logits.shape, _address(wanted_B), _address(drawn), team())
    return drawn


def _address(values: Array) -> c_void_p:
    return c_void_p(values.ctypes.data)
