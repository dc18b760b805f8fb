"""What a drill's answers have to be."""

from dataclasses import replace

import pytest

from slipway.errors import ConfigError
from slipway.gates import drill, worst
from slipway.records import DrillCase, Outcome
from slipway.settings import DrillRules, parse
from tests import deliveries

WELL = DrillCase(
    name="wrong-answers",
    noticed="before traffic",
    said="sample 1 of 12: off by 3",
    seconds=1.2,
    sick_s=0.0,
    sent=120,
    failed=0,
    answered=0,
    restored=True,
    agrees=True,
)
SWITCHED = replace(WELL, name="turns-sick", noticed="in traffic", sick_s=0.1, answered=11)
DEAD = replace(SWITCHED, name="dies")


@pytest.mark.parametrize(
    ("case", "asked", "outcome"),
    [
        (WELL, "", "pass"),
        (SWITCHED, "", "pass"),
        (replace(WELL, noticed="in traffic"), "noticed", "block"),
        (replace(SWITCHED, noticed="before traffic"), "noticed", "block"),
        (replace(SWITCHED, noticed="never"), "noticed", "block"),
        (replace(WELL, restored=False), "undone", "block"),
        (replace(WELL, agrees=False), "undone", "block"),
        (replace(WELL, seconds=60.0), "seconds", "pass"),  # equal to the ceiling
        (replace(WELL, seconds=60.1), "seconds", "block"),
        (replace(WELL, seconds=float("nan")), "seconds", "block"),
        (replace(WELL, sent=0), "requests", "block"),  # nobody asked: nothing is proven
        (replace(WELL, failed=1), "requests", "block"),
        (replace(SWITCHED, failed=1), "requests", "block"),
        (replace(DEAD, failed=100), "requests", "pass"),
        (replace(DEAD, failed=101), "requests", "block"),
        (replace(WELL, answered=1), "answered", "block"),
        (replace(SWITCHED, answered=0), "answered", "block"),  # it never had requests
        (replace(WELL, left=("service drill",)), "left", "block"),
        (replace(WELL, kept=("the registry does not allow it",)), "left", "warn"),
    ],
)
def test_a_case_passes_where_it_was_found_undone_and_cost_nothing(
    case: DrillCase, asked: str, outcome: Outcome
) -> None:
    findings = list(drill.judge([case], DrillRules()))
    assert worst(findings) == outcome
    assert [f.where for f in findings if f.outcome in ("warn", "block")] == (
        [asked] if outcome != "pass" else []
    )
    names = {(f.gate, f.where) for f in findings}
    assert len(names) == len(findings) == 6


def test_no_case_at_all_blocks() -> None:
    assert worst(list(drill.judge([], DrillRules()))) == "block"


@pytest.mark.parametrize("line", ["max_s = 0", "max_s = nan", "max_failed = -1", "max_lost = -1"])
def test_rules_that_mean_nothing_are_refused(line: str) -> None:
    with pytest.raises(ConfigError):
        parse(f"{deliveries.SETTINGS}\n[drill]\n{line}\n")
