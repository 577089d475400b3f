"""The tenant's photographs in Redis: a list of parts, and each part under its own SHA-256.

A write is an optimistic transaction of its own: WATCH the list, MULTI with the new parts, the new
list, the space's name among the spaces, and the deletion of what was forgotten. A reader takes the
list and then the parts that it does not hold; where one was deleted in between, it reads the list
again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis.exceptions import WatchError

from fingerprint_db.calibration import (
    Calibration,
    PhotographPart,
    calibration_from,
    digest_of_parts,
    encode_document,
)
from fingerprint_db.calibration_encoding import decode_part
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.errors import RegistryCorrupt, RegistryUnavailable
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.connection import reaching
from fingerprint_db.redis_store.keys import SPACES, SpaceKeys
from fingerprint_db.registry import CalibrationStep

_ATTEMPTS = 20
_PARTS_PER_READ = 8  # of 570 KB each


class RedisCalibrations:
    """Reads and writes the calibrations of all spaces; remembers what was read last."""

    def __init__(self, client: Any, address: RedisAddress) -> None:
        self._client = client
        self._address = address
        self._held: dict[str, tuple[bytes | None, Calibration]] = {}

    def read(self, space: str) -> Calibration:
        """The calibration as stored; RegistryCorrupt where that contradicts itself."""
        return self._read(space)[1]

    def write(self, space: str, step: CalibrationStep, data: Mapping[str, bytes]) -> Calibration:
        """As `Registry._write_calibration` says."""
        keys = SpaceKeys(space)
        tried: bytes | None = None
        with reaching(self._address), self._client.pipeline(transaction=True) as pipe:
            for _ in range(_ATTEMPTS):
                stored, held = self._read(space)
                if tried is not None and stored == tried:  # the connection died after EXEC
                    return held
                changed = step(held)
                if changed is held:
                    return held
                tried = encode_document(changed)
                try:
                    pipe.watch(keys.calibration)
                    if pipe.mget([keys.calibration]) != [stored]:
                        pipe.unwatch()
                        continue
                    pipe.multi()
                    for digest in changed.parts.keys() - held.parts.keys():
                        pipe.set(keys.photographs(digest), data[digest])
                    pipe.set(keys.calibration, tried)
                    pipe.sadd(SPACES, space)
                    for digest in held.parts.keys() - changed.parts.keys():
                        pipe.delete(keys.photographs(digest))
                    pipe.execute()
                except WatchError:
                    continue
                self._held[space] = (tried, changed)
                return changed
        raise RegistryUnavailable(
            f"{_ATTEMPTS} attempts to store photographs at {self._address.shown} were cut off;"
            " run the command again, it goes on where it stopped"
        )

    def _read(self, space: str) -> tuple[bytes | None, Calibration]:
        """The list as stored, and what it lists."""
        key = SpaceKeys(space).calibration
        known, held = self._held.get(space, (None, Calibration.empty(space)))
        with reaching(self._address):
            (stored,) = self._client.mget([key])
        while stored != known:
            found = self._decoded(space, stored, held.parts)
            with reaching(self._address):
                (now,) = self._client.mget([key])
            if isinstance(found, Calibration):
                known, held = stored, found
                self._held[space] = (known, held)
            elif now == stored:
                raise found
            stored = now
        return known, held

    def _decoded(
        self, space: str, stored: bytes | None, held: Mapping[str, PhotographPart]
    ) -> Calibration | RegistryCorrupt:
        """What the list lists, or what is wrong with it; a part may just have been deleted."""
        if stored is None:
            return Calibration.empty(space)
        key = SpaceKeys(space).calibration
        try:
            document = json.loads(stored)
            digests, digest = list(document["parts"]), document["digest"]
            written = calibration_from(space, document, {})
        except (ValueError, KeyError, TypeError) as error:
            return RegistryCorrupt(key, seen=str(error), expected="a list of parts")
        if digest != digest_of_parts(digests):
            return RegistryCorrupt(key, seen="parts of another digest", expected=str(digest))
        try:
            parts = self._parts(space, digests, held)
        except RegistryCorrupt as damage:
            return damage
        found = replace(written, parts=parts)
        if encode_document(found) != stored:
            return RegistryCorrupt(key, seen="other letters", expected="as this program writes it")
        return found

    def _parts(
        self, space: str, digests: Sequence[str], held: Mapping[str, PhotographPart]
    ) -> dict[str, PhotographPart]:
        keys = SpaceKeys(space)
        found = dict(held)
        missing = [digest for digest in digests if digest not in held]
        for start in range(0, len(missing), _PARTS_PER_READ):
            portion = missing[start : start + _PARTS_PER_READ]
            with reaching(self._address):
                values = self._client.mget([keys.photographs(digest) for digest in portion])
            for digest, data in zip(portion, values, strict=True):
                key = keys.photographs(digest)
                if data is None or digest_of(data) != digest:
                    seen = "nothing" if data is None else f"content with SHA-256 {digest_of(data)}"
                    raise RegistryCorrupt(
                        key, seen=seen, expected=f"content with SHA-256 {digest}", remedy=_REMEDY
                    )
                try:
                    found[digest] = decode_part(space, data)
                except ValueError as error:
                    raise RegistryCorrupt(
                        key, seen=str(error), expected="photographs", remedy=_REMEDY
                    ) from error
        return {digest: found[digest] for digest in digests}


_REMEDY = (
    "delete the space's key `calibration` in Redis, and calibrate again with `latentprint registry"
    " calibrate`; until then verdicts use what was read last"
)
