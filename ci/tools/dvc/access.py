"""Who may enter the folders that hold rows: quarantine, cache, and a remote on a disk.

`[data]` says it as a mode. What slipway makes by itself is closed to others without being told; a
folder of somebody else's stays as it is until `delivery.toml` names its mode.
"""

from pathlib import Path

from ...config import Project
from ...errors import ToolError
from . import setup

QUARANTINE = "quarantine"
CLOSED = 0o700


def ensure(project: Project) -> None:
    """Makes sure that DVC has a remote and the right cache, and that both have their modes.

    A build of a pull request leaves the remote as it is.

    Raises:
        ConfigError: this is no DVC project, or its configuration cannot be read.
        ToolError: this user may not set who may enter.
    """
    setup.ensure(project)
    for name, (folder, mode) in folders(project).items():
        if mode is not None and not (project.change and name == "DVC remote"):
            make(folder, mode)


def folders(project: Project) -> dict[str, tuple[Path, int | None]]:
    """What people call each of these folders → where it is, and the mode that it is to have."""
    data, settings = project.config.data, setup.settled(project)
    remote, below = setup.remote_folder(project.root, settings), project.root / ".dvc"
    own_cache = below / setup.OWN
    cache = below / settings.get("cache", {}).get("dir", setup.OWN)
    found = {
        "quarantine": (project.root / QUARANTINE, int(data.quarantine_mode, 8)),
        "fetched quarantine": (project.scratch / QUARANTINE, int(data.quarantine_mode, 8)),
        "DVC cache": (cache, _mode(project, data.cache_mode, cache, own_cache)),
    }
    if remote:
        found["DVC remote"] = (remote, _mode(project, data.remote_mode, remote))
    return found


def _mode(project: Project, named: str, folder: Path, *own: Path) -> int | None:
    ours = folder in own or folder.is_relative_to(project.home)
    return int(named, 8) if named else CLOSED if ours else None


def mode_of(folder: Path) -> int | None:
    """Who may enter a folder; None where it is not there, or not to be seen."""
    try:
        return folder.stat().st_mode & 0o7777
    except OSError:
        return None


def make(folder: Path, mode: int) -> None:
    """Makes a folder with a mode, or gives one that is there this mode.

    Raises:
        ToolError: this user may not.
    """
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
        if folder.stat().st_mode & 0o7777 != mode:
            folder.chmod(mode)
    except OSError as error:
        raise ToolError(
            f"cannot set who may enter {folder.name}: {error.strerror}",
            str(folder),
            "mend its rights, or change its mode in delivery.toml [data]",
        ) from error
