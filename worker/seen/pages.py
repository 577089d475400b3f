"""What a worker answers over HTTP: its figures, and whether it is live, ready and started."""

from collections.abc import Callable, Mapping

from prometheus_client.exposition import choose_encoder

from worker.metrics import Figures
from worker.seen.health import Health, State
from worker.seen.server import Answer, Page

METRICS, LIVE, READY, STARTED = "/metrics", "/livez", "/readyz", "/startupz"


def worker_pages(figures: Figures, health: Health) -> Mapping[str, Page]:
    """The pages of one process; each state is 200 where it holds, else 503 with what is missing."""
    figures.before_reading(lambda: health.show(figures))
    return {
        METRICS: lambda accept: figures_page(figures, accept),
        LIVE: state_page(health.live),
        READY: state_page(health.ready),
        STARTED: state_page(health.startup),
    }


def figures_page(figures: Figures, accept: str) -> Answer:
    """The figures in the format that the scraper asks for: Prometheus' text, or OpenMetrics."""
    figures.refresh()
    encode, content_type = choose_encoder(accept)
    return Answer(200, encode(figures.registry), content_type)


def state_page(ask: Callable[[], State]) -> Page:
    """The page of one question."""

    def page(accept: str) -> Answer:
        state = ask()
        return Answer.of(200 if state.holds else 503, state.document())

    return page
