"""Certificates for servers and clients of tests: good, expired, for another host, of strangers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Certificates:
    """One authority and what it issued, in files; and a foreign authority."""

    folder: Path
    of: trustme.CA

    @classmethod
    def in_folder(cls, folder: Path) -> "Certificates":
        """With the files `authority.pem` and `stranger.pem`."""
        made = cls(folder, trustme.CA())
        made.of.cert_pem.write_to_path(made.authority)
        trustme.CA().cert_pem.write_to_path(made.stranger)
        return made

    @property
    def authority(self) -> Path:
        """Whom clients and servers trust."""
        return self.folder / "authority.pem"

    @property
    def stranger(self) -> Path:
        """An authority that issued nothing here."""
        return self.folder / "stranger.pem"

    def server(self, kind: str) -> Path:
        """Key and certificate in one file; `expired` and `renamed` say what is wrong with it."""
        return self.issue(
            kind,
            host="away.example" if kind == "renamed" else HOST,
            ended=kind == "expired",
        )

    def client(self, name: str, *, ended: bool = False) -> Path:
        """Key and certificate of the subject CN=name in one file."""
        return self.issue(f"client-{name}", host=f"{name}.example", name=name, ended=ended)

    def issue(self, file: str, *, host: str, name: str | None = None, ended: bool = False) -> Path:
        """Write the file anew and return it."""
        now = datetime.now(UTC)
        issued = self.of.issue_cert(
            host,
            common_name=name,
            organization_name="tests",
            organization_unit_name="tests",
            not_before=now - timedelta(days=2),
            not_after=now + timedelta(days=-1 if ended else 1),
        )
        path = self.folder / f"{file}.pem"
        # PKCS 8, which Java reads too.
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem + b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        path.chmod(0o600)
        return path


def encrypted_key(pem: Path, password: str) -> Path:
    """The key of a PEM file in a file of its own that a password opens."""
    key = load_pem_private_key(pem.read_bytes(), None)
    path = pem.with_suffix(".key")
    path.write_bytes(
        key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
        )
    )
    return path
