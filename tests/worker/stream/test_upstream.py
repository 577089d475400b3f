"""The defects that docs/upstream describes are still there, and so the ways round them needed."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.services.kafka import RunningKafka

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "upstream"


@pytest.mark.parametrize(
    ("program", "shown"),
    [
        ("offsets_survive_abort.py", "committed: {0: 110, 1: 50}; expected: {1: 50}"),
        ("expired_batch_is_committed.py", "committed: True; expected: False"),
        ("fenced_member_reads_on.py", "read by the fenced member: 3, error: None"),
        ("collected_producer_silences_the_log.py", "the module's log: NullLogger"),
        ("header_name_ends_the_consumer.py", "records read: 0, poll raised: CorruptRecordError"),
        ("commit_waits_for_ever.py", "waiting after 10 s: True"),
    ],
)
def test_a_described_defect_is_still_there(kafka: RunningKafka, program: str, shown: str) -> None:
    module = f"docs.upstream.{Path(program).stem}"
    done = subprocess.run(
        [sys.executable, "-m", module, kafka.brokers],
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, shown in done.stdout) == (1, True), (
        f"{program} shows another behaviour than docs/upstream says: {done.stdout} {done.stderr}."
        " If the defect is mended, the way round it in the worker may go"
    )


def test_each_program_is_described() -> None:
    text = (FOLDER / "README.md").read_text()
    programs = {path.name for path in FOLDER.glob("*.py")}
    assert programs
    assert {name for name in programs if f"({name})" not in text} == set()
