"""What is found in layers: secrets and what only looks like one, merged files, pins and lists."""

import base64
import gzip
import io
import json
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from slipway.errors import ConfigError, EvidenceError
from slipway.records import digest_of, digest_tree
from slipway.tools.scan import filesystem, inside, layers, pins, rules, syft

# put together here, so that no scanner takes this file for a leak
KEY_HEAD = "-----BEGIN " + "RSA PRIVATE KEY-----\n"
RANDOM = "q7Zp2Lw9Xk4Vb8Nt3Rf6Hj1Gd5Sc0"
JWT = ".".join(
    base64.urlsafe_b64encode(part.encode()).decode().rstrip("=")
    for part in ('{"alg":"HS256"}', '{"sub":"robot"}', "signature-of-it")
)
LOGIN = base64.b64encode(b"robot:hunter2").decode()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/usr/lib/x.so", "\0\0AKIA" + "B7C8D9E0F1G2H3I4" + "\0"),
        ("/srv/a.py", "token = 'ghp_" + RANDOM + "A1b2C3d'"),
        ("/srv/a.py", "token = 'glpat-" + RANDOM[:20] + "'"),
        ("/srv/a.py", "xoxb-123456789012-" + RANDOM.lower()),
        ("/srv/a.bin", "\0" + JWT),
        ("/root/.ssh/id_rsa", KEY_HEAD + ("MIIE" + RANDOM * 3 + "\n") * 3),
        ("/etc/config.py", KEY_HEAD.replace("\n", "\\n") + "MIIE" + RANDOM * 3),
        ("/etc/apt/sources", "deb https://robot:hunter2@packages.internal/ stable"),
        ("/root/.netrc", "machine h login robot password horse"),
        ("/srv/.env", "DATABASE_PASSWORD=correcthorse"),
        ("/etc/pip.conf", "index-url = https://u:hunter2@packages.internal/simple"),
        ("/root/.docker/config.json", json.dumps({"auths": {"r.internal": {"auth": LOGIN}}})),
        ("/srv/settings.toml", f'api_key = "{RANDOM}"'),
    ],
)
def test_a_secret_is_found_and_only_its_beginning_is_kept(path: str, content: str) -> None:
    leaks = rules.in_file(content.encode("latin-1"), path)
    assert leaks, path
    assert all(leak.where == path and len(leak.start) <= rules.SHOWN + 1 for leak in leaks)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/usr/lib/libcrypto.so", "\0" + KEY_HEAD + "\0-----END"),
        ("/usr/lib/python3/ssl.py", f'"""begins with {KEY_HEAD}"""\n'),
        ("/etc/ssl/certs/ca-certificates.crt", "-----BEGIN CERTIFICATE-----\n" + RANDOM * 9),
        ("/usr/lib/python3/urllib.py", "ftp://user:password@host/ http://joe:%s@host"),
        ("/srv/.env", "DATABASE_PASSWORD=\nAPI_TOKEN=$TOKEN\nTOKEN_FILE=/run/secrets/token"),
        ("/srv/settings.toml", 'token = "next-basket-service"\nsecret_key = "${KEY}"'),
        ("/srv/model.json", json.dumps({"digest": "sha256:" + "1a2b" * 16})),
        ("/root/.docker/config.json", json.dumps({"auths": {}, "credsStore": "pass"})),
        ("/srv/a.txt", "eyJub3QganNvbg.eyJub3QganNvbg.x"),
    ],
)
def test_what_only_looks_like_a_secret_is_none(path: str, content: str) -> None:
    assert rules.in_file(content.encode("latin-1"), path) == []


def test_a_long_signed_token_is_found_behind_another_one() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": RANDOM * 40}).encode()).decode()
    head, _, sign = JWT.split(".")
    token = f"{head}.{claims.rstrip('=')}.{sign}"
    assert len(token) > 2 * rules.AROUND
    leaks = rules.in_bytes(b"eyJ" + b"." * rules.AROUND + token.encode(), "/srv/a")
    assert [leak.rule for leak in leaks] == ["JSON Web Token"]


def test_a_file_of_one_long_word_is_searched_at_once() -> None:
    word = "a" * 900_000  # by a pattern that begins anew at each letter: many hours
    began = time.process_time()
    leaks = rules.in_file(f'{{"x": "{word}", "api_key": "{RANDOM}"}}'.encode(), "/srv/a.json")
    assert [leak.rule for leak in leaks] == ["api_key has a value"]
    assert time.process_time() - began < 20


Entry = tuple[bytes, int, int]  # content, mode, owner


def tar(entries: Mapping[str, Entry]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, (content, mode, owner) in entries.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uid, member.gid = len(content), mode, owner, owner
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def surveyed(**entries: Entry) -> layers.Survey:
    named = {name.replace("__", "/"): entry for name, entry in entries.items()}
    return layers.read(io.BytesIO(tar(named)), "a layer")


def test_no_number_of_leaks_hides_the_last_one() -> None:
    """Those before it may all be allowed by the gate's settings."""
    key = f"AKIA{'B7C8D9E0F1G2H3I4'}".encode()
    survey = surveyed(**{f"srv__tests__{number}": (key, 0o644, 0) for number in range(99)})
    assert len(survey.leaks) == 99


def test_a_packed_layer_says_the_same_as_a_plain_one() -> None:
    plain = tar({"srv/model/a": (b"one", 0o644, 0)})
    survey = layers.read(io.BytesIO(plain), "plain")
    assert survey.diff == digest_of(plain)
    assert layers.read(io.BytesIO(gzip.compress(plain)), "packed") == survey


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 99, b"\x28\xb5\x2f\xfd1234"])
def test_a_layer_that_cannot_be_read_is_no_evidence(content: bytes) -> None:
    with pytest.raises(EvidenceError):
        layers.read(io.BytesIO(content), "a layer")


def test_a_layer_is_read_once_and_again_after_its_record_was_damaged(tmp_path: Path) -> None:
    content, opened = tar({"a": (b"1", 0o644, 0)}), []

    def stream() -> io.BytesIO:
        opened.append(1)
        return io.BytesIO(content)

    first = layers.survey(digest_of(content), stream, tmp_path)
    assert layers.survey(digest_of(content), stream, tmp_path) == first
    assert len(opened) == 1
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text()[:-9])
    assert layers.survey(digest_of(content), stream, tmp_path) == first
    assert len(opened) == 2


def test_a_later_layer_hides_and_replaces_what_is_below() -> None:
    below = surveyed(
        usr__bin__gcc=(b"x", 0o755, 0), srv__a=(b"1", 0o666, 0), opt__b__c=(b"2", 0o4755, 0)
    )
    over = layers.read(
        io.BytesIO(
            tar(
                {
                    "usr/bin/.wh.gcc": (b"", 0o644, 0),
                    "./srv/a": (b"1", 0o644, 0),
                    "opt/.wh..wh..opq": (b"", 0o644, 0),
                }
            )
        ),
        "over",
    )
    alone, both = filesystem.merge([below]), filesystem.merge([below, over])
    assert (alone.programs, filesystem.setuid(alone)) == (("usr/bin/gcc",), ("opt/b/c",))
    assert filesystem.writable(alone, 10001, 10001) == ("srv/a",)
    assert (both.programs, filesystem.setuid(both)) == ((), ())
    assert filesystem.writable(both, 10001, 10001) == ()


def test_the_owner_the_group_and_others_may_write_by_their_own_bits() -> None:
    files = filesystem.merge(
        [surveyed(own=(b"", 0o644, 10001), other=(b"", 0o664, 7), all=(b"", 0o606, 7))]
    )
    assert filesystem.writable(files, 10001, 10001) == ("all", "own")
    assert filesystem.writable(files, 10001, 7) == ("other", "own")


def test_the_models_digest_is_that_of_its_folder(tmp_path: Path) -> None:
    for name in ("a.json", "deep/b.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    entries = {f"srv/model/{n}": (n.encode(), 0o644, 0) for n in ("deep/b.bin", "a.json")}
    files = filesystem.merge([layers.read(io.BytesIO(tar(entries)), "model")])
    assert filesystem.tree_digest(files, "srv/model") == digest_tree(tmp_path)
    assert filesystem.tree_digest(files, "srv/other") == ""


def test_pins_are_read_as_the_images_python_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "serve.txt"
    path.write_text(
        "# pinned\nnumpy==2.4.6 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
        "Typing_Extensions==4.16.0 ; python_version < '3.13' \\\n    --hash=sha256:cc\n"
        "colorama==0.4 ; sys_platform == 'win32' \\\n    --hash=sha256:dd\n"
    )
    numpy, typing = {"numpy": "2.4.6"}, {"typing-extensions": "4.16.0"}
    assert pins.pinned(path, "3.11.2", "x86_64") == numpy | typing
    assert pins.pinned(path, "3.13.1", "x86_64") == numpy
    path.write_text("numpy>=2\n")
    with pytest.raises(ConfigError, match="not pinned"):
        pins.pinned(path, "3.11.2", "x86_64")


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}']
)
def test_what_is_no_cyclonedx_is_no_evidence(raw: bytes) -> None:
    with pytest.raises(EvidenceError, match="no CycloneDX"):
        syft.parse(raw, "a list")


def test_a_list_without_its_time_and_number_has_the_same_bytes() -> None:
    def made(number: int) -> bytes:
        listed = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "serialNumber": f"urn:{number}",
            "metadata": {"timestamp": f"{number}"},
            "components": [{"name": "numpy", "version": "2.4.6", "purl": "pkg:pypi/numpy@2.4.6"}],
        }
        return syft.timeless(json.dumps(listed).encode(), "a list")

    assert made(1) == made(2)
    assert pins.named(json.loads(made(1)), "pypi") == {"numpy": ("2.4.6",)}


@pytest.mark.parametrize(
    ("code", "out"), [(127, b""), (0, b""), (0, b"[]"), (0, b'{"uid": 1, "odd": 2}'), (1, b"{}")]
)
def test_a_container_that_gives_no_answer_is_an_error(code: int, out: bytes) -> None:
    assert inside.parse(code, out, b"no python3").error
