"""Steps recorded as CUDA graphs: a step of a small model is mostly waiting for its hundreds of launches."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from fledge.infer.torch_step import Record, Replay
from fledge.model.decoder import Decoder

GROUPED = ((9, 0), (10, 0))
"""Compute capabilities on which torch multiplies groups of rows without counting them on the host."""


def recorder(model: Decoder) -> Record | None:
    """What records the steps of ``model``, or None where nothing can: elsewhere than on CUDA, and for experts whose
    rows are counted on the host. FLEDGE_GRAPHS=0 switches it off.
    """
    if model.device.type != "cuda" or os.environ.get("FLEDGE_GRAPHS") == "0" or _counts_rows(model):
        return None
    return CudaGraphs(model.device)


def _counts_rows(model: Decoder) -> bool:
    c = model.config
    if not c.n_experts:
        return False
    grouped = torch.cuda.get_device_capability(model.device) in GROUPED
    return not grouped or model.compute_dtype != torch.bfloat16 or bool(c.d_model % 8 or c.d_expert % 8)


class CudaGraphs:
    """Records on one device.

    What the graphs need in between lies in memory that they share: they run in turn. That memory and the stream are of
    this recorder alone. On torch's common stream another engine's graphs would write to a workspace of cuBLAS that is
    unmapped when the first engine goes, and a second device would record nothing.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)

    def __call__(self, function: Replay) -> Replay:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(self._device):
            torch.cuda.current_blas_handle()  # made now, where this thread has none yet: not within a capture
            with (
                torch.cuda.stream(torch.cuda.current_stream()),  # a capture that fails would leave its own behind
                # only this thread's calls belong to the graph; a server's others may go on
                torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"),
            ):
                output = function()

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay
