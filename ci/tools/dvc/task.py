"""What `ci/tools/pipeline.py` and the worker that it starts say to each other."""

from dataclasses import dataclass, field

ANSWER = "slipway answers: "  # begins the last line of the worker's output


@dataclass(frozen=True)
class Task:
    """What is asked for.

    Attributes:
        stages: DVC stages in the order of the pipeline; none: only the data is brought.
        forced: those that run whatever stands in their way.
        shared: a cache that may be read and not written; empty: none.
        push: whether outs and run records go to the remote.
    """

    root: str
    pointer: str
    stages: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    forced: tuple[str, ...] = ()
    shared: str = ""
    push: bool = True


@dataclass(frozen=True)
class Answer:
    """How it ended; `kind` is the class of an error, empty where there is none."""

    kind: str = ""
    what: str = ""
    where: str = ""
    todo: str = ""
    origin: str = ""
    lost: dict[str, str] = field(default_factory=dict)
