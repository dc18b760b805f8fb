"""The catalogue is what it claims: many faults, each its own, all pure, every family there."""

from collections import Counter

from slipway import config, gates
from slipway.records import digest_of
from tests.projects import ROOT

from . import report
from .bases import base, md5_of
from .catalogue import FAMILIES, faults, of
from .good import GOOD
from .harness import SEED, Answer, Bench, Passed, answer, asked_of, chance
from .lines import MONTHS, path_of, read, write

FEW = 2  # percent of the customers: what is asked of every fault here needs no more
EVERY = [fault for family in FAMILIES for fault in family.faults]
ASKED = {  # the families
    "missing",
    "null and non-finite",
    "type and format",
    "range and unit",
    "duplicates",
    "integrity",
    "distribution",
    "time",
    "leakage",
    "tampering",
    "suites",
}


def test_there_are_many_faults_in_every_family() -> None:
    assert len(EVERY) >= 60
    assert {family.name for family in FAMILIES} >= ASKED
    assert all(len(family.faults) >= 5 for family in FAMILIES)


def test_no_two_faults_have_one_name_or_do_the_same_to_the_same_column() -> None:
    assert len(faults()) == len(EVERY)
    done = Counter((fault.how.does, fault.how.to) for fault in EVERY)
    assert [what for what, count in done.items() if count > 1] == []


def test_a_fault_is_pure_and_no_other_one_leaves_the_same_files() -> None:
    left: dict[str, str] = {}
    for fault in EVERY:
        files = base(fault.base, FEW)
        before = dict(files)
        once, again = (fault.how.act(files, chance(fault.name, SEED)) for _ in range(2))
        assert once == again, f"{fault.name}: another answer each time"
        assert dict(files) == before, f"{fault.name}: it changed what it was given"
        assert once != files, f"{fault.name}: it does nothing"
        digest = digest_of(repr(sorted((p, md5_of(c)) for p, c in once.items())).encode())
        assert digest not in left, f"{fault.name}: the same as {left[digest]}"
        left[digest] = fault.name


def test_lines_are_read_and_written_byte_for_byte() -> None:
    files = base("some")
    assert all(write(read(files[path_of(m)])) == files[path_of(m)] for m in MONTHS)


def test_every_named_gate_is_one_that_the_project_asks() -> None:
    asked = config.load(ROOT).config.gates
    for fault in EVERY:
        assert {fault.stopped_by[0], *fault.also} <= asked[fault.subject].keys(), fault.name


def test_every_gate_of_the_data_stops_some_fault_that_names_it() -> None:
    for subject in ("data", "prepared"):
        named_gates = {f.stopped_by[0] for f in EVERY if f.subject == subject}
        assert set(gates.available(subject)) <= named_gates


def test_switching_gates_off_leaves_what_the_others_say(place: Bench) -> None:
    """The harness takes the others' findings from the whole verdict; here they are asked alone."""
    for fault in (of("duplicates")[0], of("suites")[0], of("tampering")[0]):
        found = answer(place, fault)
        off = {fault.stopped_by[0], *fault.also}
        asked = asked_of(place, fault.subject)
        alone = asked.verdict([gate for gate in asked.gates if gate.name not in off])
        assert alone.outcome == found.without


def test_what_escapes_stays_in_the_report() -> None:
    fault = EVERY[0]
    escaped = Answer(fault, "pass", (), named=False, alone=False, without="pass")
    blocked = Passed(GOOD[0], "block", ())
    shown = report.Report((escaped,), (blocked,), seed=1)
    assert not shown.good
    assert report.rows(shown)[0] == ("missing", "1", "0", "", "1")
    assert f"| {fault.name} |" in report.markdown(shown)
    assert "**escaped** (pass)" in report.markdown(shown)
    assert "**blocked**" in report.markdown(shown)
    assert not report.Report((), (), seed=1).good


def test_the_page_names_every_fault_and_good_version_with_what_stops_it() -> None:
    page = (ROOT / "docs/reference/faults.md").read_text()
    for fault in EVERY:
        gate, where = fault.stopped_by
        assert f"| {fault.name} | {fault.how.does}: {fault.how.to} | {gate}: `{where}` |" in page
    for good in GOOD:
        assert f"| {good.name} |" in page
    assert "**escaped**" not in page
    assert "**blocked**" not in page
