"""Events that can never work become dead letters, byte for byte, and their neighbours live."""

import struct
import zlib

from kafka import KafkaProducer

from docs.upstream.header_name_ends_the_consumer import Latin
from tests.scenarios import oracle
from tests.scenarios.harness import DARK, Event, Run, ordinary_events, running
from tests.scenarios.report import Report
from tests.scenarios.sizes import size
from tests.scenarios.small_judge import UNJUDGEABLE
from tests.scenarios.worker_process import CHILD_KILLER

EVENTS, LIMIT = size(200, 4000), size(30, 100)


def bomb() -> bytes:
    """A PNG of a few bytes whose header promises 60,000 x 60,000 pixels."""
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(bytes(1000)),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks.items()
    )


POISON = {
    "schema": Event(DARK, key=b"k1", headers=(("ce_id", b"1"), ("x", b"\xff\x00")), doomed=True),
    "decode.truncated": Event(DARK[: len(DARK) // 2], key=b"k2", doomed=True),
    "decode.dimensions": Event(bomb(), key=b"k6", doomed=True),
    "decode.unsupported": Event(b"no image at all", key=b"k3", doomed=True),
    "sandbox_kill": Event(DARK + CHILD_KILLER, key=b"k4", doomed=True),
    "model_error": Event(DARK, key=b"k5", event_id=f"{UNJUDGEABLE}-1", doomed=True),
}


def test_poison_is_dead_lettered_byte_for_byte_and_its_neighbours_are_judged(run: Run) -> None:
    """A bad header, half an image, a bomb, no image, a killer of children, an unjudgeable one."""
    poison = list(POISON.values())
    run.put(
        [
            *ordinary_events(20),
            *poison,
            Event(None, key=b"tombstone", headers=(), doomed=True),
            *ordinary_events(20, start=20),
        ]
    )
    with running(run.worker()) as worker:
        run.wait_drained()
        found = run.check()
        assert len(found.verdicts) == 40
        by_code = {letter.code: letter for letter in found.letters if letter.value is not None}
        assert set(by_code) == set(POISON)
        for code, event in POISON.items():
            letter = by_code[code]
            assert (letter.key, letter.value) == (event.key, event.value), code
            if event.headers is not None:
                assert letter.headers == event.headers, code
        assert by_code["model_error"].attempts == 2
        assert "ArithmeticError" in by_code["model_error"].message
        assert worker.drain() == 0


def test_a_record_that_the_client_cannot_parse_stops_the_worker_and_skips_nothing(run: Run) -> None:
    """Its batch cannot be read at all, so that it cannot become a dead letter (docs/upstream)."""
    producer = KafkaProducer(bootstrap_servers=run.brokers)
    unreadable = [(Latin("gr\u00f6\u00dfe"), b"1")]
    place = producer.send(run.topics.images, DARK, partition=0, headers=unreadable).get(timeout=30)
    producer.close()
    worker = run.worker()
    assert worker.wait_ended() == 1
    log = worker.log.read_text()
    assert "a record cannot be read: CorruptRecordError" in log
    assert f"{run.topics.images}-0 at {place.offset}" in log
    assert oracle.committed(run.brokers, run.group, run.topics.images).get(0, 0) <= place.offset


def test_nothing_but_poison_stops_the_worker_before_the_topic_is_drained(
    run: Run, report: Report
) -> None:
    """Goal G8b: the breaker halts consumption; what it stopped at stays uncommitted."""
    run.put(Event(b"no image", key=b"one key", doomed=True) for _ in range(EVENTS))
    worker = run.worker(DELIVERY__MAX_CONSECUTIVE_REJECTS=f"{LIMIT}", DELIVERY__COMMIT_RECORDS="10")
    assert worker.wait_ended() == 1
    assert "LATENTPRINT_DELIVERY__MAX_CONSECUTIVE_REJECTS" in worker.log.read_text()
    letters = oracle.find(run.brokers, run.topics).letters
    assert len(letters) <= LIMIT
    places = {(letter.origin.partition, letter.origin.offset) for letter in letters}
    assert len(places) == len(letters), "each once"
    committed = oracle.committed(run.brokers, run.group, run.topics.images)
    assert sum(committed.values()) == len(letters), "what has no letter is not committed"
    report.keep(
        "G8b",
        f"{EVENTS} events, every one poison, a limit of {LIMIT} in a row",
        {"dead_letters": len(letters), "duplicated": 0, "exit_code": 1},
    )
