"""Ed25519 keys and signatures, each with a text of its own.

A public key is written `ed25519:` and 32 bytes in base64. Its id, for people, is the start of the
SHA-256 of those bytes. A private key is a PEM file (PKCS8, without a password), as
`openssl genpkey -algorithm ed25519` writes it too.

What is signed always begins with a line that says what kind of thing it is, so that a signature of
one kind never passes for one of another.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

_PREFIX = "ed25519:"
_KEY_BYTES = 32
_ID_DIGITS = 16  # 64 bits tell the keys of one company apart; whole keys are compared, never ids
_FOR_ITS_OWNER = 0o600


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that signatures are checked with; `raw` are its 32 bytes."""

    raw: bytes

    @classmethod
    def parse(cls, text: str) -> "PublicKey":
        """The key of `ed25519:BASE64`; raises ValueError on anything else."""
        given = text.strip()
        try:
            raw = base64.b64decode(given.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            raw = b""
        if not given.startswith(_PREFIX) or len(raw) != _KEY_BYTES:
            raise ValueError(
                f"{given[:60]!r} is no public key; expected ed25519: and 32 bytes in base64, as"
                " `latentprint trust create` writes them"
            )
        return cls(raw)

    @property
    def text(self) -> str:
        """As `parse` reads it."""
        return _PREFIX + base64.b64encode(self.raw).decode("ascii")

    @property
    def key_id(self) -> str:
        """A short name of the key, for people."""
        return hashlib.sha256(self.raw).hexdigest()[:_ID_DIGITS]

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature in base64, and the text of the public key that it is said to be of."""

    key: str
    value: str

    def problem(self, message: bytes) -> str | None:
        """Why it is none over `message`; None where it is. Says nothing of whose key it is."""
        try:
            public = PublicKey.parse(self.key)
            signature = base64.b64decode(self.value, validate=True)
        except (ValueError, binascii.Error) as error:
            return f"its signature cannot be read ({error})"
        if not public.accepts(message, signature):
            return f"its signature is not that of key {public.key_id} over what is there"
        return None

    @property
    def key_id(self) -> str:
        """The id of the key, or what stands there instead of one."""
        try:
            return PublicKey.parse(self.key).key_id
        except ValueError:
            return repr(self.key[:20])


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """A private key; its `repr` shows the id alone."""

    _private: Ed25519PrivateKey

    @classmethod
    def create(cls) -> "SigningKey":
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, file: Path) -> "SigningKey":
        """That of a PEM file; raises OSError, and ValueError where it holds no such key."""
        data = file.read_bytes()
        try:
            private = load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:  # TypeError: it wants a password
            raise ValueError(f"{file} holds no private key without a password in PEM") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError(f"{file} holds a key of another kind; expected Ed25519")
        return cls(private)

    def write(self, file: Path) -> None:
        """To a new file that its owner alone can read; FileExistsError where there is one."""
        pem = self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(
            os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FOR_ITS_OWNER), "wb"
        ) as opened:
            opened.write(pem)

    @property
    def public(self) -> PublicKey:
        """What its signatures are checked with."""
        return PublicKey(self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> Signature:
        """The signature over `message`; the same for the same message."""
        value = base64.b64encode(self._private.sign(message)).decode("ascii")
        return Signature(self.public.text, value)

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id})"


def public_keys(given: Iterable[str]) -> tuple[PublicKey, ...]:
    """The keys of texts and of files that hold one a line; `#` begins a comment.

    Raises ValueError naming the one that is no key, or the file that cannot be read.
    """
    found: list[PublicKey] = []
    for one in given:
        if one.startswith(_PREFIX):
            found.append(PublicKey.parse(one))
            continue
        try:
            text = Path(one).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(
                f"{one!r} is neither a public key (ed25519:…) nor a file that can be read"
            ) from error
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        keys = [PublicKey.parse(line) for line in lines if line]
        if not keys:
            raise ValueError(f"{one} holds no public key; expected one a line, as ed25519:BASE64")
        found.extend(keys)
    return tuple(dict.fromkeys(found))


def ids(keys: Iterable[PublicKey]) -> str:
    """The ids of keys in a sentence."""
    return ", ".join(key.key_id for key in keys) or "none"
