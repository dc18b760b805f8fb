"""`delivery.toml` and the environment, read once. A default stands here and nowhere else."""

import math
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from .errors import ConfigError
from .typed import Mismatch, build

FILE = "delivery.toml"


@dataclass(frozen=True)
class Model:
    """What is delivered."""

    name: str  # in the ledger, on the wire and in the report
    title: str = ""  # one line for people
    candidate: str = "models/candidate"  # where training leaves it
    train_on: Literal["cpu", "gpu"] = "cpu"  # the label of the agent that trains


@dataclass(frozen=True)
class Source:
    """A pinned public source: one member of one wheel."""

    package: str
    version: str
    wheel_sha256: str
    member: str
    member_sha256: str


@dataclass(frozen=True)
class Data:
    """The raw data, versioned by DVC."""

    path: str = "data"
    pointer: str = "data.dvc"
    prepared: str = "prepared"
    remote: str = ""  # DVC remote; empty: one of this user, in slipway's home
    personal: tuple[str, ...] = ()  # columns whose values no finding shows
    columns: dict[str, str] = field(default_factory=dict)  # raw header → kind, see tools/tables.py
    source: Source | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of tests."""

    paths: tuple[str, ...]
    allow_skips: tuple[str, ...] = ()  # test ids that may be skipped
    timeout_s: float = 1800.0
    workers: int = 1


@dataclass(frozen=True)
class Tests:
    """The layers of tests that gate a delivery."""

    unit: Layer
    integration: Layer
    e2e: Layer
    subject: tuple[str, ...] = ("ci", "ml", "tests", "requirements", "pyproject.toml")


@dataclass(frozen=True)
class Artefact:
    """How the model is packed."""

    kind: Literal["bundle"] = "bundle"  # images come with the Docker engine
    requirements: str = "requirements/serve.txt"
    code: tuple[str, ...] = ("ml/__init__.py", "ml/features.py", "ml/serving")
    module: str = "ml.serving"  # started as `python -m …`


@dataclass(frozen=True)
class Environment:
    """One place where the model serves."""

    engine: Literal["process"] = "process"
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one, kept from then on
    approval: Literal["none", "person", "policy"] = "none"
    branch: str = ""  # the only branch whose builds may change it; empty: any
    ready_s: float = 30.0  # until a started service answers
    watch_s: float = 1.0  # after the switch, before the assignment
    drain_s: float = 10.0  # for the requests that the previous one still has
    lease_s: float = 60.0  # how long to wait for another deployment
    load_per_s: float = 100.0  # the service gate's load
    load_for_s: float = 3.0


@dataclass(frozen=True)
class ApprovalRules:
    """Who may release."""

    approvers: tuple[str, ...] = ()
    expires_h: float = 72.0


@dataclass(frozen=True)
class Ledger:
    """Where releases are recorded."""

    remote: str = ""  # a git remote's name or address; empty: a local one, for rehearsals
    branch: str = "slipway-ledger"


@dataclass(frozen=True)
class Config:
    """All of `delivery.toml`."""

    model: Model
    tests: Tests
    environments: dict[str, Environment]
    # subject → gate → its settings; a subject without gates blocks
    gates: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    artefact: Artefact = field(default_factory=Artefact)
    approval: ApprovalRules = field(default_factory=ApprovalRules)
    ledger: Ledger = field(default_factory=Ledger)


@dataclass(frozen=True)
class Project:
    """One checkout, its settings, and the folders that outlive it."""

    root: Path
    config: Config
    home: Path  # ledger, environments, model store: per user and project
    cache: Path  # Python environments and downloads: per user
    ledger_remote: str  # empty: the local one in `home`
    change: str = ""  # the pull request that a CI server builds: it may read, and write nothing
    branch: str = ""  # the branch that a CI server builds
    color: bool = False

    @property
    def delivery(self) -> Path:
        """The folder of this delivery's records."""
        return self.root / "delivery"

    @property
    def scratch(self) -> Path:
        """What belongs to this checkout alone and is never committed."""
        return self.root / ".slipway"

    @property
    def candidate(self) -> Path:
        """The candidate model's folder."""
        return self.root / self.config.model.candidate

    def environment(self, name: str) -> Environment:
        """The settings of one environment.

        Raises:
            ConfigError: `delivery.toml` does not name it.
        """
        if name not in self.config.environments:
            known = ", ".join(self.config.environments)
            raise ConfigError(f"no environment '{name}'", FILE, f"use one of: {known}")
        return self.config.environments[name]


def parse(text: str, where: str = FILE) -> Config:
    """The settings in the text of a `delivery.toml`.

    Raises:
        ConfigError: not TOML, an unknown or missing key, a wrong type, a threshold that is NaN.
    """
    try:
        table = tomllib.loads(text)
        _refuse_nan(table, "")
        return build(Config, table)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", where, "mend the line it names") from error
    except Mismatch as error:
        raise ConfigError(str(error), where, "see docs/reference/delivery-toml.md") from error


def _refuse_nan(value: Any, key: str) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse_nan(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, float) and math.isnan(value):
        raise Mismatch(key, "NaN is not a threshold")


def load(start: Path | None = None) -> Project:
    """The project around `start` (default: the current folder): the nearest `delivery.toml`.

    Raises:
        ConfigError: there is none, or it is wrong.
    """
    here = (start or Path.cwd()).resolve()
    root = next((p for p in (here, *here.parents) if (p / FILE).is_file()), None)
    if root is None:
        raise ConfigError(f"no {FILE} here or above", str(here), "go to a project's folder")
    try:
        config = parse((root / FILE).read_text(encoding="utf-8"), str(root / FILE))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {FILE}: {error}", str(root / FILE), "mend it") from error
    return Project(
        root=root,
        config=config,
        home=home() / config.model.name,
        cache=cache(),
        ledger_remote=os.environ.get("SLIPWAY_LEDGER", config.ledger.remote),
        change=os.environ.get("CHANGE_ID", ""),
        branch=os.environ.get("BRANCH_NAME", ""),
        color=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
    )


def home() -> Path:
    """Where this user's environments, ledger and model store live."""
    return _folder("SLIPWAY_HOME", "XDG_STATE_HOME", ".local/state")


def cache() -> Path:
    """Where this user's Python environments and downloads are kept; safe to delete."""
    return _folder("SLIPWAY_CACHE", "XDG_CACHE_HOME", ".cache")


def _folder(ours: str, standard: str, below_home: str) -> Path:
    named = os.environ.get(ours)
    if named:
        return Path(named).absolute()
    try:
        base = Path(os.environ.get(standard) or Path.home() / below_home)
    except RuntimeError as error:  # no HOME, and a user that the system does not know
        raise ConfigError("this user has no home", ours, f"set HOME or {ours}") from error
    return (base / "slipway").absolute()


def prepare_process() -> None:
    """Sets what every process started from here inherits: our tools first, no telemetry."""
    programs = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != programs:
        os.environ["PATH"] = programs + os.pathsep + path
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    git, pytest = ("DIR", "WORK_TREE", "INDEX_FILE"), ("ADDOPTS", "PLUGINS")
    for name in (*(f"GIT_{n}" for n in git), *(f"PYTEST_{n}" for n in pytest)):
        os.environ.pop(name, None)


def installer_environment() -> dict[str, str]:
    """The environment for the package installer: pip's index in the installer's own words."""
    index = os.environ.get("PIP_INDEX_URL")
    return {**({"UV_DEFAULT_INDEX": index} if index else {}), **os.environ}


def service_environment() -> dict[str, str]:
    """What a service that outlives this command inherits: no credential, no build's cookie.

    A CI server ends what carries its build's cookie; `dontKillMe` is what it spares.
    """
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "BUILD_ID": "dontKillMe",
        "JENKINS_NODE_COOKIE": "dontKillMe",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
