"""Work on the device's own stream; on a card, what comes again is launched as one CUDA graph.

A batch is some hundred small operations, which a processor takes longer to launch one by one than a
card to compute. So the work on tensors of shapes that were met a few times is captured, and from
then on replayed. A graph's numbers are compared with those of the operations before it is used.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import structlog
import torch

Work = Callable[..., tuple[torch.Tensor, ...]]
_CAPTURED_AT = 3
"""The time at which work of one kind is captured: a shape that came twice may have been odd."""
_AGREEMENT = 1e-4
"""What a graph's numbers may differ by from its operations': libraries may choose other orders of
addition while they are captured; a graph that misses an input is far off."""
_MOST_GRAPHS = 24
"""The least used goes; their memory is one pool, as large as the largest needs."""


@dataclass(frozen=True, slots=True, eq=False)
class _Captured:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[torch.Tensor, ...]
    outputs: tuple[torch.Tensor, ...]


class Launcher:
    """Runs work on one device, in order, on a stream of its own; call from one thread only."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.is_card = device.type == "cuda"
        self._stream = _own_stream(device) if self.is_card else None
        self._pool = torch.cuda.graph_pool_handle() if self.is_card else None
        self._graphs: OrderedDict[Hashable, _Captured] = OrderedDict()
        self._met: dict[Hashable, int] = {}
        self._refused: set[Hashable] = set()

    @property
    def runs_to_replay(self) -> int:
        """How often the same work is run until it was once replayed."""
        return _CAPTURED_AT + 1 if self.is_card else 1

    @property
    def graphs(self) -> int:
        """How many are kept."""
        return len(self._graphs)

    @property
    def refused(self) -> int:
        """How many kinds of work could not be captured, or gave other numbers."""
        return len(self._refused)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """What is done within happens on the stream, and without gradients."""
        with (
            torch.cuda.stream(self._stream) if self._stream else nullcontext(),
            torch.inference_mode(),
        ):
            yield

    def run(
        self, key: Hashable, work: Work, inputs: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """`work` of the inputs, which are moved to the device; within `stream` alone.

        The same key means the same work on the same shapes. What it returns holds until the same
        key is run again.
        """
        if not self.is_card:
            return work(*inputs)
        if (captured := self._graphs.get(key)) is not None:
            self._graphs.move_to_end(key)
            for held, fresh in zip(captured.inputs, inputs, strict=True):
                held.copy_(fresh, non_blocking=True)
            captured.graph.replay()
            return captured.outputs
        moved = tuple(one.to(self._device, non_blocking=True) for one in inputs)
        found = work(*moved)
        self._met[key] = self._met.get(key, 0) + 1
        if self._met[key] >= _CAPTURED_AT and key not in self._refused:
            self._capture(key, work, moved, found)
        return found

    def fetch(self, tensor: torch.Tensor) -> torch.Tensor:
        """A copy on the host, there once `wait` has returned; within `stream` alone."""
        if not self.is_card:
            return tensor
        host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        host.copy_(tensor, non_blocking=True)
        return host

    def wait(self) -> None:
        """Until all that was run and fetched is done; errors of the device come out here."""
        if self._stream is not None:
            self._stream.synchronize()

    def _capture(
        self,
        key: Hashable,
        work: Work,
        moved: Sequence[torch.Tensor],
        expected: Sequence[torch.Tensor],
    ) -> None:
        """Keep a graph of the work; without one, where it cannot be had, the operations do."""
        inputs = tuple(one.clone() for one in moved)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                outputs = work(*inputs)
            graph.replay()
            same = all(map(_alike, outputs, expected))
            reason = "its numbers are others than those of its operations"
        except RuntimeError as error:
            same, reason = False, f"{type(error).__name__}: {error}"
        if not same:
            self._refused.add(key)
            structlog.get_logger("worker").warning("graph_refused", work=str(key), reason=reason)
            return
        self._graphs[key] = _Captured(graph, inputs, outputs)
        if len(self._graphs) > _MOST_GRAPHS:
            gone, _ = self._graphs.popitem(last=False)
            self._met[gone] = 0


def _own_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Within rounding; NaN, which places without a picture give, is like NaN."""
    return torch.allclose(one, other, rtol=_AGREEMENT, atol=_AGREEMENT, equal_nan=True)
