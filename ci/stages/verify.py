"""`slipway verify`: walks the evidence of a release back to its commit; exits 5 where it breaks."""

import argparse
import json
import re
from dataclasses import asdict

from ..config import Project
from ..errors import EvidenceError
from ..records import BESIDE, Release, parse
from ..tools import ledger
from ..tools.ledger import Event, events
from . import Done, lineage, say
from .lineage import Link

HERE = "delivery/"
WIDTH = 18
SHORTENED = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")
ORDER = [
    *("ledger", "lineage", "release", "production", "canary", "approval", "verdicts"),
    *("staging", "image"),
    *("model-verdict", "evaluation", "candidate", "dataset", "commit", "plan", HERE, "signature"),
]
APART = ("plan", "rollback", *BESIDE)  # written by what comes after the release


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("release", metavar="RELEASE", nargs="?", help="default: the last one")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Prints every link that was looked at, then fails on the first that does not hold."""
    version = ""
    if args.release:
        version = "v{}.{}.{}".format(*events.parse_version(args.release))
    book = ledger.open_ledger(project)
    history = ledger.read(book)
    event = lineage.release_event(history, version)
    evidence = lineage.records_of(book, event)
    links = [
        *lineage.tags(history, event, ledger.tags_of(book)),
        *lineage.walk(evidence),
        *lineage.subjects(evidence, event),
        *lineage.assignment(evidence, history, event),
        *lineage.artefacts(project, evidence, event),
        *lineage.source(project, event),
        *_here(project, event),
        Link("signature", "unsigned", proven=False),
    ]
    _show(links, event, as_json=args.json)
    broken = [link for link in links if not link.holds]
    if broken:
        raise EvidenceError(
            f"{event.version} is not proven: {broken[0].step}: {broken[0].what}",
            f"{len(broken)} of {len(links)} links",
            "restore what is missing; if something was altered, find out by whom",
        )
    return Done(f"{event.version} verified, unsigned", event.digest)


def _here(project: Project, event: Event) -> list[Link]:
    """The records in `delivery/`, where they are of this very release."""
    path = project.delivery / "release.json"
    if not path.exists() or parse(path.read_bytes(), Release, str(path)).subject != event.digest:
        return []
    raw = {
        path.name: path.read_bytes()
        for path in sorted(project.delivery.glob("*.json"))
        if path.stem not in APART and not path.name.startswith(".")
    }
    evidence = lineage.load(raw, str(project.delivery))
    found = [*lineage.walk(evidence), *lineage.subjects(evidence, event)]
    return [Link(HERE, f"{link.step}: {link.what}", link.holds, link.proven) for link in found]


def _show(links: list[Link], event: Event, *, as_json: bool) -> None:
    if as_json:
        rows = [asdict(link) for link in links]
        holds = all(link.holds for link in links)
        answer = {"release": event.version, "digest": event.digest, "holds": holds, "links": rows}
        print(json.dumps(answer, indent=1, sort_keys=True))
        return
    say(f"release {event.version}, {event.digest}")
    for step in sorted({link.step for link in links}, key=lambda s: (_order(s), s)):
        here = [link for link in links if link.step == step]
        for link in (link for link in here if not (link.holds and link.proven)):
            word = "unproven" if link.holds else "BROKEN"
            say(f"  {word:<9} {step:<{WIDTH}} {link.what}")
        if all(link.holds and link.proven for link in here):
            say(f"  {'ok':<9} {step:<{WIDTH}} {_summary(step, [link.what for link in here])}")


def _order(step: str) -> int:
    return ORDER.index(step) if step in ORDER else ORDER.index("verdicts")


def _summary(step: str, words: list[str]) -> str:
    """A step's links in one line, with the digests as people read them."""
    if step == HERE:
        return f"the copies here hold too ({len(words)} links)"
    named = [word for word in words if word.startswith("names ") and word.endswith(" by digest")]
    rest = [SHORTENED.sub(r"\1…", word) for word in words if word not in named]
    return "; ".join([*rest, *([f"names {len(named)} records by digest"] if named else [])])
