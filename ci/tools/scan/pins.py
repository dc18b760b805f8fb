"""What the requirements pin, as an image's Python reads them."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigError


def pinned(path: Path, python: str, machine: str) -> dict[str, str]:
    """Name → version of each requirement that holds for a Python on Linux.

    Args:
        path: hash-pinned requirements.
        python: its version, e.g. "3.11.2"; empty for the one that runs this.
        machine: e.g. "x86_64".

    Raises:
        ConfigError: the file cannot be read, or a line pins no version.
    """
    from packaging.markers import default_environment
    from packaging.requirements import InvalidRequirement, Requirement

    environment: dict[str, Any] = {
        **default_environment(),
        "sys_platform": "linux",
        "platform_system": "Linux",
    }
    environment |= {"os_name": "posix", "platform_machine": machine, "extra": ""}
    if python:
        short = ".".join(python.split(".")[:2])
        environment |= {"python_version": short, "python_full_version": python}
    found = {}
    try:
        for line in lines(path.read_text("utf-8")):
            one = Requirement(line)
            if one.marker is None or one.marker.evaluate(environment):
                (exact,) = [s.version for s in one.specifier if s.operator == "=="]
                found[plain(one.name)] = exact
    except (OSError, UnicodeDecodeError, InvalidRequirement, ValueError) as error:
        raise ConfigError(
            f"requirements are not pinned: {error}", str(path), "pin name==version"
        ) from error
    return found


def lines(text: str) -> Iterable[str]:
    """The requirements in a file, without hashes, options and comments."""
    joined = re.sub(r"\\\n", " ", text)
    for line in joined.splitlines():
        bare = re.split(r"\s+--hash|(?:^|\s)#", line)[0].strip()
        if bare and not bare.startswith("-"):
            yield bare


def plain(name: str) -> str:
    """A package's name as all its spellings are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(listed: Mapping[str, Any], kind: str) -> dict[str, tuple[str, ...]]:
    """Name → versions of the packages of a kind (`pypi`, `deb`, `apk`) in a CycloneDX list."""
    found: dict[str, list[str]] = {}
    for component in listed["components"]:
        if str(component.get("purl", "")).startswith(f"pkg:{kind}/"):
            name = str(component["name"])
            key = plain(name) if kind == "pypi" else name
            found.setdefault(key, []).append(str(component.get("version", "")))
    return {name: tuple(sorted(set(versions))) for name, versions in found.items()}


def python_version(listed: Mapping[str, Any]) -> str:
    """The version of the Python in a list; empty where it names none."""
    for component in listed["components"]:
        if component.get("name") == "python" and component.get("type") == "application":
            return str(component.get("version", ""))
    return ""
