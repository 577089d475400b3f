"""Keys and signatures: what is read back, what is refused, and that OpenSSL agrees."""

import base64
import subprocess
from pathlib import Path

import pytest

from fingerprint_db.signing.keys import PublicKey, Signature, SigningKey, public_keys


def test_a_key_comes_back_from_its_file_which_its_owner_alone_can_read(tmp_path: Path) -> None:
    key = SigningKey.create()
    key.write(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert SigningKey.read(tmp_path / "key.pem").public == key.public
    assert PublicKey.parse(key.public.text) == key.public
    with pytest.raises(FileExistsError):
        SigningKey.create().write(tmp_path / "key.pem")
    assert base64.b64encode(key.public.raw).decode() not in repr(key)


def test_a_signature_holds_for_its_message_and_key_alone() -> None:
    key, other = SigningKey.create(), SigningKey.create()
    signature = key.sign(b"message")
    assert signature.problem(b"message") is None
    assert "is not that of key" in str(signature.problem(b"massage"))
    stolen = Signature(other.public.text, signature.value)
    assert other.public.key_id in str(stolen.problem(b"message"))
    assert "cannot be read" in str(Signature("ed25519:x", signature.value).problem(b"message"))
    assert "cannot be read" in str(Signature(key.public.text, "?").problem(b"message"))


def test_what_is_no_public_key_is_named_with_what_is_expected(tmp_path: Path) -> None:
    for text in ("", "ed25519:", "ed25519:AAAA", "rsa:" + "A" * 44):
        with pytest.raises(ValueError, match="expected ed25519: and 32 bytes in base64"):
            PublicKey.parse(text)
    with pytest.raises(ValueError, match="neither a public key"):
        public_keys([str(tmp_path / "absent")])
    (tmp_path / "empty").write_text("# nothing yet\n")
    with pytest.raises(ValueError, match="holds no public key"):
        public_keys([str(tmp_path / "empty")])


def test_a_file_holds_a_key_a_line_with_comments(tmp_path: Path) -> None:
    first, second = SigningKey.create().public, SigningKey.create().public
    (tmp_path / "keys").write_text(f"# ours\n{first.text}  # ada\n\n{second.text}\n")
    assert public_keys([str(tmp_path / "keys"), first.text]) == (first, second)


def test_a_private_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text("no key")
    with pytest.raises(ValueError, match="no private key"):
        SigningKey.read(file)
    _openssl("genpkey", "-algorithm", "x25519", "-out", str(file))
    with pytest.raises(ValueError, match="expected Ed25519"):
        SigningKey.read(file)


def test_openssl_makes_keys_for_us_and_verifies_what_they_sign(tmp_path: Path) -> None:
    key, public, message, raw = (tmp_path / name for name in ("key", "public", "message", "raw"))
    _openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
    _openssl("pkey", "-in", str(key), "-pubout", "-out", str(public))
    message.write_bytes(b"message")
    raw.write_bytes(base64.b64decode(SigningKey.read(key).sign(b"message").value))
    given = ("-pubin", "-inkey", str(public), "-rawin", "-in", str(message), "-sigfile", str(raw))
    assert "Success" in _openssl("pkeyutl", "-verify", *given)


def _openssl(*arguments: str) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout
