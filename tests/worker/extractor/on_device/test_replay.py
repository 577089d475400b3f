"""Work is captured when it comes again, replayed from then on, and checked before it is trusted.

No card is needed: what torch does on one is played, by graphs that compute anew when replayed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch

from worker.extractor.on_device import replay
from worker.extractor.on_device.replay import Launcher, Work

Recorded = Callable[[], None]


class PlayedGraph:
    """Computes what ran while it was captured, into the same outputs."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.replays = 0

    def replay(self) -> None:
        self.replays += 1
        for one in self.recorded:
            one()


class Card:
    """Stands for torch.cuda; `spoiled` is added to what a graph computes when it is replayed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.capturing: PlayedGraph | None = None
        self.graphs: list[PlayedGraph] = []
        self.spoiled = 0.0
        self.error: RuntimeError | None = None
        self.waits: list[str] = []
        self.pools = 1
        self.pool: object = None
        self.kind = torch.float32
        monkeypatch.setattr(replay, "_own_stream", lambda device: object())
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, self.pools))
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        monkeypatch.setattr(torch.cuda, "CUDAGraph", PlayedGraph)
        monkeypatch.setattr(torch.cuda, "graph", self.graph)
        monkeypatch.setattr(torch.cuda, "Event", self.event)
        self.launcher = Launcher(torch.device("cpu"))
        monkeypatch.setattr(self.launcher, "is_card", True)
        monkeypatch.setattr(self.launcher, "_stream", object())

    @contextmanager
    def graph(self, graph: PlayedGraph, **named: object) -> Iterator[None]:
        assert set(named) == {"pool", "stream", "capture_error_mode"}
        self.pool = named["pool"]
        if self.error is not None:
            raise self.error
        self.capturing = graph
        self.graphs.append(graph)
        yield
        self.capturing = None

    def event(self, *, blocking: bool) -> "Card":
        assert blocking, "else the wait keeps a core busy"
        return self

    def record(self, stream: object) -> None:
        self.waits.append("recorded")

    def synchronize(self) -> None:
        self.waits.append("waited for")

    def doubled(self, one: torch.Tensor) -> tuple[torch.Tensor]:
        found = one * 2
        if self.capturing is not None:
            self.capturing.recorded.append(lambda: (found.copy_(one * 2 + self.spoiled), None)[1])
        return (found,)

    def run(self, key: str, value: float, work: Work | None = None) -> float:
        inputs = (torch.tensor([value, torch.nan], dtype=self.kind),)
        with self.launcher.stream():
            (found,) = self.launcher.run(key, work or self.doubled, inputs)
        return float(found[0])


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


def test_work_that_comes_again_is_replayed_with_its_new_inputs(card: Card) -> None:
    assert [card.run("a", value) for value in (1, 2, 3, 4, 5)] == [2, 4, 6, 8, 10]
    (graph,) = card.graphs
    assert graph.replays == 1 + 2, "one to compare, and the fourth and fifth time"


def test_what_a_replay_gives_holds_until_the_next(card: Card) -> None:
    with card.launcher.stream():
        found = [
            card.launcher.run("a", card.doubled, (torch.tensor([float(value)]),))[0]
            for value in range(6)
        ]
    assert [float(one[0]) for one in found] == [0, 2, 4, 10, 10, 10]


def test_shapes_have_graphs_of_their_own(card: Card) -> None:
    for value in range(4):
        assert card.run("a", value) == 2 * value
        assert card.run("b", value + 7) == 2 * value + 14
    assert len(card.graphs) == 2


def test_a_graph_whose_numbers_differ_is_never_used(card: Card) -> None:
    card.spoiled = 0.5
    assert [card.run("a", value) for value in range(6)] == [0, 2, 4, 6, 8, 10]
    (graph,) = card.graphs
    assert graph.replays == 1
    assert (card.launcher.graphs, card.launcher.refused) == (0, 1)


def test_what_cannot_be_captured_is_computed_all_the_same(card: Card) -> None:
    card.error = RuntimeError("CUDA error: operation not permitted when stream is capturing")
    assert [card.run("a", value) for value in range(6)] == [0, 2, 4, 6, 8, 10]
    assert card.graphs == []


def test_the_least_used_graph_goes_once_other_work_comes_clearly_more_often(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_MOST_GRAPHS", 2)
    for key in ("a", "b", "a", "b", "a", "b", "a", *11 * "c"):
        card.run(key, 1)
    assert list(card.launcher._graphs) == ["a", "b"]
    card.run("c", 1)
    assert list(card.launcher._graphs) == ["a", "c"]
    assert (card.launcher.graphs, card.launcher.refused) == (2, 0)
    assert card.run("b", 4) == 8


def test_what_came_long_ago_makes_way_for_what_comes_now(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_MOST_GRAPHS", 1)
    monkeypatch.setattr(replay, "_HALVED_AFTER", 64)
    for key in (*100 * "a", *200 * "b"):
        card.run(key, 1)
    assert list(card.launcher._graphs) == ["b"]


def test_captures_cease_where_more_kinds_of_work_come_than_graphs_are_kept(card: Card) -> None:
    """As of photographs: a few kinds come all the time, hundreds now and then (rank ** -0.7)."""
    rng = np.random.default_rng(1)
    shares = np.arange(1, 301) ** -0.7
    keys = rng.choice(300, size=24_000, p=shares / shares.sum())
    captures = []
    for part in np.split(keys, 8):
        before = len(card.graphs)
        for key in part:
            card.run(str(key), 1)
        captures.append(len(card.graphs) - before)
    assert captures[0] >= 24
    assert sum(captures[1:]) <= 8, captures
    assert captures[-1] == 0, captures
    assert len({str(rank) for rank in range(6)} - set(card.launcher._graphs)) == 0


def test_waiting_for_the_card_leaves_the_core_to_others(card: Card) -> None:
    card.launcher.wait()
    assert card.waits == ["recorded", "waited for"]


@pytest.mark.parametrize("at_the_end", [False, True], ids=["within", "at the end of the capture"])
def test_a_graph_that_finds_no_memory_is_tried_again_later(card: Card, at_the_end: bool) -> None:
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    card.error = full
    if at_the_end:
        card.error = RuntimeError("CUDA error: operation failed due to a previous error")
        card.error.__context__ = full
    assert [card.run("a", value) for value in range(4)] == [0, 2, 4, 6]
    assert (card.launcher.graphs, card.launcher.refused) == (0, 0)
    card.error = None
    assert [card.run("a", value) for value in range(4)] == [0, 2, 4, 6]
    assert card.launcher.graphs == 1


def test_graphs_are_given_up_with_their_memory_and_come_back(card: Card) -> None:
    for value in range(4):
        card.run("a", value)
    card.pools = 7
    card.launcher.forget()
    assert card.launcher.graphs == 0
    assert card.waits == ["recorded", "waited for"], "no graph goes while it runs"
    assert [card.run("a", value) for value in range(4)] == [0, 2, 4, 6]
    assert card.launcher.graphs == 1
    assert card.pool == (0, 7), "what was kept before is not held by the pool"


@pytest.mark.parametrize(
    ("kind", "off", "refused"),
    [(torch.float64, 3.0, 0), (torch.float64, 40.0, 1), (torch.float32, 3.0, 1)],
)
def test_sums_may_differ_by_a_few_counts_and_fingerprints_may_not(
    kind: torch.dtype, off: float, refused: int, card: Card
) -> None:
    card.spoiled, card.kind = off, kind
    for value in range(4):
        card.run("a", value)
    assert (card.launcher.graphs, card.launcher.refused) == (1 - refused, refused)


def test_without_a_card_nothing_is_captured() -> None:
    launcher = Launcher(torch.device("cpu"))
    with launcher.stream():
        for value in range(5):
            (found,) = launcher.run("a", lambda one: (one + 1,), (torch.tensor(value),))
            assert launcher.fetch(found) is found
            assert found.item() == value + 1
    launcher.wait()
    assert launcher.runs_to_replay == 1
