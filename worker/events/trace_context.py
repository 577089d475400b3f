"""The trace that an event belongs to, as its sender says: carried on, and never in an event's way.

CloudEvents calls it the distributed tracing extension, and its attributes `traceparent` and
`tracestate` have the form of W3C Trace Context. What is not of that form is as if it were not
there: whoever sends images need not know of traces.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PARENT, STATE = "traceparent", "tracestate"
NAMES = frozenset((PARENT, STATE))
MAX_BYTES = 512
"""Of a `tracestate`, the longest that others must carry (Trace Context, section 3.3.1.5)."""

_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII
)
_STATE = re.compile(rf"[\x20-\x7e]{{1,{MAX_BYTES}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of somebody else's, from which an event comes."""

    parent: str
    state: str | None = None

    @property
    def ids(self) -> tuple[int, int, int]:
        """Trace, span and flags."""
        _, trace, span, flags = self.parent.split("-")
        return int(trace, 16), int(span, 16), int(flags, 16)

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """The headers of a CloudEvent in binary mode that say the same."""
        state = () if self.state is None else ((f"ce_{STATE}", self.state.encode()),)
        return ((f"ce_{PARENT}", self.parent.encode()), *state)


def trace_of(attributes: Mapping[str, str]) -> TraceContext | None:
    """What these attributes say of a trace; None where it is nothing, or of another form."""
    parent, state = attributes.get(PARENT, ""), attributes.get(STATE, "")
    if _PARENT.fullmatch(parent) is None:
        return None
    return TraceContext(parent, state if _STATE.fullmatch(state) else None)


def trace_of_headers(headers: Iterable[tuple[str, bytes | None]]) -> TraceContext | None:
    """The same of a record's headers: the event's own, else those of whatever sent the record."""
    own: dict[str, str] = {}
    senders: dict[str, str] = {}
    for header, value in headers:
        name = header.lower()
        plain = name.removeprefix("ce_")
        if plain in NAMES and value is not None and len(value) <= MAX_BYTES:
            said = senders if plain == name else own
            said.setdefault(plain, value.decode("ascii", "replace"))
    return trace_of(own) or trace_of(senders)
