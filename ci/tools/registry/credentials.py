"""Who to be for a registry: Docker's own configuration, or the environment."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from .. import process
from .address import Address

HELPER = re.compile(r"[A-Za-z0-9._-]+")
HELPER_S = 20.0
IDENTITY = "<token>"  # what a helper calls the user where the secret is a refresh token
ENVIRONMENT = "SLIPWAY_REGISTRY_USER and SLIPWAY_REGISTRY_PASSWORD"


@dataclass(frozen=True)
class Login:
    """One user's credentials; neither part is ever shown."""

    user: str = field(repr=False)
    secret: str = field(repr=False)

    @property
    def identity(self) -> bool:
        """Whether the secret is a refresh token and not a password."""
        return self.user == IDENTITY

    @property
    def basic(self) -> str:
        """The value of the header `Authorization`."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()


@dataclass(frozen=True)
class Found:
    """What the search for credentials gave."""

    login: Login | None
    looked: tuple[str, ...]  # where; the place it was found in is the last

    @property
    def told(self) -> str:
        """The same in words, for messages."""
        return f"those of {self.looked[-1]}" if self.login else f"none in {', '.join(self.looked)}"


@dataclass(frozen=True)
class Places:
    """Where credentials may be."""

    docker_config: Path | None = None  # the folder of Docker's config.json
    login: tuple[str, str] | None = field(default=None, repr=False)  # user, password; goes first

    def search(self, address: Address) -> Found:
        """The login for a registry, in the order that Docker uses after our own variables.

        Raises:
            ConfigError: Docker's configuration is malformed.
            ToolError: a credential helper that it names cannot be started.
        """
        looked = [ENVIRONMENT]
        if self.login:
            return Found(Login(*self.login), tuple(looked))
        if self.docker_config is None:
            return Found(None, tuple(looked))
        path = self.docker_config / "config.json"
        settings = _settings(path)
        helper = _helper_of(settings, address)
        if helper:
            looked.append(f"docker-credential-{helper}")
            login = _from_helper(helper, address, path)
            if login:
                return Found(login, tuple(looked))
        looked.append(str(path))
        return Found(_from_file(settings, address, path), tuple(looked))


def _settings(path: Path) -> Mapping[str, Any]:
    try:
        settings = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise _malformed(path, "it cannot be read as JSON") from error
    if not isinstance(settings, dict):
        raise _malformed(path, "it is no JSON object")
    return settings


def _helper_of(settings: Mapping[str, Any], address: Address) -> str:
    helpers = settings.get("credHelpers")
    named = helpers if isinstance(helpers, dict) else {}
    own = next((named[name] for name in address.credential_names if name in named), None)
    return str(own or settings.get("credsStore") or "")


def _from_helper(helper: str, address: Address, path: Path) -> Login | None:
    if not HELPER.fullmatch(helper):
        raise _malformed(path, "it names a helper that can be no program")
    done = process.run(
        [f"docker-credential-{helper}", "get"],
        cwd=path.parent,
        timeout_s=HELPER_S,
        stdin=address.credential_names[0].encode(),
    )
    if done.code:
        return None  # it knows none for this registry
    try:
        answer = json.loads(done.out)
        return Login(str(answer["Username"]), str(answer["Secret"]))
    except (ValueError, KeyError, TypeError):
        what = f"docker-credential-{helper} gave no credentials that can be read"
        raise _malformed(path, what) from None  # the answer holds the secret


def _from_file(settings: Mapping[str, Any], address: Address, path: Path) -> Login | None:
    auths = settings.get("auths")
    known = auths if isinstance(auths, dict) else {}
    entry = next((known[name] for name in address.credential_names if name in known), None)
    if not isinstance(entry, dict):
        return None
    if entry.get("identitytoken"):
        return Login(IDENTITY, str(entry["identitytoken"]))
    if entry.get("username"):
        return Login(str(entry["username"]), str(entry.get("password", "")))
    if not entry.get("auth"):
        return None
    try:
        pair = base64.b64decode(str(entry["auth"]), validate=True).decode()
    except ValueError:
        pair = ""
    user, colon, secret = pair.partition(":")
    if not colon:
        raise _malformed(path, f"'auth' of {address.name} is not base64 of user:password")
    return Login(user, secret)


def _malformed(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"Docker's configuration is malformed: {why}", str(path), "mend it, or run 'docker login'"
    )
