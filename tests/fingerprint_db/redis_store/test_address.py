"""An address is refused before anything is sent, and no message shows what may be a secret."""

from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from fingerprint_db.errors import WrongSettings
from fingerprint_db.redis_store.address import RedisAddress, masked, url_problem
from fingerprint_db.redis_store.registry import RedisRegistry

GOOD = (
    "redis://127.0.0.1:6379/0",
    "redis://h",
    "redis://h/",
    "rediss://ada:secret@redis.example:6380/15",
    "redis://:secret@[::1]:6379/0",
    "redis://ada:s%40cret%2F%3F%23@h:1/0",
    "redis://h/0?password=secret&username=ada",
    "redis://h?db=3",
    "rediss://h/0?ssl_ca_certs=/etc/ca.pem",
    "unix:///run/redis.sock?db=2",
)

BAD = {
    "localhost:6379": "does not begin",
    "http://h/0": "does not begin",
    "redis://h/abc": "its database is 'abc'",
    "redis://h/0/1": "its database is '0/1'",
    "redis://h/-1": "its database is '-1'",
    "redis://h?db=x": "its option db is 'x'",
    "redis://h:port/0": "its host or its port is none",
    "redis://h:66666/0": "cannot be parsed",
    "redis://h:0/0": "its port is 0",
    "redis://h/0?decode_responses=True": "the option 'decode_responses'",
    "redis://h/0?foo=bar": "the option 'foo'",
    "redis://h/0?socket_timeout=1": "the option 'socket_timeout'",
    "redis://[::1/0": "its host or its port is none",
    "unix://": "names no path",
}


@pytest.mark.parametrize("url", GOOD)
def test_what_can_be_used_is_taken(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize("url", BAD)
def test_what_cannot_be_used_is_refused_with_the_reason(url: str) -> None:
    found = url_problem(url)
    assert found is not None
    assert BAD[url] in found
    with pytest.raises(WrongSettings) as caught:
        RedisRegistry(url)
    assert caught.value.exit_code == 2


def test_addresses_are_shown_without_their_secrets() -> None:
    assert masked("redis://ada:secret@h:1/0") == "redis://ada:***@h:1/0"
    assert masked("redis://:secret@h:1/0") == "redis://:***@h:1/0"
    assert masked("redis://h:1/0") == "redis://h:1/0"
    assert masked("redis://[::1]:1/0") == "redis://[::1]:1/0"
    assert masked("redis://h/0?password=secret&db=3") == "redis://h/0?password=***&db=3"
    assert masked("localhost:6379") == "localhost:6379"


SECRETS = (
    "redis://ada:hunter/2@h:1/0",
    "redis://ada:hunter?2@h:1/0",
    "redis://ada:hunter#2@h:1/0",
    "redis://ada:a@hunter:1@h:1/0",
    "redis://ada:a@hunter/x@h:1/0",
    "redis://hunter@h:1/0",
    "redis://ada:hunter:6379/0",
    "redis://:hunter",
    "redis://h/0?password=hunter",
    "redis://h/0?password=a@hunter",
    "redis://h:6379/0?passwort=hunter",
    "redis://h/0?hunter",
    "redis://h/0#hunter",
    "ada:hunter@h:6379",
    "http://ada:hunter@h:6379",
    "hunter",
    "redis:ada:hunter@h",
)


@pytest.mark.parametrize("url", SECRETS)
def test_a_secret_is_hidden_however_the_address_is_broken(url: str) -> None:
    address = RedisAddress(url)
    shown = [masked(url), url_problem(url) or "", repr(address), *address.problems()]
    try:
        RedisRegistry(url)
    except WrongSettings as error:
        shown.append(str(error))
    assert [text for text in shown if "hunter" in text] == []


def test_tls_files_and_credentials_are_looked_at_before_a_connection(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")

    def problem(url: str, **settings: str | Path | SecretStr) -> str:
        found = RedisAddress(url, **settings).problems()  # type: ignore[arg-type]
        assert len(found) == 1, found
        return found[0]

    assert "is no file" in problem("rediss://h", tls_ca_file=tmp_path / "none.pem")
    assert "is no file" in problem(f"rediss://h?ssl_ca_certs={tmp_path}/none.pem")
    assert "no PEM file of certificates" in problem("rediss://h", tls_ca_file=junk)
    assert "no PEM file of one with its key" in problem("rediss://h", tls_cert_file=junk)
    assert "expected rediss://" in problem("redis://h", tls_ca_file=junk)
    assert "without redis.tls_cert_file" in problem("rediss://h", tls_key_file=junk)
    assert "without redis.password" in problem("redis://h", username="ada")
    assert "in one place" in problem("redis://:x@h", password=SecretStr("y"))


def test_a_good_authority_and_certificate_are_taken(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    address = RedisAddress(
        "rediss://h", tls_ca_file=certificate, tls_cert_file=certificate, tls_key_file=key
    )
    assert address.problems() == []
    assert address.client_options() == {
        "ssl_ca_certs": str(certificate),
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
    }


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, with the authority that issued it, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(certificate)
    authority.cert_pem.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    return certificate, key
