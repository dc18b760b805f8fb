"""The rules that all gates share: no answer blocks, the worst finding decides."""

from types import SimpleNamespace

import pytest

from slipway import gates
from slipway.errors import ConfigError
from slipway.gates import Gate
from slipway.records import Finding


def gate(*outcomes: str) -> Gate:
    findings = [Finding("g", outcome, 1, 1, "m") for outcome in outcomes]  # type: ignore[arg-type]
    return Gate("g", SimpleNamespace(judge=lambda evidence, settings: findings), None)


def outcome(*given: Gate) -> str:
    return gates.judge(kind="data", of="x", gates=given, evidence=None, files={}).outcome


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "block"),
        ([gate()], "block"),
        ([gate("skip")], "block"),
        ([gate("not_applicable")], "block"),
        ([gate("pass")], "pass"),
        ([gate("pass", "skip")], "pass"),
        ([gate("pass"), gate("warn")], "warn"),
        ([gate("pass", "warn", "block", "pass")], "block"),
        ([gate("pass"), gate()], "block"),
    ],
)
def test_the_worst_answer_decides_and_no_answer_blocks(given: list[Gate], expected: str) -> None:
    assert outcome(*given) == expected


def test_every_gate_is_asked_even_after_a_block() -> None:
    verdict = gates.judge(
        kind="data", of="x", gates=[gate("block"), gate("pass")], evidence=None, files={}
    )
    assert [f.outcome for f in verdict.findings] == ["block", "pass"]


def test_an_unknown_gate_is_named_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match="no gate 'flors' for model"):
        gates.configured("model", {"flors": {}})


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'least'"):
        gates.configured("model", {"floors": {"leats": {}}})


def test_the_settings_digest_follows_the_settings() -> None:
    one = gates.configured("model", {"floors": {"least": {"a": 0.1}}})
    same = gates.configured("model", {"floors": {"least": {"a": 0.1}}})
    other = gates.configured("model", {"floors": {"least": {"a": 0.2}}})
    assert gates.settings_digest(one) == gates.settings_digest(same)
    assert gates.settings_digest(one) != gates.settings_digest(other)


@pytest.mark.parametrize("subject", gates.SUBJECTS)
def test_every_gate_asks_a_question_and_has_settings(subject: str) -> None:
    assert gates.available(subject)
    for name in gates.available(subject):
        module = __import__(f"slipway.gates.{subject}.{name}", fromlist=["judge"])
        assert (module.__doc__ or "").split("\n\n")[0].rstrip().endswith("?"), name
        assert module.Settings.__dataclass_params__.frozen
