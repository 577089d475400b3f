"""A registry made ready to be judged with, away from the thread that judges.

The follower prepares what it has verified and swaps both in as a whole, so that whoever judges
never waits for it, and no batch sees two revisions (`worker/registry/follower.py`).
"""

from dataclasses import dataclass

from fingerprint_db.background import Background
from fingerprint_db.calibration import Calibration
from fingerprint_db.snapshot import Snapshot
from worker.judge.attribute import Matcher
from worker.judge.photographs import Photographs, Tenant
from worker.judge.policy import Policy


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The matcher of a snapshot, and the photographs that its levels rest on."""

    root: str
    matcher: Matcher
    photographs: Photographs


class Preparer:
    """Prepares one registry after another; for one thread only, which need not be the judge's."""

    def __init__(self, background: Background, policy: Policy, *, every_codec: bool) -> None:
        """With `every_codec` all that files may show is prepared at once; without it a codec is
        when it is first met, by who judges."""
        self._background = background
        self._policy = policy
        self._every_codec = every_codec
        photographs = Photographs(background)
        empty = Snapshot.empty(background.space)
        self._last = Prepared("", Matcher(background, empty, photographs), photographs)

    def prepare(self, snapshot: Snapshot, calibration: Calibration | None) -> Prepared:
        """What is judged with; the same as before where neither models nor photographs changed."""
        last = self._last
        photographs = last.photographs
        digest = calibration.digest if calibration else None
        if digest != photographs.digest:
            policy = self._policy
            tenant = (
                Tenant(calibration, policy.alpha_name, policy.alpha_unknown)
                if calibration and digest
                else None
            )
            photographs = Photographs(self._background, tenant)
        if photographs is last.photographs and snapshot.root == last.root:
            return last
        if photographs is last.photographs:
            matcher = last.matcher.following(snapshot)
        else:
            matcher = Matcher(self._background, snapshot, photographs)
        if self._every_codec:
            matcher.prepare()
        self._last = Prepared(snapshot.root, matcher, photographs)
        return self._last
