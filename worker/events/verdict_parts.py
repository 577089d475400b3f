"""What a verdict is made of: candidates, tests, evidence and the file, frozen and checked.

Fields are added, never removed or renamed, as in `records`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """Frozen; NaN and infinity are refused, since JSON has neither; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Candidate(Record):
    """One registered model that the image was compared with."""

    rank: Annotated[int, Field(ge=1)]
    model_id: str
    name: str
    family: str | None
    status: Literal["shadow", "live"]
    similarity: Annotated[
        float,
        Field(
            description="how far the model explains the image better than photographs, in"
            " deviations of what photographs score for it, less what other generators score;"
            " rises. Before schema 1.1 a log-likelihood ratio in nats"
        ),
    ]
    distance: Annotated[float, Field(description="squared Mahalanobis distance; falls")]
    distance_threshold: Annotated[
        float, Field(description="largest distance at which the image still counts as the model's")
    ]
    threshold_count: Annotated[
        int, Field(ge=0, description="leave-one-out distances behind the threshold")
    ]
    accepted: Annotated[bool, Field(description="whether the distance is within the threshold")]
    condition: Annotated[
        str | None,
        Field(description="the model's likeliest condition; null before this field was there"),
    ] = None
    lead: Annotated[
        float | None,
        Field(
            description="nats of log-likelihood ahead of the best other live model, negative behind"
            " it; null where there is no other, and before this field was there"
        ),
    ] = None


class NameTest(Record):
    """The test of registered generators against real photographs, which decides `attributed`.

    It holds the highest score of a live model within whose reach the image lies against the highest
    that each photograph reaches. Distinct photographs are counted; several views of one count as
    one. A lossless file is read in two spaces, as it is and as a halved picture, and so are these
    photographs: the highest score in either is held against theirs.
    """

    p_value: Annotated[
        Probability,
        Field(description="by photograph: for pictures like those of the calibration"),
    ]
    alpha: Probability
    source_p_value: Annotated[
        Probability,
        Field(
            description="by source: for a picture of a source that the calibration never saw; never"
            " below 1 / (source_count + 1)"
        ),
    ]
    source_count: Annotated[int, Field(ge=0, description="sources behind source_p_value")]
    worst_source_share: Annotated[
        Probability,
        Field(description="largest share of one source's photographs that score as high"),
    ]
    alpha_source: Annotated[
        Probability, Field(description="what worst_source_share may be at most")
    ]
    unseen_source_rate: Annotated[
        Probability,
        Field(
            description="share of photographs that pass both levels where their own source"
            " calibrates nothing: measured by leaving each source out, mean over sources"
        ),
    ]
    unseen_source_worst: Annotated[
        Probability, Field(description="the same for the worst source left out")
    ]
    calibration_count: Annotated[
        int, Field(ge=0, description="distinct real photographs behind p_value")
    ]
    calibration_bin: Annotated[
        str, Field(description="codec and size class of these photographs, as in jpeg75/384_up")
    ]
    alike_p_value: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="by the photographs most like the picture in sharpness and noise; null"
            " before this field was there",
        ),
    ] = None
    alpha_alike: Annotated[
        float | None,
        Field(
            ge=0, le=1, description="what alike_p_value may be at most, else `usual_for_its_kind`"
        ),
    ] = None


class RealTest(Record):
    """The test with nothing registered, and how far its stated error can be trusted.

    It decides `unknown_generator` where no registered generator explains the image. Distinct
    photographs are counted; several views of one count as one.
    """

    p_value: Probability
    alpha: Probability
    false_positive_rate: Annotated[
        Probability,
        Field(
            description="share of photographs that pass where their own source calibrates nothing:"
            " measured by leaving each source out, mean over sources"
        ),
    ]
    false_positive_bound: Annotated[
        Probability,
        Field(
            description="one-sided 95 % Clopper-Pearson upper bound of the rate among photographs"
            " like those of the calibration, by photographs"
        ),
    ]
    calibration_count: Annotated[
        int, Field(ge=0, description="distinct real photographs behind p_value")
    ]
    calibration_bin: str
    alike_p_value: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="by the photographs most like the picture in sharpness and noise; null"
            " before this field was there",
        ),
    ] = None
    alpha_alike: Annotated[
        float | None,
        Field(
            ge=0, le=1, description="what alike_p_value may be at most, else `usual_for_its_kind`"
        ),
    ] = None


class EvidenceRecord(Record):
    """What the verdict was read from, and what kind of picture it was."""

    codec: Annotated[str, Field(description="by whose photographs and statistics it was judged")]
    pixels_read: Annotated[int, Field(ge=0)]
    earlier_jpeg_quality: Annotated[
        int | None,
        Field(
            ge=1, le=100, description="of a JPEG that was found in the pixels of a lossless file"
        ),
    ]
    blocks: Annotated[
        dict[str, float],
        Field(
            description="what each block of statistics adds to the score that decided, in its"
            " deviations; empty where nothing was found"
        ),
    ]
    kind: Annotated[
        dict[str, float],
        Field(description="the picture's nuisance numbers, as worker/extractor/nuisance.py says"),
    ]
    familiarity_distance: Annotated[
        float | None,
        Field(
            ge=0,
            description="from the picture's kind to that of the tenth nearest photograph, in"
            " deviations; null where there are fewer than ten",
        ),
    ]
    familiarity_limit: Annotated[float, Field(gt=0)]
    unfamiliar: Annotated[
        bool, Field(description="whether the distance is beyond the limit, or not known")
    ]


class ImageRecord(Record):
    """What the file itself said."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    byte_size: Annotated[int, Field(ge=0)]
    format: Literal["jpeg", "png", "webp"]
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None
    fetched_from: Annotated[
        str | None,
        Field(
            description="where the image was fetched, without query and user name; null where the"
            " event carried it, and before this field was there"
        ),
    ] = None
