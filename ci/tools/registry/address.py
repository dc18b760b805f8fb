"""Where a registry is, and how names in it are spelled."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError, EvidenceError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True)
class Address:
    """A registry's address; `name` is how references begin."""

    name: str  # host or host:port
    secure: bool = True  # TLS
    ca: Path | None = None  # the authority behind its certificate; None: the system's

    @property
    def url(self) -> str:
        """The beginning of every request's URL."""
        host = "registry-1.docker.io" if self.name in _HUB else self.name
        return f"{'https' if self.secure else 'http'}://{host}"

    @property
    def credential_names(self) -> tuple[str, ...]:
        """What Docker's configuration may call this registry."""
        if self.name in _HUB:
            return ("https://index.docker.io/v1/", "docker.io", "index.docker.io")
        endings = ("", "/", "/v1/", "/v2/")
        return (self.name, *(f"{s}://{self.name}{e}" for s in ("https", "http") for e in endings))

    @property
    def on_this_machine(self) -> bool:
        """Whether it is on loopback."""
        return loopback(self.name)


def parse(text: str, *, ca: Path | None = None, insecure: bool = False) -> Address:
    """The address that `host[:port]` means: TLS, but plain HTTP on loopback without a `ca`.

    Args:
        insecure: plain HTTP anywhere.

    Raises:
        ConfigError: it is no address, or the file of the authority is not there.
    """
    match = _HOST.fullmatch(text)
    if not match or not 0 < int(match["port"] or 443) < 65536:
        shown = text.rpartition("@")[2]  # what stands before it may be a password
        raise ConfigError(
            f"'{shown}' is no registry", "image.registry", "write host or host:port, nothing else"
        )
    if ca and not ca.is_file():
        raise ConfigError("there is no such file", f"image.ca = {ca}", "name the authority's file")
    secure = bool(ca) or not (insecure or loopback(text))
    return Address(text, secure, ca)


def loopback(name: str) -> bool:
    """Whether `host[:port]` is this machine."""
    match = _HOST.fullmatch(name)
    host = match["host"].strip("[]") if match else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_repository(repository: str) -> str:
    """The name itself, if a registry takes it.

    Raises:
        ConfigError: it does not.
    """
    if len(repository) > 255 or not REPOSITORY.fullmatch(repository):
        todo = "use lower-case letters and digits, with single . _ - or / between them"
        raise ConfigError(f"'{repository}' is no repository's name", "image.repository", todo)
    return repository


def check_tag(tag: str) -> str:
    """The tag itself, if a registry takes it.

    Raises:
        ConfigError: it does not.
    """
    if not TAG.fullmatch(tag):
        todo = "use letters, digits, _ . and -, at most 128"
        raise ConfigError(f"'{tag}' is no tag", "a tag in a registry", todo)
    return tag


def check_digest(digest: str, where: str) -> str:
    """The digest itself, if it is a sha256.

    Raises:
        EvidenceError: it is not.
    """
    if not DIGEST.fullmatch(digest):
        raise EvidenceError(f"'{digest}' is no sha256 digest", where, "mend the record it is from")
    return digest
