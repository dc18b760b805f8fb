"""`delivery.toml`: parsed once, checked key by key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway import config, settings
from slipway.errors import ConfigError
from slipway.stages import places

GOOD = """
[model]
name = "m"
[tests.unit]
paths = ["tests/unit"]
[tests.integration]
paths = ["tests/integration"]
[tests.e2e]
paths = ["tests/e2e"]
[environments.staging]
port = 1
"""


def test_the_projects_own_settings_parse() -> None:
    root = Path(__file__).resolve().parents[2]
    parsed = settings.parse((root / "delivery.toml").read_text())
    assert set(parsed.environments) >= {"staging", "production"}
    assert set(parsed.gates) >= {"data", "prepared", "model", "image", "service"}


def test_a_default_is_used_where_nothing_is_said() -> None:
    assert settings.parse(GOOD).environments["staging"].engine == "auto"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("port = 1", "prot = 1"), "environments.staging.prot: unknown key; did you mean 'port'"),
        (("port = 1", 'port = "1"'), "environments.staging.port: expected int, found str"),
        (("port = 1", "port = true"), "environments.staging.port: expected int, found bool"),
        (("port = 1", "watch_s = nan"), "environments.staging.watch_s: NaN is not a threshold"),
        (("port = 1", 'engine = "swarm"'), "expected one of auto, process, docker"),
        (('name = "m"', ""), "model.name: missing key"),
        (('paths = ["tests/unit"]', 'paths = "tests/unit"'), "expected a list, found str"),
        (('paths = ["tests/unit"]', "paths = [1]"), r"tests.unit.paths\[0\]: expected str"),
        (("[model]", "[model"), "not TOML"),
        (("[model]", "model = 1\n[x]"), "x: unknown key|model: expected a table"),
        (("[environments.staging]", "[environment.staging]"), "did you mean 'environments'"),
        (("[environments.staging]", "[environments.canary]"), "a promotion's first part"),
        (("port = 1", "port = 99999"), "environments.staging.port: not between 0 and 65535"),
        (("port = 1", "canary = 80"), "environments.staging.canary: not between 0 and 50"),
        (("port = 1", "load_per_s = 0"), "environments.staging.load_per_s: not above 0"),
        (("port = 1", "[image]\nbase = 'python:3.11'"), "'python:3.11' is not name@sha256"),
        (("port = 1", "[image]\nproxy = 'nginx'"), "'nginx' is not name@sha256"),
        (("port = 1", "[retention]\nreleases = 0"), "retention.releases: not at least 1"),
        (("port = 1", "[data]\nengine = 'sparc'"), "found 'sparc'; did you mean 'spark'"),
        (("port = 1", "[data]\nspark_master = 'locl[2]'"), "'locl\\[2\\]' is none of local"),
        (("port = 1", "[data]\nspark_memory = '2 GB'"), "data.spark_memory: '2 GB' is not like 2g"),
        (("port = 1", "[data]\nspark_start_s = 0"), "data.spark_start_s: not above 0"),
        (("port = 1", "[data.spark]\nmemory = '2g'"), "properties begin with 'spark.'"),
    ],
)
def test_a_mistake_is_named_with_its_key(change: tuple[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        settings.parse(GOOD.replace(*change, 1))


@pytest.mark.parametrize(
    "master",
    ["local", "local[*]", "local[4,2]", "spark://a:7077,b.c:7077", "yarn", "k8s://https://x:6443"],
)
def test_every_kind_of_spark_master_can_be_named(master: str) -> None:
    text = GOOD + f'[data]\nspark_master = "{master}"\n'
    assert settings.parse(text).data.spark_master == master


@given(st.text())
def test_no_text_gives_a_crash(text: str) -> None:
    try:
        settings.parse(text)
    except ConfigError as error:
        assert len(str(error).splitlines()) >= 3


def test_the_nearest_settings_above_are_found(tmp_path: Path) -> None:
    (tmp_path / "delivery.toml").write_text(GOOD)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    project = config.load(below)
    assert project.root == tmp_path
    assert project.delivery == tmp_path / "delivery"


def test_a_folder_without_settings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no delivery\.toml here or above"):
        config.load(tmp_path)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "delivery.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        config.load(tmp_path)


def test_an_unknown_environment_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "delivery.toml").write_text(GOOD)
    with pytest.raises(ConfigError, match="no environment 'prod'"):
        config.load(tmp_path).environment("prod")


def test_the_ledger_can_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "delivery.toml").write_text(GOOD)
    assert config.load(tmp_path).ledger_remote == ""
    monkeypatch.setenv("SLIPWAY_LEDGER", "origin")
    assert config.load(tmp_path).ledger_remote == "origin"


def test_a_registrys_password_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "delivery.toml").write_text(GOOD)
    assert config.load(tmp_path).registry_login is None
    monkeypatch.setenv("SLIPWAY_REGISTRY_USER", "robot")
    monkeypatch.setenv("SLIPWAY_REGISTRY_PASSWORD", "hunter2")
    project = config.load(tmp_path)
    assert project.registry_login == ("robot", "hunter2")
    for name in ("USER", "PASSWORD"):
        monkeypatch.delenv(f"SLIPWAY_REGISTRY_{name}")
    monkeypatch.setenv("SLIPWAY_REGISTRY_USR", "jenkins")  # as Jenkins' credentials() names them
    monkeypatch.setenv("SLIPWAY_REGISTRY_PSW", "")
    assert config.load(tmp_path).registry_login == ("jenkins", "")
    assert "hunter2" not in repr(project)


@pytest.mark.parametrize(
    ("branch", "change", "passing"),
    [
        ("", "", False),  # a person's shell
        ("main", "", False),
        ("feature/x", "", True),
        ("PR-7", "7", True),
        ("main", "7", True),
        ("", "7", True),
    ],
)
def test_a_build_of_what_will_not_go_live_is_known_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, branch: str, change: str, passing: bool
) -> None:
    monkeypatch.setenv("BRANCH_NAME", branch)
    monkeypatch.setenv("CHANGE_ID", change)
    (tmp_path / "delivery.toml").write_text(GOOD + 'branch = "main"\n')
    assert config.load(tmp_path).passing == passing
    (tmp_path / "delivery.toml").write_text(GOOD)  # any branch may go live
    assert config.load(tmp_path).passing == bool(change)


def test_two_people_need_to_be_known_to_git() -> None:
    rules = '[approval]\napprovers = ["ann"]\ntwo_people = true\n'
    with pytest.raises(ConfigError, match=r"approval.identities: git's names of 'ann'"):
        settings.parse(rules + GOOD)
    settings.parse(rules + '[approval.identities]\nann = ["ann@example.com"]\n' + GOOD)


def test_a_build_is_named_as_people_know_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "delivery.toml").write_text(GOOD)
    monkeypatch.setenv("JOB_NAME", "slipway/feature%2Fx")
    monkeypatch.delenv("BUILD_NUMBER", raising=False)
    assert config.load(tmp_path).build == ""
    monkeypatch.setenv("BUILD_NUMBER", "27")
    build = config.load(tmp_path)
    assert build.build == "slipway/feature/x #27"
    assert places.who(build).endswith(" in slipway/feature/x #27")
