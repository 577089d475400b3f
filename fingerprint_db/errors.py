"""Errors of the registry, classed by remedy.

RegistryError
├── RegistryUnavailable   the world may recover: try again, serve the last verified snapshot
├── RevisionGap           changes were missed: take a new snapshot, then follow from it
├── RegistryCorrupt       what is stored is not what was written: stop, restore from an export
├── RegistryForbidden     Redis refuses the credentials or the command: correct the rights
├── WrongSettings         an address, a file or an option is wrong: correct it
└── RegistryRefused       the request cannot be met as it stands
    ├── UnknownModel      no model has this id in this space
    ├── IdTaken           the id belongs to another entry
    ├── NameTaken         another model that is not retired has this name
    ├── WrongStatus       the model's status does not allow this move
    ├── RevisionMoved     the space changed since the model was judged: judge it again
    ├── CalibrationMoved  somebody else calibrated meanwhile: run the command again
    ├── UnsignedChange    nobody, or nothing, is named as author or reason
    └── ImportConflict    the export holds other content under an id that is already here

`exit_code` is what a command exits with: 1 failed, 2 wrong use, 3 out of reach, 4 refused.
"""


class RegistryError(Exception):
    """Anything that the registry raises on purpose."""

    exit_code = 1


class RegistryUnavailable(RegistryError):
    """Redis cannot be reached, is loading, full or too busy; the same call may work later."""

    exit_code = 3


class RevisionGap(RegistryError):
    """The changes after the held revision cannot be had one by one; take a new snapshot."""


class RegistryCorrupt(RegistryError):
    """What is stored under `key` is not what was written; never skipped, never repaired."""

    def __init__(
        self,
        key: str,
        *,
        seen: str,
        expected: str,
        remedy: str = "`latentprint registry verify` looks further; restore the space from an"
        " export with `latentprint registry import FILE`, after emptying it",
    ) -> None:
        super().__init__(f"damage at {key}: found {seen}, expected {expected}; {remedy}")
        self.key = key
        self.seen = seen
        self.expected = expected


class RegistryForbidden(RegistryError):
    """Redis refuses the user, the password or the command."""

    exit_code = 2


class WrongSettings(RegistryError):
    """An address, a file or an option is wrong."""

    exit_code = 2


class RegistryRefused(RegistryError):
    """The request cannot be met as it stands; nothing was changed."""

    exit_code = 4


class UnknownModel(RegistryRefused):
    """No model has this id in this space."""

    exit_code = 2

    def __init__(self, space: str, model_id: str) -> None:
        super().__init__(
            f"no model {model_id!r} is registered in space {space[:12]}…;"
            " `latentprint registry list` shows the ids"
        )


class IdTaken(RegistryRefused):
    """The id belongs to another entry; an id is never used twice, even after retirement."""


class NameTaken(RegistryRefused):
    """Another model of the space that is not retired has this name."""


class WrongStatus(RegistryRefused):
    """The model's status does not allow this move."""


class RevisionMoved(RegistryRefused):
    """The space is no longer at the revision that the model was judged against."""

    def __init__(self, name: str, seen: int, revision: int) -> None:
        super().__init__(
            f"{name!r} was judged against revision {seen} of the registry, which is at revision"
            f" {revision} now: what was registered meanwhile may be its twin. Nothing was added;"
            " run the command again"
        )


class CalibrationMoved(RegistryRefused):
    """The photographs that calibrate a space changed since they were read."""

    def __init__(self, seen: int, revision: int) -> None:
        super().__init__(
            f"the calibration was read at revision {seen} and is at {revision} now: somebody else"
            " calibrates the same space. What was stored before stands; run the command again, it"
            " goes on where it stopped"
        )


class UnsignedChange(RegistryRefused, ValueError):
    """A write states no author or no reason."""

    exit_code = 2


class ImportConflict(RegistryRefused):
    """The export holds other content under an id that is already registered."""
