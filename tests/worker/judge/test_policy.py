"""The policy file: read whole, refused with every mistake, named by a digest of its content."""

from pathlib import Path

import pytest

from worker.errors import StopError
from worker.judge.policy import Policy, load_policy, undecidable

TEXT = """
alpha = 0.01
minimum_margin = 3.0
minimum_jpeg_quality = 40
maximum_registry_age_s = 30.0
candidates_shown = 5
flag = ["attributed"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(StopError) as caught:
        load_policy(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_packages_own_policy_is_the_default() -> None:
    policy = load_policy()
    assert policy.alpha == 0.005
    assert policy.flag == ("attributed", "unknown_generator")


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    assert load_policy(written(tmp_path, TEXT)) == Policy(
        alpha=0.01,
        minimum_margin=3.0,
        minimum_jpeg_quality=40,
        maximum_registry_age_s=30.0,
        candidates_shown=5,
        flag=("attributed",),
    )


def test_the_digest_names_the_content_and_not_the_writing(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, TEXT))
    lines = sorted(TEXT.split("\n"), reverse=True)
    rewritten = load_policy(written(tmp_path, "# other order\n" + "\n".join(lines)))
    assert rewritten.digest == policy.digest
    assert len(policy.digest) == 64
    changes: list[dict[str, object]] = [
        {"alpha": 0.011},
        {"minimum_margin": 3.5},
        {"minimum_jpeg_quality": 41},
        {"maximum_registry_age_s": 31.0},
        {"candidates_shown": 6},
        {"flag": ("attributed", "undetermined")},
    ]
    others = {policy.model_copy(update=change).digest for change in changes}
    assert len(others | {policy.digest}) == 7


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("alpha = 0.01", "", "alpha"),
        ("alpha = 0.01", "alpha = 0", "alpha"),
        ("alpha = 0.01", "alpha = 1", "alpha"),
        ("alpha = 0.01", "alpha = nan", "alpha"),
        ("minimum_margin = 3.0", "minimum_margin = -1", "minimum_margin"),
        ("minimum_margin = 3.0", "minimum_margin = nan", "minimum_margin"),
        ("minimum_jpeg_quality = 40", "minimum_jpeg_quality = 101", "minimum_jpeg_quality"),
        ("maximum_registry_age_s = 30.0", "maximum_registry_age_s = 0", "maximum_registry_age_s"),
        ("maximum_registry_age_s = 30.0", "maximum_registry_age_s = nan", "maximum_registry_age_s"),
        ("maximum_registry_age_s = 30.0", "maximum_registry_age_s = inf", "maximum_registry_age_s"),
        ("candidates_shown = 5", "candidates_shown = 0", "candidates_shown"),
        ('flag = ["attributed"]', 'flag = ["no_evidence"]', "flag"),
        ("alpha = 0.01", "alpha = 0.01\nalfa = 1", "alfa"),
        ("alpha = 0.01", "alpha = ", "line 2"),
    ],
)
def test_a_mistake_is_refused_with_file_and_place(
    old: str, new: str, named: str, tmp_path: Path
) -> None:
    path = written(tmp_path, TEXT.replace(old, new))
    message = refusal(path)
    assert message.startswith(f"policy file {path} is wrong: ")
    assert named in message


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, TEXT.replace("0.01", "7").replace("40", "0")))
    assert "alpha" in message
    assert "minimum_jpeg_quality" in message


def test_mistakes_are_plain_sentences_with_what_was_meant(tmp_path: Path) -> None:
    text = TEXT.replace("alpha = 0.01", "alfa = 0.01").replace("= 40", "= 0")
    path = written(tmp_path, text)
    assert refusal(path) == (
        f"policy file {path} is wrong: alpha is missing; minimum_jpeg_quality: expected greater"
        " than or equal to 1; alfa is not known, did you mean alpha?"
    )


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert refusal(path) == (
        f"policy file {path} cannot be read: No such file or directory; set"
        " LATENTPRINT_DECISION__POLICY to a TOML file like worker/judge/policy.toml"
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"alpha = \xff\xfe")
    assert refusal(path).startswith(f"policy file {path} is wrong: ")


def test_a_level_that_no_calibration_reaches_is_refused_and_some_bins_are_named() -> None:
    """The least p-value of n real images is 1 / (n + 1)."""
    policy = load_policy().model_copy(update={"alpha": 0.005})
    assert undecidable(policy, {"png": 199, "jpeg_small": 198}) == ("jpeg_small",)
    assert undecidable(policy, {"png": 199}) == ()
    with pytest.raises(
        StopError, match=r"at most 198 real images.*alpha 0\.00503 or more"
    ) as caught:
        undecidable(policy, {"png": 198, "jpeg": 10})
    assert caught.value.exit_code == 2
