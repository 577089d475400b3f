"""One workshop for `run`, `scan` and `register`: the same settings give the same judgement."""

import json
from pathlib import Path

import pytest

from tests.worker.commands.local_program import run_local
from tests.worker.extractor.tiny_bundle import TinyBundle, real_png
from worker.commands.workshop import decision_policy, decode_limits
from worker.decoder.decode import DecodeLimits
from worker.decoder.regions import RegionReading
from worker.judge.policy import load_policy
from worker.settings.images import DecisionSettings, DecodeSettings


def test_the_age_in_the_settings_is_the_policys() -> None:
    own = load_policy()
    assert decision_policy(DecisionSettings()) == own
    changed = decision_policy(DecisionSettings(max_registry_age_s=7.5))
    assert changed == own.model_copy(update={"maximum_registry_age_s": 7.5})


def test_the_limits_of_the_settings_hold_for_what_the_bundle_reads() -> None:
    settings = DecodeSettings(max_image_bytes=2048, max_pixels=99_999, memory_mib=64, cpu_s=0.5)
    reading = RegionReading(1 << 16, 1 << 18)
    assert decode_limits(settings, DecodeLimits(reading)) == DecodeLimits(
        reading,
        max_image_bytes=2048,
        max_pixels=99_999,
        memory_bytes=64 * 1024 * 1024,
        cpu_s=0.5,
    )


def test_scan_judges_by_the_policy_that_run_has_with_the_same_settings(
    tiny_bundle: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(real_png(1))
    monkeypatch.setenv("LATENTPRINT_DECISION__MAX_REGISTRY_AGE_S", "7.5")
    result = run_local(tiny_bundle, "scan", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    verdict = json.loads(result.stdout)
    assert (
        verdict["policy_digest"] == decision_policy(DecisionSettings(max_registry_age_s=7.5)).digest
    )
