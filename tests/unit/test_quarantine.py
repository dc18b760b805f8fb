"""What a verdict says of rows: masked, cut, set apart; and what it says of a gate that raises."""

import datetime
import json
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway import gates
from slipway.config import Project, load
from slipway.errors import ConfigError, SlipwayError, ToolError
from slipway.gates import Gate, limits, masks, offending, raised
from slipway.gates.offending import Offending
from slipway.records import Finding, Verdict, canonical, parse, seal, write
from slipway.report import junit, markdown, rows, terminal
from slipway.report.sources import Sources
from slipway.settings import parse as settings_of
from slipway.stages.health import privacy
from slipway.tools import folders
from slipway.tools.dvc import access
from slipway.tools.quarantine import keeping, writing
from slipway.typed import plain
from tests.unit import report_samples as samples

PERSONAL = ("CUSTOMER", "AGE", "NAME")
SECRETS = ("00031847", "00090210", "Li Mei", "O'Brien-Wang", "37 years")
TABLE = pa.table(
    {
        "CUSTOMER": ["00031847", "00090210", "00031847", None],
        "NAME": ["Li Mei", "O'Brien-Wang", "Li Mei", "x"],
        "AGE": ["A", "37 years", "A", "B"],
        "PRODUCT": ["tofu", "rice", "tea", "milk"],
        "PIECES": [3, 1, 2, 4],
        "CUSTOMER (text)": ["00031847", "00090210", "00031847", None],
    }
)


@dataclass
class Evidence:
    """A table that gates have looked at."""

    reading: Any
    personal: Sequence[str] = PERSONAL


Ask = Callable[[Any], Iterator[Finding | Offending]]


def found(*asked: Ask, personal: Sequence[str] = PERSONAL, keep: Any = None) -> Verdict:
    """The verdict of gates that are functions of a table."""
    table = ibis.memtable(TABLE)

    def gate(ask: Ask) -> Gate:
        return Gate(ask.__name__, SimpleNamespace(judge=lambda e, _: ask(e.reading.table)), None)

    evidence = Evidence(SimpleNamespace(table=table), personal)
    asked_of = [gate(ask) for ask in asked]
    return gates.judge(
        kind="data", of="md5:x", gates=asked_of, evidence=evidence, files={}, keep=keep
    )


def block(**changes: Any) -> Finding:
    good: dict[str, Any] = {
        "gate": "g",
        "outcome": "block",
        "measured": 1,
        "expected": 0,
        "message": "bad",
    }
    return Finding(**{**good, **changes})


def few(table: Any) -> Iterator[Offending]:
    yield Offending(block(where="pieces", column="PIECES"), table.filter(table.PIECES < 4))


def test_rows_come_in_one_order_with_equal_values_told_apart_and_none_of_them_shown() -> None:
    (finding,) = found(few).findings
    assert [row["PIECES"] for row in finding.rows] == [1, 2, 3]
    assert [row["CUSTOMER"] for row in finding.rows] == ["CUSTOMER 1", "CUSTOMER 2", "CUSTOMER 2"]
    assert [row["NAME"] for row in finding.rows] == ["NAME 1", "NAME 2", "NAME 2"]
    assert [row["PRODUCT"] for row in finding.rows] == ["rice", "tea", "tofu"]
    same = [row["CUSTOMER"] == row["CUSTOMER (text)"] for row in finding.rows]
    assert all(same) and (finding.offending, finding.quarantined) == (3, 0)


def test_the_order_of_rows_says_nothing_of_the_order_of_personal_values() -> None:
    one = offending.named(Offending(block(), ibis.memtable(TABLE)), PERSONAL, None)
    assert [row["PIECES"] for row in one.rows] == [
        4,
        1,
        2,
        3,
    ]  # by product: the first column not personal


def test_a_row_without_a_personal_value_says_so() -> None:
    (finding,) = found(lambda t: iter([Offending(block(), t)])).findings
    assert finding.rows[0]["CUSTOMER"] is None


SAYING: dict[str, Finding] = {
    "a message": block(message="the customer 00031847 bought too much"),
    "a message with a name": block(message="(Li Mei) and O'Brien-Wang, 37 years"),
    "a place": block(where="customer 00090210"),
    "what was measured": block(measured={"samples": ["00031847", "00090210"], "of": 4}),
    "a table by value": block(measured={"00031847": 0.2}),
    "a table by column": block(measured={"CUSTOMER": "00031847", "NAME": "Li Mei"}),
    "what is expected": block(expected="at most 5 % for 00031847"),
    "something nested": block(measured=[{"deep": [{"er": ("x", "Li Mei was here")}]}]),
    "a passing finding": block(outcome="pass", message="00090210 has the most, 3 %"),
}


@pytest.mark.parametrize("name", SAYING)
def test_no_personal_value_is_left_in(name: str) -> None:
    verdict = found(lambda _: iter([SAYING[name]]), few)
    text = canonical(verdict).decode() + junit.render(verdict, "data").decode()
    assert not [secret for secret in SECRETS if secret in text]
    assert "CUSTOMER 1" in text or "NAME 1" in text


def test_the_same_value_has_one_label_in_all_of_a_finding() -> None:
    finding = block(message="00031847 again", measured={"samples": ["00031847", "00090210"]})
    (said,) = found(lambda _: iter([finding])).findings
    assert said.measured["samples"][0] in said.message
    assert said.measured["samples"][1] not in said.message


def test_a_short_value_is_masked_where_a_finding_about_its_column_measures_it() -> None:
    about = block(column="AGE", measured={"A": 0.5, "B": 0.25}, expected=["A", "B"])
    other = block(column="PIECES", measured={"A": 0.5})
    one, two = found(lambda _: iter([about, other])).findings
    assert one.measured == {"AGE 1": 0.5, "AGE 2": 0.25}
    assert one.expected == ["A", "B"]  # the suite says it, not the data
    assert two.measured == {"A": 0.5}


@pytest.mark.parametrize(
    "name", ["customer", "CUSTOMER (text)", "CUSTOMER_right", "values CUSTOMER"]
)
def test_a_column_is_personal_under_these_names_too(name: str) -> None:
    assert masks.about(name, PERSONAL) == "CUSTOMER"


@pytest.mark.parametrize("name", ["CUSTOMERS", "PRODUCT", "AGES", "PACKAGE", ""])
def test_a_longer_word_is_another_column(name: str) -> None:
    assert masks.about(name, PERSONAL) == ""


def test_counts_stay_counts_beside_ids_that_are_numbers() -> None:
    table = ibis.memtable(pa.table({"id": [12345, 100000]}))
    said = block(message="12345 of 100000 lines", measured={"id": 12345})
    assert masks.mask([said], ["id"], lambda: [table]) == [said]
    row = masks.mask([block(rows=({"id": 12345},))], ["id"], lambda: [table])[0].rows[0]
    assert row == {"id": "id 1"}


def test_where_no_engine_can_tell_all_that_may_be_a_value_is_masked() -> None:
    def tables() -> Sequence[Any]:
        raise RuntimeError("gone")

    (said,) = masks.mask([block(message="it is 00031847")], PERSONAL, tables)
    assert "00031847" not in said.message


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=5, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_value_is_it_does_not_stand_alone_in_a_message(
    value: str, before: str, behind: str
) -> None:
    words = masks.WORD.findall(value)
    if value != value.strip() or len(words) > masks.WORDS or not words:
        return
    if not (value[0].isalnum() and value[-1].isalnum()):
        return
    table = ibis.memtable(pa.table({"NAME": [value]}))
    (said,) = masks.mask([block(message=f"{before} {value} {behind}")], ["NAME"], lambda: [table])
    assert f" {value} " not in f" {said.message.removeprefix(before)} " or value in behind


# Gates that raise.


def raising(table: Any) -> Iterator[Finding]:
    yield block(outcome="pass", where="first")
    raise KeyError("00031847")


def test_a_gate_that_raises_blocks_and_the_others_still_answer() -> None:
    verdict = found(raising, few)
    assert [(f.gate, f.outcome, f.where) for f in verdict.findings] == [
        ("g", "pass", "first"),
        ("raising", "block", "raised"),
        ("g", "block", "pieces"),
    ]
    blocked = verdict.findings[1]
    assert (blocked.measured, blocked.expected) == ("raised KeyError", "an answer")
    assert blocked.traceback[-1].endswith("in raising") and ":" in blocked.traceback[-1]
    assert not any(call.startswith("/") for call in blocked.traceback)


def test_what_is_raised_over_personal_data_is_not_quoted_and_elsewhere_it_is() -> None:
    text = canonical(found(raising)).decode()
    assert "00031847" not in text and "KeyError" in text
    assert "00031847" in found(raising, personal=()).findings[1].message


def test_a_cause_is_named_by_its_type_and_calls_alone() -> None:
    def chained(_: Any) -> Iterator[Finding]:
        try:
            raise ValueError("00031847")
        except ValueError as error:
            raise RuntimeError("Li Mei") from error
        yield

    verdict = found(chained)
    assert any("raised ValueError" in call for call in verdict.findings[0].traceback)
    assert not [secret for secret in SECRETS if secret in canonical(verdict).decode()]


def test_a_bug_beside_the_gates_is_told_without_what_it_says() -> None:
    try:
        try:
            raise KeyError("00031847")
        except KeyError as error:
            raise raised.unsaid(error) from None
    except raised.Unsaid as bug:
        text = "".join(traceback.format_exception(bug))
    assert "00031847" not in text.replace('raise KeyError("00031847")', "")  # its own source line
    assert text.endswith(f"Unsaid: KeyError: {raised.UNSAID}\n")
    assert "During handling" not in text and "direct cause" not in text


def test_rows_that_cannot_be_had_block_and_what_was_found_stands() -> None:
    def odd(table: Any) -> Iterator[Offending]:
        bad = block(outcome="warn", where="odd")
        yield Offending(bad, table.filter(table.PRODUCT.cast("int64") > 1))

    verdict = found(odd, few)
    assert [f.where for f in verdict.findings] == ["odd", "raised", "pieces"]
    assert verdict.outcome == "block"


@pytest.mark.parametrize(
    "answer",
    [
        "yes",
        None,
        block(outcome="blocked"),
        Offending(block(), None),
        Offending(block(), "rows"),
        Offending("no", None),  # type: ignore[arg-type]
    ],
)
def test_an_answer_that_is_none_blocks(answer: Any) -> None:
    assert found(lambda _: iter([answer])).outcome == "block"


@pytest.mark.parametrize("error", [ConfigError("a", "b", "c"), ToolError("a", "b", "c")])
def test_what_evidence_says_it_lacks_keeps_its_exit_code(error: SlipwayError) -> None:
    def refusing(_: Any) -> Iterator[Finding]:
        raise error
        yield

    with pytest.raises(type(error)):
        found(refusing)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_who_wants_to_end_a_gate_does(error: type[BaseException]) -> None:
    def ending(_: Any) -> Iterator[Finding]:
        raise error
        yield

    with pytest.raises(error):
        found(ending)


# A verdict stays small, whatever gates say.


class Odd:
    """Something that JSON does not know."""

    def __str__(self) -> str:
        return "odd \ud800"


def monstrous(table: Any) -> Iterator[Finding | Offending]:
    huge = "wörd " * 400_000
    yield block(message=huge, where=huge, measured={huge: [huge] * 500}, expected=[[[[[[[[1]]]]]]]])
    yield block(measured=Odd(), expected=datetime.date(2001, 2, 3), message="\ud800")
    yield block(measured={Odd(): {1, 2}}, expected=float("inf"), message="x" * 10**6)
    yield block(measured=10**5000, expected=b"00031847")
    wide = {f"c{n}": "y" * 50_000 for n in range(300)}
    for number in range(40):
        yield block(where=str(number), rows=tuple([wide] * 20))


def test_a_verdict_stays_below_a_megabyte_and_can_be_written(tmp_path: Path) -> None:
    def many(_: Any) -> Iterator[Finding]:
        yield from (block(outcome="pass", message="m" * 900, where=str(n)) for n in range(1500))

    verdict = found(many, monstrous)
    write(tmp_path, "data-verdict", verdict)
    assert (tmp_path / "data-verdict.json").stat().st_size < 1_000_000
    assert len(junit.render(verdict, "data")) < 1_000_000
    assert verdict.outcome == "block"
    assert sum(f.outcome == "block" for f in verdict.findings) == 44
    assert verdict.findings[-1].where == "too many" and verdict.findings[-1].outcome == "pass"
    assert any(f.rows for f in verdict.findings)


def test_blocks_that_do_not_fit_still_block() -> None:
    def many(_: Any) -> Iterator[Finding]:
        yield from (block(message="m" * 1900, where=str(n)) for n in range(1000))

    assert found(many).findings[-1].outcome == "block"


def test_a_cut_text_does_not_end_in_half_a_value() -> None:
    text = "a " * 997 + "00031847 and more"
    assert limits.clean(block(message=text)).message.endswith(" a…")


def test_very_many_files_are_one_digest() -> None:
    many = {f"data/{n}.csv": "sha256:" + "0" * 64 for n in range(5000)}
    assert list(limits.files(many)) == ["5000 files"]
    assert limits.files(many) != limits.files({**many, "data/0.csv": "sha256:" + "1" * 64})


# Quarantine.


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "delivery.toml").write_text(samples.TOML)
    return replace(load(tmp_path), home=tmp_path / "home")


def set_apart(project: Project, folder: Path, *asked: Ask) -> Verdict:
    with writing.opened(project, folder) as writer:
        return writer.close(found(*asked, keep=writer.take))


def test_all_rows_are_set_apart_as_they_are_with_what_they_are_about(project: Project) -> None:
    folder = project.root / "quarantine" / "data"
    verdict = set_apart(project, folder, few, raising)
    (finding, *_) = verdict.findings
    assert (finding.file, finding.quarantined, finding.offending) == ("001-g.parquet", 3, 3)
    table = pq.read_table(folder / finding.file)
    assert sorted(table["CUSTOMER"].to_pylist()) == ["00031847", "00031847", "00090210"]
    assert set(table["slipway where"].to_pylist()) == {"pieces"}
    index = json.loads((folder / "index.json").read_bytes())
    assert [(entry["file"], entry["rows"], entry["of"]) for entry in index] == [
        (finding.file, 3, 3)
    ]
    assert verdict.quarantine == folders.digest(folders.hash_files(folder))


def test_the_same_rows_in_another_order_and_type_give_the_same_bytes(project: Project) -> None:
    folder = project.root / "quarantine" / "data"

    def other(table: Any) -> Iterator[Offending]:
        turned = TABLE.take([2, 3, 1, 0])
        coded = turned.set_column(3, "PRODUCT", turned["PRODUCT"].dictionary_encode())
        narrow = coded.set_column(4, "PIECES", coded["PIECES"].cast(pa.int32()))
        rows = ibis.memtable(narrow)
        yield Offending(block(where="pieces", column="PIECES"), rows.filter(rows.PIECES < 4))

    one = set_apart(project, folder, few).quarantine
    assert one and set_apart(project, folder, other).quarantine == one


def test_nothing_to_set_apart_is_a_folder_with_an_empty_index(project: Project) -> None:
    folder = project.root / "quarantine" / "data"
    set_apart(project, folder, few)
    verdict = set_apart(project, folder, lambda _: iter([block(outcome="pass")]))
    assert verdict.quarantine == ""
    assert [path.name for path in folder.iterdir()] == ["index.json"]


def test_passing_findings_are_never_looked_at(project: Project) -> None:
    def passing(_: Any) -> Iterator[Offending]:
        yield Offending(block(outcome="pass"), None)

    assert set_apart(project, project.root / "quarantine" / "data", passing).outcome == "pass"


def test_more_rows_than_a_finding_may_set_apart_are_counted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offending, "CAP", 2)
    folder = project.root / "quarantine" / "data"
    (finding,) = set_apart(project, folder, few).findings
    assert (finding.offending, finding.quarantined) == (3, 2)
    assert rows.said(finding, 1) == "1 of 3 rows; 2 in the quarantine, 001-g.parquet"


def test_more_rows_than_a_verdict_may_set_apart_are_counted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "CAP", 4)
    verdict = set_apart(project, project.root / "quarantine" / "data", few, few, few)
    assert [f.quarantined for f in verdict.findings] == [3, 1, 0]


def test_what_ends_in_the_middle_leaves_the_folder_as_it_was_and_nothing_aside(
    project: Project,
) -> None:
    folder = project.root / "quarantine" / "data"
    set_apart(project, folder, few)
    before = folders.hash_files(folder)

    def interrupted(table: Any) -> Iterator[Offending]:
        yield from few(table)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        set_apart(project, folder, interrupted)
    assert folders.hash_files(folder) == before
    assert not list((project.scratch / "quarantine").glob("*.partial"))


@pytest.mark.parametrize("mode", ["0700", "750", "2770"])
def test_who_may_read_is_what_delivery_toml_says(tmp_path: Path, mode: str) -> None:
    (tmp_path / "delivery.toml").write_text(f'{samples.TOML}[data]\nquarantine_mode = "{mode}"\n')
    project = replace(load(tmp_path), home=tmp_path / "home")
    folder = tmp_path / "quarantine" / "data"
    set_apart(project, folder, few)
    for place in (folder, folder.parent):
        assert place.stat().st_mode & 0o7777 == int(mode, 8)
    assert all(p.stat().st_mode & 0o777 == int(mode, 8) & 0o666 for p in folder.iterdir())


@pytest.mark.parametrize("mode", ["", "rwx", "0000", "0077", "0600", "99", "07000", "0o700"])
def test_a_mode_that_is_none_or_shuts_slipway_out_is_refused(mode: str) -> None:
    with pytest.raises(ConfigError, match="quarantine_mode"):
        settings_of(f'{samples.TOML}[data]\nquarantine_mode = "{mode}"\n')


@pytest.mark.parametrize(
    "digest", ["", "md5:", "md5:" + "0" * 32, "sha256:" + "0" * 64, "../../x.dir", "x" * 10**6]
)
def test_a_digest_of_no_folder_is_refused(project: Project, digest: str) -> None:
    with pytest.raises(ConfigError, match="no digest of a quarantine"):
        keeping.fetch(project, digest, project.root / "x")


def test_the_doctor_says_which_folders_others_may_read(project: Project) -> None:
    settings = "[core]\nremote = r\n['remote \"r\"']\nurl = ../remote\n"
    (project.root / ".dvc").mkdir()
    (project.root / ".dvc" / "config").write_text(settings)
    places = {name: folder for name, (folder, _) in access.folders(project).items()}
    assert set(places) == {"quarantine", "fetched quarantine", "DVC cache", "DVC remote"}
    assert list(privacy.judge(project)) == []
    for folder in places.values():
        access.make(folder, 0o750)
    assert {check.outcome for check in privacy.judge(project)} == {"ok"}
    for name, folder in places.items():
        for mode in (0o755, 0o701, 0o704):
            folder.chmod(mode)
            (wrong,) = [c for c in privacy.judge(project) if c.outcome != "ok"]
            assert (wrong.name, wrong.outcome) == (name, "warn")
            assert str(folder) in wrong.mend and f"{mode:04o}" in wrong.measured
        folder.chmod(0o750)


# What people see.


def shown(**changes: Any) -> Finding:
    row = {"PRICE": -1.25, "NAME": "NAME 1", "DAY": "2001-02-03T00:00:00", "ID": "007", "N": None}
    named: dict[str, Any] = {"column": "PRICE", "rows": (row,) * 20, "offending": 4321}
    return block(**{**named, "quarantined": 4321, "file": "001-g.parquet", **changes})


APART = replace(
    samples.verdict("data", samples.DATA, [shown()]), quarantine="md5:" + "a" * 32 + ".dir"
)


def test_a_terminal_shows_the_first_rows_and_how_to_get_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.show(APART, color=False)
    out = capsys.readouterr().out
    assert out.count("NAME 1") == 3 and "2001-02-03 " in out and "null" in out and "007" in out
    assert "3 of 4,321 rows; all in the quarantine" in out
    assert f"slipway quarantine {APART.quarantine}" in out
    assert max(map(len, out.splitlines())) <= 120


def test_a_terminal_shows_where_a_gate_raised(capsys: pytest.CaptureFixture[str]) -> None:
    calls = tuple(f"a.py:{n} in f" for n in range(9))
    ended = replace(APART, findings=(block(traceback=calls),))
    terminal.show(ended, color=False)
    out = capsys.readouterr().out
    assert "… 4 calls before" in out and "a.py:8 in f" in out and "a.py:3 in f" not in out


def test_junit_says_the_column_the_rows_and_how_to_get_all() -> None:
    text = junit.render(APART, "data").decode()
    assert "column: PRICE" in text and "10 of 4,321 rows" in text
    assert f"slipway quarantine {APART.quarantine}" in text


def test_a_summary_shows_rows_that_nothing_is_active_in(project: Project) -> None:
    evil = {"PRICE": "<img src=x>|\n# [x](y) @all", "</details>": "`x`"}
    verdict = replace(APART, findings=(shown(rows=(evil,), offending=1),))
    text = markdown.render(project, Sources(records={"data-verdict": verdict}))
    (summary,) = [line for line in text.splitlines() if line.startswith("<details>")]
    assert "1 row" in summary
    assert "<img" not in text and "@all" not in text and text.count("</details>") == 1


# Records.


def test_a_verdict_of_an_earlier_slipway_is_still_read() -> None:
    old = plain(replace(APART, schema="verdict/1"))
    del old["quarantine"]
    for finding in old["findings"]:
        for name in ("column", "rows", "offending", "quarantined", "file", "traceback"):
            del finding[name]
    content = canonical({**old, "seal": seal(old)})
    read = parse(content, Verdict, "the ledger")
    assert (read.schema, read.quarantine, read.findings[0].rows) == ("verdict/1", "", ())
