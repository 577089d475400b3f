"""Errors, classed by remedy.

LatentprintError
├── RejectError   this event will never work: a dead letter with a reason code
├── RetryError    the world may recover: rebuild, seek back, go on
└── StopError     our own mistake: say what is wrong and exit
"""


class LatentprintError(Exception):
    """Anything that Latentprint itself raises on purpose."""


class RejectError(LatentprintError):
    """This event will never work; it goes to the dead letters with `code` and `stage`."""

    def __init__(self, code: str, message: str, *, stage: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.stage = stage


class RetryError(LatentprintError):
    """The world may recover: a broker away, a transaction in doubt, a registry out of reach."""


class StopError(LatentprintError):
    """Our own mistake, or one of the settings: the process says why and exits with `exit_code`."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
