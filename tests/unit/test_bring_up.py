"""The Jenkins that `make jenkins` brings up has what the Jenkinsfile asks for, and no more."""

import json
import re
import xml.etree.ElementTree as xml
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from slipway.settings import FILE, parse
from slipway.stages.health import jenkins as judged
from slipway.stages.health import version_of
from slipway.tools import jenkins_facts, jenkinsfile
from tests.controllers import recorded

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docker" / "jenkins"
CASC = FOLDER / "controller" / "jenkins.yaml"
SCHEMA = json.loads((ROOT / "tests/recorded/jenkins/casc-schema.json").read_text())
BRING_UP = (FOLDER / "bring-up.sh").read_text()
VARIABLE = re.compile(r"\$\{(?!readFile:)(\w+)(:-[^}]*)?\}")
SECRET_FILE = re.compile(r"\$\{readFile:/run/secrets/(\w+)\}")


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


@pytest.fixture
def casc() -> Any:
    return read(CASC)


COMPOSE = read(FOLDER / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
WANTED = jenkinsfile.read(ROOT) or pytest.fail("no Jenkinsfile")
CONFIG = parse((ROOT / FILE).read_text())


def nodes(casc: Any) -> dict[str, Any]:
    return {one["permanent"]["name"]: one["permanent"] for one in casc["jenkins"]["nodes"]}


def rights(casc: Any) -> dict[str, set[str]]:
    entries = casc["jenkins"]["authorizationStrategy"]["globalMatrix"]["entries"]
    return {one["user"]["name"]: set(one["user"]["permissions"]) for one in entries}


def credentials(casc: Any) -> dict[str, str]:
    (domain,) = casc["credentials"]["system"]["domainCredentials"]
    return {value["id"]: kind for one in domain["credentials"] for kind, value in one.items()}


def test_the_configuration_is_of_the_shapes_that_a_jenkins_took(casc: Any) -> None:
    jsonschema.validate(casc, SCHEMA)


@pytest.mark.parametrize(
    "where",
    [
        (),
        ("jenkins",),
        ("jenkins", "securityRealm", "local", "users", 0),
        ("jenkins", "authorizationStrategy", "globalMatrix", "entries", 0, "user"),
        ("jenkins", "nodes", 0, "permanent"),
        ("jenkins", "nodes", 0, "permanent", "launcher"),
        ("credentials", "system", "domainCredentials", 0, "credentials", 0, "usernamePassword"),
        ("security",),
        ("unclassified",),
        ("unclassified", "lockableResourcesManager", "declaredResources", 0),
    ],
    ids=lambda where: ".".join(map(str, where)) or "root",
)
def test_an_unknown_key_is_refused_wherever_it_stands(casc: Any, where: tuple[Any, ...]) -> None:
    place = casc
    for step in where:
        place = place[step]
    place["foo"] = "bar"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(casc, SCHEMA)


@pytest.mark.parametrize("key", ["jobs", "agentProtocols"])
def test_what_stopped_a_jenkins_from_booting_is_refused(casc: Any, key: str) -> None:
    (casc if key == "jobs" else casc["jenkins"])[key] = []
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(casc, SCHEMA)


def test_every_variable_and_every_secret_is_supplied() -> None:
    text, controller = CASC.read_text(), SERVICES["controller"]
    assert {name for name, _ in VARIABLE.findall(text)} <= set(controller["environment"])
    assert set(SECRET_FILE.findall(text)) == set(controller["secrets"])


def test_every_secret_of_the_services_is_made_at_the_first_start() -> None:
    used = {name for one in SERVICES.values() for name in one.get("secrets", ())}
    named = re.search(r"for name in ([\w ]+); do random", BRING_UP)
    assert named
    made = {f"{name}_password" for name in named[1].split()}
    assert used == set(COMPOSE["secrets"]) == made | {"ledger_key"}
    assert all(one["file"] == f"secrets/{name}" for name, one in COMPOSE["secrets"].items())


def test_every_agent_can_read_and_push_the_ledger_and_the_jobs_creation_cannot() -> None:
    agents = [one for one in SERVICES.values() if "AGENT_NAME" in one.get("environment", ())]
    assert len(agents) == 3
    assert all("ledger_key" in one["secrets"] for one in agents)
    assert SERVICES["setup"]["secrets"] == ["admin_password"]
    assert "IdentityFile /run/secrets/ledger_key" in (FOLDER / "agent/Dockerfile").read_text()


def test_secrets_are_ignored_by_git_and_no_image_sees_them() -> None:
    assert "/secrets/" in (FOLDER / ".gitignore").read_text().splitlines()
    contexts = {one["build"]["context"] for one in SERVICES.values() if "build" in one}
    assert contexts == {"controller", "agent"}


def test_no_secret_stands_in_the_configuration() -> None:
    for line in CASC.read_text().splitlines():
        found = re.match(r"\s*(?:password|secret|privateKey): (.*)", line)
        assert not found or SECRET_FILE.fullmatch(found[1].strip('"')), line


def test_the_controller_builds_nothing_and_shows_nothing_to_strangers(casc: Any) -> None:
    assert casc["jenkins"]["numExecutors"] == 0
    assert not {"anonymous", "authenticated"} & set(rights(casc))
    assert casc["jenkins"]["securityRealm"]["local"]["allowsSignup"] is False
    assert casc["jenkins"]["crumbIssuer"]["standard"]
    assert "CSP" not in (FOLDER / "controller" / "Dockerfile").read_text()


def test_every_label_of_the_jenkinsfile_has_an_agent(casc: Any) -> None:
    labels = {word for one in nodes(casc).values() for word in one["labelString"].split()}
    assert {*WANTED.labels, "cpu", "gpu"} <= labels


def test_every_agent_that_is_started_is_known_to_the_controller(casc: Any) -> None:
    started = {one.get("environment", {}).get("AGENT_NAME") for one in SERVICES.values()} - {None}
    assert started == set(nodes(casc))
    folder = re.findall(r"/home/jenkins/agent\b", (FOLDER / "agent" / "Dockerfile").read_text())
    assert folder
    assert {one["remoteFS"] for one in nodes(casc).values()} == set(folder)


def test_every_lock_of_the_jenkinsfile_is_declared(casc: Any) -> None:
    declared = casc["unclassified"]["lockableResourcesManager"]["declaredResources"]
    assert {*WANTED.locks, *CONFIG.environments} <= {one["name"] for one in declared}


def test_every_credential_of_the_jenkinsfile_is_there(casc: Any) -> None:
    assert set(WANTED.credentials) <= set(credentials(casc))


def test_whoever_may_approve_is_a_user_who_may_see_and_is_listed(casc: Any) -> None:
    users = {one["id"] for one in casc["jenkins"]["securityRealm"]["local"]["users"]}
    assert WANTED.submitters
    for name in WANTED.submitters:
        assert name in users
        assert {"Overall/Read", "Job/Read"} <= rights(casc)[name]
        assert name in CONFIG.approval.approvers
    assert set(rights(casc)) == users


def test_only_the_administrator_may_change_jenkins_and_agents_see_no_job(casc: Any) -> None:
    strong = re.compile(r"Administer|Configure|Create|Delete|Credentials|Script|Manage")
    granted = rights(casc)
    assert granted.pop("admin") == {"Overall/Administer"}
    assert not [one for rights_ in granted.values() for one in rights_ if strong.search(one)]
    assert granted["agents"] == {"Overall/Read", "Agent/Connect", "Agent/ExtendedRead"}


JOB_TEXT = (FOLDER / "multibranch.xml").read_text()


def job() -> jenkins_facts.Job:
    return jenkins_facts.parse_job(JOB_TEXT.encode())


@pytest.mark.parametrize(
    ("name", "built"),
    [
        ("main", True),
        ("feature/x", True),
        ("fix#12", True),
        ("me@home", True),
        ("slipway-ledger-notes", True),
        ("slipway-ledger", False),
        ("next-basket@v1.0.0", False),
        ("next-basket#production#3", False),
    ],
)
def test_the_job_builds_branches_and_leaves_the_ledger_out(name: str, built: bool) -> None:
    assert judged.builds(job(), name) is built


def test_the_job_discovers_no_tags_looks_by_itself_and_runs_the_jenkinsfile() -> None:
    read_job = job()
    assert not read_job.tags
    assert read_job.every_s == 900
    assert read_job.script == "Jenkinsfile"
    assert read_job.remotes == ("@REPOSITORY@",)
    root = xml.fromstring(JOB_TEXT.partition("?>")[2])
    assert [one.text for one in root.iter("credentialsId")] == ["@CREDENTIALS@"]


PLUGINS = dict(
    line.split(":")
    for line in (FOLDER / "controller" / "plugins.txt").read_text().splitlines()
    if line and not line.startswith("#")
)


def test_every_plugin_is_pinned() -> None:
    assert all(version_of(version) for version in PLUGINS.values())
    assert "--latest=false" in (FOLDER / "controller" / "Dockerfile").read_text()


def test_the_plugins_are_those_that_the_doctor_asks_for() -> None:
    of_steps = {plugin for word, plugin in judged.STEPS.items() if word in WANTED.words}
    assert {*judged.ALWAYS, judged.CLIENT, *of_steps, *judged.RAN} <= set(PLUGINS)
    for name, ran in judged.RAN.items():
        assert version_of(PLUGINS[name]) >= version_of(ran)
    of_configuration = {"configuration-as-code", "matrix-auth", "plain-credentials"}
    assert {*of_configuration, "ssh-credentials", "timestamper"} <= set(PLUGINS)


def test_the_recorded_controller_has_exactly_pinned_versions() -> None:
    there = recorded()["pluginManager/api/json"]["body"]["plugins"]
    assert {PLUGINS[one["shortName"]] == one["version"] for one in there} == {True}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_is_privileged_or_listens_beyond_this_host(name: str) -> None:
    service = SERVICES[name]
    assert not {"privileged", "cap_add", "pid", "devices"} & set(service)
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))
    socket = any("docker.sock" in str(one) for one in service.get("volumes", ()))
    assert socket == (name in ("cpu-1", "cpu-2"))


def test_bases_are_the_same_wherever_they_are_named() -> None:
    def default(variable: str) -> set[str]:
        files = (FOLDER / "compose.yaml", FOLDER / "bring-up.sh")
        texts = [re.findall(rf"\$\{{{variable}:-([^}}]+)\}}", path.read_text()) for path in files]
        return {found for text in texts for found in text}

    for variable, folder in (("JENKINS_BASE", "controller"), ("AGENT_BASE", "agent")):
        text = (FOLDER / folder / "Dockerfile").read_text()
        assert {re.search(rf"^ARG {variable}=(.+)$", text, re.M)[1]} == default(variable)  # type: ignore[index]
    assert len(default("REGISTRY_IMAGE")) == 1


def test_what_runs_goes_on_after_a_restart_and_keeps_its_state() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name == "setup" else "unless-stopped")
    kept = {str(one).partition(":")[0] for s in SERVICES.values() for one in s.get("volumes", ())}
    assert set(COMPOSE["volumes"]) <= kept
