"""Signatures of an extractor bundle, in `bundle.sig` beside its `bundle.json`.

    {"format": "latentprint-signatures 1",
     "signatures": [{"key_id": …, "key": "ed25519:…", "value": base64}]}

Signed is SIGNED_BUNDLE and the bytes of `bundle.json`, which names the digests of every other file
that judges. Several may sign, so that a new key can be added before the old one is dropped.
"""

import json
from collections.abc import Collection
from pathlib import Path

from fingerprint_db.signing.keys import PublicKey, Signature, SigningKey, ids

DOCUMENT = "bundle.json"
SIGNATURES = "bundle.sig"
SIGNED_BUNDLE = b"latentprint-bundle 1\n"
_FORMAT = "latentprint-signatures 1"


def sign_bundle(folder: Path, key: SigningKey) -> tuple[Signature, ...]:
    """Adds the signature of `key`, in place of one that it gave before; returns all.

    Raises OSError, and ValueError where `bundle.sig` is none.
    """
    signature = key.sign(SIGNED_BUNDLE + (folder / DOCUMENT).read_bytes())
    others = [one for one in read_signatures(folder) if one.key != signature.key]
    kept = (*others, signature)
    document = {
        "format": _FORMAT,
        "signatures": [{"key_id": one.key_id, "key": one.key, "value": one.value} for one in kept],
    }
    unfinished = folder / f"{SIGNATURES}.unfinished"
    unfinished.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(folder / SIGNATURES)
    return kept


def read_signatures(folder: Path) -> tuple[Signature, ...]:
    """Those of `bundle.sig`, none where there is no such file; ValueError where it is none."""
    file = folder / SIGNATURES
    try:
        document = json.loads(file.read_bytes())
        if document["format"] != _FORMAT:
            raise ValueError(f"format {document['format']!r}, expected {_FORMAT!r}")
        return tuple(
            Signature(str(one["key"]), str(one["value"])) for one in document["signatures"]
        )
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file} holds no signatures ({error}); have the bundle signed again with"
            " `latentprint trust sign`"
        ) from error


def bundle_problem(folder: Path, document: bytes, keys: Collection[PublicKey]) -> str | None:
    """Why no key of `keys` vouches for `document`; None where one does.

    A signature that is none over it is a problem, whoever else signed.
    """
    try:
        signatures = read_signatures(folder)
    except ValueError as error:
        return str(error)
    for one in signatures:
        if problem := one.problem(SIGNED_BUNDLE + document):
            return f"{problem}: the bundle was changed after key {one.key_id} signed it"
    if any(one.key == key.text for one in signatures for key in keys):
        return None
    seen = ", ".join(one.key_id for one in signatures)
    signed = f"it is signed by {seen}" if seen else "it is not signed"
    return f"{signed}, expected one of the keys {ids(keys)} (trust.bundle_keys)"
