"""What the work on a batch of regions holds of a card's memory at its fullest.

Computed on torch's meta device, which makes tensors without memory: by operation the same ones as
a card's, with what `embedding_bag` makes there for itself. What libraries take for their own work
is not among it, nor is what the allocator leaves empty.
"""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worker.extractor.blocks.picture_features import BLOCKS
from worker.extractor.on_device.canvas import Shape
from worker.extractor.on_device.statistics import pooled, region_sums

_PICTURES = 32


class Holding(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all tensors that come to be within it, until they go."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.most_bytes = 0
        self._bytes = 0
        self._kept: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def note(self, tensor: torch.Tensor) -> None:
        """That it is there; views share what they hold."""
        storage = tensor.untyped_storage()
        place, size = storage._cdata, storage.nbytes()
        if place in self._kept:
            return

        def gone(_: object) -> None:
            del self._kept[place]
            self._bytes -= size

        self._kept[place] = weakref.ref(storage, gone)
        self._bytes += size
        self.most_bytes = max(self.most_bytes, self._bytes)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        with self:  # what is made of other operations counts as those
            found = func.decompose(*args, **(kwargs or {}))
        if found is NotImplemented:
            found = func(*args, **(kwargs or {}))
            for one in tree_leaves(found):
                if isinstance(one, torch.Tensor):
                    self.note(one)
        return found


def most_held(shape: Shape, places: int) -> int:
    """Bytes of a batch of so many places, with all blocks, its pixels among them."""
    device, holding = torch.device("meta"), Holding()
    with torch.inference_mode():
        work(shape, 1, device)  # constants are made at the first time
        with holding:
            work(shape, places, device)
    return holding.most_bytes


def work(shape: Shape, places: int, device: torch.device) -> torch.Tensor:
    """Sums of pictures of regions without pixels, as the extractor has them computed."""
    pixels = torch.empty((places, 3, shape.height, shape.width), dtype=torch.uint8, device=device)
    facts = torch.zeros((places, 3), dtype=torch.int64, device=device)
    sums = region_sums(pixels, facts[:, :2], tuple(BLOCKS), thinned=shape.thinned)
    return pooled(sums, facts[:, 2], _PICTURES)
