"""Work on the device's own stream; on a card, what comes again is launched as one CUDA graph.

A batch is some hundred small operations, which a processor takes longer to launch one by one than a
card to compute. So the work on tensors of shapes that were met a few times is captured, and from
then on replayed. A graph's numbers are compared with those of the operations before it is used.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import structlog
import torch

Work = Callable[..., tuple[torch.Tensor, ...]]
_CAPTURED_AT = 3
"""The time at which work of one kind is captured: a shape that came twice may have been odd."""
_AGREEMENT = 1e-4
"""What a graph's numbers may differ by from its operations', of themselves and of one: libraries
may choose other orders of addition while they are captured. Statistics of the compiled loops, which
add in quite another one, lie within 2e-5 (test_statistics); and no fingerprint moves by more than a
fiftieth of what the self-test allows. A graph in which work is missing is far off."""
_FEW = 4.0
"""By as much sums may differ, which are float64: rounding moves a few pixels or coefficients across
a threshold, and the count of a rare one by more than its share."""
_MOST_GRAPHS = 24
"""Their memory is one pool, as large as the largest needs, and what each returns beside it."""
_CLEARLY_MORE = 4
"""Times as often as the least used graph must work come to take its place: a capture costs dozens
of replays, and kinds that come about equally often would take each other's place for ever."""
_HALVED_AFTER = 4096
"""Runs, after which all counts are halved, so that what came long ago counts for less."""


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
        self._graphs: dict[Hashable, _Captured] = {}
        self._met: Counter[Hashable] = Counter()
        self._runs = 0
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

        The same key means the same work on the same shapes. What it returns holds until anything
        else is run: graphs share their memory.
        """
        if not self.is_card:
            return work(*inputs)
        self._count(key)
        if (captured := self._graphs.get(key)) is not None:
            for held, fresh in zip(captured.inputs, inputs, strict=True):
                held.copy_(fresh, non_blocking=True)
            captured.graph.replay()
            return captured.outputs
        moved = tuple(one.to(self._device, non_blocking=True) for one in inputs)
        found = work(*moved)
        if key not in self._refused and self._takes_a_place(key):
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
            # Not the stream's own wait, which keeps a core busy all the while.
            done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            done.record(self._stream)
            done.synchronize()

    def forget(self) -> None:
        """Give up all graphs and their memory, which others may need more; they come back later."""
        self.wait()
        self._graphs.clear()
        self._met.clear()
        if self.is_card:
            self._pool = torch.cuda.graph_pool_handle()

    def _count(self, key: Hashable) -> None:
        self._met[key] += 1
        self._runs += 1
        if self._runs % _HALVED_AFTER == 0:
            self._met = Counter({one: met // 2 for one, met in self._met.items() if met > 1})

    def _takes_a_place(self, key: Hashable) -> bool:
        """Whether it came often enough for a graph; the least used goes where there are enough."""
        if self._met[key] < _CAPTURED_AT:
            return False
        if len(self._graphs) < _MOST_GRAPHS:
            return True
        least = min(self._graphs, key=lambda kept: self._met[kept])
        if self._met[key] < _CLEARLY_MORE * max(_CAPTURED_AT, self._met[least]):
            return False
        del self._graphs[least]
        return True

    def _capture(
        self,
        key: Hashable,
        work: Work,
        moved: Sequence[torch.Tensor],
        expected: Sequence[torch.Tensor],
    ) -> None:
        """Keep a graph of the work; without one, where it cannot be had, the operations do."""
        try:
            inputs = tuple(one.clone() for one in moved)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(
                graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
            ):
                outputs = work(*inputs)
            graph.replay()
            same = all(map(_alike, outputs, expected))
            reason = "its numbers are others than those of its operations"
        except RuntimeError as error:
            if _is_full(error):  # now; there may be room another time
                self._met[key] = 0
                return
            same, reason = False, f"{type(error).__name__}: {error}"
        if not same:
            self._refused.add(key)
            structlog.get_logger("worker").warning("graph_refused", work=str(key), reason=reason)
            return
        self._graphs[key] = _Captured(graph, inputs, outputs)


def _own_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _is_full(error: RuntimeError) -> bool:
    """Also where the end of a capture fails, because there was no memory in the midst of it."""
    return any(
        isinstance(one, torch.OutOfMemoryError)
        for one in (error, error.__cause__, error.__context__)
    )


def _alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Within rounding; NaN, which places without a picture give, is like NaN."""
    most = _FEW if one.dtype == torch.float64 else _AGREEMENT
    return torch.allclose(one, other, rtol=_AGREEMENT, atol=most, equal_nan=True)
