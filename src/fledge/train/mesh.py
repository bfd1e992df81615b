"""The processes of one training: how they find each other, who leads, and the one mesh of their devices."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from fledge.run.ranks import rank, world_size
from fledge.types import FledgeError

REPLICATE, SHARD = "replicate", "shard"
PATIENCE = timedelta(days=7)
"""How long a process waits for a slow one in a collective; hangs are the watchdog's to end."""
MAX_PROCESSORS = 8192
"""Numbers of processors lie below it (Linux allows no more)."""
POLL_SECONDS, LEAVE_SECONDS = 0.05, 5.0
BROKEN = ("transport/tcp", "Connection closed", "Connection reset", "Broken pipe", "NCCL")


class EndedElsewhere(FledgeError):
    """Another process of the training ended. ``told`` where that one says itself why."""

    def __init__(self, *, told: bool = False) -> None:
        self.told = told
        super().__init__(
            "another process of this training ended", fix="run the same command again to go on from the last checkpoint"
        )


@dataclass(frozen=True)
class World:
    """All processes of a training and this one's place among them; ``store`` is None where there is only one.

    What passes through the store is JSON. Every process must come to the same calls in the same order.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    store: Any = None
    _results: Iterator[int] = field(default_factory=itertools.count, repr=False)
    _orders: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def once(self, work: Callable[[], Any]) -> Any:
        """The leader does ``work``; the others wait. Gives its result, which JSON can hold, to all."""
        if self.store is None:
            return work()
        key = f"result/{next(self._results)}"
        if not self.leads:
            told = self._awaited(key)
            if "result" not in told:
                raise EndedElsewhere(told=True)
            return told["result"]
        try:
            result = work()
        except BaseException:
            self.store.set(key, "{}")
            raise
        self.store.set(key, json.dumps({"result": result}))
        return result

    def order(self, order: dict[str, Any] | None) -> None:
        """Tell the others what to do next; None: nothing more. Called by the leader."""
        if self.store is not None:
            self.store.set(f"order/{next(self._orders)}", json.dumps(order))

    def orders(self) -> Iterator[dict[str, Any]]:
        """What the leader orders, until there is nothing more."""
        while (order := self._awaited(f"order/{next(self._orders)}")) is not None:
            yield order
        self.store.add("left", 1)

    def _awaited(self, key: str) -> Any:
        try:
            while not self.store.check([key]):
                time.sleep(POLL_SECONDS)
            return json.loads(self.store.get(key))
        except RuntimeError as error:
            raise EndedElsewhere() from error

    def total(self, values: list[float]) -> list[float]:
        """The sums over all processes, in float64."""
        return self._reduced(values, dist.ReduceOp.SUM)

    def greatest(self, value: int) -> int:
        """The greatest over all processes."""
        return int(self._reduced([value], dist.ReduceOp.MAX)[0])

    def _reduced(self, values: list[float], how: Any) -> list[float]:
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(tensor, how)
        return tensor.tolist()

    def share_of(self, usable: Collection[int]) -> int:
        """How many of the processors that this process may run on are its own, at least 1; all processes call it.

        Where a launcher binds each process to some, all of them are; those that several may run on are shared alike.
        """
        if self.size == 1:
            return len(usable)
        users = self.total([float(number in usable) for number in range(MAX_PROCESSORS)])
        machines = self.size / self.local_size
        own = sum(machines / users[number] for number in usable)
        return max(1, min(len(usable), int(own + 1e-6)))

    @contextmanager
    def mourning(self) -> Iterator[None]:
        """Turn the error of a collective that lost a partner into :class:`EndedElsewhere`."""
        try:
            yield
        except RuntimeError as error:
            broken = isinstance(error, dist.DistError) or any(word in str(error) for word in BROKEN)
            if self.size == 1 or not broken:
                raise
            raise EndedElsewhere(told=self._leader_ended()) from error

    def _leader_ended(self) -> bool:
        """Whether the leader said that it ends; it is asked only where the store still answers."""
        try:
            return not self.leads and bool(self.store.check(["ended"]))
        except RuntimeError:
            return False

    def end(self) -> None:
        """The leader says that it ends and gives the others a moment to leave: what they meet then is no news."""
        self.store.set("ended", "1")
        self.order(None)
        end = time.monotonic() + LEAVE_SECONDS
        while self.store.add("left", 0) < self.size - 1 and time.monotonic() < end:
            time.sleep(POLL_SECONDS)


@cache
def world() -> World:
    """The processes that ``torchrun`` or a Slurm script started with this one; they meet at the first call.

    Tensors of the CPU travel by gloo, those of CUDA devices by NCCL.
    """
    if world_size() == 1:
        return World()
    on_cuda = torch.cuda.is_available()
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if on_cuda:
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
    try:
        store, _, _ = next(dist.rendezvous("env://"))
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_cuda else "gloo",
            store=dist.PrefixStore("group", store),
            rank=rank(),
            world_size=world_size(),
            timeout=PATIENCE,
        )
    except RuntimeError as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise FledgeError(
            f"the {world_size()} processes did not find each other ({str(error).splitlines()[0]})",
            where=where,
            fix="start all of them with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE",
        ) from error
    atexit.register(dist.destroy_process_group)
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", world_size()))
    return World(rank(), world_size(), local_rank, local_size, dist.PrefixStore("fledge", store))


def device_mesh(world: World, device: torch.device, *, sharded: bool) -> DeviceMesh:
    """All devices as one mesh of the dimensions ``replicate`` and ``shard``, one of which holds all of them."""
    shape = (1, world.size) if sharded else (world.size, 1)
    return init_device_mesh(device.type, shape, mesh_dim_names=(REPLICATE, SHARD))
