"""The Jenkinsfile, played line by line by three agents that share a home and what is stashed."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import jenkinsfile
from tests.jenkinsfile import Action, Build
from tests.projects import ROOT, Checkout, small_project

SLIPWAY = ".venv/bin/slipway"
AGENTS = 3
PIPELINE = jenkinsfile.parse((ROOT / "Jenkinsfile").read_text())
JUDGES = [  # a first release has no canary to judge: nothing is live that it could stand beside
    action.text
    for action in jenkinsfile.play(PIPELINE, Build(env={"TRAIN_ON": "cpu"}))
    if re.search(r"slipway (gate|test|lint)\b", action.text) and "--of canary" not in action.text
]
REFUSES = {  # line left out → the next step with effects, where it is not `image`
    "gate image": "deploy staging",
    "test e2e": "deploy staging",
    "gate service --of staging": 'approve --by "$APPROVED_BY"',
    "gate service --of production": "release",
}


@dataclass
class Played:
    """One action of a build: where it ran, how it ended, and the records before it."""

    action: Action
    agent: int
    code: int
    seconds: float
    before: Path | None  # a copy of `delivery/`, for a line that judges


@dataclass
class Jenkins:
    """Agents, each with a clone of the project; every new `agent` block gets the next one."""

    project: Checkout
    folder: Path
    build: Build = field(default_factory=Build)
    played: list[Played] = field(default_factory=list)
    agent: int = 0
    output: str = ""
    ref: str = "main"  # the branch of origin that is checked out
    pushed: set[str] = field(default_factory=set)  # refs that a developer made meanwhile

    def __post_init__(self) -> None:
        for number in range(AGENTS):
            subprocess.run(["git", "clone", "-q", self.origin, self.workspace(number)], check=True)

    @property
    def origin(self) -> Path:
        """The repository that everybody pushes to, the ledger among it."""
        return self.project.root.parent / "origin.git"

    @property
    def stash(self) -> Path:
        """What Jenkins keeps between agents."""
        return self.folder / "stash"

    @property
    def kept(self) -> Path:
        """The stash as the build left it, for a restart."""
        return self.folder / "kept"

    @property
    def delivery(self) -> Path:
        """The records on the present agent."""
        return self.workspace(self.agent) / "delivery"

    def workspace(self, agent: int) -> Path:
        """An agent's checkout."""
        return self.folder / f"agent-{agent}"

    def run(self, build: Build) -> None:
        """Plays a build to its end."""
        self.build = build
        for action in jenkinsfile.play(PIPELINE, build):
            before = None
            if action.text in JUDGES:
                before = self.folder / "before" / str(len(self.played))
                shutil.copytree(self.delivery, before)
            started = time.monotonic()
            code = self.do(action)
            seconds = time.monotonic() - started
            self.played.append(Played(action, self.agent, code, seconds, before))
            assert code == 0, f"{action.text} gave {code}\n{self.output[-6000:]}"
        shutil.copytree(self.stash, self.kept)

    def do(self, action: Action) -> int:
        """Does one thing as Jenkins would; the exit code of a shell line, else 0."""
        match action.kind:
            case "agent":
                self.agent = (self.agent + 1) % AGENTS
            case "checkout":
                self._git("fetch", "-q", "origin")
                self._git("checkout", "-qf", f"origin/{self.ref}")
            case "clear":
                shutil.rmtree(self.delivery, ignore_errors=True)
            case "unstash":
                shutil.copytree(self.stash, self.delivery, dirs_exist_ok=True)
            case "stash":
                shutil.rmtree(self.stash, ignore_errors=True)
                shutil.copytree(self.delivery, self.stash)
            case "junit":
                absent = "delivery/canary-verdict.xml"  # a first release has none beside it
                for name in set(re.findall(r"delivery/[\w.-]+\.xml", action.text)) - {absent}:
                    assert (self.workspace(self.agent) / name).stat().st_size, name
            case "publishHTML":
                assert (self.delivery / "report" / "index.html").stat().st_size
            case "sh":
                return self._shell(action.text)
            case "capture":
                name, _, line = action.text.partition("=")
                code = self._shell(line)
                self.build.env[name.removeprefix("env.")] = self.output.strip()
                return code
        return 0

    def _shell(self, line: str) -> int:
        done = subprocess.run(
            ["sh", "-xe", "-c", line],
            cwd=self.workspace(self.agent),
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        self.output = done.stdout if done.returncode == 0 else done.stdout + done.stderr
        return done.returncode

    def _environment(self) -> dict[str, str]:
        """An agent's: nothing of the tests' own environment is active in it."""
        dropped = ("SLIPWAY_LEDGER", "VIRTUAL_ENV", "PYTHONPATH", "DVC_")
        kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        return {
            **kept,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "PYTHON": sys._base_executable,  # the one that these tests run with
            "SLIPWAY_HOME": str(self.project.home),
            "SLIPWAY_LEDGER": "origin",
            "BRANCH_NAME": self.build.branch,
            **({"CHANGE_ID": self.build.change} if self.build.change else {}),
            "RETRAIN": "false",
            "APPROVED_BY": "release-manager",
            "VERSION": "",
            "REASON": "a rehearsal of the rollback",
        }

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.workspace(self.agent), check=True)

    def without(self, line: str) -> tuple[str, int]:
        """Plays what comes after a line, from the records before it, until something fails."""
        index = next(i for i, p in enumerate(self.played) if p.action.text == line)
        left_out = self.played[index]
        assert left_out.before
        self.agent = left_out.agent
        shutil.rmtree(self.delivery)
        shutil.copytree(left_out.before, self.delivery)
        for played in self.played[index + 1 :]:
            if played.action.kind in ("junit", "publishHTML"):
                continue
            if played.action.kind == "agent":
                self.agent = (played.agent - 1) % AGENTS
            code = self.do(played.action)
            if code:
                return played.action.text, code
        return "", 0

    def restart(self, stage: str) -> None:
        """Plays the build again from one of its groups on, with what was stashed at its end."""
        shutil.rmtree(self.stash)
        shutil.copytree(self.kept, self.stash)
        groups = [p.action.stage if p.action.kind == "agent" else "" for p in self.played]
        for played in self.played[groups.index(stage) :]:
            code = self.do(played.action)
            assert code == 0, f"{played.action.text} gave {code}\n{self.output[-6000:]}"

    def commands(self) -> list[str]:
        """The slipway commands of the stages that were played."""
        return [
            played.action.text.removeprefix(f"{SLIPWAY} ")
            for played in self.played
            if played.action.kind == "sh"
            and played.action.section == "steps"
            and played.action.text.startswith(SLIPWAY)
        ]

    def state(self) -> tuple[str, dict[str, str]]:
        """What builds have written to origin, and which digest each environment answers with."""
        listed = subprocess.run(
            ["git", "ls-remote", str(self.origin)], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        refs = "\n".join(line for line in listed if line.split()[1] not in self.pushed)
        self._shell(f"{SLIPWAY} status --json")
        live = {row["environment"]: row["digest"] for row in json.loads(self.output)}
        return refs, live


@pytest.fixture(scope="module")
def jenkins(
    months: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Jenkins]:
    folder = tmp_path_factory.mktemp("jenkins")
    project = small_project(folder, months)
    project.slipway("data", "pull")  # as whoever brought this data version did
    project.run("dvc", "push", "-q")
    played = Jenkins(project, folder)
    try:
        played.run(Build())
        yield played
    finally:
        played.do(Action("sh", f"{SLIPWAY} stop --all"))


def test_it_goes_through_to_a_release(jenkins: Jenkins) -> None:
    release = json.loads((jenkins.kept / "release.json").read_bytes())
    assert release["approved_by"] == "release-manager"
    refs, live = jenkins.state()
    assert "refs/heads/slipway-ledger" in refs
    assert f"refs/tags/next-basket@{release['version']}" in refs
    assert live == {"staging": release["subject"], "production": release["subject"]}


def test_every_agent_had_its_part_in_it(jenkins: Jenkins) -> None:
    ran = {p.action.text.removeprefix(f"{SLIPWAY} "): p.agent for p in jenkins.played}
    assert {p.agent for p in jenkins.played if p.action.text in JUDGES} == set(range(AGENTS))
    assert len({ran["repro train"], ran["gate model"], ran["image"]}) == 3


def test_an_agent_with_a_warm_cache_is_set_up_quickly(jenkins: Jenkins) -> None:
    setups = [p.seconds for p in jenkins.played if p.action.text == "make env"]
    again = setups[AGENTS:]  # from then on, all agents have been set up before
    assert len(again) >= 3
    assert sorted(again)[len(again) // 2] < 10  # measured: 0.3 s


@pytest.mark.parametrize("line", JUDGES)
def test_without_any_one_judge_the_next_step_with_effects_refuses(
    jenkins: Jenkins, line: str
) -> None:
    before = jenkins.state()
    refused, code = jenkins.without(line)
    assert code == 5, f"{refused} gave {code}\n{jenkins.output[-4000:]}"
    expected = REFUSES.get(line.removeprefix(f"{SLIPWAY} "), "image")
    assert refused == f"{SLIPWAY} {expected}"
    assert jenkins.state() == before


def another_build(jenkins: Jenkins, folder: Path, branch: str, file: str, change: str) -> Jenkins:
    """A build of a branch that changes one file, by agents that never saw the project."""
    root = jenkins.project.root
    jenkins.project.run("git", "switch", "-q", "-c", branch, "main")
    path = root / file
    path.write_text(path.read_text().replace("samples: 24", "samples: 23") + "\n")
    jenkins.project.commit(f"Change {file}")
    jenkins.project.run("git", "push", "-q", "origin", branch)
    jenkins.pushed.add(f"refs/heads/{branch}")
    jenkins.project.run("git", "switch", "-q", "main")
    folder.mkdir()
    built = Jenkins(jenkins.project, folder, ref=branch)
    built.run(Build(branch=f"PR-{change}" if change else branch, change=change))
    return built


def planned(built: Jenkins) -> tuple[str, str]:
    return built.build.env["TRAIN_ON"], built.build.env["TODO"]


def test_a_commit_that_changes_nothing_relevant_ends_with_its_plan(
    jenkins: Jenkins, tmp_path: Path
) -> None:
    before = jenkins.state()
    built = another_build(jenkins, tmp_path / "readme", "words", "README.md", "")
    assert [words.split()[0] for words in built.commands()] == ["plan"]
    assert planned(built) == ("none", "nothing")
    assert jenkins.state() == before
    described = [p for p in built.played if p.action.text.endswith("slipway describe")]
    assert len(described) == 1
    page = (built.delivery / "report" / "index.html").read_text()
    assert "Nothing to deliver" in page


def test_a_pull_request_is_judged_and_leaves_nothing_behind(
    jenkins: Jenkins, tmp_path: Path
) -> None:
    def kept() -> dict[str, list[str]]:
        """What is shared: the remote of DVC, images and bundles, and what serves."""
        places = ("dvc-remote", "store/bundles", "environments")
        home = jenkins.project.home / "next-basket"
        return {place: sorted(p.name for p in (home / place).rglob("*")) for place in places}

    before, shared = jenkins.state(), kept()
    built = another_build(jenkins, tmp_path / "pr", "more", "params.yaml", "7")
    assert planned(built) == ("cpu", "deliver")
    assert built.commands()[-2:] == ["image", "gate image"]
    image = json.loads((built.kept / "image.json").read_bytes())
    verdict = json.loads((built.kept / "model-verdict.json").read_bytes())
    assert (
        verdict["of"]
        == image["model"]
        != json.loads((jenkins.kept / "image.json").read_bytes())["model"]
    )
    assert jenkins.state() == before
    after = kept()
    assert after["dvc-remote"] == shared["dvc-remote"]
    assert after["environments"] == shared["environments"]


def test_a_restart_from_staging_does_nothing_twice(jenkins: Jenkins) -> None:
    before = jenkins.state()
    records = {path.name: path.read_bytes() for path in jenkins.kept.glob("*.json")}
    jenkins.restart("Staging")
    assert jenkins.state() == before
    again = {path.name: path.read_bytes() for path in jenkins.stash.glob("*.json")}
    assert {name for name in records if again[name] != records[name]} == set()


def test_a_model_that_this_home_never_had_is_packed_all_the_same(jenkins: Jenkins) -> None:
    line = f"{SLIPWAY} image"
    jenkins.agent = next(p.agent for p in jenkins.played if p.action.text == line)
    shutil.rmtree(jenkins.delivery)
    shutil.copytree(jenkins.kept, jenkins.delivery)
    shutil.rmtree(jenkins.workspace(jenkins.agent) / "models", ignore_errors=True)
    models = jenkins.project.home / "next-basket" / "store" / "models"
    models.rename(models.with_name("elsewhere"))
    try:
        assert jenkins.do(Action("sh", line)) == 0, jenkins.output[-4000:]
    finally:
        models.with_name("elsewhere").rename(models)
    before = json.loads((jenkins.kept / "image.json").read_bytes())
    assert json.loads((jenkins.delivery / "image.json").read_bytes()) == before


def test_a_rollback_with_nothing_before_it_is_refused(jenkins: Jenkins) -> None:
    before = jenkins.state()
    codes = []
    for action in jenkinsfile.play(PIPELINE, Build(params={"ACTION": "rollback"})):
        codes.append(jenkins.do(action))
        if codes[-1]:
            break
    assert codes[-1] == 5
    assert "nothing was in production before" in jenkins.output
    assert jenkins.state() == before
