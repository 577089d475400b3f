"""Where a training runs: the CPU, one GPU, or several processes under `torchrun`."""

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from training.zoo.devices import device_of
from worker.errors import StopError

LONGEST_WAIT = datetime.timedelta(hours=12)
"""The others wait so long while the first process does what only one can do."""


@dataclass(frozen=True)
class Place:
    """This process among those of a training, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0


ALONE = Place(0, 1, torch.device("cpu"))


@contextmanager
def joined() -> Iterator[Place]:
    """Join the processes that `torchrun` started; without it, this process is alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    device = device_of(os.environ)
    if world == 1:
        yield Place(0, 1, device)
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(backend, timeout=LONGEST_WAIT)
    rank = int(os.environ["RANK"])
    try:
        yield Place(rank, world, device)
    finally:
        distributed.destroy_process_group()


def share_of_batch(batch_size: int, place: Place) -> int:
    """Images of a batch for this process; StopError where they cannot be shared evenly."""
    if batch_size % place.world:
        raise StopError(
            f"a batch of {batch_size} cannot be shared evenly by {place.world} processes; start"
            " torchrun with a number of processes that divides it",
            exit_code=2,
        )
    return batch_size // place.world


def wait_for_all(place: Place) -> None:
    """Return when every process has come here; at once where there is only one."""
    if place.world > 1:
        distributed.barrier()
