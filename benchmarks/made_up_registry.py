"""Registries of made-up models, written to Redis as one import would leave them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from fingerprint_db.change import Change, encode_change
from fingerprint_db.entry_encoding import decode_entry, digest_of, encode_entry
from fingerprint_db.lifecycle import Row, encode_row
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.redis_store.keys import SPACES, SpaceKeys
from fingerprint_db.snapshot import EMPTY_ROOT, entry_digest, root_of
from fingerprint_db.transfer import decode_export
from training.evaluation.fillers import draw_fillers
from worker.extractor.bundle import ZOO_EXPORT, Bundle

NAME: Final = "made-up-{:06d}"
PORTION: Final = 250  # models drawn and written at once: 7 MB

_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def made_up(bundle: Bundle, count: int, first: int = 0) -> Iterator[ModelFingerprint]:
    """So many live models, drawn in portions; `first` is the number of the first of them."""
    zoo = decode_export((bundle.path / ZOO_EXPORT).read_bytes()).contents
    like = [decode_entry(zoo.entries[row.content], row.status) for row in zoo.rows.values()]
    for start in range(first, first + count, PORTION):
        some = draw_fillers(
            bundle.background, min(PORTION, first + count - start), like, seed=start + 1
        )
        for number, model in enumerate(some, start):
            name = NAME.format(number)
            yield replace(model, model_id=name, name=name, family=name, space=bundle.digest)


def fill(client: Any, bundle: Bundle, count: int) -> int:
    """Write so many made-up models as one import would leave them; bytes of the largest entry."""
    keys = SpaceKeys(bundle.digest)
    digests, largest, last = [], 0, b""
    pipe = client.pipeline(transaction=False)
    for revision, model in enumerate(made_up(bundle, count), 1):
        data = encode_entry(model)
        content, largest = digest_of(data), max(largest, len(data))
        digests.append(entry_digest(model.model_id, model.status, content))
        root = root_of(digests) if revision == count else EMPTY_ROOT
        row = Row(model.model_id, model.name, model.status, None, revision, content)
        last = encode_change(
            Change(
                revision,
                "import",
                model.model_id,
                _AT,
                "bench",
                "made up",
                model.status,
                root,
                previous=EMPTY_ROOT,
            )
        )
        pipe.set(keys.entry(content), data)
        pipe.hset(keys.index, model.model_id, encode_row(row))
        pipe.rpush(keys.history, last)
        if revision % PORTION == 0:
            pipe.execute()
    pipe.xadd(keys.changes, {"change": last}, id=f"{count}-0")
    pipe.sadd(SPACES, bundle.digest)
    pipe.execute()
    return largest
