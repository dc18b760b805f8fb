"""What a secret looks like: detect-secrets' rules, applied where their marks stand, and our own."""

import base64
import binascii
import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ...errors import ToolError

TEXT_BYTES = 1_000_000  # what is larger is data: it is searched for tokens, not for assignments
AROUND = 600  # bytes on each side of a mark that a rule sees
LONG = (b"PRIVATE KEY", b"eyJ")  # marks of keys and signed tokens: eight times as much behind them
SHOWN = 4  # characters of a secret that a finding may show
LEAST = 8  # characters; what is shorter is not guessed at

# plugin of detect-secrets → marks, one of which stands in whatever it matches
MARKS = {
    "aws.AWSKeyDetector": (b"AKIA", b"ASIA", b"ABIA", b"ACCA"),
    "azure_storage_key.AzureStorageKeyDetector": (b"AccountKey=",),
    "github_token.GitHubTokenDetector": (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"),
    "gitlab_token.GitLabTokenDetector": (b"glpat-", b"gldt-", b"glrt-", b"glcbt-", b"glptt-"),
    "jwt.JwtTokenDetector": (b"eyJ",),
    "npm.NpmDetector": (b":_authToken=",),
    "openai.OpenAIDetector": (b"T3BlbkFJ",),
    "pypi_token.PypiTokenDetector": (b"pypi-AgE",),
    "sendgrid.SendGridDetector": (b"SG.",),
    "slack.SlackDetector": (b"xox", b"hooks.slack.com"),
    "square_oauth.SquareOAuthDetector": (b"sq0csp-",),
    "stripe.StripeDetector": (b"k_live_",),
}
NEWER = {  # forms that detect-secrets 1.5 does not know yet
    "GitHub Token": ((b"github_pat_",), re.compile(rb"github_pat_[A-Za-z0-9_]{60,}")),
    "Hugging Face Token": ((b"hf_",), re.compile(rb"\bhf_[A-Za-z0-9]{34}\b")),
    "Private Key": (
        (b"PRIVATE KEY",),  # a header alone is in every TLS library: the key has to follow
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
            rb"(?:\s|\\n|\\r)+(?:[A-Za-z-]+: [^\n]*\n)*\s*[A-Za-z0-9+/=\\\s]{60,}"
        ),
    ),
    "Password in a URL": (
        (b"://",),
        re.compile(rb"\b[a-z][a-z0-9+.-]*://[^\s:/?#@\"'<>\\]*:([^\s/?#@\"'<>]{4,})@[\w.-]+"),
    ),
}
TOKENS = re.compile(r"[A-Za-z0-9+/_=-]{12,}")
NAMED = re.compile(  # from the beginning of a word: a file may be one word of a million letters
    r"(?i)(?<![\w.-])([\w.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|"
    r"private[_-]?key|credential)[\w.-]*+)[\"']?\s*[:=]\s*[\"']?([^\s\"',;)}\]]+)"
)
# what stands where a secret would: a variable, a template, a word that says so
STANDS_FOR = re.compile(
    r"(?i)^(?:[$%{<*(\[].*|.*[{}<>].*|x+|\.+|\*+|none|null|true|false|[\d.]+|/.*|"
    r".*(?:passw(?:or)?d|passwd|pass|secret|token|example|changeme|dummy|placeholder|your).*)$"
)


@dataclass(frozen=True)
class Leak:
    """A secret that was found; of itself it keeps its first characters alone."""

    rule: str
    where: str
    start: str


@functools.cache
def _plugins() -> tuple[tuple[str, tuple[bytes, ...], Any], ...]:
    import importlib

    try:
        found = []
        for name, marks in MARKS.items():
            module, _, cls = name.partition(".")
            plugin = getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), cls)()
            found.append((str(plugin.secret_type), marks, plugin))
        return tuple(found)
    except ImportError as error:
        raise ToolError(
            "detect-secrets is not installed: nobody looks for secrets",
            "detect_secrets",
            "pip install detect-secrets, or 'make setup'",
        ) from error


def version() -> str:
    """Whose rules these are."""
    import importlib.metadata

    try:
        return "detect-secrets " + importlib.metadata.version("detect-secrets")
    except importlib.metadata.PackageNotFoundError:
        return ""


def in_bytes(content: bytes, where: str) -> list[Leak]:
    """The tokens and keys in any content, text or not."""
    leaks = []
    for rule, marks, plugin in _plugins():
        for piece in _pieces(content, marks):
            leaks += [
                _leak(rule, where, hit) for hit in plugin.analyze_string(piece.decode("latin-1"))
            ]
    for rule, (marks, pattern) in NEWER.items():
        for piece in _pieces(content, marks):
            for match in pattern.finditer(piece):
                secret = match[match.lastindex or 0].decode("latin-1")
                if not (match.lastindex and STANDS_FOR.match(secret)):
                    leaks.append(_leak(rule, where, secret))
    return list(dict.fromkeys(leaks))


def _pieces(content: bytes, marks: tuple[bytes, ...]) -> Iterator[bytes]:
    """What stands around each mark; marks close together share a piece."""
    for mark in marks:
        at, seen = content.find(mark), -1
        while at >= 0:
            reach = 8 * AROUND if mark in LONG else AROUND
            if at > seen:
                yield content[max(0, at - AROUND) : at + reach]
                seen = at + reach // 2
            at = content.find(mark, max(at + len(mark), seen))


def in_file(content: bytes, path: str) -> list[Leak]:
    """The secrets in one file: tokens anywhere, credentials where its name says they would be."""
    leaks = in_bytes(content, path)
    if len(content) > TEXT_BYTES or b"\0" in content[:4096]:
        return leaks
    text = content.decode("utf-8", "replace")
    name = PurePosixPath(path).name
    if name in (".netrc", "_netrc"):
        leaks += [_leak(name, path, p) for p in re.findall(r"\bpassword\s+(\S+)", text)]
    elif name in ("config.json", ".dockercfg", "dockerconfig.json", ".dockerconfigjson"):
        leaks += _docker_logins(text, path)
    elif name == ".git-credentials":
        leaks += [_leak(name, path, p) for p in re.findall(r"://[^:\s]*:(\S+)@", text)]
    sure = name.startswith(".env") or name in CREDENTIAL_FILES
    if sure or PurePosixPath(path).suffix in CONFIGURATION:
        leaks += in_assignments(text, path, sure=sure)
    return list(dict.fromkeys(leaks))


CREDENTIAL_FILES = (
    "pip.conf",
    ".pypirc",
    ".npmrc",
    "credentials",
    ".pgpass",
    "kubeconfig",
    ".my.cnf",
)
CONFIGURATION = (
    ".cfg",
    ".conf",
    ".env",
    ".ini",
    ".json",
    ".properties",
    ".sh",
    ".toml",
    ".yaml",
    ".yml",
)


def in_assignments(text: str, where: str, *, sure: bool) -> list[Leak]:
    """Values of what is called a password, a token or a key.

    Args:
        sure: what has such a name is one; else it has to look random too.
    """
    leaks = []
    for name, value in NAMED.findall(text):
        if len(value) >= LEAST and not STANDS_FOR.match(value) and (sure or random(value)):
            leaks.append(_leak(f"{name} has a value", where, value))
    return leaks


def random(value: str) -> bool:
    """Whether letters and digits are spread as in a generated key: detect-secrets' own limits."""
    from detect_secrets.plugins import high_entropy_strings as entropy

    if not TOKENS.fullmatch(value) or not (
        re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    ):
        return False
    plugins = (entropy.Base64HighEntropyString(), entropy.HexHighEntropyString())
    hexadecimal = re.fullmatch(r"[0-9a-fA-F]+", value) is not None
    plugin = plugins[hexadecimal]
    return bool(plugin.calculate_shannon_entropy(value) >= plugin.entropy_limit)


def _docker_logins(text: str, path: str) -> Iterator[Leak]:
    try:
        content = json.loads(text)
        logins = content.get("auths", content) if isinstance(content, dict) else {}
        entries = [entry for entry in logins.values() if isinstance(entry, dict)]
    except (ValueError, AttributeError):
        return
    for entry in entries:
        for key in ("auth", "password", "identitytoken", "registrytoken"):
            value = entry.get(key)
            if isinstance(value, str) and value and (key != "auth" or _is_login(value)):
                yield _leak("login to a registry", path, value)


def _is_login(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _leak(rule: str, where: str, secret: str) -> Leak:
    shown = secret[:SHOWN] + "…" if len(secret) >= 3 * SHOWN else "…"
    return Leak(rule, where, shown)
