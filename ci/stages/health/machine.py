"""What a machine lacks for this project's deliveries, judged by what was measured."""

from collections.abc import Iterator

from ...config import Project
from ...settings import FILE
from ...tools.machine_facts import Folder, Machine, Port
from ...tools.reach import Reached
from . import Check, check, version_of

PYTHONS = ((3, 11), (3, 13))
GIT = (2, 25)
JAVA = (17,)
FREE_GB = 10.0  # packages 2 GB, a base and a runtime 1 GB, data, models, images
MEMORY_GB = 4.0  # for training beside the tests
MAX_FUTURE_S = 60.0


def judge(project: Project, machine: Machine) -> Iterator[Check]:
    """One check for each thing that a delivery needs of its machine."""
    yield from _programs(machine)
    if project.config.data.engine == "spark":
        yield from _spark(machine)
    yield from _room(machine)
    yield from _secrets(machine)
    for name, port in machine.ports.items():
        yield _port(name, port)
    yield from _gpu(project, machine)
    yield from _people(project)


def _programs(machine: Machine) -> Iterator[Check]:
    section, least = "programs", ".".join(map(str, PYTHONS[0]))
    yield check(
        section,
        "Python",
        PYTHONS[0] <= machine.python[:2] <= PYTHONS[1],
        measured=".".join(map(str, machine.python)),
        needed="3.11, 3.12 or 3.13",
        mend=f"install Python {least} and run 'make PYTHON=python{least} env'",
    )
    yield check(
        section,
        "venv",
        machine.venv,
        measured="there" if machine.venv else "not there",
        needed="for 'make env'",
        mend="apt-get install python3-venv",
    )
    git = machine.programs["git"].split()
    number = git[2] if len(git) > 2 else ""
    yield check(
        section,
        "git",
        tuple(int(n) for n in number.split(".")[:2] if n.isdigit()) >= GIT,
        measured=number or "not there",
        needed=f"{'.'.join(map(str, GIT))} or later",
        mend="apt-get install git",
    )
    yield check(
        section,
        "git's committer",
        bool(machine.git_user),
        measured=machine.git_user or "nobody",
        needed="a name and an address, for commits of your own; the ledger has its own author",
        mend="git config --global user.name NAME; git config --global user.email ADDRESS",
        otherwise="warn",
    )
    for name, todo in (("make", "apt-get install make"), ("dvc", "make env")):
        there = machine.programs[name]
        yield check(
            section, name, bool(there), measured=there or "not there", needed="there", mend=todo
        )
    yield check(
        section,
        "browser",
        bool(machine.browser),
        measured=machine.browser or "not there",
        needed="for the tests that look at the report; they are skipped without one",
        mend="apt-get install chromium chromium-driver",
        otherwise="warn",
    )


def _spark(machine: Machine) -> Iterator[Check]:
    """What gates need that ask Spark; each row names the way without it, too."""
    words = machine.java.split()
    number = words[1] if len(words) > 1 else ""
    other = f'or set [data] engine = "pandas" in {FILE}'
    yield check(
        "programs",
        "Java",
        version_of(number) >= JAVA,
        measured=machine.java or "not there",
        needed='17 or later, for [data] engine = "spark"',
        mend=f"apt-get install openjdk-17-jre-headless, {other}",
    )
    yield check(
        "programs",
        "pyspark",
        bool(machine.pyspark),
        measured=machine.pyspark or "not there",
        needed='for [data] engine = "spark"',
        mend=f"make env, {other}",
    )


def _room(machine: Machine) -> Iterator[Check]:
    yield check(
        "room",
        "memory",
        machine.memory_gb >= MEMORY_GB,
        measured=f"{machine.memory_gb:.1f} GB, {machine.cores} cores",
        needed=f"{MEMORY_GB:.0f} GB",
        mend="give it more: training and tests may be ended for lack of it",
        otherwise="warn",
    )
    for name, variable, folder in (
        ("home", "SLIPWAY_HOME", machine.home),
        ("cache", "SLIPWAY_CACHE", machine.cache),
    ):
        yield from _folder(name, variable, folder)
    yield check(
        "room",
        "clock",
        machine.future_s <= MAX_FUTURE_S,
        measured=f"{machine.future_s:.0f} s behind the last commit"
        if machine.future_s > 0
        else "not before the last commit",
        needed="right: approvals expire",
        mend="let it take its time from the network (NTP)",
        otherwise="warn",
    )


def _folder(name: str, variable: str, folder: Folder) -> Iterator[Check]:
    yield check(
        "room",
        f"{name} writable",
        folder.writable,
        measured=folder.path if folder.writable else f"{folder.path} may not be written",
        needed="writable by this user",
        mend=f"give this user the right there, or set {variable}",
    )
    yield check(
        "room",
        f"{name} disk",
        folder.free_gb >= FREE_GB,
        measured=f"{folder.free_gb:.1f} GB free",
        needed=f"{FREE_GB:.0f} GB",
        mend=f"free space ('slipway prune'), or set {variable} to a larger disk",
        otherwise="warn" if folder.free_gb >= FREE_GB / 10 else "missing",
    )


def _secrets(machine: Machine) -> Iterator[Check]:
    for name, folder in (("home", machine.home), ("cache", machine.cache)):
        yield check(
            "secrets",
            f"{name} of one's own",
            not folder.open_to_all,
            measured="others may write there" if folder.open_to_all else "others may not write",
            needed="others may not write: what is kept there is run",
            mend=f"chmod o-w {folder.path}",
        )
    yield check(
        "secrets",
        "logins",
        not machine.loose,
        measured=f"others may read {', '.join(machine.loose)}" if machine.loose else "kept",
        needed="no file with a login that others may read",
        mend=f"chmod 600 {' '.join(machine.loose)}",
        otherwise="warn",
    )


def _port(name: str, port: Port) -> Check:
    said = "free" if port.free else f"{name} itself" if port.ours else f"taken by {port.holder}"
    return check(
        "environments",
        f"{name}'s port {port.number}",
        port.free or port.ours,
        measured=said,
        needed="free, or the environment's own",
        mend=f"end what listens there, or set [environments.{name}] port in {FILE}",
    )


def _gpu(project: Project, machine: Machine) -> Iterator[Check]:
    trains, serves = project.config.model.train_on == "gpu", project.config.image.variant == "gpu"
    if not trains and not serves:
        return
    yield check(
        "GPU",
        "driver",
        bool(machine.gpu_driver),
        measured=machine.gpu_driver or "none",
        needed="the NVIDIA driver, on the machine that trains or serves",
        mend="install it; not on this machine if others train and serve",
        otherwise="warn",
    )
    yield check(
        "GPU",
        "Docker's NVIDIA runtime",
        machine.gpu_runtime,
        measured="there" if machine.gpu_runtime else "none",
        needed='there: services of [image] variant = "gpu" are refused without it',
        mend="install the NVIDIA container toolkit, then restart Docker",
        otherwise="missing" if serves else "warn",
    )


def _people(project: Project) -> Iterator[Check]:
    asked = [n for n, e in project.config.environments.items() if e.approval == "person"]
    if asked:
        listed = project.config.approval.approvers
        yield check(
            "environments",
            "approvers",
            bool(listed),
            measured=", ".join(listed) or "nobody",
            needed=f"who may say yes to {', '.join(asked)}",
            mend=f"name them in {FILE}: [approval] approvers",
        )


def reached(name: str, tried: Reached, needed: str, mend: str, *, vital: bool = True) -> Check:
    """A check of something that is spoken to."""
    return check(
        "services",
        name,
        tried.good,
        measured=f"{tried.where}: {tried.said}",
        needed=needed,
        mend=mend,
        otherwise="missing" if vital else "warn",
    )
