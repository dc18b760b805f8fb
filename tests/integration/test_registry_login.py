"""Logins of a registry: passwords, tokens that it verifies, and whom TLS believes."""

import base64
import contextlib
import http.server
import json
import os
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import ToolError
from slipway.tools.registry import Address, Registry
from slipway.tools.registry.credentials import Places
from tests.certificates import Signed, signed
from tests.registries import QUICK, Server, htpasswd, push, serving, three_lines
from tests.relays import Rule, relaying


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Signed:
    return signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def name() -> str:
    """A repository below a folder."""
    return "shop/ranker"


def docker_config(folder: Path, server: str, pair: str) -> Places:
    folder.mkdir(parents=True, exist_ok=True)
    entry = {"auth": base64.b64encode(pair.encode()).decode()}
    (folder / "config.json").write_text(json.dumps({"auths": {server: entry}}))
    return Places(folder)


def logged_in(own: Server, places: Places, **more: Any) -> Registry:
    address = more.pop("address", None) or Address(own.name, secure=False)
    return Registry(address, lambda: places.search(address), QUICK, **more)


def test_a_login_is_taken_from_where_docker_keeps_it(tmp_path: Path, name: str) -> None:
    auth = htpasswd(tmp_path / "own", "anna", "s3cret")
    with serving(tmp_path / "own", auth=auth) as own:
        right = docker_config(tmp_path / "right", own.name, "anna:s3cret")
        wrong = docker_config(tmp_path / "wrong", own.name, "anna:wr0ng-s3cret")
        for places in (right, Places(tmp_path / "wrong", ("anna", "s3cret"))):
            with logged_in(own, places) as registry:
                pushed = push(registry, name, b"secret layer")
                assert registry.manifest(name, pushed.digest) == pushed
        with logged_in(own, wrong) as registry, pytest.raises(ToolError) as error:
            registry.ping()
        three_lines(error.value, "401", str(tmp_path / "wrong" / "config.json"))
        assert "wr0ng" not in str(error.value) + repr(error.value) + repr(places)
        with logged_in(own, Places(tmp_path)) as registry, pytest.raises(ToolError) as error:
            push(registry, name, b"more")
        three_lines(
            error.value, "401", "none in SLIPWAY_REGISTRY_USER", str(tmp_path / "config.json")
        )


def test_a_login_is_taken_from_a_credential_helper(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "bin" / "docker-credential-drawer"
    helper.parent.mkdir()
    with serving(tmp_path / "own", auth=htpasswd(tmp_path / "own", "anna", "s3cret")) as own:
        answer = json.dumps({"ServerURL": own.name, "Username": "anna", "Secret": "s3cret"})
        helper.write_text(
            f"#!/bin/sh\nread host\n[ \"$1 $host\" = 'get {own.name}' ] && echo '{answer}'\n"
        )
        helper.chmod(0o755)
        monkeypatch.setenv("PATH", str(helper.parent), prepend=os.pathsep)
        for settings in ({"credsStore": "drawer"}, {"credHelpers": {own.name: "drawer"}}):
            (tmp_path / "config.json").write_text(json.dumps(settings))
            with logged_in(own, Places(tmp_path)) as registry:
                push(registry, name, b"layer")
        (tmp_path / "config.json").write_text('{"credsStore": "lost"}')
        with logged_in(own, Places(tmp_path)) as registry, pytest.raises(ToolError) as error:
            registry.ping()
        three_lines(error.value, "docker-credential-lost")


def test_tls_is_believed_by_the_authority_that_is_named(
    tmp_path: Path, certificate: Signed, name: str
) -> None:
    tls = {"certificate": str(certificate.certificate), "key": str(certificate.key)}
    with serving(tmp_path / "own", tls=tls) as own:
        with Registry(Address(own.name, True, certificate.ca), patience=QUICK) as registry:
            pushed = push(registry, name, os.urandom(1 << 20))
            assert registry.manifest(name, pushed.digest) == pushed
        for address, said in (
            (Address(own.name, True), "certificate is not trusted"),
            (Address(own.name, False), "asked in plain HTTP"),
            (Address(own.name, True, tmp_path / "own" / "config.yml"), "TLS"),
        ):
            with Registry(address, patience=QUICK) as registry, pytest.raises(ToolError) as error:
                registry.ping()
            three_lines(error.value, said, own.name)


def test_plain_http_where_tls_was_expected_is_told(tmp_path: Path) -> None:
    with serving(tmp_path / "own") as own:
        address = Address(own.name, True)
        with Registry(address, patience=QUICK) as registry, pytest.raises(ToolError) as error:
            registry.ping()
    three_lines(error.value, "does not speak TLS", "insecure")


@contextlib.contextmanager
def token_server(certificate: Signed, asked: list[str]) -> Iterator[str]:
    """Gives tokens that a registry believes: to anna all that she asks for, to others pulls."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            login = self.headers.get("Authorization", "")
            known = base64.b64encode(b"anna:s3cret").decode()
            if login and login != f"Basic {known}":
                self.give(401, {})
            else:
                scopes = [one for given in query.get("scope", []) for one in given.split()]
                self.grant("token", scopes, bool(login))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            query = urllib.parse.parse_qs(self.rfile.read(length).decode())
            if query["refresh_token"] != ["refresh-s3cret"]:
                self.give(401, {})
            else:
                self.grant("access_token", query["scope"][0].split(), True)

        def grant(self, key: str, scopes: list[str], everything: bool) -> None:
            asked.append(" ".join(scopes))
            access = []
            for scope in scopes:
                kind, name, actions = scope.split(":")
                given = [a for a in actions.split(",") if everything or a == "pull"]
                access.append({"type": kind, "name": name, "actions": given})
            self.give(200, {key: certificate.token("tests", "registry", access)})

        def give(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def with_tokens(tmp_path: Path, certificate: Signed) -> Iterator[tuple[Server, list[str]]]:
    asked: list[str] = []
    with token_server(certificate, asked) as realm:
        auth = {"realm": realm, "service": "registry", "issuer": "tests"}
        auth["rootcertbundle"] = str(certificate.ca)
        with serving(tmp_path / "own", auth={"token": auth}) as own:
            yield own, asked


def test_tokens_are_fetched_for_the_rights_that_are_needed(
    with_tokens: tuple[Server, list[str]], tmp_path: Path, name: str
) -> None:
    own, asked = with_tokens
    places = docker_config(tmp_path / "docker", f"https://{own.name}/v2/", "anna:s3cret")
    with logged_in(own, places) as registry:
        registry.ping()
        pushed = push(registry, name, b"layer")
        registry.tag(name, pushed.digest, "v1")
        registry.copy(name, pushed.digest, f"{name}/production")
        assert registry.delete(name, pushed.digest)
    assert f"repository:{name}:pull,push" in asked
    assert len(asked) < 7, f"a token is fetched once for the same rights: {asked}"
    with logged_in(own, Places()) as registry:
        assert registry.digest(f"{name}/production", pushed.digest), "anybody may pull"
        with pytest.raises(ToolError) as error:
            registry.put_blob(name, b"more")
    three_lines(error.value, "401", "none in")


def test_a_refresh_token_is_taken_and_a_wrong_one_told_without_showing_it(
    with_tokens: tuple[Server, list[str]], tmp_path: Path, name: str
) -> None:
    own, _ = with_tokens
    for token in ("refresh-s3cret", "wr0ng-s3cret"):
        entry = {"auth": base64.b64encode(b"00000000:").decode(), "identitytoken": token}
        (tmp_path / "config.json").write_text(json.dumps({"auths": {own.name: entry}}))
        with logged_in(own, Places(tmp_path)) as registry:
            if token.startswith("refresh"):
                push(registry, name, b"layer")
                continue
            with pytest.raises(ToolError) as error:
                push(registry, name, b"other")
    three_lines(error.value, "401", "/token", "config.json")
    assert "s3cret" not in str(error.value)


def test_an_upload_that_leads_to_another_host_takes_no_login_there(
    tmp_path: Path, name: str
) -> None:
    auth = htpasswd(tmp_path / "own", "anna", "s3cret")
    with serving(tmp_path / "own", auth=auth) as own, relaying(own.port) as elsewhere:
        place = {"Location": f"http://{elsewhere.name}/v2/{name}/blobs/uploads/x?_state=y"}
        rule = Rule("POST", status=202, headers=place)
        elsewhere.rules.append(Rule("PUT", status=201))
        with relaying(own.port, rule) as relay:
            places = Places(login=("anna", "s3cret"))
            address = Address(relay.name, secure=False)
            with logged_in(own, places, address=address) as registry:
                registry.put_blob(name, b"content")
        assert [one.authorization for one in elsewhere.asked] == [""]
        assert relay.asked[-1].authorization.startswith("Basic ")
