"""What a batch asks of a device, counted while torch's CPU device computes it.

Each operation that torch hands to a device is one kernel there, or a few. Bytes are those that it
must read and write when nothing stays in a cache from one operation to the next; what it reads
twice counts once.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from worker.decoder.decode import DecodedImage
from worker.extractor.on_device.extractor import DeviceExtractor

_READS_BACK = ("aten::item", "aten::_local_scalar_dense", "aten::nonzero", "aten::is_nonzero")
_EMPTY = ("empty", "empty_strided", "empty_like", "new_empty", "new_empty_strided", "resize_")


class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what happens within it on this thread."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[str] = Counter()
        self.read_bytes = 0
        self.written_bytes = 0
        self.products = 0
        self.rows_added = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        with self:  # what is made of other operations counts as those
            found = func.decompose(*args, **(kwargs or {}))
        if found is not NotImplemented:
            return found
        found = func(*args, **(kwargs or {}))
        if not _launches(func):
            return found
        named = {name: one for name, one in (kwargs or {}).items() if name != "out"}
        inputs = [one for one in tree_leaves((args, named)) if isinstance(one, torch.Tensor)]
        outputs = [one for one in tree_leaves(found) if isinstance(one, torch.Tensor)]
        self.operations[func._schema.name.removeprefix("aten::")] += 1
        self.read_bytes += sum(map(_bytes, inputs))
        self.written_bytes += sum(map(_bytes, outputs))
        if func._schema.name in ("aten::mm", "aten::bmm"):
            self.products += outputs[0].numel() * inputs[0].shape[-1]
        if func._schema.name == "aten::_embedding_bag_forward_only":
            _, places, *_ = inputs
            self.rows_added += places.numel()
        return found


def count(extractor: DeviceExtractor, images: Sequence[DecodedImage]) -> dict[str, int]:
    """Of one batch: operations, bytes, multiply-adds, rows of a table that are added, and waits.

    `read_back` are operations that would stop the host until the device has done all before them.
    """
    waits = 0
    wait = extractor.launcher.wait

    def counted() -> None:
        nonlocal waits
        waits += 1
        wait()

    extractor.extract(images[:1])  # constants are made at the first time
    extractor.launcher.wait = counted  # type: ignore[method-assign]
    try:
        with Counting() as counting:
            extractor.extract(images)
        seen = read_back(extractor, images[:1])
    finally:
        extractor.launcher.wait = wait  # type: ignore[method-assign]
    return {
        "images": len(images),
        "operations": counting.operations.total(),
        "kinds_of_operations": len(counting.operations),
        "waits": waits - 1,  # that of `read_back` apart
        "read_back": seen,
        "pixel_bytes": sum(region.nbytes for image in images for region in image.regions),
        "read_bytes": counting.read_bytes,
        "written_bytes": counting.written_bytes,
        "multiply_adds": counting.products,
        "rows_added": counting.rows_added,
    }


def read_back(extractor: DeviceExtractor, images: Sequence[DecodedImage]) -> int:
    """How many operations of a batch read a number back to the host, by torch's profiler."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        extractor.extract(images)
    events = profile.key_averages()
    assert len(events) > len(_READS_BACK), "the profiler saw nothing"
    return sum(event.count for event in events if event.key in _READS_BACK)


def _launches(func: Any) -> bool:
    """Whether a device has to do anything: not for a view, and not for memory alone."""
    returned = [one.alias_info for one in func._schema.returns]
    is_view = any(alias is not None and not alias.is_write for alias in returned)
    return not is_view and func._schema.name.removeprefix("aten::") not in _EMPTY


def _bytes(tensor: torch.Tensor) -> int:
    own: int = tensor.numel() * tensor.element_size()
    return min(own, tensor.untyped_storage().nbytes())
