"""The report: what it says of a delivery, whatever state that is in."""

import dataclasses
import json
import os
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway import stages
from slipway.config import Project
from slipway.errors import EvidenceError
from slipway.records import Finding, digest_tree
from slipway.report import decision, details, page, pictures, sources, steps
from slipway.stages.run import STEPS
from tests.unit import report_samples as samples
from tests.unit.report_samples import Delivery

VOID = {"meta", "link", "img", "use", "path", "rect", "wbr", "br", "circle"}
EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


class Outline(HTMLParser):
    """Checks that tags close in order; keeps headings, ids, links and text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.tags.append((tag, named))
        assert len(named) == len(attrs), f"<{tag}> names an attribute twice"
        if "id" in named:
            self.ids.append(str(named["id"]))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()
        self.text += " " if tag in ("p", "dt", "dd", "li", "td", "th", "title") else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def written(project: Project) -> str:
    found = details.gather(project)
    return page.write(project, found).read_text(encoding="utf-8")


def outline(html: str) -> Outline:
    parsed = Outline()
    parsed.feed(html)
    parsed.close()
    assert not parsed.open
    parsed.text = " ".join(parsed.text.split())
    return parsed


def check_markup(html: str) -> Outline:
    """What holds of every page: sound, still, self-contained."""
    parsed = outline(html)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert parsed.levels[0] == 1 and parsed.levels.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(parsed.levels, parsed.levels[1:], strict=False))
    for tag, attrs in parsed.tags:
        assert tag not in ("script", "style", "iframe", "object", "embed", "form", "base")
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("href", "src"):
            target = str(attrs.get(name) or "")
            assert re.match(r"(https?://|#|raw/|plots/|report\.css|icon\.svg|$)", target), target
            assert tag == "a" or not target.startswith("http")
        assert tag != "th" or attrs.get("scope") in ("col", "row")
        assert tag != "img" or attrs.get("alt")
    assert len(html.encode()) < 1_000_000
    return parsed


def said(project: Project) -> str:
    return decision.decide(details.gather(project), project).line


def test_a_complete_delivery_says_released_by_whom_and_beside_what(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    text = check_markup(written(project)).text
    for part in (
        *("v1.2.0 is released", "approved by maria.lopez", "NDCG@10 is 0.1812"),
        *("the champion's 0.1763", "http://127.0.0.1:8100", "personal frequency", "+0.0049"),
        *("≥ 0.1628 (personal_frequency) + 0.01", "10 baskets and more", "4,388"),
        *("unknown postcodes", "40,666", "4.97 %", "p95_ms 4.1", "11.7 ms", "2.21.0"),
        *("params.yaml:train.embedding modified", "CycloneDX 1.6, 143 components", "4f9d2c71b8a3"),
        *("sha256:7be17be17be1", "trained in 48.3 s", "2 min 23 s", "Scores by rank"),
    ):
        assert part in text, part
    assert "belongs to another" not in text and "not here" not in text
    raw = tmp_path / "delivery/report/raw"
    assert (raw / "delivery/release.json").read_bytes() == (
        tmp_path / "delivery/release.json"
    ).read_bytes()


@pytest.mark.parametrize("step", [name for name in samples.STEPS if name != "image-probe"])
def test_a_delivery_may_end_behind_any_step(tmp_path: Path, step: str) -> None:
    project = Delivery(tmp_path).run(step).project
    text = check_markup(written(project)).text
    assert ("v1.2.0 is released" in text) == (step == "release")
    assert steps.STEP_OF[step] in text


def test_a_blocked_delivery_says_first_what_stopped_it(tmp_path: Path) -> None:
    project = Delivery(tmp_path, 0.1702).run("model-verdict").project
    text = check_markup(written(project)).text
    for part in (
        "Blocked by the model gate",
        "2 of 6 findings say no. Nothing was deployed.",
        "Measured 0.1702 Expected ≥ 0.1628 (personal_frequency) + 0.01 Champion 0.1763",
        "image not reached",
    ):
        assert part in text, part
    assert text.index("What stopped it") < text.index("Steps")
    assert "is released" not in text


def test_a_block_after_the_switch_says_what_is_in_production(tmp_path: Path) -> None:
    found = [samples.finding("latency", "p95_ms", 900.0, "<= 50", "block")]
    sick = samples.verdict("service", f"{samples.BUNDLE}@production", found)
    project = Delivery(tmp_path).run("production-verdict", production_verdict=sick).project
    assert "v1.2.0 is in production all the same." in check_markup(written(project)).text


def test_waiting_for_approval_is_no_release(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run("staging-verdict").project
    assert "Waiting for approval" in check_markup(written(project)).text
    assert said(project) == (
        "v1.2.0 waits for approval · ndcg@10 0.1812 (champion 0.1763) · 0 warnings"
    )


def test_a_plain_dvc_repro_is_judged_and_not_delivered(tmp_path: Path) -> None:
    project = samples.plain_dvc(tmp_path)
    text = check_markup(written(project)).text
    assert "Judged, not delivered" in text and "These verdicts are no records" in text
    assert "10 baskets and more" in text and "Scores by rank" in text
    assert said(project) == (
        "judged, not delivered: 3 verdicts passed · ndcg@10 0.1812 (champion 0.1763)"
    )


def test_a_blocked_plain_dvc_repro_says_so(tmp_path: Path) -> None:
    project = samples.plain_dvc(tmp_path, 0.15)
    assert "Blocked by the model gate" in check_markup(written(project)).text


def test_what_an_earlier_dvc_repro_left_behind_a_blocked_gate_is_not_shown(tmp_path: Path) -> None:
    project = samples.plain_dvc(tmp_path)
    bad = samples.verdict("data", samples.DATA, [samples.finding("x", "rows", 0, ">= 1", "block")])
    (tmp_path / "verdicts/data.json").write_bytes(samples.bare(bad))
    text = check_markup(written(project)).text
    assert "Blocked by the data gate" in text
    assert "verdicts/model.json is of an earlier run" in text
    assert "0.1812" not in text and "There is no evaluation here." in text


def test_an_evaluation_of_another_run_is_left_out_and_said(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    other = samples.evaluation_file(0.9)
    (tmp_path / "evaluation/evaluation.json").write_text(json.dumps(other))
    text = check_markup(written(project)).text
    assert "evaluation/evaluation.json is of another run and was left out" in text
    assert "0.1812" in text and "0.9000" not in text  # the record still has the scores
    assert "10 baskets and more" not in text


def test_an_agent_that_has_only_the_delivery_writes_the_same_page(tmp_path: Path) -> None:
    made = Delivery(tmp_path / "first").run()
    first = written(made.project)
    agent = tmp_path / "second"
    (tmp_path / "first/delivery").rename(agent / "delivery") if agent.mkdir() is None else None
    assert written(dataclasses.replace(made.project, root=agent)) == first
    assert (agent / "delivery/report/plots/scores_by_rank.svg").exists()


def test_the_same_facts_give_the_same_bytes(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    written(project)
    first = digest_tree(project.delivery)
    written(project)
    assert digest_tree(project.delivery) == first


def test_a_second_page_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    written(project)
    (tmp_path / "evaluation/plots/scores_by_rank.svg").unlink()
    (project.delivery / "release.json").unlink()
    written(project)
    report = project.delivery / "report"
    assert not list(report.glob("plots/*")) and not (report / "raw/delivery/release.json").exists()


def test_what_was_kept_is_not_taken_for_a_new_run(tmp_path: Path) -> None:
    project = samples.plain_dvc(tmp_path)
    written(project)
    for folder in ("verdicts", "evaluation", "models", "prepared"):
        shutil.rmtree(tmp_path / folder)
    assert details.gather(project).empty


def test_a_write_that_was_cut_off_is_removed_and_one_that_goes_on_is_not(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run("plan").project
    written(project)
    old, young = (project.delivery / f"report/.index.html.{pid}" for pid in (1, 2))
    for path, age in ((old, 3600), (young, 1)):
        path.write_text("<!do")
        then = path.stat().st_mtime - age
        os.utime(path, (then, then))
    written(project)
    assert young.exists() and not old.exists()


def test_an_altered_record_is_never_read_as_a_yes(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    samples.alter(project.delivery / "model-verdict.json", "0.1812", "0.1912")
    text = check_markup(written(project)).text
    assert "The evidence is broken" in text and "is released" not in text
    assert "delivery/model-verdict.json a record was altered after it was written" in text
    assert said(project).startswith("evidence broken: delivery/model-verdict.json")


BROKEN: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "no UTF-8": b"\xff\xfe{}",
    "a list": b"[]",
    "null": b"null",
    "no seal": b"{}",
    "deep": b"[" * 100_000,
    "a huge number": b'{"bytes": ' + b"9" * 5000 + b"}",
    "NUL": b"\x00" * 64,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("name", ["plan", "evaluation"])
def test_a_malformed_record_is_named_and_the_page_written(
    tmp_path: Path, name: str, content: bytes
) -> None:
    project = Delivery(tmp_path).run("evaluation").project
    (project.delivery / f"{name}.json").write_bytes(content)
    text = check_markup(written(project)).text
    assert "The evidence is broken" in text and f"delivery/{name}.json" in text


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize(
    "path",
    ["verdicts/model.json", "evaluation/evaluation.json", "prepared/cleaning.json"],
)
def test_a_malformed_file_of_a_dvc_stage_is_named_or_left_out(
    tmp_path: Path, path: str, content: bytes
) -> None:
    project = samples.plain_dvc(tmp_path)
    (tmp_path / path).write_bytes(content)
    assert path in check_markup(written(project)).text


def test_a_folder_in_the_place_of_a_record_is_named(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    (project.delivery / "plan.json").unlink()
    (project.delivery / "plan.json").mkdir()
    assert "delivery/plan.json cannot be read: Is a directory" in outline(written(project)).text


def test_a_record_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Delivery(tmp_path).run().project
    monkeypatch.setattr(sources, "LARGEST", 1000)
    assert "too large to read" in check_markup(written(project)).text


def test_a_record_that_stands_on_nothing_here_is_shown_as_a_gap(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    samples.reseal(project.delivery / "image.json", lambda r: r.update(on="sha256:" + "0" * 64))
    text = check_markup(written(project)).text
    assert "stands on sha256:000000000000, which is not here" in text
    assert "names another image" in text  # the deployments named the image as it was


def test_nothing_at_all_is_said_in_three_lines(tmp_path: Path) -> None:
    (tmp_path / "delivery.toml").write_text(samples.TOML)
    with pytest.raises(EvidenceError, match="nothing to report on") as caught:
        stages.execute(["report"], samples.project(tmp_path))
    assert caught.value.exit_code == 5
    assert not (tmp_path / "delivery").exists()


def test_describing_nothing_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stages.execute(["describe"], samples.project(tmp_path)).code == 0
    assert capsys.readouterr().out == "nothing recorded\n"


def test_the_command_writes_the_page_and_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Delivery(tmp_path).run().project
    (project.delivery / "probe.json").write_text("not ours")
    (project.delivery / "staging.json").write_text("{}")
    done = stages.execute(["report"], project)
    assert done.code == 0 and Path(done.answer).is_file()
    out, err = capsys.readouterr()
    assert done.answer in out and "delivery/staging.json cannot be relied on" in err


def _planted(tmp_path: Path) -> Project:
    """`<script>` wherever a stranger's text can stand."""
    toml = samples.TOML.replace("Next-basket recommender", EVIL)
    made = Delivery(tmp_path)
    made.project = samples.project(tmp_path, toml)
    bad = Finding("suite", "block", EVIL, {EVIL: [EVIL]}, f"column {EVIL}", f"null/{EVIL}")
    made.run(
        "production",
        data_verdict=samples.verdict("data", EVIL, [bad], unproven=(EVIL,)),
        staging=dataclasses.replace(
            made.deployment("staging"),
            version=EVIL,
            url=f"javascript:{EVIL}",
            previous={EVIL: EVIL},
        ),
        approval=samples.Approval(
            subject=EVIL, approved_by=EVIL, expires_at=EVIL, verdicts={}, warnings=(EVIL,)
        ),
    )
    for name in ("plan", "dataset"):
        samples.reseal(made.project.delivery / f"{name}.json", lambda r: r.update(commit=EVIL))
    return made.project


def test_planted_markup_comes_out_escaped_everywhere(tmp_path: Path) -> None:
    html = written(_planted(tmp_path))
    parsed = check_markup(html)
    assert "<script" not in html and "&lt;script&gt;alert(1)&lt;" in html
    assert parsed.text.count(EVIL) >= 12
    assert not [a for tag, a in parsed.tags if "javascript" in str(a.get("href"))]


def test_text_that_turns_the_writing_direction_is_made_visible(tmp_path: Path) -> None:
    found = [Finding("x", "block", 1, 2, "safe\u202egnp.exe \x1b[31m\ud800", "a\u200bb\nc")]
    bad = samples.verdict("data", samples.DATA, found)
    project = Delivery(tmp_path)
    project.run("dataset")
    source = sources.Sources(records={"data-verdict": bad})
    html = page.render(project.project, source).decode()
    assert "safe\\u202egnp.exe \\u001b[31m\\ud800" in html.replace("<wbr>", "")
    assert "a\\u200bb c" in html


@pytest.mark.parametrize("text", ["x", "<&>\"'" * 200])
def test_thousands_of_findings_stay_below_a_megabyte_and_are_counted(
    tmp_path: Path, text: str
) -> None:
    loud = [Finding("g", "block", text, text, text, f"{i}{text}") for i in range(3000)]
    quiet = [Finding("g", "pass", text, text, text, f"{i}{text}") for i in range(3000)]
    made = Delivery(tmp_path)
    names = [name for name, cls in sources.RECORDS.items() if cls is samples.Verdict]
    found = {name: samples.verdict("data", samples.DATA, loud + quiet) for name in names}
    many = {f"{text}{i}": {"rows": i, "candidate": {"ndcg_at_10": 0.1}} for i in range(3000)}
    scores = {f"m{i}{text}": 0.1 for i in range(3000)}
    evaluation = {"candidate": scores, "slices": many, "baselines": {text: scores}}
    source = sources.Sources(records=found, details={"evaluation": evaluation})
    html = page.render(made.project, source).decode()
    parsed = check_markup(html)
    assert re.search(r"[\d,]+ more findings that did not pass", parsed.text)
    assert "2,960 more slices" in parsed.text and "2,960 more metrics" in parsed.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
SHAPES = st.dictionaries(
    st.sampled_from(["candidate", "champion", "baselines", "slices", "window", "model", "rules"])
    | st.sampled_from(["dataset", "rows"]),
    JSON | st.dictionaries(st.sampled_from(["ndcg_at_10", "rows", "candidate", "auc"]), JSON),
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(evaluation=SHAPES, cleaning=SHAPES, environment=SHAPES, champion=JSON, measured=JSON)
def test_no_content_of_a_file_breaks_the_page(
    tmp_path: Path, evaluation: Any, cleaning: Any, environment: Any, champion: Any, measured: Any
) -> None:
    found = [Finding("g", "block", measured, measured, "m", "ndcg_at_10 against x")]
    source = sources.Sources(
        records={"model-verdict": samples.verdict("model", "x", found)},
        details={
            "evaluation": evaluation,
            "cleaning": cleaning,
            "environment": environment,
            "champion": champion,
        },
        bare=True,
    )
    check_markup(page.render(samples.project(tmp_path), source).decode())


SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink">{}</svg>'
UNSAFE = {
    "script": SVG.format("<script>1</script>"),
    "foreign": SVG.format("<foreignObject/>"),
    "event": SVG.format('<rect onload="x()"/>'),
    "upper-case event": SVG.format('<rect ONLOAD="x()"/>'),
    "outside use": SVG.format('<use x:href="http://example.com/a.svg#b"/>'),
    "data image": SVG.format('<image href="data:image/png;base64,AA"/>'),
    "link": SVG.format('<a href="#x"><rect/></a>'),
    "animation": SVG.format('<set attributeName="href" to="javascript:x"/>'),
    "import": SVG.format("<style>@import 'http://example.com/x.css'</style>"),
    "style url": SVG.format("<style>rect{fill:url(http://example.com/x)}</style>"),
    "style attribute": SVG.format('<rect style="fill:url( //example.com/x)"/>'),
    "css escape": SVG.format('<rect style="fill:\\75rl(//example.com/x)"/>'),
    "entity": '<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("&a;"),
    "style sheet": '<?xml-stylesheet href="x.css"?>' + SVG.format(""),
    "other root": "<html/>",
    "no namespace": "<svg><rect/></svg>",
    "other namespace": SVG.format('<h:script xmlns:h="http://www.w3.org/1999/xhtml"/>'),
    "cut off": SVG.format("<rect/>")[:-4],
    "empty": "",
}


@pytest.mark.parametrize("content", UNSAFE.values(), ids=UNSAFE)
def test_an_svg_that_could_do_more_than_be_looked_at_is_refused(content: str) -> None:
    assert pictures.unsafe(content.encode())


def test_a_refused_picture_is_named_and_the_others_shown(tmp_path: Path) -> None:
    project = Delivery(tmp_path).run().project
    (tmp_path / "evaluation/plots/bad.svg").write_text(UNSAFE["script"])
    text = check_markup(written(project)).text
    assert "plots/bad.svg was left out: it holds <script>" in text
    assert not (project.delivery / "report/plots/bad.svg").exists()
    assert (project.delivery / "report/plots/scores_by_rank.svg").exists()


def test_a_drawing_as_matplotlib_makes_it_is_kept() -> None:
    drawing = SVG.format(
        '<metadata><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></metadata>'
        "<defs><style>*{stroke-linejoin: round}</style>"
        '<clipPath id="p"><rect width="9" height="9"/></clipPath></defs>'
        '<g clip-path="url(#p)"><path d="M0 0" style="fill: none; stroke: #1f77b4"/>'
        '<use x:href="#m" y="3"/></g>'
    )
    assert pictures.unsafe(drawing.encode()) == ""


@pytest.mark.parametrize(
    ("name", "content"),
    [("a b.png", pictures.PNG), ("<i>.png", pictures.PNG), ("x.png", b"GIF89a"), ("é.svg", b"")],
)
def test_a_picture_with_an_odd_name_or_content_is_left_out(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    good, left = pictures.pictures(tmp_path)
    assert not good and len(left) == 1


DESCRIBED: dict[str, tuple[Callable[[Path], Project], str]] = {
    "released": (
        lambda root: Delivery(root).run().project,
        "v1.2.0 released · ndcg@10 0.1812 (champion 0.1763) · 0 warnings",
    ),
    "blocked": (
        lambda root: Delivery(root, 0.1702).run("model-verdict").project,
        "blocked by model gate: baselines: ndcg@10 against personal_frequency 0.1702, "
        "expected >= 0.1628 (personal_frequency) + 0.01 (and 1 more)",
    ),
    "stopped": (
        lambda root: Delivery(root).run("image").project,
        "stopped after image: no record of image gate",
    ),
    "planned": (lambda root: Delivery(root).run("plan").project, "stopped after plan: no record"),
}


@pytest.mark.parametrize(("make", "line"), DESCRIBED.values(), ids=DESCRIBED)
def test_a_delivery_is_described_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], Project],
    line: str,
) -> None:
    stages.execute(["describe"], make(tmp_path))
    out = capsys.readouterr().out
    assert out.startswith(line) and out.count("\n") == 1 and len(out) < 200


def test_a_description_stays_one_line_whatever_a_finding_holds(tmp_path: Path) -> None:
    found = [Finding("g", "block", "a\nb" * 999, "\x1b[0m", "m", "w\r\nx")]
    bad = samples.verdict("data", samples.DATA, found)
    line = said(Delivery(tmp_path).run("data-verdict", data_verdict=bad).project)
    assert line.isprintable() and len(line) < 200


def test_nothing_to_deliver_names_what_is_live(tmp_path: Path) -> None:
    made = Delivery(tmp_path)
    live = {"version": "v1.0.0", "digest": samples.BUNDLE, "url": "http://127.0.0.1:8100"}
    plan = dataclasses.replace(made.make("plan"), delivered=live)
    made.run("plan", plan=plan)
    assert said(made.project) == "nothing to deliver: v1.0.0 is live"
    made.run("prepared-verdict", plan=plan)  # as a schedule judges the data again
    assert said(made.project) == "nothing to deliver: v1.0.0 is live"
    assert "2 verdicts on its data passed again" in check_markup(written(made.project)).text
    found = [samples.finding("freshness", "last_day", "2001-02-28", ">= 2001-03-28", "warn")]
    old = samples.verdict("data", samples.DATA, found)
    made.write("data-verdict", old, "dataset")
    assert said(made.project) == "nothing to deliver: v1.0.0 is live · 1 warning"
    bad = samples.verdict("data", samples.DATA, [dataclasses.replace(found[0], outcome="block")])
    made.write("data-verdict", bad, "dataset")
    assert said(made.project).startswith("blocked by data gate")


def test_a_warning_is_counted_and_shown(tmp_path: Path) -> None:
    found = [*samples.model_findings(), samples.finding("drift", "psi", 0.2, "<= 0.1", "warn")]
    made = Delivery(tmp_path)
    shas = made.make("model-verdict").evidence  # type: ignore[attr-defined]
    warned = samples.verdict("model", samples.MODEL, found, evidence=shas)
    project = made.run(model_verdict=warned).project
    assert said(project).endswith("· 1 warning")
    assert "1 warning; approved by" in check_markup(written(project)).text


def test_a_rollback_tells_why_and_by_whom(tmp_path: Path) -> None:
    made = Delivery(tmp_path)
    made.write("rollback", samples.rollback(), None)
    text = check_markup(written(made.project)).text
    assert "Rolled back to v1.1.0" in text and "new customers are empty" in text


def test_a_drill_alone_has_a_page_of_its_own(tmp_path: Path) -> None:
    made = Delivery(tmp_path)
    made.write("drill", samples.drill(), None)
    text = check_markup(written(made.project)).text
    for part in (
        *("The drill in staging passed", "1 of 1 sick release undone, 2 of 230 requests failed"),
        *("turns-sick", "in traffic", "<b>503</b>", "v1.1.0 serves on"),
    ):
        assert part in text, part
    assert "Steps" not in text
    assert said(made.project).startswith("The drill in staging passed: 1 of 1")
    made.write("drill", dataclasses.replace(samples.drill(), outcome="block"), None)
    assert "The drill in staging did not pass" in check_markup(written(made.project)).text


def test_a_reproduction_tells_what_differs_and_spoils_no_release(tmp_path: Path) -> None:
    made = Delivery(tmp_path)
    made.write("reproduction", samples.reproduction(), None)
    text = check_markup(written(made.project)).text
    assert "v1.1.0 is not reproduced" in text and "numpy is another one" in text
    made.run()
    text = check_markup(written(made.project)).text
    assert "v1.2.0 is released" in text and "Steps" in text
    assert "numpy is another one" in text


def test_an_image_says_what_it_holds_and_how_it_is_confined(tmp_path: Path) -> None:
    text = check_markup(written(Delivery(tmp_path).run().project)).text
    for part in (
        *("image in a registry, variant cpu, 182 MB", "127.0.0.1:5000/next-basket sha256:c4f3"),
        *("Runtime below it sha256:d2b7d2b7d2b7", "CycloneDX 1.6, 143 components, kept as sha256-"),
        *("10001:10001, could write nowhere it was tried (2 places)", "docker, image"),
        "none found; looked at 11 in history, 9 in labels, 9,127 in layers",
    ):
        assert part in text, part
    assert "GPU" not in text


def _with_probe(root: Path, **changes: Any) -> str:
    made = Delivery(root).run("image")
    measured = {**samples.image_evidence(), **changes}
    probe = dataclasses.replace(made.make("image-probe"), measured=measured)
    made.write("image-probe", probe, "image")
    return check_markup(written(made.project)).text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"confinement": {"uid": 0, "gid": 0, "tried": {"/srv": "written"}}}, "could write /srv"),
        ({"secrets": {"searched": {"layers": 3}, "found": [{}, {}], "more": 7}}, "9 found; looked"),
        ({"secrets": {"error": "no scanner"}}, "Secrets not looked at: no scanner"),
        ({"sbom": None}, "Contents (SBOM) not looked at"),
        ({"confinement": ["odd"], "secrets": "odd", "sbom": 7}, "Runs as not looked at"),
    ],
)
def test_what_was_not_found_out_about_an_image_is_said(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    assert said in _with_probe(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "built for CUDA 12.9, 23 libraries; it never ran on a GPU: unproven"),
        ({"device": "NVIDIA T4", "inference_ms": 0.81}, "one inference took 0.81 ms on NVIDIA T4"),
        ({"error": "the probe ended with 1"}, "GPU not looked at: the probe ended with 1"),
    ],
)
def test_a_gpu_image_says_whether_it_ever_ran_on_one(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    made = Delivery(tmp_path)
    image = dataclasses.replace(made.make("plan"), train_on="none")
    made.run("model-verdict", plan=image)
    made.write("image", dataclasses.replace(made.make("image"), variant="gpu"), "model-verdict")
    measured = samples.image_evidence("gpu")
    measured["gpu"] = {**measured["gpu"], **changes}
    probe = dataclasses.replace(made.make("image-probe"), measured=measured)
    made.write("image-probe", probe, "image")
    assert said in check_markup(written(made.project)).text


def test_a_bundle_is_not_asked_what_only_an_image_has(tmp_path: Path) -> None:
    made = Delivery(tmp_path)
    made.run("model-verdict")
    record = dataclasses.replace(
        made.make("image"), kind="bundle", runtime="", unproven=("the system below it",)
    )
    made.write("image", record, "model-verdict")
    text = check_markup(written(made.project)).text
    assert "Kind bundle, 182 MB" in text and "the system below it" in text
    assert "SBOM" not in text and "Runtime below it" not in text


def test_a_canary_stands_beside_its_champion(tmp_path: Path) -> None:
    text = check_markup(written(Delivery(tmp_path).run().project)).text
    for part in (
        "v1.2.0 got 10 % of the requests in production, v1.1.0 the rest.",
        "Then it got all requests.",
        *(
            "Requests 1,082 118",
            "Share 90.2 % 9.8 %",
            "Failed 0 0",
            "p95 ms 4.2 4.4",
            "canary probe p95 4.4 ms",
        ),
    ):
        assert part in text, part
    chain = text[text.index("Lineage") :]
    order = [chain.index(name) for name in ("Release", "Canary gate", "Approval", "Staging gate")]
    assert order == sorted(order)


def test_a_sick_canary_is_taken_back_and_the_page_says_who_serves(tmp_path: Path) -> None:
    found = [samples.finding("canary", "p95 ms", 900.0, "<= 26.3", "block")]
    sick = samples.verdict("service", f"{samples.BUNDLE}@canary", found)
    project = Delivery(tmp_path).run("canary-verdict", canary_verdict=sick).project
    text = check_markup(written(project)).text
    assert "Blocked by the canary gate" in text
    assert "v1.2.0 had 10 % of the requests and was taken back; v1.1.0 serves on." in text
    assert said(project) == "blocked by canary gate: canary: p95 ms 900, expected <= 26.3"


def test_a_canary_that_a_person_takes_back_is_no_rollback_of_a_release(tmp_path: Path) -> None:
    made = Delivery(tmp_path).run("canary-probe")
    made.write("rollback", dataclasses.replace(samples.rollback(), percent=10), None)
    text = check_markup(written(made.project)).text
    assert "The canary v1.2.0 was taken back" in text and "Rolled back" not in text
    assert "gave its 10 % of the requests in production back to v1.1.0" in text


def test_a_canary_that_nothing_stood_beside_is_not_shown(tmp_path: Path) -> None:
    made = Delivery(tmp_path)
    made.run("canary", canary=dataclasses.replace(made.deployment("production"), percent=0))
    assert said(made.project) == "stopped after canary: no record of production"
    made.write("production", made.make("production"), "canary")
    page_ = check_markup(written(made.project))
    assert "nothing to stand beside" in page_.text and "canary" not in page_.ids


def test_a_canary_that_waits_is_said_to_have_its_part(tmp_path: Path) -> None:
    text = check_markup(written(Delivery(tmp_path).run("canary").project)).text
    assert "v1.2.0 has 10 % of production's requests." in text
    assert "Nobody has judged it." in text and "It was not probed." in text


def test_the_line_of_steps_is_the_delivery_in_its_order() -> None:
    line = [step for step in steps.STEP_OF.values() if step != "evaluate"]
    assert line == list(STEPS)


def _colours(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", css))


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_its_ground(dark: bool) -> None:
    css = (page.TEMPLATES / "report.css").read_text()
    light, _, rest = css.partition("@media screen and (prefers-color-scheme: dark)")
    colours = _colours(rest.partition("* { box-sizing")[0] if dark else light)
    pairs = [(text, "paper") for text in ("ink", "soft", "accent", "pass", "warn", "block", "skip")]
    for text, ground in [
        *pairs,
        ("ink", "block-wash"),
        ("soft", "block-wash"),
        ("block", "block-wash"),
    ]:
        high, low = sorted((_luminance(colours[text]), _luminance(colours[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def test_the_style_sheet_loads_nothing() -> None:
    css = (page.TEMPLATES / "report.css").read_text()
    assert "url(" not in css and "@import" not in css
