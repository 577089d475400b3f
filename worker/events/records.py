"""The records that leave the worker: verdict, alert and fingerprint record, frozen and checked.

Fields are added, never removed or renamed; readers ignore what they do not know. The JSON Schemas
in `worker/events/schemas/` are generated from these models.
"""

import base64
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray
from pydantic import AwareDatetime, Field, model_validator

from worker.events.cloudevents import (
    Origin,
    OutgoingRecord,
    binary_headers,
    readable,
    subject_bytes,
)
from worker.events.trace_context import TraceContext
from worker.events.verdict_parts import (
    Candidate,
    EvidenceRecord,
    ImageRecord,
    NameTest,
    RealTest,
    Record,
)

PROJECT_NAMESPACE = UUID("09c26f31-72dd-5ff5-a7a5-912e8ff53a68")
"""uuid5(NAMESPACE_URL, "latentprint"). Changing it changes every verdict id: never do."""

SOURCE = "/latentprint/worker"
IMAGE_TYPE = "latentprint.image.v1"
VERDICT_TYPE = "latentprint.verdict.v1"
ALERT_TYPE = "latentprint.alert.v1"
FINGERPRINT_TYPE = "latentprint.fingerprint.v1"

Outcome = Literal["no_evidence", "attributed", "unknown_generator", "undetermined"]
SchemaVersion = Annotated[str, Field(pattern=r"^1\.\d+$")]


def verdict_id(origin: Origin, bundle_digest: str) -> UUID:
    """The id of the verdict that this bundle gives on this record; the same on every attempt."""
    topic = origin.topic if origin.topic_id is None else f"{origin.topic}@{origin.topic_id}"
    name = f"{topic}/{origin.partition}/{origin.offset}/{bundle_digest}"
    return uuid5(PROJECT_NAMESPACE, name)


def alert_id(verdict: UUID) -> UUID:
    """The id of the alert that this verdict raises; a verdict raises one at most."""
    return uuid5(verdict, "alert")


class _AboutEvent(Record):
    r"""What every record about an event repeats of it.

    A subject may hold bytes that are not UTF-8 (a file name). `subject` then shows each of them
    as `\xNN`, and `subject_base64` holds the exact bytes; it is null otherwise. Give the
    surrogate-escaped str of ImageEvent as `subject`, and both fields are filled.
    """

    event_id: str
    source: str
    subject: str | None
    subject_base64: Annotated[
        str | None, Field(description="the exact bytes of a subject that is not UTF-8, else null")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _split_subject(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        subject = values.get("subject")
        if not isinstance(subject, str) or readable(subject) == subject:
            return values
        exact = base64.b64encode(subject_bytes(subject)).decode()
        return {**values, "subject": readable(subject), "subject_base64": exact}

    def exact_subject(self) -> str | None:
        """The subject as ImageEvent holds it: bytes that are not UTF-8 surrogate-escaped."""
        if self.subject_base64 is None:
            return self.subject
        return base64.b64decode(self.subject_base64).decode("utf-8", "surrogateescape")


class Verdict(_AboutEvent):
    """The answer for one image event.

    `undetermined` always carries a reason and `attributed` always names a model, so an error can
    never look like a clean image.
    """

    schema_version: SchemaVersion = "1.1"
    verdict_id: UUID
    topic: str
    partition: Annotated[int, Field(ge=0)]
    offset: Annotated[int, Field(ge=0)]
    topic_id: str | None = None
    created_at: AwareDatetime
    outcome: Outcome
    flagged: bool
    model: str | None
    model_id: str | None
    family: str | None
    candidates: tuple[Candidate, ...]
    real_test: RealTest | None
    condition: Annotated[
        str | None,
        Field(
            description="the condition of the model that is named, for example twice_jpeg75; else"
            " the codec by whose photographs the image was judged"
        ),
    ]
    reasons: tuple[str, ...]
    image: ImageRecord
    crop_count: Annotated[int, Field(ge=0)]
    crop_agreement: float | None
    bundle_digest: str
    registry_revision: int | None
    registry_root: str | None
    registry_age_s: float | None
    policy_digest: str
    revises: Annotated[
        UUID | None,
        Field(
            description="the verdict that this one replaces; always null until there is a command"
            " that judges old images again, and kept because fields are never removed"
        ),
    ] = None
    worker_version: Annotated[
        str | None,
        Field(description="program and version that judged; null before this field was there"),
    ] = None
    decoder_version: Annotated[
        str | None,
        Field(description="library and version that decoded; null before this field was there"),
    ] = None
    name_test: Annotated[
        NameTest | None,
        Field(description="null where nothing was measured, and before this field was there"),
    ] = None
    evidence: Annotated[
        EvidenceRecord | None,
        Field(description="null where nothing was measured, and before this field was there"),
    ] = None
    calibration_digest: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{64}$",
            description="of the tenant's photographs, where some of them are behind the p-values;"
            " null where the bundle's are alone, and before this field was there",
        ),
    ] = None

    @model_validator(mode="after")
    def _outcome_is_backed(self) -> "Verdict":
        if self.outcome == "attributed" and (self.model is None or self.model_id is None):
            raise ValueError("an attributed verdict must name its model and its model_id")
        if self.outcome != "attributed" and self.model_id is not None:
            raise ValueError(f"outcome {self.outcome} cannot name a model, got {self.model_id!r}")
        if self.outcome == "undetermined" and not self.reasons:
            raise ValueError("an undetermined verdict must give at least one reason")
        return self


class Alert(_AboutEvent):
    """Raised by a flagged verdict, for those who act on it."""

    schema_version: SchemaVersion = "1.1"
    alert_id: UUID
    verdict_id: UUID
    outcome: Outcome
    model: str | None
    model_id: str | None
    family: str | None
    reasons: tuple[str, ...]
    image_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created_at: AwareDatetime
    p_value: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="of the test that decided: of names where that passed, else with nothing"
            " registered; null where nothing was measured, and before this field was there",
        ),
    ] = None


class FingerprintRecord(Record):
    """An image fingerprint small enough to keep, so that tomorrow's model finds today's image."""

    schema_version: SchemaVersion = "1.1"
    verdict_id: UUID
    space: str
    fingerprint: Annotated[str, Field(description="base64 of D little-endian float16 numbers")]
    dimension: Annotated[int, Field(ge=1)]
    synthesis_score: float
    condition: str | None
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    crop_count: Annotated[int, Field(ge=1)]
    codec: Annotated[
        str | None,
        Field(description="in whose space the fingerprint is; null before this field was there"),
    ] = None
    pixels_read: Annotated[
        int | None, Field(ge=0, description="null before this field was there")
    ] = None
    kind: Annotated[
        tuple[float, ...] | None,
        Field(
            description="the picture's nuisance numbers, in the order of a verdict's evidence.kind;"
            " null before this field was there"
        ),
    ] = None
    pixels_sha256: Annotated[
        str | None,
        Field(
            pattern=r"^[0-9a-f]{64}$",
            description="the same for the same pixels in any lossless file; null before this field"
            " was there",
        ),
    ] = None

    further: dict[str, str] = Field(
        default_factory=dict,
        description="the same image in the other spaces that its file may belong to, by codec,"
        " encoded as `fingerprint`; empty where there are none, and before this field was there",
    )

    @model_validator(mode="after")
    def _dimension_holds(self) -> "FingerprintRecord":
        for encoded in (self.fingerprint, *self.further.values()):
            size = len(base64.b64decode(encoded, validate=True))
            if size != 2 * self.dimension:
                raise ValueError(
                    f"fingerprint has {size} bytes; {2 * self.dimension} are expected for"
                    f" {self.dimension} float16 numbers"
                )
        return self

    def vector(self) -> NDArray[np.float32]:
        """The fingerprint as (D,) float32, rounded to float16 as it was stored."""
        return _decoded(self.fingerprint)

    def readings(self) -> dict[str, NDArray[np.float32]]:
        """The vectors (D,) by codec, first that in the space that the file shows.

        Empty before the record named a codec.
        """
        if self.codec is None:
            return {}
        others = {codec: _decoded(encoded) for codec, encoded in self.further.items()}
        return {self.codec: self.vector(), **others}


def _decoded(encoded: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(encoded), dtype="<f2").astype(np.float32)  # (D,)


def encode_fingerprint(vector: NDArray[np.float32]) -> str:
    """(D,) float32 -> base64 of D little-endian float16 numbers.

    Raises ValueError where a number does not fit: float16 ends at 65504, and an infinity would
    poison every later comparison.
    """
    with np.errstate(over="ignore"):
        half = vector.astype("<f2")  # (D,)
    if half.ndim != 1 or not np.isfinite(half).all():
        raise ValueError(
            f"fingerprint of shape {vector.shape} with largest magnitude"
            f" {np.abs(vector).max(initial=0.0)}; expected (D,) finite and at most 65504"
        )
    return base64.b64encode(half.tobytes()).decode()


def outgoing(
    record: Verdict | Alert | FingerprintRecord,
    *,
    key: bytes | None,
    subject: str | None = None,
    trace: TraceContext | None = None,
) -> OutgoingRecord:
    """A record as a CloudEvent in binary mode, under the key of its image event.

    `subject` is the surrogate-escaped subject of the event; a verdict and an alert know their own.
    `trace` is the trace that the event came with.
    """
    if isinstance(record, FingerprintRecord):
        type_, event_id = FINGERPRINT_TYPE, uuid5(record.verdict_id, "fingerprint")
        time = None
    else:
        subject, time = record.exact_subject(), record.created_at
        if isinstance(record, Verdict):
            type_, event_id = VERDICT_TYPE, record.verdict_id
        else:
            type_, event_id = ALERT_TYPE, record.alert_id
    headers = binary_headers(
        event_id=str(event_id),
        source=SOURCE,
        type_=type_,
        content_type="application/json",
        subject=subject,
        time=time,
    )
    value = record.model_dump_json().encode()
    traced = trace.headers() if trace is not None else ()
    return OutgoingRecord(key=key, value=value, headers=(*headers, *traced))
