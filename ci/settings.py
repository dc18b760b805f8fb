"""`delivery.toml` as values. A default stands here and nowhere else."""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .errors import ConfigError
from .typed import Mismatch, build

FILE = "delivery.toml"
CANARY = "canary"  # names a promotion's first part; no environment may be called so
MODE = re.compile(r"[0-7]?7[0-7]{2}")
PINNED = re.compile(r"[^@\s]+@sha256:[0-9a-f]{64}")
MASTER = re.compile(
    r"local(\[(\d+|\*)(,\d+)?\])?|spark://[^,:/\s]+:\d+(,[^,:/\s]+:\d+)*|yarn|k8s://\S+"
)
MEMORY = re.compile(r"[1-9]\d*[mg]")


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
    cache: str = ""  # DVC cache that checkouts share; empty: builds of a CI server do, others not
    personal: tuple[str, ...] = ()  # columns whose values no finding shows
    expectations: tuple[str, ...] = ()  # Python modules with expectation classes of the project's
    # who may enter, as chmod has it: the quarantine, which holds rows as they are
    quarantine_mode: str = "0700"
    # the same for a remote that is a folder; empty: 0700 where slipway made it, else as it is
    remote_mode: str = ""
    # the same for the DVC cache
    cache_mode: str = ""
    window_days: int = 28  # the last days, by which data versions are compared; whole weeks
    columns: dict[str, str] = field(default_factory=dict)  # raw header → kind, see tools/tables.py
    engine: Literal["pandas", "spark"] = "pandas"  # what gates ask; pandas: Arrow and DuckDB here
    spark_master: str = "local[2]"  # or a cluster's: spark://HOST:PORT, yarn, k8s://…
    spark_memory: str = "2g"  # of Spark's driver; with a local master that is all of Spark
    spark_start_s: float = 120.0  # to start Java, and as long again for a first answer
    spark_folder: str = ""  # that driver and executors share; empty: .slipway/spark, local alone
    spark: dict[str, str] = field(default_factory=dict)  # more of Spark's own properties
    source: Source | None = None


@dataclass(frozen=True)
class Layer:
    """One layer of tests."""

    paths: tuple[str, ...]
    allow_skips: tuple[str, ...] = ()  # test ids that may be skipped; `*` stands for any text
    timeout_s: float = 1800.0
    workers: int = 1


@dataclass(frozen=True)
class Tests:
    """The layers of tests that gate a delivery."""

    unit: Layer
    integration: Layer
    e2e: Layer
    coverage: tuple[str, ...] = ()  # the unit tests' coverage of these is measured; none: it is not
    subject: tuple[str, ...] = ("ci", "ml", "tests", "docker", "requirements", "pyproject.toml")


@dataclass(frozen=True)
class Lint:
    """The linters that a delivery runs."""

    # linter → the command that writes SARIF 2.1.0 to standard output; none: nothing is linted
    tools: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Artefact:
    """How the model is packed."""

    kind: Literal["auto", "image", "local-image", "bundle"] = "auto"  # auto: the best that is here
    requirements: str = "requirements/serve.txt"
    code: tuple[str, ...] = ("ml/__init__.py", "ml/features.py", "ml/serving")
    module: str = "ml.serving"  # started as `python -m …`


@dataclass(frozen=True)
class ImageSettings:
    """How images are made, and where they are kept."""

    registry: str = ""  # host[:port]; empty: one of this machine, started on demand
    repository: str = ""  # empty: the model's name
    variant: Literal["cpu", "gpu"] = "cpu"  # what its packages compute on
    base: str = ""  # name@sha256:…; empty: docker/base builds one
    proxy: str = ""  # an nginx image, name@sha256:…; empty: docker/proxy builds one
    ca: str = ""  # file of the authority behind the registry's TLS; empty: the system's
    insecure: bool = False  # plain HTTP to a registry that is not on this machine
    # variant → hash-pinned requirements of the serving image
    requirements: dict[str, str] = field(
        default_factory=lambda: {
            "cpu": "requirements/serve.txt",
            "gpu": "requirements/serve-gpu.txt",
        }
    )


@dataclass(frozen=True)
class Environment:
    """One place where the model serves."""

    engine: Literal["auto", "process", "docker"] = "auto"  # auto: docker where it answers
    # the kind of artefact it takes; empty: whatever its engine runs, an image if that is "docker"
    requires: Literal["", "image", "local-image", "bundle"] = ""
    docker_host: str = ""  # address of the Docker engine; empty: DOCKER_HOST, else this machine's
    repository: str = ""  # where its images are kept; empty: as `[image]` says
    host: str = "127.0.0.1"
    port: int = 0  # 0: any free one, kept from then on
    approval: Literal["none", "person", "policy"] = "none"
    branch: str = ""  # the only branch whose builds may change it; empty: any
    canary: int = 0  # percent of the requests that a full deployment wants tried first; 0: none
    canary_h: float = 2.0  # hours until a canary that nobody decided on is taken back
    memory_mb: int = 1024  # what one instance may take
    cpus: float = 1.0  # processor cores that one instance may use
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
    # whoever wrote a commit of this release may not approve it
    two_people: bool = False
    # approver → how git knows them: names or mail addresses, in small letters; for two_people
    identities: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class DrillRules:
    """What `slipway drill` allows each bad release that it puts into an environment."""

    max_s: float = 60.0  # until it is undone: `ready_s` and some room, for what never gets ready
    max_failed: int = 0  # requests that fail meanwhile
    # the same where it dies at once: nobody answers in its place until the watch has seen it, and
    # this is what the standard load sends in one second
    max_lost: int = 100


@dataclass(frozen=True)
class Retention:
    """What `slipway prune` keeps."""

    releases: int = 5  # of each environment: the live one and those before it
    hours: float = 24.0  # what is younger stays: a delivery may be on its way with it
    quarantine_days: float = 30.0  # rows that a verdict set apart, which may be personal
    cache_days: float = 30.0  # in a shared DVC cache: what no commit names and nobody used so long


@dataclass(frozen=True)
class Ledger:
    """Where releases are recorded."""

    remote: str = ""  # a git remote's name or address; empty: a local one, for rehearsals
    branch: str = "slipway-ledger"


@dataclass(frozen=True)
class Jenkins:
    """The controller that `slipway jenkins` speaks to; user and token come from the environment."""

    url: str = ""  # its address; empty: JENKINS_URL
    job: str = ""  # the multibranch job, behind its folders: `team/slipway`
    ca: str = ""  # file of the authority behind its TLS; empty: the system's
    poll_s: float = 1.0  # between two looks at a build; up to five times that while nothing moves
    answer_s: float = 30.0  # for one answer
    restart_s: float = 300.0  # how long a controller that restarts is waited for


@dataclass(frozen=True)
class Config:
    """All of `delivery.toml`."""

    model: Model
    tests: Tests
    environments: dict[str, Environment]
    # subject → gate → its settings; a subject without gates blocks
    gates: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    data: Data = field(default_factory=Data)
    lint: Lint = field(default_factory=Lint)
    artefact: Artefact = field(default_factory=Artefact)
    image: ImageSettings = field(default_factory=ImageSettings)
    retention: Retention = field(default_factory=Retention)
    approval: ApprovalRules = field(default_factory=ApprovalRules)
    ledger: Ledger = field(default_factory=Ledger)
    drill: DrillRules = field(default_factory=DrillRules)
    jenkins: Jenkins = field(default_factory=Jenkins)


def parse(text: str, where: str = FILE) -> Config:
    """The settings in the text of a `delivery.toml`.

    Raises:
        ConfigError: not TOML, an unknown or missing key, a wrong type, a threshold that is NaN.
    """
    try:
        table = tomllib.loads(text)
        _refuse_nan(table, "")
        config = build(Config, table)
        _refuse_odd(config)
        return config
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


def _refuse_odd(config: Config) -> None:
    """Values of the right type that mean nothing."""
    for name, environment in config.environments.items():
        where = f"environments.{name}"
        if name == CANARY:
            raise Mismatch(where, f"'{CANARY}' is what a promotion's first part is called")
        if not 0 <= environment.port <= 65535:
            raise Mismatch(f"{where}.port", "not between 0 and 65535")
        if not 0 <= environment.canary <= 50:
            raise Mismatch(f"{where}.canary", "not between 0 and 50 percent")
        for key in ("load_per_s", "load_for_s", "memory_mb", "cpus", "canary_h", "ready_s"):
            if not getattr(environment, key) > 0:
                raise Mismatch(f"{where}.{key}", "not above 0")
    _refuse_odd_spark(config.data)
    for key in ("quarantine_mode", "remote_mode", "cache_mode"):
        mode = getattr(config.data, key)
        if (mode or key == "quarantine_mode") and not MODE.fullmatch(mode):
            raise Mismatch(f"data.{key}", f"'{mode}' is not like 0700, with all rights for oneself")
    for key in ("poll_s", "answer_s", "restart_s"):
        if not getattr(config.jenkins, key) > 0:
            raise Mismatch(f"jenkins.{key}", "not above 0")
    for key in ("base", "proxy"):
        named = getattr(config.image, key)
        if named and not PINNED.fullmatch(named):
            raise Mismatch(f"image.{key}", f"'{named}' is not name@sha256:…: a tag can move")
    rules = config.approval
    unknown = [name for name in rules.approvers if not rules.identities.get(name)]
    if rules.two_people and unknown:
        raise Mismatch("approval.identities", f"git's names of '{unknown[0]}' are not there")
    if not config.data.window_days >= 1:
        raise Mismatch("data.window_days", "not at least 1")
    if config.retention.releases < 1:
        raise Mismatch("retention.releases", "not at least 1: the live one is among them")
    for key in ("hours", "cache_days", "quarantine_days"):
        if not getattr(config.retention, key) >= 0:
            raise Mismatch(f"retention.{key}", "below 0")
    if not config.drill.max_s > 0:
        raise Mismatch("drill.max_s", "not above 0")
    for key in ("max_failed", "max_lost"):
        if getattr(config.drill, key) < 0:
            raise Mismatch(f"drill.{key}", "below 0")


def _refuse_odd_spark(data: Data) -> None:
    if not MASTER.fullmatch(data.spark_master):
        known = "local[N], spark://HOST:PORT, yarn, k8s://…"
        raise Mismatch("data.spark_master", f"'{data.spark_master}' is none of {known}")
    if not MEMORY.fullmatch(data.spark_memory):
        raise Mismatch("data.spark_memory", f"'{data.spark_memory}' is not like 2g or 512m")
    if not data.spark_start_s > 0:
        raise Mismatch("data.spark_start_s", "not above 0")
    for name in data.spark:
        if not name.startswith("spark."):
            raise Mismatch(f"data.spark.{name}", "Spark's properties begin with 'spark.'")
