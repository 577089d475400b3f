"""The decision policy: what is flagged, at which levels; a TOML file with a digest."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fingerprint_db.gate.enrolment import STANDARD_SAMPLES
from fingerprint_db.matching.alike import LEAST_LEVEL
from fingerprint_db.matching.levels import least_photographs
from worker.errors import StopError
from worker.plain_errors import sentences

FlaggedOutcome = Literal["attributed", "unknown_generator", "undetermined"]


class Policy(BaseModel):
    """Levels of the decision.

    `alpha_name` is the level of the test of registered generators against real photographs,
    `alpha_unknown` that of the test with nothing registered, both by photograph: their sum bounds
    what is flagged of photographs like those of the calibration. `alpha_source` bounds the share of
    any one source's photographs that score as high; `alpha_alike` is the level by the photographs
    most like the picture in sharpness and noise; `minimum_samples_to_name` is of how many
    samples a model must be for its name to be given, or only its family is;
    `minimum_jpeg_quality` below which nothing is decided; `maximum_registry_age_s` the age past
    which the registry copy is too old to decide by; `flag` the outcomes that raise an alert.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    alpha_name: Annotated[float, Field(gt=0, lt=1)]
    alpha_unknown: Annotated[float, Field(gt=0, lt=1)]
    alpha_source: Annotated[float, Field(gt=0, le=1)]
    alpha_alike: Annotated[float, Field(ge=LEAST_LEVEL, le=1)] = LEAST_LEVEL
    minimum_samples_to_name: Annotated[int, Field(ge=1)] = STANDARD_SAMPLES
    minimum_jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    maximum_registry_age_s: Annotated[float, Field(gt=0)]
    candidates_shown: Annotated[int, Field(ge=1, le=50)]
    flag: tuple[FlaggedOutcome, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the policy's canonical JSON; stands in every verdict."""
        return _digest(self)


@lru_cache(maxsize=8)  # each verdict asks for it
def _digest(policy: Policy) -> str:
    canonical = json.dumps(policy.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def undecidable(policy: Policy, counts: Mapping[str, int]) -> tuple[str, ...]:
    """The codecs and sizes whose images can never pass the test of names at `alpha_name`.

    `counts` is how many photographs stand behind each (`photograph_counts`): the least p-value is
    1 / (count + 1). Raises StopError (exit code 2) where all are too few, so that nothing could be
    decided.
    """
    small = tuple(
        name for name, count in counts.items() if count < least_photographs(policy.alpha_name)
    )
    if len(small) == len(counts):
        least = 1 / (max(counts.values(), default=0) + 1)
        raise StopError(
            f"with alpha_name={policy.alpha_name:g} of the policy no image could ever be decided:"
            f" of no codec and size are there more than {max(counts.values(), default=0)} real"
            f" photographs, and what is there allows alpha_name {least:.3g} or more; raise"
            " alpha_name, or calibrate on more photographs of your own with"
            " `latentprint registry calibrate`",
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
