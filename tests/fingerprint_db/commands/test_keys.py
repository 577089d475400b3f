"""`latentprint trust create|sign|verify`: what is written, printed, and the exit codes."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fingerprint_db.commands import registry as cli
from fingerprint_db.signing.keys import PublicKey


def run(*arguments: str, code: int = 0) -> str:
    """Runs `latentprint trust ARGUMENTS`; returns all that it printed."""
    app = typer.Typer()
    cli.contribute(app)
    result = CliRunner().invoke(app, ["trust", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_keys_are_made_a_bundle_signed_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    for name in ("ours", "theirs"):
        made = run("create", str(tmp_path / name))
        public = PublicKey.parse((tmp_path / f"{name}.pub").read_text())
        assert public.key_id in made
        assert "PRIVATE" not in made
    assert "ours" in run("create", str(tmp_path / "ours"), code=2)
    folder, ours = str(tmp_path), str(tmp_path / "ours")
    assert "no key to sign with" in run("sign", folder, code=2)
    assert "is not signed" in run("verify", folder, "--key", f"{ours}.pub", code=1)
    assert "bundle.sig: signed by" in run("sign", folder, "--key", ours)
    assert "a trusted key vouches" in run("verify", folder, "--key", f"{ours}.pub")
    theirs = str(tmp_path / "theirs.pub")
    assert "expected one of the keys" in run("verify", folder, "--key", theirs, code=1)
    monkeypatch.setenv("LATENTPRINT_TRUST__BUNDLE_KEYS", f"{ours}.pub")
    assert "a trusted key vouches" in run("verify", folder)
    (tmp_path / "bundle.json").write_text("{ }")
    assert "was changed after key" in run("verify", folder, code=1)


def test_what_is_no_bundle_and_what_is_no_key_are_named(tmp_path: Path) -> None:
    assert "no private key" in run("sign", str(tmp_path), "--key", __file__, code=2)
    assert "no bundle at" in run("verify", str(tmp_path), code=2)
    (tmp_path / "bundle.json").write_text("{}")
    assert "neither a public key" in run("verify", str(tmp_path), "--key", "nothing", code=2)
