"""Hash-pinned packages laid out for an image's Python, without running any of their code."""

import platform
import shutil
import sys
from pathlib import Path

from ...config import Project, installer_environment
from ...errors import ConfigError, ToolError
from ...settings import FILE
from .. import environment, process
from .base import Python

INSTALL_S = 3600.0
TESTS = ("tests", "test")  # what a package brings to test itself
NOT_WANTED = ("bin", ".lock")  # scripts that name this machine's Python


def file(project: Project, variant: str) -> Path:
    """The requirements of a variant.

    Raises:
        ConfigError: none are configured, or the file is not there.
    """
    named = project.config.image.requirements.get(variant, "")
    path = project.root / named
    if not named or not path.is_file():
        what = f"there is no {named}" if named else f"no requirements for '{variant}'"
        raise ConfigError(what, f"{FILE} [image] requirements.{variant}", "name a file")
    return path


def lay(
    project: Project, requirements: Path, python: Python, into: Path, *, whole: bool = False
) -> None:
    """Lays packages into a new folder, as wheels for that Python hold them.

    Args:
        whole: leaves them as they are; TensorFlow's public `tf.test` looks like tests of its own.

    Raises:
        ToolError: a package cannot be had, has another hash, or has no wheel.
    """
    variables = installer_environment()
    pinned = requirements.with_name(environment.INSTALLER)
    uv = environment.installer(pinned, project.cache / "envs", variables)
    tags = python.glibc.replace(".", "_")
    options = ["--quiet", "--require-hashes", "--no-config", "--only-binary", ":all:"]
    target = ["--python-version", python.version, "--target", str(into)]
    platforms = ["--python-platform", f"{platform.machine()}-manylinux_{tags}"]
    words = [str(uv), "pip", "install", *options, *target, *platforms, "-r", str(requirements)]
    words += ["--python", sys.executable, "--no-compile-bytecode"]
    done = process.run(words, cwd=into.parent, timeout_s=INSTALL_S, env=variables)
    if done.code:
        raise ToolError(
            "cannot lay the image's packages: " + " ".join(done.err.split())[:600],
            str(requirements),
            "mend the requirements, or check the package index; then run the same command again",
        )
    if not whole:
        strip(into)


def strip(folder: Path) -> None:
    """Removes scripts, bytecode and the packages' own tests, from the packages' lists too."""
    for name in NOT_WANTED:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and (path.name == "__pycache__" or _own_tests(path)):
            shutil.rmtree(path)
    for record in sorted(folder.glob("*.dist-info/RECORD")):
        lines = record.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if (folder / line.partition(",")[0].strip('"')).is_file()]
        record.unlink()  # it may be a link into the installer's cache
        record.write_text("".join(sorted(kept)), "utf-8")


def _own_tests(path: Path) -> bool:
    return path.name in TESTS and (path / "__init__.py").is_file()
