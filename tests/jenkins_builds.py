"""Builds of the contract server: each a list of timed steps, moved on by the clock alone.

What a build is like depends on how much time has passed and on which questions were answered, not
on who looked how often.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

NOTE = (  # a console note as it was recorded, before each of the pipeline's own lines
    "\x1b[8mha:////4AyT0wQCC7wQFSxjaIGnm7kzs0O/GXnXm/uqjvEkKZwYAAAAoh+LCAAAAAAAAP9tjTEOwjAQBM8BClpKHu"
    "FItIiK1krDC0x8GCfWnbEdkooX8TX+gCESFVvtrLSa5wtWKcKBo5UdUu8otU4GP9jS5Mixv3geZcdn2TIl9igbHBs2eJyx4Y"
    "wwR1SwULBGaj0nRzbDRnX6rmuvydanHMu2V1A5c4MHCFXMWcf8hSnC9jqYxPTz/BXAFEIGsfuclm8zQVqFvQAAAA==\x1b[0m"
)
INTERRUPTED = "jenkins.model.InterruptedBuildAction"


@dataclass(frozen=True)
class Question:
    """An `input` step."""

    key: str = "Production"
    message: str = "Release to production?"
    proceed: str = "Release"
    submitter: str = "release-manager"
    parameters: Mapping[str, str] = field(default_factory=dict)  # name → default


@dataclass(frozen=True)
class Step:
    """Something that happens a while after what happened before it."""

    after_s: float = 0.03
    log: str | bytes = ""
    begins: str = ""  # a stage
    ends: str = ""  # the status of the stage that runs
    error: str = ""  # of that stage
    asks: tuple[Question, ...] = ()  # goes on when all are answered
    files: Mapping[str, bytes] = field(default_factory=dict)  # archived
    result: str = ""  # the build ends
    reasons: tuple[str, ...] = ()  # causes of an interruption
    does: Callable[[], None] | None = None  # to the controller


@dataclass
class Stage:
    """A stage as it stands."""

    key: str
    name: str
    status: str
    began: float
    ended: float = 0.0  # 0: not yet
    error: str = ""


@dataclass
class Build:
    """One build and its clock."""

    number: int
    queue_id: int
    parameters: Mapping[str, str]
    steps: list[Step]
    clock: float  # when the last thing happened
    began: float = 0.0
    log: bytes = b""
    stages: list[Stage] = field(default_factory=list)
    pending: list[Question] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    result: str = ""
    status: str = ""  # what the stage view says at the end, where it differs
    reasons: list[str] = field(default_factory=list)
    description: str = ""
    published: bool = False  # a page
    values: dict[str, str] = field(default_factory=dict)  # given to an input

    def __post_init__(self) -> None:
        self.began = self.clock

    def advance(self, now: float) -> None:
        """Lets happen what is due."""
        while self.steps and not self.pending and self.clock + self.steps[0].after_s <= now:
            step = self.steps.pop(0)
            self.clock += step.after_s
            self._happen(step)

    def _happen(self, step: Step) -> None:
        if step.begins:
            key = str(6 + 7 * len(self.stages))
            failed = any(stage.status == "FAILED" for stage in self.stages)
            error = next((s.error for s in self.stages if s.status == "FAILED"), "")
            status = "FAILED" if failed else "IN_PROGRESS"
            ended = self.clock if failed else 0.0
            self.stages.append(Stage(key, step.begins, status, self.clock, ended, error))
            self.write(f"{NOTE}[Pipeline] {{ ({step.begins})\n")
        self.write(step.log)
        if step.ends:
            stage = next(s for s in reversed(self.stages) if s.status == "IN_PROGRESS")
            stage.status, stage.ended, stage.error = step.ends, self.clock, step.error
        self.files |= step.files
        self.pending = list(step.asks)
        for question in step.asks:
            self.write(f"{NOTE}[Pipeline] input\n{question.message}\n{question.proceed} or Abort\n")
        if step.result:
            self.reasons += step.reasons
            self.result = step.result
            self.write(f"Finished: {step.result}\n")
        if step.does:
            step.does()

    def write(self, text: str | bytes) -> None:
        """Adds to the console, as bytes: a piece may end inside a character."""
        self.log += text.encode() if isinstance(text, str) else text

    def answer(
        self, key: str, who: str, *, yes: bool, values: Mapping[str, str], now: float
    ) -> None:
        """Settles a question; a no ends the build."""
        self.pending = [question for question in self.pending if question.key != key]
        self.settled.append(key)
        self.clock = now
        if yes:
            self.values |= values
            self.write(f"Approved by {who}\n")
        else:
            self.cut(f"Rejected by {who}", now, "ABORTED")

    def cut(self, why: str, now: float, result: str, takes_s: float = 0.05) -> None:
        """Interrupts the build, which takes a moment to end."""
        self.pending, self.clock = [], now
        stopped = Step(takes_s, log=f"Sending interrupt signal to process\n{why}\n")
        running = any(stage.status == "IN_PROGRESS" for stage in self.stages)
        if running:
            stopped = replace(stopped, ends="ABORTED", error=why)
        self.steps = [stopped, Step(0.03, result=result, reasons=(why,))]


def stage(name: str, log: str = "", *, status: str = "SUCCESS", error: str = "") -> list[Step]:
    """A stage that begins, writes and ends."""
    return [Step(begins=name), Step(log=log), Step(ends=status, error=error)]


def delivery(
    *, blocked: bool = False, asks: bool = True, files: Mapping[str, bytes] | None = None
) -> list[Step]:
    """The steps of a delivery: to a release, or blocked by the data gate."""
    begin = [Step(log="Started by user admin\n"), *stage("Build", "+ slipway plan\n")]
    if blocked:
        error = "script returned exit code 3"
        return [
            *begin,
            *stage("Data gate", "+ slipway gate data\n", status="FAILED", error=error),
            Step(begins="Train", log='Stage "Train" skipped due to earlier failure(s)\n'),
            Step(begins="Release", log='Stage "Release" skipped due to earlier failure(s)\n'),
            Step(files=files or {}, log="Archiving artifacts\n"),
            Step(log=f"ERROR: {error}\n", result="FAILURE"),
        ]
    gate = stage("Data gate", "+ slipway gate data\ndata: pass\n")
    release = [Step(begins="Release"), *([Step(asks=(Question(),))] if asks else [])]
    return [
        *begin,
        *gate,
        Step(files=files or {}, log="Archiving artifacts\n"),
        *release,
        Step(log="+ slipway release\nv1.0.0 is live\n"),
        Step(ends="SUCCESS"),
        Step(result="SUCCESS"),
    ]


@dataclass
class Item:
    """A place in the queue."""

    number: int
    job: "Job"
    parameters: Mapping[str, str]
    entered: float
    why: Sequence[str] = ()
    cancelled: bool = False
    build: int = 0
    left: float = 0.0


@dataclass
class Job:
    """A job: with branches, or with builds."""

    path: tuple[str, ...]  # names as Jenkins has them: `feature%2Fx`
    branches: bool = False
    definitions: Sequence[Mapping[str, object]] | None = None
    learns: Sequence[Mapping[str, object]] | None = None  # definitions after the first build
    script: Callable[[Mapping[str, str]], list[Step]] = lambda _: delivery()
    builds: dict[int, Build] = field(default_factory=dict)
    next: int = 1
    disabled: bool = False
    queue_s: float = 0.05  # how long a build waits in the queue
    why: Sequence[str] = ("In the quiet period. Expires in 2.7 sec", "‘cpu-1’ is offline")

    def begin(self, item: Item, now: float) -> Build:
        """Starts the build of a place in the queue."""
        build = Build(self.next, item.number, item.parameters, self.script(item.parameters), now)
        self.builds[self.next] = build
        item.build, item.left = self.next, now
        self.next += 1
        self.definitions = self.learns or self.definitions
        return build


def now() -> float:
    """The clock of everything here."""
    return time.monotonic()
