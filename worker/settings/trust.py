"""Whose signatures count, and which key signs."""

from pathlib import Path

from pydantic import Field, field_validator

from fingerprint_db.signing.keys import PublicKey, SigningKey, public_keys
from fingerprint_db.trust.settings import key_texts
from worker.settings.group import Group


class TrustSettings(Group):
    """Whose signatures count, and which key signs."""

    bundle_keys: tuple[str, ...] = Field(
        default=(),
        description="public keys (ed25519:…) or files of them, commas; one must have signed a"
        " bundle that did not come with the program",
    )
    registry_keys: tuple[str, ...] = Field(
        default=(),
        description="public keys or files of them, commas; one must vouch for every entry and for"
        " your own photographs; empty: not asked",
    )
    require_signatures: bool | None = Field(
        default=None,
        description="whether an unsigned bundle is refused; empty: where bundle_keys are given or"
        " the profile is production",
    )
    signing_key_file: Path | None = Field(
        default=None,
        description="PEM of the private key that signs what you register; no worker needs it",
    )

    @field_validator("bundle_keys", "registry_keys", mode="before")
    @classmethod
    def _texts(cls, value: object) -> tuple[str, ...]:
        return key_texts(value)

    @field_validator("bundle_keys", "registry_keys")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        public_keys(value)
        return value

    @field_validator("signing_key_file")
    @classmethod
    def _key(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                SigningKey.read(value)
            except OSError as error:
                raise ValueError(f"cannot be read ({error.strerror})") from error
        return value

    def of_bundle(self) -> tuple[PublicKey, ...]:
        """The keys that may vouch for a bundle."""
        return public_keys(self.bundle_keys)

    def of_registry(self) -> tuple[PublicKey, ...]:
        """The keys that may vouch for what the registry holds."""
        return public_keys(self.registry_keys)

    def signing_key(self) -> SigningKey | None:
        """The key that signs what is written, if there is one."""
        return SigningKey.read(self.signing_key_file) if self.signing_key_file else None
