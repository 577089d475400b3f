"""Holds the newest verified snapshot of the registry in memory and knows its age."""

import math
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import structlog

from fingerprint_db.calibration import Calibration
from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.errors import RegistryError, RevisionGap
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.registry import Registry
from fingerprint_db.signing.keys import PublicKey
from fingerprint_db.snapshot import Difference, RootLines, Snapshot, entry_digest
from fingerprint_db.trust.signatures import untrusted_photographs
from worker.registry.floor import Floor, encode_floor
from worker.registry.trusted import distrust
from worker.registry.view import RegistryView

_SLICE_S = 1.0
"""The longest read of the change stream, so that who is asked to stop does so soon."""


class SnapshotRefused(RegistryError):
    """The registry answers, and what it holds must not be judged with."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class _Held:
    snapshot: Snapshot | None
    confirmed_at: float
    """On the follower's clock: when the snapshot was last known to be the registry's newest."""
    calibration: Calibration | None = None
    prepared: object = None


Prepare = Callable[[Snapshot, Calibration], object]
"""Makes ready what is judged with; the same object again where neither has changed."""


class RegistryFollower:
    """Follows one fingerprint space.

    The snapshot is built aside, prepared for judging by `prepare`, and swapped in as a whole, the
    tenant's photographs with it; whoever judges takes a view once a batch, so no batch sees two
    revisions, and waits for nothing. While the registry is out of
    reach the last verified snapshot stays and its age grows; what is too old is decided where
    verdicts are made. A registry that
    falls behind what was already seen (emptied, rolled back), by this process or before it by its
    group (`floor`), whose history does not lead over it (emptied and filled again), whose
    content does not give its root, or which holds what no trusted key vouches for, is not taken
    over.
    """

    def __init__(
        self,
        registry: Registry,
        space: str,
        *,
        block_s: float = 1.0,
        retry_s: float = 0.5,
        floor: Floor | None = None,
        accept: bool = False,
        keys: Collection[PublicKey] = (),
        prepare: Prepare = lambda snapshot, calibration: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`accept` takes the registry as it is, whatever `floor` says, in a new lineage.

        With `keys` one of them must vouch for every entry, and for the tenant's photographs. What
        `prepare` makes of them is in every view; it is called on the thread that follows.
        """
        self._keys = keys
        self._prepare = prepare
        self._lineage = (floor.lineage if floor else 0) + accept
        self._seen = floor
        self._floor = None if accept else floor
        self._registry = registry
        self._space = space
        self._block_s = min(block_s, _SLICE_S)
        self._retry_s = retry_s
        self._clock = clock
        self._held = _Held(None, -math.inf)
        self._trouble: str | None = None
        # Of the models that were read last, whether or not they were taken over.
        self._read: tuple[ModelFingerprint, ...] = ()
        self._lines = RootLines.of(())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="registry-follower", daemon=True)
        self._log = structlog.get_logger("registry_follower").bind(space=space[:12])

    def start(self) -> None:
        """Try the first load, then follow in a thread; a registry out of reach is no error here."""
        self.step(block=False)
        self._thread.start()

    def load(self) -> None:
        """Load once, before `start`: what `start` passes over is raised, with its remedy.

        Raises SnapshotRefused, and what the registry raises.
        """
        self._load(self._clock())

    def close(self) -> None:
        """Stop following; returns within one blocking read, about a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._block_s + 1.0)

    def view(self) -> RegistryView:
        """What is held now, and how old it is; safe from any thread, never blocks."""
        held = self._held
        age_s = max(0.0, self._clock() - held.confirmed_at)
        return RegistryView(held.snapshot, age_s, held.calibration, held.prepared)

    @property
    def trouble(self) -> str | None:
        """Why the registry cannot be followed now; None where it can. Safe from any thread."""
        return self._trouble

    def metadata(self) -> str:
        """What to commit beside an offset: the state of the registry that is in use now.

        While there is none, what was seen before is handed on, or it would be forgotten.
        """
        snapshot = self._held.snapshot
        state = Floor.of(self._lineage, snapshot) if snapshot else self._seen
        return encode_floor(self._space, state) if state else ""

    def step(self, *, block: bool = True) -> bool:
        """One round: load or follow once. Returns False when the registry gave no usable answer."""
        try:
            self._advance(block=block)
        except SnapshotRefused as refused:
            self._report(str(refused))
            return False
        except Exception as error:  # whatever the client raises, the snapshot held stays in use
            self._report(f"{type(error).__name__}: {error}")
            return False
        return self._trouble is None

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self.step():
                self._stop.wait(self._retry_s)

    def _advance(self, *, block: bool) -> None:
        held = self._held
        started = self._clock()
        if held.snapshot is None or self._trouble is not None or not block:
            self._load(started)
            return
        try:
            changes = self._registry.follow(
                self._space,
                held.snapshot.revision,
                block_s=self._block_s,
                root=held.snapshot.root,
            )
        except RevisionGap as gap:
            self._log.warning("registry_gap", reason=str(gap))
            self._load(self._clock())
            return
        if changes:
            self._load(self._clock())
        else:
            calibration, prepared = self._calibration(), held.prepared
            if calibration is not held.calibration:
                prepared = self._prepare(held.snapshot, calibration)
            self._held = _Held(held.snapshot, started, calibration, prepared)

    def _load(self, started: float) -> None:
        """Take a whole snapshot; `started` is before it was read, so the age is never too small."""
        fresh = self._registry.snapshot(self._space)
        held = self._held.snapshot
        if (refusal := self._refusal(fresh, held)) is not None:
            raise SnapshotRefused(refusal)
        calibration = self._calibration()
        if unvouched := distrust(self._registry, fresh, calibration, self._keys):
            raise SnapshotRefused(unvouched)
        self._held = _Held(fresh, started, calibration, self._prepare(fresh, calibration))
        self._trouble = None
        if held is None or fresh.revision != held.revision:
            self._log.info(
                "registry_loaded",
                revision=fresh.revision,
                models=len(fresh.models),
                root=fresh.root[:12],
            )

    def _calibration(self) -> Calibration:
        """The tenant's photographs as they are now; whoever takes them away is told in the log."""
        fresh, held = self._registry.calibration(self._space), self._held.calibration
        if fresh is held:
            return fresh
        if self._keys and (unvouched := untrusted_photographs(fresh, self._keys)) is not None:
            raise SnapshotRefused(unvouched)
        if fresh.digest != (held.digest if held else None):
            self._log.info(
                "calibration_loaded",
                revision=fresh.revision,
                photographs=fresh.photographs,
                digest=(fresh.digest or "none")[:12],
            )
        return fresh

    def _refusal(self, fresh: Snapshot, held: Snapshot | None) -> str | None:
        if fresh.space != self._space:
            return f"the snapshot is of space {fresh.space[:12]}, not {self._space[:12]}"
        if held is None and self._floor is not None and (below := self._floor.refuses(fresh)):
            return below
        if held is not None and fresh.revision < held.revision:
            return (
                f"the registry went back from revision {held.revision} to {fresh.revision}: it was"
                " emptied or rolled back; the last snapshot stays in use and ages. Restore it with"
                " `latentprint registry import`, or start the workers with --accept-registry"
            )
        if held is not None and fresh.revision == held.revision:
            if fresh.root != held.root:
                return f"revision {fresh.revision} has another root than before; it was altered"
            return None
        seen = Floor.of(self._lineage, held) if held is not None else self._floor
        if seen is not None and not self._leads_over(seen):
            return (
                f"the history of the registry, at revision {fresh.revision}, does not lead over"
                f" revision {seen.revision} that was seen before: it was emptied and filled again."
                " The last snapshot stays in use and ages. Restore the registry with `latentprint"
                " registry import`, or start the workers with --accept-registry if it is right"
            )
        if self._recomputed_root(fresh) != fresh.root:
            return f"the content of revision {fresh.revision} does not give its root; it is damaged"
        return None

    def _leads_over(self, seen: Floor) -> bool:
        """Whether the registry was once in the state that was seen: one change tells."""
        if seen.revision == 0:
            return True
        then = self._registry.change(self._space, seen.revision)
        return then is not None and then.root.startswith(seen.root)

    def _recomputed_root(self, fresh: Snapshot) -> str:
        """The root of what `fresh` holds; of models that stay nothing is read."""
        change = Difference.between(self._read, fresh.models)
        try:
            gone, come = map(_digests, (change.gone, change.come))
            self._lines = self._lines.changed(gone, come)
            self._read = fresh.models
        except Exception:
            # What was noted may be another: the next load notes everything anew.
            self._read, self._lines = (), RootLines.of(())
            raise
        return self._lines.root()

    def _report(self, trouble: str) -> None:
        """Log a trouble once, not at every retry."""
        if trouble != self._trouble:
            self._log.error("registry_trouble", reason=trouble)
        self._trouble = trouble


def _digests(models: Iterable[ModelFingerprint]) -> list[str]:
    return [entry_digest(m.model_id, m.status, content_digest(m)) for m in models]
