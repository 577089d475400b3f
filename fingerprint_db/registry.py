"""Registry: the protocol that every keeper of model fingerprints follows.

Reading a space that was never filled is no error: it has revision 0 and no models. Every write
is atomic, makes exactly one change per revision, and takes who did it and why. `by` and `reason`
must not be empty (ValueError).

Following a registry, without ever missing or inventing a change:

1. `held = registry.snapshot(space)`
2. `changes = registry.follow(space, held.revision, block_s=1.0, root=held.root)`
3. no changes: what is held is current as of now; go to 2
4. changes, or RevisionGap: go to 1. Entries already decoded are not fetched again
5. RegistryUnavailable: keep what is held, let its age grow; go to 2
6. RegistryCorrupt: keep what is held, let its age grow, raise the alarm; go to 1

The photographs that calibrate a space have a revision and a digest of their own: they change no
model. Whoever follows asks for them at every round; what is held already is not fetched again.
What a write of them does is said here, for every keeper; how it is stored, each says itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fingerprint_db.calibration import Calibration, PhotographPart, following, joined, signed
from fingerprint_db.calibration_encoding import decode_part, encode_part
from fingerprint_db.change import Action, Change, Clock
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.lifecycle import Author
from fingerprint_db.model_fingerprint import ModelFingerprint, Status
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.snapshot import Snapshot
from fingerprint_db.space_contents import ImportReport, SpaceContents

__all__ = ["Action", "Change", "Clock", "ImportReport", "Registry", "SpaceContents"]

CalibrationStep = Callable[[Calibration], Calibration]
"""From what is held to what is held next: pure, for it may be asked again."""


class Registry(Protocol):
    """Keeps the model fingerprints of any number of spaces.

    Every method may raise RegistryUnavailable, RegistryForbidden and RegistryCorrupt. With a `_key`
    everything that is written is signed by it.
    """

    _clock: Clock
    _key: SigningKey | None

    def register(
        self, model: ModelFingerprint, *, by: str, reason: str, seen: int | None = None
    ) -> Change:
        """Adds a shadow or live model; raises IdTaken, NameTaken, WrongStatus (retired).

        `seen` is the revision that the model was judged against: where the space has moved on
        since, RevisionMoved, and nothing is added.
        """

    def promote(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        """Makes a shadow model live; raises UnknownModel, WrongStatus."""

    def retire(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        """Takes a shadow or live model out of use; raises UnknownModel, WrongStatus."""

    def restore(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        """Gives a retired model its former status; raises UnknownModel, WrongStatus, NameTaken."""

    def endorse(self, space: str, model_id: str, *, by: str, reason: str) -> Change:
        """Vouches for a model as it stands, and changes nothing of it; raises UnknownModel."""

    def get(self, space: str, model_id: str) -> ModelFingerprint:
        """One model, retired ones included; raises UnknownModel."""

    def list(self, space: str, *, status: Status | None = None) -> tuple[ModelFingerprint, ...]:
        """All models, or those of one status, in order of registration."""

    def history(self, space: str, model_id: str | None = None) -> tuple[Change, ...]:
        """All changes, oldest first, or those of one model; raises UnknownModel for the latter."""

    def change(self, space: str, revision: int) -> Change | None:
        """The change that led to `revision`, from 1; None where the registry is not that far."""

    def snapshot(self, space: str) -> Snapshot:
        """The live and shadow models, all of one revision, whatever is written meanwhile."""

    def follow(
        self, space: str, revision: int, *, block_s: float, root: str | None = None
    ) -> tuple[Change, ...]:
        """The changes after `revision`, oldest first; waits up to `block_s`, then returns ().

        `root` is the root held at `revision`. With it, a registry that was emptied and refilled
        past `revision` is noticed too. Raises RevisionGap when the changes cannot be had without
        a hole: trimmed stream, emptied, rolled back or replaced registry.
        """

    def revision(self, space: str) -> int:
        """The number of changes so far; 0 for a space that was never filled."""

    def spaces(self) -> tuple[str, ...]:
        """The spaces of which models or photographs were ever written, sorted."""

    def contents(self, space: str) -> SpaceContents:
        """Everything the space holds, of one revision; for exports and audits."""

    def absorb(self, contents: SpaceContents, *, by: str, reason: str) -> ImportReport:
        """Imports `contents`, all or nothing; see `space_contents.plan_import`."""

    def calibration(self, space: str) -> Calibration:
        """The tenant's photographs of the space; empty where nobody ever calibrated.

        The same object as before where nothing has changed.
        """

    def store_calibration(
        self,
        space: str,
        add: Sequence[PhotographPart] = (),
        *,
        forget: str | None = None,
        seen: int,
        by: str,
        reason: str,
    ) -> Calibration:
        """Adds parts, and drops all parts of the source `forget` first; returns what is held then.

        `seen` is the revision of the calibration that this was decided on: CalibrationMoved where
        it has moved on. WrongSettings where there would be more photographs than a space may have.
        """
        data = {digest_of(one): one for one in (encode_part(space, part) for part in add)}
        parts = {digest: decode_part(space, one) for digest, one in data.items()}
        author = self._author(by, reason)

        def step(held: Calibration) -> Calibration:
            return signed(following(held, parts, forget, seen, author), self._key)

        return self._write_calibration(space, step, data)

    def absorb_calibration(self, incoming: Calibration, *, by: str, reason: str) -> Calibration:
        """Imports an export's photographs of its space; see `calibration.joined`."""
        encoded = [encode_part(incoming.space, part) for part in incoming.parts.values()]
        author = self._author(by, reason)

        def step(held: Calibration) -> Calibration:
            after = joined(held, incoming, author)
            return after if after in (held, incoming) else signed(after, self._key)

        return self._write_calibration(
            incoming.space, step, {digest_of(data): data for data in encoded}
        )

    def _author(self, by: str, reason: str) -> Author:
        """Who writes now: as they say, and as whoever keeps the registry sees them."""
        login, why = self._login()
        return Author(self._clock(), by, reason, login, why)

    def _login(self) -> tuple[str | None, str | None]:
        """Who is logged in; or None, and why that is not known."""

    def _write_calibration(
        self, space: str, step: CalibrationStep, data: Mapping[str, bytes]
    ) -> Calibration:
        """Stores what `step` makes of what is held, and returns it; all or nothing.

        `data` are the encoded parts that it may add, by their SHA-256.
        """
