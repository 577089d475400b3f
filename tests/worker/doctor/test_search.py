"""The doctor says which way registered models are searched on this machine."""

import pytest

from worker.doctor.judging import _search


@pytest.mark.parametrize(
    ("there", "standing", "said"), [(True, "good", "by AVX-512 VNNI"), (False, "note", "plain")]
)
def test_the_way_of_searching_is_told(
    monkeypatch: pytest.MonkeyPatch, there: bool, standing: str, said: str
) -> None:
    path = "fingerprint_db.matching.rows.byte_products.has_instruction"
    monkeypatch.setattr(path, lambda: there)
    _, finding = _search()
    assert (finding.check, finding.standing) == ("search", standing)
    assert said in finding.text
