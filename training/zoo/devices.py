"""Which device a training of the zoo runs on: a GPU where there is one, and otherwise the CPU."""

from collections.abc import Mapping

import torch


def device_of(environment: Mapping[str, str]) -> torch.device:
    """The GPU of this process, or the CPU on a machine without one.

    `torchrun` numbers the processes of a machine in LOCAL_RANK; each takes the GPU of its number,
    and begins again at the first where there are more processes than GPUs. A process that was
    started alone takes the first.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(environment.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
