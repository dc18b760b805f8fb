"""`slipway quarantine`: fetches the rows that a verdict set apart, for who may see them.

It prints where they are and what they are about, and none of their values: a log is read by many.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from ..config import Project
from ..errors import ConfigError, EvidenceError
from ..records import Verdict, read_if_there
from ..report import terminal, words
from ..tools.dvc import access
from ..tools.quarantine import Entry, keeping
from ..typed import Mismatch, build
from . import Done, say

JUDGED = {"data": "data-verdict", "prepared": "prepared-verdict"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "digest",
        nargs="?",
        metavar="DIGEST",
        help="`md5:….dir`, as a verdict names it; without it all of this checkout's verdicts",
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="DIR",
        help="a folder that is not there yet; without it one below `.slipway/quarantine`",
    )


def run(project: Project, args: argparse.Namespace) -> Done:
    """Fetches each quarantine and shows what is in it."""
    named = [args.digest] if args.digest else list(dict.fromkeys(_named(project)))
    if args.into and len(named) > 1:
        todo = f"name one of: {', '.join(named)}"
        raise ConfigError("there are two quarantines for one folder", str(args.into), todo)
    if args.into and args.into.exists():
        raise ConfigError("there is something already", str(args.into), "name a new folder")
    access.ensure(project)
    for digest in named:
        into = args.into or project.scratch / access.QUARANTINE / digest.removeprefix("md5:")[:12]
        _show(keeping.fetch(project, digest, into), into, color=project.color)
    if not named:
        say("nothing is quarantined")
    return Done(f"fetched {len(named)}", named[0] if named else "")


def _named(project: Project) -> Iterator[str]:
    """The digests that the verdicts of this checkout name: its records, else what DVC left.

    Raises:
        EvidenceError: there is no verdict.
    """
    found = [v for kind, name in JUDGED.items() if (v := _verdict(project, kind, name))]
    if not found:
        todo = "run 'slipway gate data', or name the digest that a verdict names"
        raise EvidenceError("there is no verdict on data", str(project.delivery), todo)
    yield from (verdict.quarantine for verdict in found if verdict.quarantine)


def _verdict(project: Project, kind: str, name: str) -> Verdict | None:
    record = read_if_there(project.delivery, name, Verdict)
    path = project.root / "verdicts" / f"{kind}.json"
    if record or not path.is_file():
        return record
    try:
        return build(Verdict, json.loads(path.read_bytes()))
    except (OSError, ValueError, Mismatch, RecursionError) as error:
        todo = f"run 'slipway gate {kind}' again"
        raise EvidenceError("a verdict is malformed", str(path), todo) from error


def _show(found: list[Entry], into: Path, *, color: bool) -> None:
    rows = [(entry.outcome, entry.gate, entry.where, _rows(entry), entry.file) for entry in found]
    say(terminal.table(rows, ("", "gate", "about", "rows", "file"), color=color))
    say(f"{words.plural(len(found), 'file')} in {into}: values as they are, personal ones too")


def _rows(entry: Entry) -> str:
    kept, all_ = words.count(entry.rows), words.count(entry.of)
    return kept if entry.rows == entry.of else f"{kept} of {all_}"
