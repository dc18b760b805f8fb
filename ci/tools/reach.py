"""Whether what a delivery speaks to can be reached from here; nothing is written anywhere."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ..config import Project, installer_environment
from ..errors import SlipwayError
from . import environment, ledger, registry
from .process import Finished, run

PATIENCE_S = 20.0  # for each of them
# Where DVC's own settings lead: the remote's folder, or the bucket of one that is not there yet.
LOOK = """
import sys
from dvc.config import NoRemoteError
from dvc.repo import Repo
named, url = sys.argv[1:]
own = {"core": {"remote": "named"}, "remote": {"named": {"url": url}}} if url else None
try:
    odb = Repo(".", config=own).cloud.get_remote(named or None).odb
except NoRemoteError:
    sys.exit(8)
where = odb.path
print(odb.fs.unstrip_protocol(where), flush=True)
try:
    odb.fs.ls(where)
except FileNotFoundError:
    if odb.fs.protocol == "local":
        sys.exit(7)
    odb.fs.ls(where.strip("/").split("/")[0])
"""
NOT_THERE, NONE_NAMED = 7, 8


@dataclass(frozen=True)
class Reached:
    """What came of trying."""

    where: str
    good: bool
    said: str  # why not; or what there is to say


def dvc_remote(project: Project) -> Reached:
    """The DVC remote, looked at through DVC with its own settings and logins."""
    wanted = project.config.data.remote
    if not (project.root / ".dvc").is_dir():
        return Reached(".dvc", False, "DVC does not know this project")
    url = wanted if "/" in wanted else ""
    done = _asked([sys.executable, "-c", LOOK, "" if url else wanted, url], project.root)
    where = _plain(done.out.strip() or wanted) or "the default remote"
    if done.code == NONE_NAMED:
        return Reached(str(project.home), True, "none named: slipway keeps one in its home")
    if done.code == NOT_THERE and Path(where).is_relative_to(project.home):
        return Reached(where, True, "slipway's own: the first push makes it")
    if done.code == NOT_THERE:
        why = "no such folder: it is made by the first push, or it is not mounted"
        return Reached(where, False, why)
    return Reached(where, done.code == 0, _last(done) if done.code else "answers")


def package_index(project: Project) -> Reached:
    """The package index, asked by the installer for one package that it has pinned anyway."""
    pins = project.root / "requirements" / environment.INSTALLER
    if not pins.is_file():
        return Reached("the package index", False, f"there is no {pins.name} to ask for")
    wanted = pins.read_text(encoding="utf-8").partition(" ")[0]
    uv = environment.installed(pins, project.cache / "envs")
    if uv is None:
        return Reached("the package index", False, "not asked: the installer is not here yet")
    words: list[str | Path] = [uv, "pip", "compile", "-q", "--no-deps", "--no-cache", "--no-header"]
    done = _asked([*words, "-"], project.root, installer_environment(), wanted.encode())
    return Reached("the package index", done.code == 0, _last(done) if done.code else "answers")


def image_registry(project: Project) -> Reached:
    """The registry that `delivery.toml` names, asked with the login that is found."""
    where = project.config.image.registry
    try:
        with registry.open_registry(project) as opened:
            opened.ping()
    except SlipwayError as error:
        return Reached(where, False, error.what)
    return Reached(where, True, "answers")


def shared_ledger(project: Project) -> tuple[Reached, Reached]:
    """The ledger's remote: whether it can be read, and whether a push is let in (a dry run)."""
    try:
        address = ledger.address_of(project)
    except SlipwayError as error:
        return (Reached(_plain(project.ledger_remote), False, error.what),) * 2
    where = _plain(address)
    quiet = ["git", "-c", "core.askPass=true", "-c", "credential.interactive=false"]
    read = _asked([*quiet, "ls-remote", "--heads", "--", address], project.root)
    seen = Reached(where, read.code == 0, _last(read) if read.code else "answers")
    if read.code:
        return seen, Reached(where, False, "it cannot even be read")
    trial = f"HEAD:refs/heads/{project.config.ledger.branch}-trial"
    push = _asked([*quiet, "push", "--dry-run", "--no-verify", "--", address, trial], project.root)
    return seen, Reached(where, push.code == 0, _last(push) if push.code else "would be let in")


def _asked(
    command: list[str | Path] | list[str],
    cwd: Path,
    variables: dict[str, str] | None = None,
    stdin: bytes = b"",
) -> Finished:
    try:
        return run(command, cwd=cwd, timeout_s=PATIENCE_S, env=variables, stdin=stdin)
    except SlipwayError as error:
        return Finished(-1, "", error.what)


def _last(done: Finished) -> str:
    """The line that says why."""
    lines = [line.strip() for line in done.err.splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
    return _plain((fatal or lines[-1:] or [f"exit code {done.code}"])[0][:300])


def _plain(text: str) -> str:
    """A text whose addresses hold no login."""
    return re.sub(r"://[^@/\s]+@", "://", text)
