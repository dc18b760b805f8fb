"""Python environments made from hash-pinned requirements, kept by content, shared by checkouts."""

import compileall
import contextlib
import hashlib
import platform
import shutil
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import ConfigError, ToolError
from .locks import held
from .process import run

INSTALLER = "uv.txt"  # beside the requirements: the pinned installer
# A shell finds the interpreter: its path may be long, or hold a space, which `#!` does not take.
EXEC = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
"""
LAUNCHER = (
    EXEC
    + """import sys

from slipway.__main__ import main

sys.exit(main())
"""
)


def ensure(requirements: Path, cache: Path, env: Mapping[str, str] | None = None) -> Path:
    """The folder of an environment that holds exactly these requirements, bytecode compiled.

    It is made once per content of the file; others wait for whoever makes it. One that was killed
    half-way is made again.

    Args:
        env: the whole environment for the installer; None inherits ours.

    Raises:
        ConfigError: the requirements file is not there.
        ToolError: a package could not be had or has another hash.
    """
    folder = cache / "envs" / f"{requirements.stem}-{_key(requirements)}"
    if (folder / ".complete").exists():
        return folder
    with held(folder.with_suffix(".lock")):
        if not (folder / ".complete").exists():
            _make(folder, requirements, env)
    return folder


def _key(requirements: Path) -> str:
    try:
        content = requirements.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the requirements: {error.strerror}", str(requirements), "restore the file"
        ) from error
    where = f"{sys.version_info[:2]} {sys.implementation.name} {platform.machine()} {sys.platform}"
    base = f"{sys.base_prefix}"
    return hashlib.sha256(content + where.encode() + base.encode()).hexdigest()[:16]


def _make(folder: Path, requirements: Path, env: Mapping[str, str] | None) -> None:
    print(f"setting up {folder.name} (once per machine) …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, symlinks=True, with_pip=False)
    python = folder / "bin" / "python"
    uv = installer(requirements.with_name(INSTALLER), folder.parent, env)
    options = ["--quiet", "--require-hashes", "--compile-bytecode", "--no-config"]
    install = [
        str(uv),
        "pip",
        "install",
        *options,
        "--python",
        str(python),
        "-r",
        str(requirements),
    ]
    _install(install, folder, env)
    (folder / ".complete").touch()


def installer(requirements: Path, envs: Path, env: Mapping[str, str] | None) -> Path:
    """The path of `uv`, itself installed by pip from its own pinned requirements."""
    folder = envs / f"installer-{_key(requirements)}"
    with held(folder.with_suffix(".lock")):
        if not (folder / ".complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, symlinks=True, with_pip=True)
            pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            _install(
                [*pip, "install", "-q", "--require-hashes", "-r", str(requirements)], folder, env
            )
            (folder / ".complete").touch()
    return folder / "bin" / "uv"


def installed(requirements: Path, envs: Path) -> Path | None:
    """The path of `uv` if it was installed already."""
    folder = envs / f"installer-{_key(requirements)}"
    return folder / "bin" / "uv" if (folder / ".complete").exists() else None


def _install(command: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None) -> None:
    done = run(command, cwd=folder, timeout_s=1800, env=env)
    if done.code:
        lines = [line for line in done.err.splitlines() if line.strip()]
        raise ToolError(
            "cannot install the packages: " + "; ".join(lines[-3:]),
            str(command[-1]),
            "check the network or the package index, then run the same command again",
        )


def pip(requirements: Path, cache: Path, env: Mapping[str, str] | None = None) -> list[str | Path]:
    """The words that start pip: the installer's own, since environments have none."""
    uv = installer(requirements.with_name(INSTALLER), cache / "envs", env)
    return [uv.with_name("python"), "-m", "pip", "--disable-pip-version-check"]


def attach(checkout: Path, shared: Path) -> Path:
    """A thin `.venv` in a checkout: the shared packages, and `slipway` from this checkout's `ci/`.

    Returns:
        The folder `.venv`; made anew only where it stands for other packages.
    """
    thin = checkout / ".venv"
    marker = thin / ".shared"
    wanted = f"{shared}\n{checkout}\n"  # a copied or moved checkout is made anew
    if not (marker.exists() and marker.read_text() == wanted):
        if thin.is_symlink():
            thin.unlink()
        shutil.rmtree(thin, ignore_errors=True)
        venv.create(thin, symlinks=True, with_pip=False)
        _fill(thin, shared, checkout)
        marker.write_text(wanted)
    with contextlib.redirect_stdout(None):
        compileall.compile_dir(checkout / "ci", quiet=2)
        compileall.compile_dir(checkout / "ml", quiet=2)
    return thin


def packages_of(folder: Path) -> Path:
    """Where an environment's packages are; Debian's Python has another default for its own."""
    return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder)}))


def _fill(thin: Path, shared: Path, checkout: Path) -> None:
    site, packages = packages_of(thin), packages_of(shared)
    (site / "slipway-shared.pth").write_text(f"{packages}\n")
    (site / "slipway").symlink_to(checkout / "ci")
    for script in sorted((shared / "bin").iterdir()):
        target = thin / "bin" / script.name
        text = script.read_bytes() if script.is_file() and not script.is_symlink() else b""
        if target.exists() or target.is_symlink() or script.name.startswith("activate"):
            continue
        head, _, rest = text.partition(b"\n")
        if head.startswith(b"#!" + bytes(shared)):
            start = EXEC.format(python=thin / "bin" / "python").encode()
            target.write_bytes(start + rest.replace(bytes(shared), bytes(thin)))
            target.chmod(0o755)
        elif head == b"#!/bin/sh" and bytes(shared) in rest[:400]:  # its path was too long for `#!`
            target.write_bytes(text.replace(bytes(shared), bytes(thin)))
            target.chmod(0o755)
        elif text:
            target.symlink_to(script)
    command = thin / "bin" / "slipway"
    command.write_text(LAUNCHER.format(python=thin / "bin" / "python"))
    command.chmod(0o755)
