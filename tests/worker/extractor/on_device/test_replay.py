"""Work is captured when it comes again, replayed from then on, and checked before it is trusted.

No card is needed: what torch does on one is played, by graphs that compute anew when replayed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

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
        monkeypatch.setattr(replay, "_own_stream", lambda device: object())
        monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
        monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
        monkeypatch.setattr(torch.cuda, "CUDAGraph", PlayedGraph)
        monkeypatch.setattr(torch.cuda, "graph", self.graph)
        self.launcher = Launcher(torch.device("cpu"))
        monkeypatch.setattr(self.launcher, "is_card", True)

    @contextmanager
    def graph(self, graph: PlayedGraph, **named: object) -> Iterator[None]:
        assert set(named) == {"pool", "stream", "capture_error_mode"}
        if self.error is not None:
            raise self.error
        self.capturing = graph
        self.graphs.append(graph)
        yield
        self.capturing = None

    def doubled(self, one: torch.Tensor) -> tuple[torch.Tensor]:
        found = one * 2
        if self.capturing is not None:
            self.capturing.recorded.append(lambda: (found.copy_(one * 2 + self.spoiled), None)[1])
        return (found,)

    def run(self, key: str, value: float, work: Work | None = None) -> float:
        inputs = (torch.tensor([value, torch.nan]),)
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


def test_only_so_many_graphs_are_kept_and_the_least_used_goes(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_MOST_GRAPHS", 2)
    for key in ("a", "b", "a", "b", "a", "b", "a", "c", "c", "c"):
        card.run(key, 1)
    assert list(card.launcher._graphs) == ["a", "c"]
    assert (card.launcher.graphs, card.launcher.refused) == (2, 0)
    assert card.run("b", 4) == 8


def test_without_a_card_nothing_is_captured() -> None:
    launcher = Launcher(torch.device("cpu"))
    with launcher.stream():
        for value in range(5):
            (found,) = launcher.run("a", lambda one: (one + 1,), (torch.tensor(value),))
            assert launcher.fetch(found) is found
            assert found.item() == value + 1
    launcher.wait()
    assert launcher.runs_to_replay == 1
