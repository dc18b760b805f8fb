"""A verdict as JUnit XML, which Jenkins shows as tests."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Sequence

from ..records import Finding, Verdict
from . import rows, terminal, words

LONGEST = 4000  # characters of one text
ROWS, COLUMNS, CALLS = 10, 12, 30  # of one finding
WIDTH = 160  # characters of a line of rows
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(verdict: Verdict, name: str) -> bytes:
    """One case a finding, stable names; a warning is a failure of type `warn` (UNSTABLE)."""
    failed = [f for f in verdict.findings if f.outcome in ("warn", "block")]
    skipped = [f for f in verdict.findings if f.outcome in ("skip", "not_applicable")]
    suite = ET.Element(
        "testsuite",
        name=f"gate.{name}",
        tests=str(len(verdict.findings)),
        failures=str(len(failed)),
        skipped=str(len(skipped)),
        errors="0",
        time=f"{verdict.seconds:.3f}",
    )
    if verdict.written_at:
        suite.set("timestamp", _clean(verdict.written_at))
    for finding, case_name in zip(verdict.findings, _names(verdict.findings), strict=True):
        where = _clean(f"gate.{name}.{finding.gate}")
        case = ET.SubElement(suite, "testcase", classname=where, name=case_name, time="0")
        _answer(case, finding, verdict)
    ET.indent(suite)
    return _document(suite)


def merge(*documents: bytes) -> bytes:
    """Several JUnit documents as one."""
    root = ET.Element("testsuites")
    for document in documents:
        found = ET.fromstring(document)  # noqa: S314 (our own and pytest's)
        root.extend([found] if found.tag == "testsuite" else list(found))
    return _document(root)


def _answer(case: ET.Element, finding: Finding, verdict: Verdict) -> None:
    if finding.outcome in ("warn", "block"):
        text = f"{finding.outcome}: {finding.message}"
        failure = ET.SubElement(case, "failure", type=finding.outcome, message=_clean(text))
        failure.text = _clean(
            f"measured: {finding.measured}\nexpected: {finding.expected}\n"
            f"where: {finding.where or verdict.of}\nabout: {verdict.of}\n{_rows(finding, verdict)}"
        )
    elif finding.outcome in ("skip", "not_applicable"):
        ET.SubElement(case, "skipped", message=_clean(finding.message))


def _rows(finding: Finding, verdict: Verdict) -> str:
    """The column, the rows, the calls of a finding, and how to get all of its rows."""
    parts = [f"column: {words.tidy(finding.column)}"] if finding.column else []
    if finding.file and verdict.quarantine:
        parts.append(
            f"the rows as they are, for those who may see them: {rows.how_to_get(verdict)}"
        )
    if finding.rows:
        shown = rows.table(finding, ROWS, COLUMNS)
        parts += [f"rows: {shown.said}", terminal.table(shown.cells, shown.header, width=WIDTH)]
    if finding.traceback:
        parts += ["raised in:", *rows.called(finding.traceback, CALLS)]
    return "\n".join(parts)


def _names(findings: Sequence[Finding]) -> Iterator[str]:
    """A name for each finding; the second of the same gate and name is numbered."""
    seen: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        name = _clean(finding.where or finding.gate)
        seen[finding.gate, name] += 1
        number = seen[finding.gate, name]
        yield name if number == 1 else f"{name} ({number})"


def _document(root: ET.Element) -> bytes:
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _clean(text: str) -> str:
    """`text` without the characters that XML 1.0 cannot hold, escaped or not."""
    return NOT_XML.sub("\ufffd", text[:LONGEST])
