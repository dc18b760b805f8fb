"""`slipway prune`: removes what no environment and no rollback window needs.

It has the lease of every environment meanwhile, so that no deployment begins, and asks the ledger
again before each removal: one that another machine began is seen by its intent. It fails closed:
where a ledger, an engine or a registry does not answer, nothing is removed.
"""

import argparse
import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from ..config import Project
from ..errors import EvidenceError
from ..report import terminal, words
from ..settings import Environment
from ..tools import docker_host, ledger, made
from ..tools.engines import Live, choice, engine_of
from ..tools.prune import (
    InRegistry,
    Piece,
    Survey,
    collect,
    dvc_cache,
    engine,
    files,
    images,
    needs,
)
from ..tools.prune import scope as scoping
from ..tools.prune.scope import Scope
from ..tools.registry import local
from . import Done, say, warn

if TYPE_CHECKING:
    from ..tools.registry import Registry

IN_REGISTRY = get_args(InRegistry)


@dataclass(frozen=True)
class Answer:
    """What a pruning came to.

    Attributes:
        freed_bytes: what is free on disk now; in a dry run what would be, at most.
        notes: what was left for somebody else, or for another time.
    """

    dry_run: bool
    removed: tuple[Piece, ...]
    kept: tuple[Piece, ...]
    freed_bytes: int
    notes: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("--dry-run", action="store_true", help="tell what would go, and leave it")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(project: Project, args: argparse.Namespace) -> Done:
    """Surveys every place, then removes what may go."""
    _refuse_branch(project)
    books, everywhere = scoping.ledgers(project), _with_forgotten(project)
    with contextlib.ExitStack() as held:
        if not args.dry_run:
            held.enter_context(made.making(project.home))
            for name in sorted(everywhere.config.environments):
                lease_s = everywhere.environment(name).lease_s
                held.enter_context(engine_of(everywhere, name).lease(lease_s))
        opened = held.enter_context(_registry(project))
        free, busy = held.enter_context(dvc_cache.reserved(project, dry_run=args.dry_run))
        scope = Scope(project, books, _served(everywhere), opened, tuple(free))
        answer = _tried(scope) if args.dry_run else _pruned(scope)
    later = tuple(f"{cache} is left for another time: a build uses it now" for cache in busy)
    answer = replace(answer, notes=answer.notes + later)
    _show(answer, as_json=args.json)
    said = "would remove" if args.dry_run else "removed"
    return Done(f"{said} {words.plural(len(answer.removed), 'thing')}")


def _refuse_branch(project: Project) -> None:
    """A build of a pull request, or of a branch that may not deploy, removes nothing."""
    branches = {e.branch for e in project.config.environments.values() if e.branch}
    other = project.branch and branches and project.branch not in branches
    if project.change or other:
        raise EvidenceError(
            f"this builds '{project.change or project.branch}', which removes nothing",
            "delivery.toml [environments.*] branch",
            "prune in a build of the branch that deploys, or in a shell",
        )


@contextlib.contextmanager
def _registry(project: Project) -> Iterator["Registry | None"]:
    """The registry, if images were ever kept in one.

    One of this user's own that had to be started runs on: another command may use it by now.
    """
    if not (project.config.image.registry or collect.is_own(project)):
        yield None
        return
    from ..tools.registry import open_registry

    started = collect.is_own(project) and not local.running(project)
    with open_registry(project) as opened:
        if started:
            warn(f"started the registry at {opened.address.name}; 'slipway stop --all' ends it")
        yield opened


def _with_forgotten(project: Project) -> Project:
    """The project with the environments of this home that `delivery.toml` does not name."""
    folder = project.home / "environments"
    names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    known = {**dict.fromkeys(names, Environment()), **project.config.environments}
    return replace(project, config=replace(project.config, environments=known))


def _served(project: Project) -> dict[str, str]:
    lives: Mapping[str, Live | None] = {
        name: engine_of(project, name).live() for name in project.config.environments
    }
    return needs.served(lives)


def _survey(scope: Scope, histories: Sequence[ledger.History]) -> Survey:
    """What every place holds, asked before anything is removed anywhere."""
    project, known = scope.project, scoping.known(scope, histories)
    survey = files.survey(project.home, known)
    survey += dvc_cache.survey(project, scope.caches, scope.books, histories)
    repositories = _repositories(project)
    addresses: set[str] = set()
    if scope.registry:
        addresses = {f"{scope.registry.address.name}/{name}" for name in repositories}
        for name in repositories:
            survey += images.survey(scope.registry, name, known)
    for host in _hosts(project):
        survey += engine.survey(host, frozenset(addresses), known)
    return survey


def _repositories(project: Project) -> list[str]:
    own = project.config.image.repository or project.config.model.name
    others = (e.repository for e in project.config.environments.values())
    return list(dict.fromkeys((own, *filter(None, others))))


def _hosts(project: Project) -> list[str]:
    """The engines that may hold our images: those of environments, and the one that builds."""
    names = [n for n in project.config.environments if choice.engine(project, n) == "docker"]
    hosts = [docker_host.host_of(project, name) for name in names]
    if docker_host.answers(project.docker_host):
        hosts.append(project.docker_host)
    return list(dict.fromkeys(hosts))


def _tried(scope: Scope) -> Answer:
    """What would be removed."""
    survey = _survey(scope, scoping.read(scope))
    return Answer(True, survey.goes, survey.stays, sum(piece.bytes for piece in survey.goes))


def _pruned(scope: Scope) -> Answer:
    """Removes piece by piece; where a ledger moved meanwhile, everything is looked at again."""
    own = collect.is_own(scope.project)
    named = collect.named(scope.project) if own else set()
    histories = scoping.read(scope)
    survey, removed = _survey(scope, histories), list[Piece]()
    while survey.goes:
        now = scoping.read(scope)
        if now != histories:
            histories, survey = now, _survey(scope, now)
            continue
        piece, *others = survey.goes
        if piece.remove:
            piece.remove()
        removed.append(piece)
        survey = Survey(survey.stays, tuple(others))
    scoping.forget(scope, survey, histories)
    collected, later = collect.collect(scope.project, named) if own else (0, "")
    in_registry = sum(piece.bytes for piece in removed if piece.what in IN_REGISTRY)
    elsewhere = sum(piece.bytes for piece in removed if piece.what not in IN_REGISTRY)
    notes = [f"the space of removed images is freed by a later prune: {later}"] if later else []
    if in_registry and not own:
        where = scope.project.config.image.registry
        size = words.size(in_registry)
        notes.append(f"{where} frees up to {size} when whoever runs it collects its garbage")
    return Answer(False, tuple(removed), survey.stays, elsewhere + collected, tuple(notes))


def _show(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        content = {
            "dry_run": answer.dry_run,
            "removed": [_plain(piece) for piece in answer.removed],
            "kept": [_plain(piece) for piece in answer.kept],
            "freed_bytes": answer.freed_bytes,
            "notes": answer.notes,
        }
        print(json.dumps(content, indent=1, sort_keys=True))
        return
    gone = "would go" if answer.dry_run else "removed"
    pieces = [*((gone, p) for p in answer.removed), *(("kept", p) for p in answer.kept)]
    rows = [
        (said, piece.what, piece.name, words.size(piece.bytes) if piece.bytes else "", piece.why)
        for said, piece in pieces
    ]
    if rows:
        say(terminal.table(rows, ("", "what", "which", "size", "why")))
    if answer.removed:
        size = words.size(answer.freed_bytes)
        say(f"would free up to {size}" if answer.dry_run else f"freed {size}")
    else:
        say("nothing to remove")
    for note in answer.notes:
        say(note)


def _plain(piece: Piece) -> dict[str, object]:
    return {k: getattr(piece, k) for k in ("what", "name", "where", "digest", "bytes", "why")}
