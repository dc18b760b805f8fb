"""The registry client's own decisions: addresses, logins, manifests, what may heal."""

import base64
import json
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import ConfigError, EvidenceError, SlipwayError, ToolError
from slipway.records import digest_of
from slipway.tools.registry import Address, Patience, failures, manifests, parse
from slipway.tools.registry.address import check_digest, check_repository, check_tag
from slipway.tools.registry.authority import Authority, challenge
from slipway.tools.registry.credentials import Found, Login, Places
from slipway.tools.registry.failures import InterruptedRequest
from slipway.tools.registry.manifests import Descriptor
from slipway.tools.registry.transport import Transport
from slipway.tools.registry.trying import Trying

HEX = "0123456789abcdef" * 4
CONFIG = Descriptor("application/vnd.oci.image.config.v1+json", f"sha256:{HEX}", 12)
LAYER = Descriptor("application/vnd.oci.image.layer.v1.tar", f"sha256:{HEX[::-1]}", 34)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("localhost", "http://localhost"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("127.9.9.9", "http://127.9.9.9"),
        ("registry.example.com", "https://registry.example.com"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000"),
        ("localhost.example.com", "https://localhost.example.com"),
        ("docker.io", "https://registry-1.docker.io"),
    ],
)
def test_only_loopback_is_spoken_to_without_tls(text: str, url: str) -> None:
    assert parse(text).url == url


def test_an_authority_means_tls_on_loopback_too_and_insecure_means_none(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert parse("127.0.0.1:5000", ca=ca).url == "https://127.0.0.1:5000"
    assert parse("registry.example.com", insecure=True).url == "http://registry.example.com"
    with pytest.raises(ConfigError, match="no such file"):
        parse("registry.example.com", ca=tmp_path / "lost.pem")


@pytest.mark.parametrize(
    "text", ["", "a b", "host:0", "host:99999", "host:port", "https://host", "host/path", "[::1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as error:
        parse("anna:s3cret@registry.example.com")
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("name", ["shop", "shop/ranker", "a.b_c__d-e/f", "a--b"])
def test_names_that_registries_take_are_taken(name: str) -> None:
    assert check_repository(name) == name


@pytest.mark.parametrize("name", ["", "Shop", "/a", "a/", "a//b", "-a", "a..b", "a:b", "a" * 256])
def test_names_that_registries_refuse_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        check_repository(name)


@pytest.mark.parametrize("tag", ["", ".a", "-a", "a/b", "a:b", "a" * 129, "a\n"])
def test_tags_that_registries_refuse_are_refused(tag: str) -> None:
    with pytest.raises(ConfigError):
        check_tag(tag)


@pytest.mark.parametrize("digest", ["", HEX, "sha256:12", f"sha256:{HEX.upper()}", f"md5:{HEX}"])
def test_what_is_no_digest_is_no_evidence(digest: str) -> None:
    with pytest.raises(EvidenceError):
        check_digest(digest, "here")


@pytest.mark.parametrize(
    ("header", "scheme", "parameters"),
    [
        ('Basic realm="x"', "basic", {"realm": "x"}),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
            "bearer",
            {"realm": "https://a/t", "service": "s", "scope": "repository:a:pull,push"},
        ),
        ("bearer realm=https://a/t", "bearer", {"realm": "https://a/t"}),
        ('Basic realm="x", Bearer realm="https://a/t"', "bearer", {"realm": "https://a/t"}),
        ('Bearer realm="https://a/t", Basic realm="x"', "bearer", {"realm": "https://a/t"}),
        ("Basic", "basic", {}),
        ("Negotiate abc", "", {}),
        ("", "", {}),
    ],
)
def test_a_challenge_is_read(header: str, scheme: str, parameters: dict[str, str]) -> None:
    read = challenge(header)
    assert (read.scheme, read.parameters) == (scheme, parameters)


@given(st.text(max_size=200))
def test_no_challenge_breaks_the_reader(header: str) -> None:
    assert challenge(header).scheme in ("", "basic", "bearer")


def places(folder: Path, settings: Any) -> Places:
    (folder / "config.json").write_text(
        settings if isinstance(settings, str) else json.dumps(settings)
    )
    return Places(folder)


def entry(pair: str) -> dict[str, str]:
    return {"auth": base64.b64encode(pair.encode()).decode()}


@pytest.mark.parametrize(
    ("named", "asked"),
    [
        ("reg.example.com:5000", "reg.example.com:5000"),
        ("https://reg.example.com", "reg.example.com"),
        ("https://reg.example.com/v2/", "reg.example.com"),
        ("https://index.docker.io/v1/", "docker.io"),
    ],
)
def test_logins_are_found_under_the_names_docker_gives_them(
    tmp_path: Path, named: str, asked: str
) -> None:
    found = places(tmp_path, {"auths": {named: entry("anna:a:b")}}).search(Address(asked))
    assert found.login == Login("anna", "a:b")
    assert str(tmp_path / "config.json") in found.told


def test_another_registrys_login_is_not_taken(tmp_path: Path) -> None:
    known = places(tmp_path, {"auths": {"reg.example.com:5000": entry("anna:x")}})
    found = known.search(Address("reg.example.com"))
    assert found.login is None
    assert "none in SLIPWAY_REGISTRY_USER" in found.told


def test_the_environments_login_goes_first(tmp_path: Path) -> None:
    places(tmp_path, "this is not read")
    found = Places(tmp_path, ("ci", "s3cret")).search(Address("reg.example.com"))
    assert found.login == Login("ci", "s3cret")


@pytest.mark.parametrize(
    "settings",
    [
        "{",
        "[]",
        {"auths": {"reg": {"auth": "///no base64"}}},
        {"auths": {"reg": {"auth": base64.b64encode(b"no colon").decode()}}},
        {"credsStore": "../../bin/sh"},
    ],
)
def test_a_malformed_docker_configuration_is_named(tmp_path: Path, settings: Any) -> None:
    with pytest.raises(ConfigError) as error:
        places(tmp_path, settings).search(Address("reg"))
    assert str(tmp_path / "config.json") in str(error.value)
    assert len(str(error.value).splitlines()) == 3


def test_no_secret_is_in_what_can_be_printed(tmp_path: Path) -> None:
    hidden = Places(tmp_path, ("anna", "s3cret"))
    login = Login("anna", "s3cret")
    shown = f"{hidden!r} {login!r} {Found(login, ('x',))!r} {Found(login, ('x',)).told}"
    assert "s3cret" not in shown
    assert base64.b64encode(b"anna:s3cret").decode() not in shown


def manifest(**changes: Any) -> bytes:
    content = json.loads(manifests.build(CONFIG, [LAYER]).raw)
    return json.dumps({**content, **changes}).encode()


def test_a_manifest_of_the_same_is_the_same_and_is_read_again() -> None:
    made = manifests.build(CONFIG, [LAYER], {"a": "b"})
    assert made.raw == manifests.build(CONFIG, [LAYER], {"a": "b"}).raw
    assert manifests.parse(made.raw, manifests.OCI, "here", made.digest) == made
    assert made.blobs == (CONFIG, LAYER)


@pytest.mark.parametrize(
    ("raw", "media_type"),
    [
        (b"", manifests.OCI),
        (b"[]", manifests.OCI),
        (b"{" * 20_000, manifests.OCI),
        (b" " * (manifests.MAX_BYTES + 1), manifests.OCI),
        (manifest(), manifests.DOCKER),
        (manifest(), "text/html"),
        (manifest(), ""),
        (manifest(schemaVersion=1), manifests.OCI),
        (manifest(manifests=[]), manifests.OCI),
        (manifest(layers=None), manifests.OCI),
        (manifest(layers=[None]), manifests.OCI),
        (manifest(config=None), manifests.OCI),
        (manifest(annotations=[1]), manifests.OCI),
        *(
            (manifest(config={"mediaType": "t", "digest": digest, "size": size}), manifests.OCI)
            for digest, size in (
                ("sha256:12", 1),
                (f"sha256:{HEX}", -1),
                (f"sha256:{HEX}", True),
                (f"sha256:{HEX}", "1"),
                (f"sha256:{HEX}/../x", 1),
            )
        ),
        *((manifest(mediaType=kind), kind) for kind in manifests.FOREIGN),
    ],
)
def test_what_is_not_one_images_manifest_is_refused(raw: bytes, media_type: str) -> None:
    with pytest.raises(EvidenceError) as error:
        manifests.parse(raw, media_type, "here")
    assert len(str(error.value).splitlines()) == 3


def test_bytes_with_another_digest_are_refused() -> None:
    with pytest.raises(EvidenceError, match="other bytes"):
        manifests.parse(manifest(), manifests.OCI, "here", digest_of(b"others"))


def answer(status: int, body: bytes = b"", **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code, made._content, made.url = status, body, "https://reg/v2/a?_state=hidden"
    made.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return made


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_heal_is_tried_again(status: int) -> None:
    assert isinstance(failures.refused(answer(status)), InterruptedRequest)


@pytest.mark.parametrize("status", [400, 404])
def test_a_blob_that_another_push_is_writing_down_is_waited_for(status: int) -> None:
    body = b'{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob unknown to registry"}]}'
    assert isinstance(failures.refused(answer(status, body)), InterruptedRequest)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "refuses access"),
        (403, b"", "refuses access"),
        (400, b'{"errors":[{"code":"NAME_INVALID","message":"bad"}]}', "NAME_INVALID: bad"),
        (400, b"Client sent an HTTP request to an HTTPS server.\n", "wants TLS"),
        (404, b"<html>secret page</html>", "404"),
        (405, b"", "does not allow"),
        (413, b"", "no space"),
        (500, b'{"errors":[{"detail":{"Op":"write","Err":28}}]}', "no space"),
        (500, b'{"errors":[{"detail":"x: no space left on device"}]}', "no space"),
        (507, b"", "no space"),
    ],
)
def test_what_cannot_heal_is_told_at_once(status: int, body: bytes, said: str) -> None:
    error = failures.refused(answer(status, body), "none in the drawer")
    assert isinstance(error, ToolError)
    assert said in str(error)
    assert "hidden" not in str(error)
    assert "secret page" not in str(error)
    assert ("none in the drawer" in str(error)) == (status in (401, 403))
    assert len(str(error).splitlines()) == 3


@pytest.mark.parametrize(
    "body",
    [b"null", b"3", b'"x"', b'{"errors": 3}', b'{"errors": ["x"]}', b"\xff\xfe", b"[" * 9000],
)
def test_a_strange_error_body_is_no_crash(body: bytes) -> None:
    assert "400" in str(failures.refused(answer(400, body)))


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("7", 7, 7),
        ("", 0, 0),
        ("soon", 0, 0),
        ("-5", 0, 0),
        (formatdate(0, usegmt=True), 0, 0),
        (formatdate(4e9, usegmt=True), 1e6, 1e12),
    ],
)
def test_retry_after_is_understood(asked: str, least: float, most: float) -> None:
    interrupted = failures.refused(answer(429, Retry_After=asked))
    assert isinstance(interrupted, InterruptedRequest)
    assert least <= interrupted.wait_s <= most


def pauses(patience: Patience, wait_s: float) -> int:
    """The tries until it is given up."""
    trying, tries = Trying(patience), 1
    while True:
        try:
            trying.failed(InterruptedRequest(ToolError("it", "there", "that"), wait_s))
        except ToolError:
            return tries
        tries += 1


def test_pauses_grow_are_bounded_and_begin_anew_after_progress() -> None:
    slept: list[float] = []
    patience = Patience(first_pause_s=1, longest_pause_s=5, tries=4, sleep=slept.append)
    assert pauses(patience, 0) == 4
    assert slept == [1, 3, 5]
    slept.clear()
    assert pauses(patience, 4) == 4
    assert slept == [4, 4, 5]
    slept.clear()
    trying = Trying(patience)
    for _ in range(3):
        trying.failed(InterruptedRequest(ToolError("it", "there", "that")))
        trying.progressed()
    assert slept == [1, 1, 1]


def test_no_pause_reaches_beyond_the_whole_time() -> None:
    slept: list[float] = []
    assert pauses(Patience(total_s=2, sleep=slept.append), 3) == 1
    assert sum(slept) == 0


def test_the_default_patience_ends_within_half_a_minute() -> None:
    slept: list[float] = []
    assert pauses(Patience(sleep=slept.append), 1e9) <= 4
    assert sum(slept) <= 30


def transport(url: str = "reg.example.com", *, secure: bool = True) -> Transport:
    return Transport(Address(url, secure), lambda: Found(None, ()), Patience())


def test_tls_is_never_left() -> None:
    behind_a_proxy = "http://reg.example.com/v2/a/blobs/uploads/x?_state=y"
    absolute = transport().absolute(behind_a_proxy)
    assert absolute == "https://reg.example.com/v2/a/blobs/uploads/x?_state=y"
    assert transport().absolute("/v2/x") == "https://reg.example.com/v2/x"
    assert transport().absolute("https://store/x") == "https://store/x"
    for away in ("http://store/x", "file:///etc/passwd"):
        with pytest.raises(ToolError, match="away from TLS"):
            transport().absolute(away)


@pytest.mark.parametrize("realm", ["http://evil.example.com/token", "", "ftp://x/y", "token"])
def test_a_login_is_not_sent_to_a_token_server_in_the_open(realm: str) -> None:
    def ask(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was sent")

    found = Found(Login("anna", "s3cret"), ("x",))
    authority = Authority(Address("reg.example.com"), lambda: found, ask)
    with pytest.raises(ToolError) as error:
        authority.answer(f'Bearer realm="{realm}",service="s"', ())
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"s3cret", b'"x"'])
def test_a_token_server_that_gives_no_token_is_named(body: bytes) -> None:
    found = Found(Login("anna", "s3cret"), ("x",))
    given = answer(200, body)
    authority = Authority(Address("reg"), lambda: found, lambda *_, **__: given)
    with pytest.raises(SlipwayError, match="gave no token") as error:
        authority.answer('Bearer realm="https://tokens/t"', ("repository:a:pull",))
    assert "s3cret" not in str(error.value)


def test_a_token_for_more_rights_does_for_fewer() -> None:
    found = Found(None, ())
    given = answer(200, b'{"token":"t"}')
    authority = Authority(Address("reg"), lambda: found, lambda *_, **__: given)
    assert authority.header(("repository:a:pull",)) == ""
    authority.answer('Bearer realm="https://tokens/t"', ("repository:a:pull,push",))
    assert authority.header(("repository:a:pull",)) == "Bearer t"
    assert authority.header(("repository:b:pull",)) == ""
    assert authority.header(("repository:a:delete",)) == ""
