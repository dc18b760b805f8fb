"""One checkout and the environment around it, read once."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from .errors import ConfigError
from .settings import FILE, Config, Environment, parse

LOCAL_DOCKER = "unix:///var/run/docker.sock"
SHOWN_LATER = "SLIPWAY_SHOWN_LATER"
# Variables that lead Python to other packages, or a library to other numbers.
DECIDING = (
    *("PYTHON", "VIRTUAL_ENV", "CONDA_", "TF_", "XLA_", "KERAS_", "ONEDNN_", "DNNL_", "OMP_"),
    *("MKL_", "KMP_", "OPENBLAS_", "GOTO_", "BLIS_", "CUDA_", "CUBLAS_", "NVIDIA_TF32"),
)


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
    build: str = ""  # which of its builds this is, for people: `slipway/main #27`
    dvc_cache: str = ""  # the DVC cache that the checkouts of this host share; empty: see docs
    color: bool = False
    docker_host: str = LOCAL_DOCKER
    docker_config: Path = Path("~/.docker")  # where Docker keeps its credentials
    registry_login: tuple[str, str] | None = field(default=None, repr=False)  # user, password
    shown_later: str = ""  # the subject whose verdict is shown by whoever started DVC
    jenkins_url: str = ""  # where `[jenkins] url` is empty
    jenkins_login: tuple[str, str] = field(default=("", ""), repr=False)  # user, token

    @property
    def delivery(self) -> Path:
        """The folder of this delivery's records."""
        return self.root / "delivery"

    @property
    def scratch(self) -> Path:
        """What belongs to this checkout alone and is never committed."""
        return self.root / ".slipway"

    @property
    def passing(self) -> bool:
        """Whether a CI server builds something that will not go live: it leaves nothing behind."""
        live = {name: env.branch for name, env in self.config.environments.items() if env.branch}
        return bool(self.change or (self.branch and live and self.branch not in live.values()))

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
        build=_build(),
        dvc_cache=os.environ.get("SLIPWAY_DVC_CACHE", config.data.cache),
        color=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        docker_host=os.environ.get("DOCKER_HOST") or LOCAL_DOCKER,
        docker_config=_docker_config(),
        registry_login=_registry_login(),
        shown_later=os.environ.get(SHOWN_LATER, ""),
        jenkins_url=os.environ.get("JENKINS_URL", ""),
        jenkins_login=_jenkins_login(),
    )


@contextlib.contextmanager
def showing_later(subject: str) -> Iterator[None]:
    """Lets the gates that are started within leave it to us to show the verdict on a subject."""
    os.environ[SHOWN_LATER] = subject
    try:
        yield
    finally:
        del os.environ[SHOWN_LATER]


def _build() -> str:
    job, number = os.environ.get("JOB_NAME", ""), os.environ.get("BUILD_NUMBER", "")
    return f"{unquote(job)} #{number}" if job and number else ""


def _docker_config() -> Path:
    named = os.environ.get("DOCKER_CONFIG")
    return Path(named or os.path.expanduser("~/.docker"))  # noqa: PTH111  (there may be no home)


def _registry_login() -> tuple[str, str] | None:
    """Set by a person, or by Jenkins' `credentials(…)`, which has its own ends for the names."""
    for ends in (("USER", "PASSWORD"), ("USR", "PSW")):
        user, password = (os.environ.get(f"SLIPWAY_REGISTRY_{end}", "") for end in ends)
        if user:
            return user, password
    return None


def _jenkins_login() -> tuple[str, str]:
    user, token = (os.environ.get(f"SLIPWAY_JENKINS_{n}", "") for n in ("USER", "TOKEN"))
    return user, token


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


def java() -> str:
    """The Java that Spark starts: that of JAVA_HOME, else that of PATH; empty if there is none."""
    home = os.environ.get("JAVA_HOME")
    return shutil.which(str(Path(home) / "bin" / "java") if home else "java") or ""


def prepare_process() -> None:
    """Sets what every process started from here inherits: our tools first, no telemetry."""
    programs = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != programs:
        os.environ["PATH"] = programs + os.pathsep + path
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime tells its maker otherwise
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    git, pytest = ("DIR", "WORK_TREE", "INDEX_FILE"), ("ADDOPTS", "PLUGINS")
    for name in (*(f"GIT_{n}" for n in git), *(f"PYTEST_{n}" for n in pytest)):
        os.environ.pop(name, None)


def installer_environment() -> dict[str, str]:
    """The environment for the package installer: pip's index in the installer's own words."""
    index = os.environ.get("PIP_INDEX_URL")
    return {**({"UV_DEFAULT_INDEX": index} if index else {}), **os.environ}


def clean_environment(programs: Path) -> dict[str, str]:
    """What a training inherits that is to depend on nobody's shell; its programs come first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DECIDING)}
    path = os.environ.get("PATH", os.defpath)
    return {**kept, "PATH": f"{programs}{os.pathsep}{path}", "TF_CPP_MIN_LOG_LEVEL": "2"}


def docker_environment(host: str) -> dict[str, str]:
    """What the Docker SDK reads to reach an engine: its address, and its TLS settings."""
    names = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
    return {"DOCKER_HOST": host, **{n: os.environ[n] for n in names if n in os.environ}}


def service_environment() -> dict[str, str]:
    """What a service that outlives this command inherits: no credential, no build's cookie.

    A CI server ends what carries its build's cookie; `dontKillMe` is what it spares.
    """
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "BUILD_ID": "dontKillMe",
        "JENKINS_NODE_COOKIE": "dontKillMe",
        "ORT_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
