"""`latentprint trust create|sign|verify`: keys, and signatures of bundles."""

import os
from pathlib import Path
from typing import Annotated

import typer

from fingerprint_db.commands.opening import Config, Json, reported, say
from fingerprint_db.errors import RegistryCorrupt, WrongSettings
from fingerprint_db.signing.bundle_signature import (
    DOCUMENT,
    SIGNATURES,
    bundle_problem,
    read_signatures,
    sign_bundle,
)
from fingerprint_db.signing.keys import SigningKey, public_keys
from fingerprint_db.trust.settings import read_trust_settings

BundleFolder = Annotated[Path, typer.Argument(metavar="BUNDLE", help="The bundle's folder.")]

trust_app = typer.Typer(
    name="trust", help="Keys, and who vouches for a bundle.", no_args_is_help=True
)


@trust_app.command()
def create(
    file: Annotated[Path, typer.Argument(help="Where to write the private key; must not exist.")],
    as_json: Json = False,
) -> None:
    """Make a pair of keys: a private one in FILE, for you alone to read, a public one in FILE.pub.

    Exit codes: 0 made, 2 FILE is there already or cannot be written.
    """
    with reported(as_json):
        key = SigningKey.create()
        key.write(file)
        public = file.with_name(f"{file.name}.pub")
        public.write_text(f"{key.public.text}\n", encoding="ascii")
        document = {
            "private": str(file),
            "public": str(public),
            "key": key.public.text,
            "key_id": key.public.key_id,
        }
        text = (
            f"key {key.public.key_id}\n"
            f"  {file}: the private key; whoever can read it can sign in your name\n"
            f"  {public}: {key.public.text}"
        )
        say(as_json, document, text)


@trust_app.command()
def sign(
    bundle: BundleFolder,
    key: Annotated[
        Path | None, typer.Option("--key", help="Private key; default: trust.signing_key_file.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Vouch for a bundle: adds your signature to its bundle.sig.

    Exit codes: 0 signed, 2 no key, or no bundle at BUNDLE.
    """
    with reported(as_json):
        signer = _read(key) if key else read_trust_settings(os.environ, config).signing_key
        if signer is None:
            raise WrongSettings(
                "no key to sign with; give --key FILE or set trust.signing_key_file, and make one"
                " with `latentprint trust create FILE`"
            )
        _document(bundle)
        try:
            signatures = sign_bundle(bundle, signer)
        except ValueError as error:
            raise WrongSettings(f"{error}, after removing that file") from error
        signed = [one.key_id for one in signatures]
        document = {
            "file": str(bundle / SIGNATURES),
            "key": signer.public.text,
            "signed_by": signed,
        }
        say(as_json, document, f"wrote {bundle / SIGNATURES}: signed by {', '.join(signed)}")


@trust_app.command("verify")
def verify_bundle(
    bundle: BundleFolder,
    key: Annotated[
        list[str] | None,
        typer.Option("--key", help="Public key or file of them; default: trust.bundle_keys."),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say whether a trusted key vouches for a bundle's bundle.json.

    The other files are held against their digests wherever the bundle is loaded. Exit codes: 0 one
    vouches, 1 none does, 2 wrong use.
    """
    with reported(as_json):
        raw = _document(bundle)
        try:
            keys = public_keys(key) if key else read_trust_settings(os.environ, config).bundle_keys
        except ValueError as error:
            raise WrongSettings(f"--key: {error}") from error
        if not keys:
            raise WrongSettings("no key to verify with; give --key, or set trust.bundle_keys")
        if problem := bundle_problem(bundle, raw, keys):
            seen, _, expected = problem.partition(", expected ")
            raise RegistryCorrupt(
                f"bundle {bundle}",
                seen=seen,
                expected=expected or "the signature of a trusted key",
                remedy="take the bundle from its source again, or have it signed",
            )
        signed = [one.key_id for one in read_signatures(bundle)]
        document = {"bundle": str(bundle), "signed_by": signed}
        say(as_json, document, f"{bundle}: signed by {', '.join(signed)}; a trusted key vouches")


def _read(file: Path) -> SigningKey:
    try:
        return SigningKey.read(file)
    except ValueError as error:
        raise WrongSettings(f"--key: {error}") from error


def _document(bundle: Path) -> bytes:
    try:
        return (bundle / DOCUMENT).read_bytes()
    except OSError as error:
        raise WrongSettings(
            f"no bundle at {bundle}: {error.strerror}; expected a folder with {DOCUMENT}"
        ) from error
