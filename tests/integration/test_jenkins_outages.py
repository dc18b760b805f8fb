"""`slipway jenkins` while the controller restarts, hangs, lies, or breaks off."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.config import Project
from tests import certificates
from tests.integration.test_jenkins_client import (
    MAIN,
    Slipway,
    jenkins,
    project,
    project_of,
    slipway,
    waiting,
)
from tests.jenkins_builds import Step, delivery, stage
from tests.jenkins_server import Controller, oops, serving
from tests.relays import Relay, Rule, relaying

__all__ = ["jenkins", "project", "slipway"]  # fixtures
BACK = "jenkins: the controller is back"


@pytest.fixture
def relay(jenkins: Controller) -> Iterator[Relay]:
    """Stands before the controller and breaks what its rules say."""
    with relaying(jenkins.port) as listening:
        yield listening


@pytest.fixture
def through(project: Project, relay: Relay, jenkins: Controller) -> Project:
    """The project, asking through the relay."""
    settings = replace(project.config.jenkins, url=f"http://{relay.name}", restart_s=3.0)
    return replace(project, config=replace(project.config, jenkins=settings))


@pytest.mark.parametrize("login", [("admin", "admin-pass"), ("admin", "11a")])
def test_a_restart_in_the_middle_of_a_build_is_waited_for(
    jenkins: Controller, slipway: Slipway, project: Project, login: tuple[str, str]
) -> None:
    steps = [*stage("Build", "before\n"), Step(does=jenkins.restart), Step(0.6, log="after\n")]
    jenkins.jobs[MAIN].script = lambda _: [*steps, *stage("Train"), Step(result="SUCCESS")]
    done = slipway("trigger", "main", "--watch", on=replace(project, jenkins_login=login))
    assert done.code == 0, done
    assert done.out.count("before\n") == done.out.count("after\n") == 1
    assert done.err.count("waiting for it, up to 4 s") == done.err.count(BACK) == 1
    assert jenkins.outages == 1


def test_an_input_stays_the_same_over_a_restart(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    waiting(jenkins)
    jenkins.restart()
    time.sleep(0.05)
    admin = replace(project, jenkins_login=("admin", "admin-pass"))
    assert slipway("approve", "main", "--yes", on=admin).code == 0
    assert slipway("watch", "main").code == 0


def test_a_crumb_of_before_the_restart_is_replaced(
    jenkins: Controller, slipway: Slipway, project: Project
) -> None:
    waiting(jenkins)
    settle = jenkins.reply
    boots: list[str] = []

    def reply(method: str, *rest: object) -> object:
        if method == "POST" and not boots and rest[-1].get("Jenkins-Crumb"):  # type: ignore[attr-defined]
            boots.append(jenkins.boot)
            jenkins.boot = "another"
        return settle(method, *rest)  # type: ignore[arg-type]

    jenkins.reply = reply  # type: ignore[assignment,method-assign]
    admin = replace(project, jenkins_login=("admin", "admin-pass"))
    assert slipway("approve", "main", "--yes", on=admin).code == 0
    assert boots


def test_a_controller_that_does_not_come_back_is_given_up(
    jenkins: Controller, slipway: Slipway
) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(log="one\n"), Step(60)]
    jenkins.begin(jenkins.jobs[MAIN])
    jenkins.jobs[MAIN].builds[1].steps.insert(
        1, Step(does=lambda: setattr(jenkins, "phase", "starting"))
    )
    began = time.monotonic()
    done = slipway("watch", "main")
    assert done.code == 4
    assert "the controller does not answer: it says 503" in done.err
    assert 4 <= time.monotonic() - began < 9


def test_a_401_without_an_outage_is_told_at_once(jenkins: Controller, slipway: Slipway) -> None:
    jenkins.phase = "one 401"
    began = time.monotonic()
    assert slipway("watch", "main").code == 5
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "rule",
    [
        Rule("GET", "progressiveText", status=503),
        Rule("GET", "progressiveText", status=502, times=3),
        Rule("GET", "progressiveText", status=500),
        Rule("GET", "progressiveText", cut_answer=7),
        Rule("GET", "progressiveText", cut_answer=30, times=2),
        Rule("GET", "progressiveText", lose_answer=True),
        Rule("GET", "progressiveText", wait_s=1.3),
        Rule("GET", "wfapi/describe", lose_answer=True, times=2),
        Rule("GET", "queue/item", lose_answer=True),
        Rule("GET", "1/api/json", cut_answer=10),
    ],
    ids=lambda rule: f"{rule.part} {rule.status or rule.cut_answer or rule.wait_s or 'lost'}",
)
def test_what_breaks_once_is_asked_again_and_no_line_is_lost_or_told_twice(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay, rule: Rule
) -> None:
    lines = [f"line {number} of many" for number in range(5)]
    steps = [Step(log="".join(f"{line}\n" for line in lines)), *delivery(asks=False)]
    jenkins.jobs[MAIN].script = lambda _: steps
    relay.rules.append(rule)
    done = slipway("trigger", "main", "--watch", on=through)
    assert done.code == 0, done
    assert [line for line in done.out.splitlines() if line.startswith("line ")] == lines
    assert rule.times == 0


def test_a_long_log_that_breaks_off_is_told_whole_and_once(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay
) -> None:
    lines = [f"line {number}" for number in range(20_000)]
    log = "".join(f"{line}\n" for line in lines)
    jenkins.jobs[MAIN].script = lambda _: [Step(0.0, log=log, result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])
    relay.rules += [Rule("GET", "progressiveText", cut_answer=cut) for cut in (70_000, 150_000)]
    done = slipway("watch", "main", on=through)
    assert [line for line in done.out.splitlines() if line.startswith("line ")] == lines
    assert not any(rule.times for rule in relay.rules)


@pytest.mark.parametrize(("verb", "part"), [("abort", "stop"), ("trigger", "buildWithParameters")])
def test_a_login_page_is_not_taken_for_a_yes(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay, verb: str, part: str
) -> None:
    jenkins.jobs[MAIN].script = lambda _: [Step(60)]
    jenkins.begin(jenkins.jobs[MAIN])
    relay.rules.append(Rule("POST", part, status=302, headers={"Location": "/login?from=%2F"}))
    done = slipway(verb, "main", on=through)
    assert done.code == 5
    assert "wants to know who asks" in done.err


def test_an_answer_to_a_trigger_that_was_lost_starts_no_second_build(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay
) -> None:
    relay.rules.append(Rule("POST", "buildWithParameters", lose_answer=True))
    done = slipway("trigger", "main", on=through)
    assert done.code == 4
    assert "whether it was done is not known" in done.err
    assert len(jenkins.queue) == 1


def test_a_trigger_that_surely_was_not_heard_is_sent_again(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay
) -> None:
    relay.rules.append(Rule("POST", "buildWithParameters", status=503, times=2))
    assert slipway("trigger", "main", on=through).code == 0
    assert len(jenkins.queue) == 1


def test_an_approval_whose_answer_was_lost_is_not_taken_for_somebody_elses(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay
) -> None:
    waiting(jenkins)
    relay.rules.append(Rule("POST", "proceedEmpty", lose_answer=True))
    done = slipway("approve", "main", "--yes", on=through)
    assert done.code == 0, done
    assert jenkins.jobs[MAIN].builds[1].settled == ["Production"]


def test_a_bad_choice_that_only_jenkins_knows_is_its_failure(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay
) -> None:
    relay.rules.append(
        Rule("POST", "buildWithParameters", status=500, body=oops(500, "bad-choice").body)
    )
    done = slipway("trigger", "main", on=through)
    assert done.code == 4
    assert "Jenkins failed: 500" in done.err


@pytest.mark.parametrize(
    ("rule", "code", "said"),
    [
        (Rule("GET", status=200, body=b"<html>hello</html>"), 2, "is not Jenkins"),
        (Rule("GET", status=200, body=b'<form action="j_spring_security_check">'), 5, "who asks"),
        (
            Rule("GET", status=200, body=b"<html>", headers={"X-Jenkins": "2.540"}),
            4,
            "a page where data was expected",
        ),
        (Rule("GET", status=302, headers={"Location": "https://ci.example.com/x"}), 2, "leads to"),
        (Rule("GET", status=302, headers={"Location": "/login?from=%2F"}), 5, "who asks"),
        (Rule("GET", status=404, body=b"nginx"), 2, "no Jenkins answers there"),
        (Rule("GET", status=418), 4, "Jenkins failed: 418"),
    ],
)
def test_what_is_no_answer_of_jenkins_is_named(
    slipway: Slipway, through: Project, relay: Relay, rule: Rule, code: int, said: str
) -> None:
    relay.rules.append(replace(rule, times=1))
    done = slipway("watch", "main", on=through)
    assert (done.code, said in done.err) == (code, True), done


def test_tls_that_is_not_trusted_is_told_and_one_that_is_works(
    tmp_path: Path, slipway: Slipway
) -> None:
    signed = certificates.signed(tmp_path / "tls")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.certificate, signed.key)
    with serving(tls=context) as secured:
        secured.multibranch("team", "slipway")
        secured.begin(secured.add(MAIN, script=lambda _: [Step(0.0, result="SUCCESS")]))
        url = f"https://localhost:{secured.port}"
        bare = slipway("watch", "main", on=project_of(tmp_path / "bare", url))
        assert (bare.code, "ca under [jenkins]" in bare.err) == (2, True), bare
        knows = project_of(tmp_path / "knows", url, more=f'ca = "{signed.ca}"\n')
        assert slipway("watch", "main", on=knows).code == 0
        plain = project_of(tmp_path / "plain", f"http://localhost:{secured.port}", hasty=True)
        assert slipway("watch", "main", on=plain).code in (2, 4)


def test_an_artifact_that_breaks_off_is_fetched_whole(
    jenkins: Controller, slipway: Slipway, through: Project, relay: Relay
) -> None:
    files = {"delivery/a.json": b"a" * 5000}
    jenkins.jobs[MAIN].script = lambda _: [Step(0.0, files=files), Step(0.0, result="SUCCESS")]
    jenkins.begin(jenkins.jobs[MAIN])
    relay.rules.append(Rule("GET", "artifact", cut_answer=800))
    assert slipway("artifacts", "main", on=through).code == 0
    folder = through.scratch / "jenkins" / "main-1"
    assert (folder / "delivery" / "a.json").read_bytes() == files["delivery/a.json"]


@pytest.mark.parametrize("length", ["", "Content-Length: 1000\r\n"])
def test_an_answer_that_only_drips_is_given_up(
    tmp_path: Path, slipway: Slipway, length: str
) -> None:
    head = f"HTTP/1.1 200 OK\r\nX-Jenkins: 2.540\r\n{length}\r\n".encode()

    def drip(connected: socket.socket) -> None:
        with contextlib.suppress(OSError), connected:
            connected.recv(65536)
            connected.sendall(head)
            for _ in range(600):
                connected.sendall(b" ")
                time.sleep(0.02)

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        hasty = project_of(tmp_path / "dripping", url, hasty=True)
        settings = replace(hasty.config.jenkins, answer_s=0.2)
        project = replace(hasty, config=replace(hasty.config, jenkins=settings))
        began = time.monotonic()
        done = slipway("watch", "main", on=project)
        server.shutdown(socket.SHUT_RDWR)
    assert done.code == 4
    assert "the controller does not answer" in done.err
    assert time.monotonic() - began < 6
