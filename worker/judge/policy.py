"""The decision policy: what is flagged, at which levels; a TOML file with a digest."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fingerprint_db.enrolment import STANDARD_SAMPLES
from worker.errors import StopError
from worker.plain_errors import sentences

FlaggedOutcome = Literal["attributed", "unknown_generator", "undetermined"]


class Policy(BaseModel):
    """Levels of the decision.

    `alpha` is the level of the test against real photos; `minimum_margin` how much better, in
    nats, the best accepted model must be than the next for its name to be given;
    `minimum_samples_to_name` of how many samples at least, or only its family is;
    `minimum_jpeg_quality` below which nothing is decided; `maximum_registry_age_s` the age past
    which the registry copy is too old to decide by; `flag` the outcomes that raise an alert.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    alpha: Annotated[float, Field(gt=0, lt=1)]
    minimum_margin: Annotated[float, Field(ge=0)]
    minimum_samples_to_name: Annotated[int, Field(ge=1)] = STANDARD_SAMPLES
    minimum_jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    maximum_registry_age_s: Annotated[float, Field(gt=0)]
    candidates_shown: Annotated[int, Field(ge=1, le=50)]
    flag: tuple[FlaggedOutcome, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's canonical JSON; stands in every verdict."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def undecidable(policy: Policy, counts: Mapping[str, int]) -> tuple[str, ...]:
    """The calibration bins whose images can never pass the real test at `alpha`.

    `counts` is how many real images each bin holds: the least p-value is 1 / (count + 1). Raises
    StopError (exit code 2) where that holds for every bin, so that nothing could be decided.
    """
    small = tuple(name for name, count in counts.items() if count + 1 < 1 / policy.alpha)
    if len(small) == len(counts):
        most = max(counts.values(), default=0)
        raise StopError(
            f"with alpha={policy.alpha:g} of the policy no image could ever be decided: the bundle"
            f" was calibrated on at most {most} real images a bin, which allows alpha"
            f" {1 / (most + 1):.3g} or more; raise alpha, or calibrate on more images",
            exit_code=2,
        )
    return small


def load_policy(path: Path | None = None) -> Policy:
    """Read a policy file, the package's own by default; StopError names every mistake in it."""
    path = path or Path(str(resources.files("worker.judge"))) / "policy.toml"
    try:
        return Policy.model_validate(tomllib.loads(path.read_text("utf-8")))
    except OSError as error:
        raise StopError(
            f"policy file {path} cannot be read: {error.strerror}; set LATENTPRINT_DECISION__POLICY"
            " to a TOML file like worker/judge/policy.toml",
            exit_code=2,
        ) from error
    except ValidationError as error:
        raise StopError(
            f"policy file {path} is wrong: {sentences(error, Policy.model_fields)}", exit_code=2
        ) from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise StopError(f"policy file {path} is wrong: {error}", exit_code=2) from error
