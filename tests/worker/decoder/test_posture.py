"""A sandbox with a hole is refused, wherever the broker is."""

import io
import json
import logging

import pytest

from worker.decoder.posture import check_posture
from worker.errors import StopError
from worker.settings.seen import LoggingSettings
from worker.settings.settings import Settings
from worker.telemetry import configure_logging

FULL = {"seccomp": True, "memory": True, "landlock": True}


def test_a_full_sandbox_passes_and_so_does_one_without_its_second_wall() -> None:
    for posture in (FULL, {**FULL, "landlock": False}):
        check_posture(posture, "required")
    assert Settings().decode.sandbox == "required"


@pytest.mark.parametrize("posture", [{**FULL, "seccomp": False}, {}])
def test_a_hole_is_refused_and_named_with_the_way_out(posture: dict[str, bool]) -> None:
    with pytest.raises(StopError, match=r"lacks (seccomp|everything).*DECODE__SANDBOX=warn") as it:
        check_posture(posture, "required")
    assert it.value.exit_code == 2


def test_the_address_of_the_broker_has_no_say_in_it() -> None:
    """`profile` speaks of replication; a loopback broker may be a side-car's."""
    for profile in ("auto", "local", "production"):
        assert Settings(profile=profile).decode.sandbox == "required"


def test_what_is_missing_is_logged_where_it_is_let_pass() -> None:
    """The fields of a library's log line reach the log, as "detail" of a broken protocol must."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging(LoggingSettings(format="json"), stream)
        check_posture({**FULL, "seccomp": False}, "warn")
        logging.getLogger("worker.decoder.pool").error("broke", extra={"detail": "a header of 9"})
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0]["missing"] == ["seccomp"]
    assert lines[1]["detail"] == "a header of 9"
