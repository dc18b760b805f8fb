"""A Jenkins controller on loopback, as far as a checkup, an agent and the job's creation ask it.

The shapes of the answers are those in `tests/recorded/jenkins/controller.json`, which says of each
whether it was recorded on a real one. Standard library alone: it runs in a container too.
"""

import base64
import contextlib
import copy
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDED = Path(__file__).with_name("recorded") / "jenkins" / "controller.json"
CRUMB = "056bec9b2ef69e73bfe39415966ac88dd877e56c38a3799f1bdd0608c298b75a"
SECRET = "3f" * 32


class Controller:
    """One controller: its answers can be changed, and what was asked is kept."""

    def __init__(self, passwords: dict[str, str], answers: dict[str, Any] | None = None) -> None:
        self.passwords = passwords  # user → password or token
        self.answers = copy.deepcopy(answers or recorded())
        self.jobs: dict[str, str] = {}  # name → config.xml
        self.asked: list[tuple[str, str, str]] = []  # method, path, user
        self.failing: list[int] = []  # statuses of the next answers, whatever is asked
        self.url = ""

    def reply(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, str, bytes]:
        """Status, type and bytes of one answer."""
        path, user = urlsplit(target).path.strip("/"), self._user(headers)
        self.asked.append((method, path, user or ""))
        if self.failing:
            return (
                self.failing.pop(0),
                "text/html",
                b"<html>Jenkins is getting ready to work</html>",
            )
        if user is None:
            return 401, "text/html", b"<html>Invalid password/token</html>"
        if method == "POST":
            return self._post(path, parse_qs(urlsplit(target).query), headers, body)
        name = path.removeprefix("job/").partition("/")[0]
        if path.startswith("job/") and name in self.jobs:
            if path.endswith("/config.xml"):
                return 200, "application/xml", self.jobs[name].encode()
            return 200, "application/json", b"{}"
        return self._known(path, user)

    def _known(self, path: str, user: str) -> tuple[int, str, bytes]:
        said = self.answers.get(f"{path} as {user or 'anonymous'}", self.answers.get(path))
        if said is None:
            return 404, "text/html", b"<html>Not Found</html>"
        if not user and not said.get("open"):
            return 403, "text/html", b"<html>Authentication required</html>"
        if said.get("only") and user not in said["only"]:
            return said.get("refusal", 403), "text/html", b"<html>Access Denied</html>"
        body = said["body"]
        text = body if isinstance(body, str) else json.dumps(body)
        return said.get("status", 200), said.get("type", "application/json"), text.encode()

    def _post(
        self, path: str, query: dict[str, list[str]], headers: Any, body: bytes
    ) -> tuple[int, str, bytes]:
        if headers.get("Jenkins-Crumb") != CRUMB or "JSESSIONID" not in headers.get("Cookie", ""):
            return 403, "text/html", b"No valid crumb was included in the request"
        if path == "createItem":
            name = query["name"][0]
            if name in self.jobs:
                return 400, "text/html", b"A job already exists with the name"
        elif path.startswith("job/") and path.endswith("/config.xml"):
            name = path.split("/")[1]
            if name not in self.jobs:
                return 404, "text/html", b"<html>Not Found</html>"
        else:
            return 404, "text/html", b"<html>Not Found</html>"
        self.jobs[name] = body.decode()
        return 200, "text/html", b""

    def _user(self, headers: Any) -> str | None:
        """Who asks; empty: a stranger; None: somebody with a wrong password."""
        said = headers.get("Authorization", "")
        if not said:
            return ""
        user, _, password = base64.b64decode(said.removeprefix("Basic ")).decode().partition(":")
        return user if self.passwords.get(user) == password else None


def recorded() -> dict[str, Any]:
    """The answers of a controller that lacks nothing: path → body and who may see it."""
    said: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))["answers"]
    return said


def _handler(controller: Controller) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: else each answer waits for an acknowledgement

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def _answer(self, method: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            status, kind, content = controller.reply(method, self.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            known = controller.answers.get(urlsplit(self.path).path.strip("/"), {})
            for name, value in {
                **controller.answers["headers"],
                **known.get("headers", {}),
            }.items():
                self.send_header(name, value)
            if "JSESSIONID" not in self.headers.get("Cookie", ""):
                self.send_header("Set-Cookie", "JSESSIONID.1=node0; Path=/; HttpOnly")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextlib.contextmanager
def serving(controller: Controller, port: int = 0, host: str = "127.0.0.1") -> Iterator[Controller]:
    """The controller at an address, until the block ends."""
    server = ThreadingHTTPServer((host, port), _handler(controller))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    controller.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield controller
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serves where a controller would, with the passwords that its container was given."""
    secrets = Path("/run/secrets")
    names = {"admin": "admin_password", "agents": "agents_password"}
    passwords = {user: (secrets / file).read_text() for user, file in names.items()}
    with serving(Controller(passwords), 8080, "0.0.0.0"):
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
