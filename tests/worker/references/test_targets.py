"""What the lists allow, and the form in which a place is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.errors import RejectError
from worker.references.targets import Rules, target_of
from worker.settings.references import ReferenceSettings

RULES = Rules.of(
    ReferenceSettings(
        allowed_roots="/srv/uploads,/srv/uploads/eu",
        allowed_buckets="s3://uploads,gs://tenants/eu/,az://container",
        allowed_hosts="images.example.com,*.cdn.example.com:8443,10.0.0.7,[2001:db8::1]",
    )
)


@pytest.mark.parametrize(
    ("reference", "place", "store"),
    [
        ("file:///srv/uploads/a.jpg", "file:///srv/uploads/a.jpg", "file:/srv/uploads"),
        ("file:/srv/uploads/a.jpg", "file:///srv/uploads/a.jpg", "file:/srv/uploads"),
        ("file:///srv/uploads/eu/%C3%A4.jpg", "file:///srv/uploads/eu/%C3%A4.jpg", None),
        ("s3://uploads/a/b.jpg", "s3://uploads/a/b.jpg", "s3://uploads"),
        ("s3://uploads/a%3Fb.jpg", "s3://uploads/a?b.jpg", "s3://uploads"),
        ("gs://tenants/eu/a.jpg", "gs://tenants/eu/a.jpg", "gs://tenants"),
        ("az://container/a.jpg", "az://container/a.jpg", "az://container"),
        (
            "https://Images.Example.com/a.jpg?sig=1",
            "https://images.example.com/a.jpg",
            "https://images.example.com",
        ),
        ("https://images.example.com:443/a", "https://images.example.com/a", None),
        ("https://images.example.com", "https://images.example.com/", None),
        (
            "https://a.b.cdn.example.com:8443/x",
            "https://a.b.cdn.example.com:8443/x",
            "https://*.cdn.example.com:8443",
        ),
        ("https://10.0.0.7/x", "https://10.0.0.7/x", "https://10.0.0.7"),
        ("https://[2001:db8::1]/x", "https://[2001:db8::1]/x", "https://[2001:db8::1]"),
    ],
)
def test_what_is_listed_is_taken_and_shown_without_secrets(
    reference: str, place: str, store: str | None
) -> None:
    target = target_of(reference, RULES)
    assert target.place == place
    assert store is None or target.store == store
    assert "sig=" not in repr(target)


@given(st.text(max_size=60), st.sampled_from(["", "https://images.example.com", "s3://", "file:/"]))
def test_arbitrary_text_is_a_listed_target_or_refused(text: str, start: str) -> None:
    try:
        target = target_of(start + text, RULES)
    except RejectError:
        return
    assert target.store in {
        "file:/srv/uploads",
        "file:/srv/uploads/eu",
        "s3://uploads",
        "https://images.example.com",
    }


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("allowed_roots", "uploads", "absolute"),
        ("allowed_roots", "/", "below /"),
        ("allowed_roots", "/srv/../etc", "absolute"),
        ("allowed_roots", "/proc/1", "kernel"),
        ("allowed_buckets", "uploads", "s3://BUCKET"),
        ("allowed_buckets", "s3://up/eu", "s3://BUCKET"),
        ("allowed_hosts", "https://images.example.com", "HOST"),
        ("allowed_hosts", "*", "HOST"),
        ("allowed_hosts", "*.com", "HOST"),
        ("allowed_hosts", "images.example.com.", "HOST"),
        ("allowed_hosts", "images.example.com:99999", "port"),
        ("allowed_hosts", "0177.0.0.1", "HOST"),
        ("private_networks", "10.0.0.1/8", "10.20.0.0/16"),
        ("private_networks", "0.0.0.0/0", "every address"),
        ("s3_endpoint", "minio:9000", "https://HOST"),
        ("s3_endpoint", "https://user:x@minio", "https://HOST"),
        ("ca_file", "/nonexistent.pem", "PEM"),
    ],
)
def test_a_list_that_is_none_is_refused_in_words(name: str, value: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ReferenceSettings.model_validate({name: value})
