"""What `run --slots` answers for all of its workers at one address.

Each worker serves its own pages on a socket of the loopback that the supervisor made for it and
asks here, at each request. decisions/0024-seen-from-outside.md says why it is done so.
"""

import http.client
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from worker.metrics import Figures
from worker.seen.health import Health, State
from worker.seen.pages import LIVE, METRICS, READY, STARTED, state_page
from worker.seen.server import Answer, Page

LOOPBACK = "127.0.0.1"
SLOT_S = 2.0
"""How long one worker may take to answer; an idle one takes 5 ms."""

_AT_ONCE = 8


class _Merged(Collector):
    """Families of several sources, those of one name as one."""

    def __init__(self, sources: Sequence[Iterable[Metric]]) -> None:
        self._families: dict[str, Metric] = {}
        for family in (family for source in sources for family in source):
            known = self._families.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)

    def collect(self) -> Iterator[Metric]:
        return iter(self._families.values())


def slot_pages(
    figures: Figures,
    health: Health,
    ports: Mapping[int, int],
    running: Callable[[], Collection[int]],
) -> Mapping[str, Page]:
    """The pages of the supervisor; `ports` says where each slot serves, `running` which do run.

    Live is the supervisor's own loop; a worker that hangs ends itself, and is started again.
    """

    def metrics(accept: str) -> Answer:
        figures.refresh()
        texts = [text for _, text in _ask_all(METRICS, ports, running()).values()]
        sources: list[Iterable[Metric]] = [figures.registry.collect()]
        sources += [text_string_to_metric_families(text.decode()) for text in texts if text]
        encode, content_type = choose_encoder(accept)
        return Answer(200, encode(_Merged(sources)), content_type)

    def over_slots(question: str, path: str, own: Callable[[], State]) -> Page:
        def page(accept: str) -> Answer:
            state = own()
            answers = _ask_all(path, ports, running())
            holds = state.holds and all(status == 200 for status, _ in answers.values())
            document = state.document() | {
                question: holds,
                "slots": {str(slot): _said(*answer) for slot, answer in answers.items()},
            }
            return Answer.of(200 if holds else 503, document)

        return page

    return {
        METRICS: metrics,
        LIVE: state_page(health.live),
        READY: over_slots("ready", READY, health.ready),
        STARTED: over_slots("started", STARTED, health.startup),
    }


def _ask_all(
    path: str, ports: Mapping[int, int], running: Collection[int]
) -> Mapping[int, tuple[int, bytes]]:
    """Status and body by slot; status 0 for one that does not run or does not answer."""

    def ask(slot: int) -> tuple[int, bytes]:
        return _ask(path, ports[slot]) if slot in running else (0, b"")

    with ThreadPoolExecutor(min(_AT_ONCE, len(ports)), thread_name_prefix="ask-slot") as threads:
        return dict(zip(ports, threads.map(ask, ports), strict=True))


def _ask(path: str, port: int) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=SLOT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def _said(status: int, body: bytes) -> object:
    """What a slot said, or a check in its place that says it said nothing."""
    if status == 0:
        seen = "does not run now, or does not answer; the supervisor starts it again"
        return {"checks": [{"check": "answers", "ok": False, "seen": seen}]}
    return json.loads(body)
