"""What the end of a build means: a word, an exit code, and why."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ...errors import SUPERSEDED
from ...tools.jenkins.builds import Stage

EXIT = re.compile(r"\bERROR: script returned exit code (\d+)")
FAILED = re.compile(r"\bscript returned exit code (\d+)")
ENDED = re.compile(r"(?:^|\] )((?:Rejected|Aborted|Superseded) by .+|Timeout has been exceeded)$")
OURS = (1, 2, 3, 5)  # exit codes of slipway that a build's end passes on; any other one is a tool's
WORDS = {
    "SUCCESS": "passed",
    "UNSTABLE": "passed, with warnings",
    "FAILURE": "failed",
    "ABORTED": "aborted",
    "NOT_BUILT": "superseded",
}
STAGES = {
    "SUCCESS": "passed",
    "UNSTABLE": "passed, with warnings",
    "FAILED": "failed",
    "ABORTED": "aborted",
    "NOT_EXECUTED": "left out",
    "IN_PROGRESS": "running",
    "PAUSED_PENDING_INPUT": "waits for a person",
}


@dataclass
class Traces:
    """What a console tells about the end of its build; the last of each counts."""

    code: int | None = None  # of the step that ended the pipeline
    ended: str = ""  # by whom, or by what

    def see(self, lines: Sequence[str]) -> None:
        """Looks at some lines."""
        for line in lines:
            code, ended = EXIT.search(line), ENDED.search(line)
            self.code = int(code[1]) if code else self.code
            self.ended = ended[1] if ended else self.ended


def exit_code(result: str, code: int | None, verdicts: Collection[str]) -> int:
    """slipway's exit code for a build's result.

    Args:
        result: Jenkins' own; what the stage view says does not count.
        code: of the step that failed, where the console tells it.
        verdicts: the outcomes that are archived.
    """
    if result in ("SUCCESS", "UNSTABLE"):
        return 0
    if result == "NOT_BUILT":
        return SUPERSEDED
    if result == "FAILURE" and code is None:
        return 3 if "block" in verdicts else 4
    return code if result == "FAILURE" and code in OURS else 4


def culprit(stages: Sequence[Stage]) -> Stage | None:
    """The stage that failed first; those after it are marked as failed, but never ran."""
    return next((stage for stage in stages if stage.status == "FAILED"), None)


def code_of(stage: Stage | None) -> int | None:
    """The exit code that a failed stage's error tells."""
    found = FAILED.search(stage.error) if stage else None
    return int(found[1]) if found else None


def told(stages: Sequence[Stage]) -> list[tuple[Stage, str]]:
    """Each stage with a word for how it stands.

    Jenkins marks every stage after a failure as failed, with the first one's error.
    """
    first = culprit(stages)
    end = first.started_ms + first.duration_ms if first else 0
    found = []
    for stage in stages:
        word = STAGES.get(stage.status, stage.status.lower().replace("_", " "))
        late = first is not None and stage is not first and stage.started_ms >= end
        found.append((stage, "left out" if late and stage.status == "FAILED" else word))
    return found
