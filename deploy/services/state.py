"""The file that remembers which local services run, so that other commands find them.

Written by `latentprint services up`, removed by `services down`. Its `kafka.brokers` and
`redis.url` are what the rest of the program reads.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.services.errors import WrongUse
from deploy.services.processes import ProcessIdentity


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """A broker as remembered: bootstrap address, process identity, log file."""

    brokers: str
    pid: int
    started: str
    log: str

    @property
    def identity(self) -> ProcessIdentity:
        """Process id and start time."""
        return ProcessIdentity(self.pid, self.started)

    @property
    def port(self) -> int:
        """The port of the bootstrap address."""
        return int(self.brokers.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class RedisRecord:
    """A Redis server as remembered: address, process identity, log file, what it is."""

    url: str
    pid: int
    started: str
    log: str
    flavour: str
    version: str

    @property
    def identity(self) -> ProcessIdentity:
        """Process id and start time."""
        return ProcessIdentity(self.pid, self.started)

    @property
    def port(self) -> int:
        """The port of the address."""
        return int(self.url.rpartition(":")[2].partition("/")[0])


@dataclass(frozen=True, slots=True)
class ServicesState:
    """Both services, and the folder that holds their settings, data and logs."""

    kafka: KafkaRecord
    redis: RedisRecord
    directory: str


def state_file() -> Path:
    """`$LATENTPRINT_STATE`, else `~/.local/state/latentprint/services.json`."""
    chosen = os.environ.get("LATENTPRINT_STATE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path.home() / ".local" / "state" / "latentprint" / "services.json"


def services_folder(file: Path) -> Path:
    """The folder of settings, data and logs that belongs to a state file: beside it."""
    return file.with_name(f"{file.stem}-data")


def read_state(file: Path) -> ServicesState | None:
    """What the file remembers; None when there is no file.

    Raises:
        WrongUse: it is there and cannot be read, or is not ours.
    """
    try:
        content = json.loads(file.read_text())
        state = ServicesState(
            kafka=KafkaRecord(**content["kafka"]),
            redis=RedisRecord(**content["redis"]),
            directory=content["directory"],
        )
        if state.kafka.port > 0 and state.redis.port > 0:
            return state
        raise ValueError("a port is not positive")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongUse(
            f"The state file {file} cannot be read as one of ours ({error!r}), so what runs is "
            f"unknown and nothing was done. Look into it, end what it names, and remove it."
        ) from error


def write_state(file: Path, state: ServicesState) -> None:
    """Remember what runs."""
    write_in_one_step(file, json.dumps(asdict(state), indent=2) + "\n")


def write_in_one_step(file: Path, text: str) -> None:
    """Write a file so that readers see the old one or the new one, never half of it."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    half.write_text(text)
    os.replace(half, file)
