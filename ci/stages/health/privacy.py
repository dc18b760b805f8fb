"""Who else may read rows on this machine: quarantine, DVC cache, and a remote on a disk."""

import stat
from collections.abc import Iterator

from ...config import Project
from ...settings import FILE
from ...tools.dvc import access
from . import Check, check

OTHERS = stat.S_IROTH | stat.S_IXOTH
SETTING = {  # folder → the key below [data] that says who may enter
    "quarantine": "quarantine_mode",
    "fetched quarantine": "quarantine_mode",
    "DVC cache": "cache_mode",
    "DVC remote": "remote_mode",
}


def judge(project: Project) -> Iterator[Check]:
    """One check for each folder that is there."""
    personal = ", ".join(project.config.data.personal)
    held = f"it holds {personal}" if personal else "it holds rows of the data"
    for name, (folder, _) in access.folders(project).items():
        mode = access.mode_of(folder)
        if mode is not None:
            yield check(
                "privacy",
                name,
                not mode & OTHERS,
                measured=f"{folder} has mode {mode:04o}",
                needed=f"nothing for others: {held}",
                mend=f"chmod o-rwx {folder}, and set [data] {SETTING[name]} in {FILE}",
                otherwise="warn",
            )
