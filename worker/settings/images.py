"""What one image may cost, how it is extracted, and from scores to outcomes."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from worker.settings.cores import decoders_for, usable_cores, usable_memory_mib
from worker.settings.group import MEBIBYTE, MOST, Count, Group, Seconds


class DecodeSettings(Group):
    """What one image may cost in the sandboxed decoders."""

    processes: int = Field(
        default=0,
        ge=0,
        le=256,
        description="decoder children; 0: all cores but one, as far as a container's memory"
        " (cgroup v2) goes, shared by the slots of --slots; 1 to 16 each",
    )
    max_image_bytes: int = Field(
        default=10 * MEBIBYTE,
        ge=1024,
        le=MOST,
        description="bytes; the one size limit, held by the topics too",
    )
    max_pixels: int = Field(
        default=100_000_000,
        ge=65_536,
        le=MOST,
        description="pixels; larger images are refused unread",
    )
    memory_mib: int = Field(
        default=1024,
        ge=64,
        le=MOST // 1024,
        description="MiB; what decoding one image may allocate",
    )
    cpu_s: Seconds = Field(default=2.0, description="s of processor time for one image")
    images_per_child: Count = Field(
        default=16,
        description="images; of one source alone; 1: no image is decoded where another was",
    )
    sandbox: Literal["required", "warn"] = Field(
        default="required",
        description="warn decodes without a full sandbox; only for images you trust",
    )

    @property
    def children(self) -> int:
        """How many there are, of one slot alone."""
        return self.children_of(slots=1)

    def children_of(self, slots: int) -> int:
        """How many each of so many slots has that share what this process may use."""
        return self.processes or decoders_for(
            usable_cores(), slots, memory_mib=usable_memory_mib(), each_mib=self.memory_mib
        )


class ExtractSettings(Group):
    """The extractor bundle and its batches."""

    bundle: Path | None = Field(
        default=None, description="folder of the bundle; empty: the one inside"
    )
    device: str = Field(
        default="auto",
        description="cpu, cuda, or cuda:K where there are several cards, which else the slots take"
        " in turn; auto: a card if there is one, without one torch is not loaded",
    )
    batch_max_images: int = Field(
        default=16, ge=1, le=1024, description="images in one micro-batch"
    )
    batch_wait_ms: float = Field(
        default=20.0,
        ge=0,
        le=10_000,
        description="ms; how long a batch waits for images that are being decoded",
    )
    batch_deadline_s: Seconds = Field(
        default=120.0, description="s; a batch that takes longer ends the process"
    )

    @field_validator("device")
    @classmethod
    def _device(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,3})?", value):
            raise ValueError("expected auto, cpu, cuda or cuda:K")
        return value

    @field_validator("bundle")
    @classmethod
    def _bundle(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError("expected the folder of a bundle, with its bundle.json")
        return value


class DecisionSettings(Group):
    """From scores to outcomes."""

    policy: Path | None = Field(
        default=None, description="TOML of the policy; empty: the one inside"
    )
    max_registry_age_s: Seconds | None = Field(
        default=None,
        description="s; an older registry view gives undetermined; empty: what the policy says",
    )

    @field_validator("policy")
    @classmethod
    def _policy(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError("expected a TOML file like worker/judge/policy.toml")
        return value
