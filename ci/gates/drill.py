"""Was each bad release found in time, undone, and at no user's expense?"""

from collections.abc import Iterator, Sequence

from ..records import DrillCase, Finding, Outcome
from ..settings import DrillRules

IN_TRAFFIC = ("turns-sick", "dies")  # no check can see these before they have requests
DYING = "dies"


def judge(cases: Sequence[DrillCase], rules: DrillRules) -> Iterator[Finding]:
    """Each case's answers; stable names, whatever was measured."""
    if not cases:
        yield Finding("drill", "block", 0, "at least one case", "nothing was drilled")
    for case in cases:
        yield _noticed(case)
        yield _undone(case)
        yield _seconds(case, rules)
        yield from _requests(case, rules)
        yield _left(case)


def _noticed(case: DrillCase) -> Finding:
    wanted = "in traffic" if case.name in IN_TRAFFIC else "before traffic"
    well = case.noticed == wanted
    said = f"it was noticed {case.noticed}, {wanted} was expected: {case.said}"
    return _finding(case, "noticed", case.noticed, wanted, said, well=well)


def _undone(case: DrillCase) -> Finding:
    live = "serves" if case.restored else "does not serve, or is not well"
    ledger = "says so too" if case.agrees else "disagrees, or has something open"
    said = f"what was live before {live}; the ledger {ledger}"
    well = case.restored and case.agrees
    return _finding(case, "undone", well, True, said, well=well)


def _seconds(case: DrillCase, rules: DrillRules) -> Finding:
    said = f"undone after {case.seconds:.1f} s, {case.sick_s:.2f} s of them with requests"
    well = case.seconds <= rules.max_s
    return _finding(case, "seconds", case.seconds, f"at most {rules.max_s:g}", said, well=well)


def _requests(case: DrillCase, rules: DrillRules) -> Iterator[Finding]:
    most = rules.max_lost if case.name == DYING else rules.max_failed
    said = f"{case.failed} of {case.sent} requests failed"
    if case.errors:
        said += f": {'; '.join(case.errors)}"
    well = case.sent > 0 and case.failed <= most
    yield _finding(case, "requests", case.failed, f"at most {most}", said, well=well)
    seen = case.name in IN_TRAFFIC
    said = f"the sick release answered {case.answered} requests"
    well = (case.answered > 0) == seen
    expected = "some" if seen else "none"
    yield _finding(case, "answered", case.answered, expected, said, well=well)


def _left(case: DrillCase) -> Finding:
    if case.left:
        said = f"ran on and had to be ended: {', '.join(case.left)}"
        return Finding(case.name, "block", len(case.left), 0, said, "left")
    if case.kept:
        return Finding(case.name, "warn", len(case.kept), 0, "; ".join(case.kept), "left")
    return Finding(case.name, "pass", 0, 0, "nothing is left of it", "left")


def _finding(
    case: DrillCase, where: str, measured: object, expected: object, said: str, *, well: bool
) -> Finding:
    outcome: Outcome = "pass" if well else "block"
    return Finding(case.name, outcome, measured, expected, said, where)
