"""Steps recorded as CUDA graphs: a step of a small model is mostly waiting for its hundreds of launches."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from fledge.infer.torch_step import Record, Replay
from fledge.model.decoder import Decoder


def recorder(model: Decoder) -> Record | None:
    """What records the steps of ``model``, or None where nothing can: elsewhere than on CUDA, and for experts in
    float32, whose rows are counted on the host. FLEDGE_GRAPHS=0 switches it off.
    """
    counted = model.config.n_experts and model.compute_dtype != torch.bfloat16
    if model.device.type != "cuda" or counted or os.environ.get("FLEDGE_GRAPHS") == "0":
        return None
    return CudaGraphs(model.device)


class CudaGraphs:
    """Records on one device. What the graphs need in between lies in memory that they share: they run in turn."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, function: Replay) -> Replay:
        graph = torch.cuda.CUDAGraph()
        # only this thread's calls belong to the graph; a server's others may go on
        with (
            torch.cuda.device(self._device),
            torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"),
        ):
            output = function()

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay
