"""A Jenkins for tests: real HTTP on loopback, a state machine behind it, in recorded shapes.

`tests/recorded/jenkins/` holds what a Jenkins 2.540 answered, trimmed; answers are made from those.
"""

import base64
import contextlib
import copy
import hashlib
import json
import re
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.jenkins_builds import INTERRUPTED, Build, Item, Job, now

RECORDED = Path(__file__).parent / "recorded" / "jenkins"
JSON, TEXT, HTML = "application/json;charset=UTF-8", "text/plain;charset=UTF-8", "text/html"
FORGETS_S = 300.0  # the queue, what has left it


def recorded(name: str) -> Any:
    """A recorded body, to be changed."""
    return copy.deepcopy(json.loads((RECORDED / f"{name}.json").read_text())["body"])


@dataclass(frozen=True)
class User:
    """Who may ask."""

    password: str
    token: str
    may_build: bool = True
    admin: bool = False


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    body: bytes = b""
    kind: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)


def page(status: int, message: str, **headers: str) -> Reply:
    """An error as the servlet container shows it."""
    body = recorded("build-refused").replace("Nothing is submitted", message)
    return Reply(
        status, body.replace("HTTP Status 400", f"HTTP Status {status}").encode(), HTML, headers
    )


def oops(status: int, name: str = "not-found") -> Reply:
    """An error as Jenkins shows it."""
    return Reply(status, recorded(name).encode(), HTML, {"X-Jenkins": "2.540"})


def data(content: Any, tree: str = "", *, jenkins: bool = True) -> Reply:
    """JSON, with the fields that a tree asks for."""
    shown = pruned(content, parsed(tree)) if tree else content
    headers = {"X-Jenkins": "2.540"} if jenkins else {}
    return Reply(200, json.dumps(shown).encode(), JSON, headers)


def parsed(tree: str) -> dict[str, Any]:
    """`a,b[c]{0,5}` as nested fields; what stands in braces is a range."""
    tokens = re.findall(r"[\w*]+|\[|\]|\{\d*,?\d*\}", tree)
    root: dict[str, Any] = {}
    stack, last = [root], ""
    for token in tokens:
        if token == "[":
            stack.append(stack[-1][last])
        elif token == "]":
            stack.pop()
        elif not token.startswith("{"):
            last = token
            stack[-1][token] = {}
    return root


def pruned(content: Any, fields: Mapping[str, Any]) -> Any:
    """What a tree leaves of some JSON; `_class` always stays."""
    if isinstance(content, list):
        return [pruned(one, fields) for one in content]
    if not isinstance(content, dict) or not fields:
        return content
    kept = {"_class": {}, **fields}
    return {k: pruned(v, kept[k]) for k, v in content.items() if k in kept or "*" in kept}


class Controller:
    """The state; every question is answered from it as it is at that moment."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix  # a context path: /jenkins
        self.users = {
            "admin": User("admin-pass", "11a", admin=True),
            "release-manager": User("rm-pass", "11b"),
            "dev": User("dev-pass", "11c"),
            "reader": User("reader-pass", "11d", may_build=False),
        }
        self.jobs: dict[tuple[str, ...], Job] = {}
        self.queue: dict[int, Item] = {}
        self.lock = threading.RLock()
        self.asked: list[str] = []  # method and path of every request
        self.stage_view = self.crumbs = self.queue_remembers = True
        self.own_address = "http://jenkins.example.com"  # what it believes its address to be
        self.login_page = False  # instead of 403, as with single sign-on
        self.boot = secrets.token_hex(4)
        self.phase = ""  # of a restart
        self.outages = 0
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        self._server: ThreadingHTTPServer | None = None

    # what tests set up
    def multibranch(self, *names: str) -> None:
        """A multibranch job behind folders, without branches yet."""
        for end in range(1, len(names) + 1):
            self.jobs[names[:end]] = Job(names[:end], branches=True)

    def add(self, path: tuple[str, ...], **settings: Any) -> Job:
        """A job that can be built."""
        self.jobs[path] = Job(path, **settings)
        return self.jobs[path]

    def begin(self, job: Job, **parameters: str) -> Build:
        """Starts a build without the queue."""
        with self.lock:
            return job.begin(Item(900 + job.next, job, parameters, now()), now())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    # time
    def advance(self) -> None:
        """Lets happen what is due, everywhere."""
        moment = now()
        for item in list(self.queue.values()):
            if not item.build and not item.cancelled and moment - item.entered >= item.job.queue_s:
                item.job.begin(item, item.entered + item.job.queue_s)
        for job in self.jobs.values():
            for build in list(job.builds.values()):
                build.advance(moment)

    def restart(self, phase_s: float = 0.15) -> None:
        """Goes down and comes back, in the phases that were seen."""
        threading.Thread(target=self._restart, args=(phase_s,), daemon=True).start()

    def _restart(self, phase_s: float) -> None:
        self.phase = "restarting"
        time.sleep(phase_s)
        self.close()
        time.sleep(phase_s)
        self.phase = "starting"
        self.listen()
        time.sleep(phase_s)
        self.boot, self.phase = secrets.token_hex(4), "one 401"
        self.outages += 1

    def listen(self) -> None:
        """Opens the port, the same one again after a restart."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Closes the port; connections that are open break."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()

    def serves(self, server: Any) -> bool:
        """Whether a connection belongs to the present process of this Jenkins."""
        return server is self._server

    # requests
    def reply(self, method: str, path: str, query: dict[str, str], form: dict[str, str],
              headers: Mapping[str, str]) -> Reply:  # fmt: skip
        """The answer to one request."""
        down = self._down()
        if down:
            return down
        user, refusal = self._user(headers)
        if refusal:
            return refusal
        if path == "/crumbIssuer/api/json":
            return self._crumb(headers)
        if method == "POST" and not self._crumb_fits(headers):
            return Reply(403, recorded("no-crumb").encode())
        self.advance()
        for pattern, route in ROUTES:
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                return route(self, match.groupdict(), query, form, user)
        return oops(404)

    def _down(self) -> Reply | None:
        if self.phase == "restarting":
            return Reply(503, b"<html><title>Restarting Jenkins</title></html>")
        if self.phase == "starting":
            return Reply(503, b"<html>Jenkins is getting ready to work</html>")
        if self.phase == "one 401":
            self.phase = ""
            return page(401, "Unauthorized")
        return None

    def _user(self, headers: Mapping[str, str]) -> tuple[str, Reply | None]:
        given = headers.get("Authorization", "")
        if not given:
            if self.login_page:
                return "", Reply(302, headers={"Location": f"{self.prefix}/login?from=%2F"})
            body = (
                b"<html><body>Authentication required<!-- You are authenticated as: anonymous -->"
            )
            return "", Reply(403, body, HTML, {"X-You-Are-Authenticated-As": "anonymous"})
        name, _, word = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        user = self.users.get(name)
        known = user and word in (user.password, user.token)
        return name, None if known else page(401, "Unauthorized")

    def _crumb(self, headers: Mapping[str, str]) -> Reply:
        if not self.crumbs:
            return oops(404)
        session = _cookie(headers) or secrets.token_hex(8)
        issued = recorded("crumb") | {"crumb": self._crumb_of(session)}
        cookie = {"Set-Cookie": f"JSESSIONID.1={session}; Path=/; HttpOnly"}
        return Reply(200, json.dumps(issued).encode(), JSON, {"X-Jenkins": "2.540", **cookie})

    def _crumb_fits(self, headers: Mapping[str, str]) -> bool:
        name, _, word = (
            base64.b64decode(headers.get("Authorization", "").removeprefix("Basic "))
            .decode()
            .partition(":")
        )
        by_token = word == self.users[name].token
        session = _cookie(headers)
        fits = bool(session) and headers.get("Jenkins-Crumb") == self._crumb_of(session)
        return not self.crumbs or by_token or fits

    def _crumb_of(self, session: str) -> str:
        return hashlib.sha256(f"{session}{self.boot}".encode()).hexdigest()

    # routes
    def job(self, groups: Mapping[str, str]) -> Job | None:
        """The job of a path; a name is quoted once more than Jenkins has it."""
        names = re.findall(r"/job/([^/]+)", groups["job"])
        return self.jobs.get(tuple(unquote(name) for name in names))

    def build(self, groups: Mapping[str, str]) -> Build | None:
        """The build of a path."""
        job = self.job(groups)
        return job.builds.get(int(groups["number"])) if job else None

    def place(self, job: Job) -> str:
        """A job's path."""
        quoted = (name.replace("%", "%25") for name in job.path)
        return self.prefix + "".join(f"/job/{name}" for name in quoted) + "/"

    def show_job(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """A job: its branches, or its parameters and builds."""
        job = self.job(groups)
        if job is None:
            return oops(404)
        if job.branches:
            shown = recorded("multibranch")
            below = [j for p, j in self.jobs.items() if p[:-1] == job.path]
            shown |= {"name": job.path[-1], "jobs": [self._listed(one) for one in below]}
            return data(shown, query.get("tree", ""))
        shown = recorded("job")
        place, item = self.place(job), self._waiting(job)
        numbers = sorted(job.builds, reverse=True)
        builds = [self._reference(job, n) | {"queueId": job.builds[n].queue_id} for n in numbers]
        shown |= {
            "name": job.path[-1],
            "fullName": "/".join(job.path),
            "url": f"{self.own_address}{place}",
            "buildable": not job.disabled,
            "nextBuildNumber": job.next,
            "inQueue": item is not None,
            "queueItem": {"id": item.number} if item else None,
            "lastBuild": builds[0] if builds else None,
            "builds": builds,
            "property": [{"parameterDefinitions": job.definitions}] if job.definitions else [{}],
        }
        return data(shown, query.get("tree", ""))

    def _listed(self, job: Job) -> dict[str, Any]:
        kind = "multibranch.WorkflowMultiBranchProject" if job.branches else "job.WorkflowJob"
        place = f"{self.url.removesuffix(self.prefix)}{self.place(job)}"
        return {
            "_class": f"org.jenkinsci.plugins.workflow.{kind}",
            "name": job.path[-1],
            "url": place,
        }

    def _reference(self, job: Job, number: int) -> dict[str, Any]:
        place = f"{self.url.removesuffix(self.prefix)}{self.place(job)}{number}/"
        kind = "org.jenkinsci.plugins.workflow.job.WorkflowRun"
        return {"_class": kind, "number": number, "displayName": f"#{number}", "url": place}

    def _waiting(self, job: Job) -> Item | None:
        waits = (i for i in self.queue.values() if i.job is job and not (i.build or i.cancelled))
        return next(waits, None)

    def trigger(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """`build` and `buildWithParameters`, with what each refuses."""
        job = self.job(groups)
        if job is None or job.branches:
            return oops(404)
        if not self.users[user].may_build:
            body = f"<html><body>{user} is missing the Job/Build permission</body></html>"
            return Reply(403, body.encode(), HTML, {"X-Jenkins": "2.540"})
        if job.disabled:
            return page(409, f"{job.path[-1]} is not buildable")
        given = {**query, **form}
        if groups["entry"] == "build" and job.definitions:
            return Reply(400, recorded("build-refused").encode())
        if groups["entry"] == "buildWithParameters" and not job.definitions:
            return oops(500, "bad-choice")
        for defined in job.definitions or ():
            choices: Any = defined.get("choices")
            if choices and given.get(str(defined["name"]), choices[0]) not in choices:
                return oops(500, "bad-choice")
        number = max(self.queue, default=0) + 1
        self.queue[number] = Item(number, job, given, now(), job.why)
        place = f"{self.own_address}{self.prefix}/queue/item/{number}/"
        return Reply(201, headers={"Location": place})

    def show_item(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """A place in the queue."""
        item = self.queue.get(int(groups["id"]))
        if item is None or (
            item.build and (not self.queue_remembers or now() - item.left > FORGETS_S)
        ):
            return oops(404)
        left = bool(item.build or item.cancelled)
        shown = recorded("queue-left" if left else "queue-waiting")
        spent = (now() - item.entered) / item.job.queue_s
        reasons = item.why or ("Finished waiting",)
        why = None if left else reasons[min(int(spent * len(reasons)), len(reasons) - 1)]
        shown |= {"id": item.number, "why": why, "url": f"queue/item/{item.number}/"}
        if left:
            reference = self._reference(item.job, item.build) if item.build else None
            shown |= {"cancelled": item.cancelled, "executable": reference}
        return data(shown, query.get("tree", ""))

    def cancel_item(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """Takes a build out of the queue."""
        item = self.queue.get(int(query.get("id", 0)))
        if item is None:
            return oops(404)
        item.cancelled = not item.build
        return Reply(204)

    def show_build(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """A build."""
        job, build = self.job(groups), self.build(groups)
        if job is None or build is None:
            return oops(404)
        shown = recorded("build-done" if build.result else "build-running")
        actions = [a for a in shown["actions"] if "TestResult" not in a.get("_class", "")]
        if build.reasons:
            causes = [
                {"_class": "x.CauseOfInterruption", "shortDescription": r} for r in build.reasons
            ]
            actions.append({"_class": INTERRUPTED, "causes": causes})
        shown |= {
            "actions": actions,
            "number": build.number,
            "id": str(build.number),
            "queueId": build.queue_id,
            "building": not build.result,
            "result": build.result or None,
            "description": build.description or None,
            "duration": int((build.clock - build.began) * 1000) if build.result else 0,
            "artifacts": [
                {"displayPath": n, "fileName": n.split("/")[-1], "relativePath": n}
                for n in build.files
            ],
        }
        return data(shown | self._reference(job, build.number), query.get("tree", ""))

    def show_log(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """A console from an offset on: sizes count its own bytes, the text has other line ends."""
        build = self.build(groups)
        if build is None:
            return oops(404)
        start = int(query.get("start", 0))
        text = build.log if start > len(build.log) else build.log[start:]
        sizes = {"X-Text-Size": str(len(build.log))}
        more = {} if build.result else {"X-More-Data": "true"}
        return Reply(200, text.replace(b"\n", b"\r\n"), TEXT, sizes | more)

    def show_stages(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """The stage view's description of a build."""
        build = self.build(groups)
        if build is None or not self.stage_view:
            return oops(404)
        shown = recorded("stages-paused" if build.pending else "stages-done")
        shape = shown["stages"][0]
        shown["stages"] = [
            shape
            | {"id": one.key, "name": one.name, "status": one.status}
            | {"startTimeMillis": int(one.began * 1000)}
            | {"durationMillis": int(((one.ended or now()) - one.began) * 1000)}
            | ({"error": {"message": one.error, "type": "x"}} if one.error else {})
            for one in build.stages
        ]
        running = "PAUSED_PENDING_INPUT" if build.pending else "IN_PROGRESS"
        shown["status"] = build.status or build.result or running
        return data(shown, jenkins=False)

    def show_questions(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """What a build asks."""
        build = self.build(groups)
        if build is None or not self.stage_view:
            return oops(404)
        (shape,) = recorded("pending")
        (parameter,) = shape["inputs"]
        asked = [
            shape
            | {"id": one.key, "message": one.message, "proceedText": one.proceed}
            | {"abortUrl": f"{self.prefix}{groups['job']}/{build.number}/input/{one.key}/abort"}
            | {
                "inputs": [
                    parameter | {"name": name, "definition": {"defaultVal": standard}}
                    for name, standard in one.parameters.items()
                ]
            }
            for one in build.pending
        ]
        return data(asked, jenkins=False)

    def settle(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """An answer to a question; whoever is not its submitter is refused."""
        build = self.build(groups)
        asked = [q for q in build.pending if q.key == groups["key"]] if build else []
        if build is None or not asked:
            return oops(404)
        if user != asked[0].submitter and not self.users[user].admin:
            words = f"You need to be {asked[0].submitter} to submit this."
            body = (
                f'<!DOCTYPE html><html><body><h1 class="x">Error</h1><p>{words}</p></body></html>'
            )
            return Reply(400, body.encode(), HTML, {"X-Jenkins": "2.540"})
        given = json.loads(form.get("json", "{}")).get("parameter", [])
        values = {one["name"]: one["value"] for one in given}
        yes = groups["verb"] != "abort"
        build.answer(groups["key"], user, yes=yes, values=values, now=now())
        return Reply(200)

    def stop(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """Interrupts a build."""
        build = self.build(groups)
        if build is None:
            return oops(404)
        if not build.result:
            build.cut(f"Aborted by {user}", now(), "ABORTED")
        return Reply(302, headers={"Location": f"{self.prefix}{groups['job']}/{build.number}/"})

    def show_file(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """An archived file."""
        build = self.build(groups)
        content = build.files.get(unquote(groups["file"])) if build else None
        return oops(404) if content is None else Reply(200, content, "application/octet-stream")

    def show_page(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """What HTML Publisher shows."""
        build = self.build(groups)
        return Reply(200, b"<html>") if build and build.published else oops(404)

    def show_tests(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """The test results: two cases, of which one failed."""
        build = self.build(groups)
        if build is None or build.result != "UNSTABLE":
            return oops(404)
        return data(recorded("tests"), query.get("tree", ""))

    def lint(self, groups: Any, query: Any, form: Any, user: str) -> Reply:
        """The linter: knows one fault."""
        if "agent" in form.get("jenkinsfile", ""):
            return Reply(200, b"Jenkinsfile successfully validated.\n", TEXT)
        fault = 'WorkflowScript: 1: Missing required section "agent" @ line 1, column 1.'
        head = "Errors encountered validating Jenkinsfile:"
        return Reply(200, f"{head}\n{fault}\n   pipeline {{\n   ^\n\n".encode(), TEXT)


JOB = r"(?P<job>(?:/job/[^/]+)+)"
BUILD = JOB + r"/(?P<number>\d+)"
Route = Callable[[Controller, Any, Any, Any, str], Reply]
ROUTES: list[tuple[str, Route]] = [
    (rf"GET {JOB}/api/json", Controller.show_job),
    (rf"POST {JOB}/(?P<entry>build|buildWithParameters)", Controller.trigger),
    (r"GET /queue/item/(?P<id>\d+)/api/json", Controller.show_item),
    (r"POST /queue/cancelItem", Controller.cancel_item),
    (rf"GET {BUILD}/api/json", Controller.show_build),
    (rf"GET {BUILD}/logText/progressiveText", Controller.show_log),
    (rf"GET {BUILD}/wfapi/describe", Controller.show_stages),
    (rf"GET {BUILD}/wfapi/pendingInputActions", Controller.show_questions),
    (rf"POST {BUILD}/input/(?P<key>\w+)/(?P<verb>proceed|proceedEmpty|abort)", Controller.settle),
    (rf"POST {BUILD}/stop", Controller.stop),
    (rf"GET {BUILD}/artifact/(?P<file>.+)", Controller.show_file),
    (rf"GET {BUILD}/Delivery/", Controller.show_page),
    (rf"GET {BUILD}/testReport/api/json", Controller.show_tests),
    (r"POST /pipeline-model-converter/validate", Controller.lint),
]


def _cookie(headers: Mapping[str, str]) -> str:
    found = re.search(r"JSESSIONID\.1=(\w+)", headers.get("Cookie", ""))
    return found[1] if found else ""


def _handler(controller: Controller) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answered(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length).decode()
            if not controller.serves(self.server):
                self.close_connection = True  # the process that held this connection is gone
                return
            parts = urlsplit(self.path)
            query, form = _single(parts.query), _single(body)
            path = parts.path.removeprefix(controller.prefix)
            with controller.lock:
                controller.asked.append(f"{self.command} {path}")
                known = parts.path.startswith(controller.prefix)
                reply = (
                    controller.reply(self.command, path, query, form, self.headers)
                    if known
                    else Reply(404, b"<html>nginx</html>")
                )
            self.send_response_only(reply.status)
            if reply.kind:
                self.send_header("Content-Type", reply.kind)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = answered

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    return Handler


def _single(text: str) -> dict[str, str]:
    return {k: v[-1] for k, v in parse_qs(text, keep_blank_values=True).items()}


@contextlib.contextmanager
def serving(prefix: str = "", tls: ssl.SSLContext | None = None) -> Iterator[Controller]:
    """A controller for the length of the block."""
    controller = Controller(prefix)
    controller.tls = tls
    controller.listen()
    try:
        yield controller
    finally:
        controller.close()
