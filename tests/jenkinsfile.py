"""Reads our Declarative Jenkinsfile, and tells what a build would do, in order."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*)|(?P<text>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")"""
    r"""|(?P<open>\{)|(?P<close>\})|(?P<end>[;\n])|(?P<other>[^'"{};\n/]+|/)"""
)
SH = re.compile(r"^sh '((?:\\.|[^'\\])*)'$")
KNOWN = re.compile(r"(checkout|unstash|stash|junit|publishHTML|archiveArtifacts)\b")
CAPTURE = re.compile(r"^(?P<name>[\w.]+) = sh\(returnStdout: true, script: '(?P<line>[^']*)'\)")


@dataclass
class Block:
    """`header { body }`; a plain statement has no body."""

    header: str
    body: list["Block"] | None = None

    def all(self, name: str) -> Iterator["Block"]:
        """The blocks directly inside whose header begins with `name`."""
        return (b for b in self.body or () if re.match(rf"{name}\b", b.header))

    def first(self, name: str) -> "Block | None":
        """The first such block."""
        return next(self.all(name), None)

    def walk(self) -> Iterator["Block"]:
        """This block and everything below it, in order."""
        yield self
        for inner in self.body or ():
            yield from inner.walk()


@dataclass(frozen=True)
class Action:
    """One thing that a build does on an agent, or with its stash."""

    kind: str  # agent, checkout, clear, unstash, sh, capture, stash, junit, publishHTML, archive…
    text: str = ""
    stage: str = ""
    section: str = "steps"


@dataclass(frozen=True)
class Build:
    """What decides a build: its branch, its parameters, its cause, what scripts set in `env`."""

    branch: str = "main"
    params: Mapping[str, str] = field(default_factory=lambda: {"ACTION": "deliver"})
    env: dict[str, str] = field(default_factory=dict)
    cause: str = "BranchEventCause"
    change: str = ""  # the pull request's number


def parse(text: str) -> Block:
    """The `pipeline` block of a Jenkinsfile."""
    stack = [Block("", [])]
    words = ""
    for match in TOKEN.finditer(text):
        kind, token = match.lastgroup, match.group()
        if kind in ("open", "close", "end"):
            header, words = words.strip(), ""
            if kind == "open":
                stack.append(Block(header, []))
                _body(stack[-2]).append(stack[-1])
                continue
            if header:
                _body(stack[-1]).append(Block(header))
            if kind == "close":
                stack.pop()
        elif kind != "comment":
            words += token
    assert len(stack) == 1, "braces do not match"
    pipeline = stack[0].first("pipeline")
    assert pipeline, "no pipeline"
    return pipeline


def play(pipeline: Block, build: Build) -> Iterator[Action]:
    """What a successful build does, in order; `env` is read when a stage is reached."""
    for stage in _stages(pipeline):
        yield from _stage(stage, build)
    yield from _post(pipeline, "pipeline")


def commands(pipeline: Block) -> list[Action]:
    """Every `sh` line of the file, in its order, whatever build it belongs to."""
    lines = [b for b in pipeline.walk() if b.header == "script" or b.header.startswith("sh ")]
    return [action for block in lines for action in _steps([block], "", "")]


def _stage(stage: Block, build: Build) -> Iterator[Action]:
    when = stage.first("when")
    if when and not all(_holds(condition, build) for condition in when.body or ()):
        return
    name = name_of(stage)
    agent = stage.first("agent")
    if agent:
        yield Action("agent", _label(agent, build), name)
    for steps in stage.all("steps"):
        yield from _steps(steps.body or [], name, "steps")
    for inner in _stages(stage):
        yield from _stage(inner, build)
    for parallel in stage.all("parallel"):  # one after the other: they do not depend on each other
        for inner in parallel.all("stage"):
            yield from _stage(inner, build)
    yield from _post(stage, name)


def _post(block: Block, name: str) -> Iterator[Action]:
    for post in block.all("post"):
        for always in post.all("always"):
            yield from _steps(always.body or [], name, "post")


def _steps(body: list[Block], stage: str, section: str) -> Iterator[Action]:
    for step in body:
        inner = step.body or []
        if step.header.startswith("node("):
            yield Action("agent", step.header[6:-2], stage, section)
            yield from _steps(inner, stage, section)
        elif step.header == "script":
            for line in inner:
                capture = CAPTURE.match(line.header)
                assert capture, line.header
                text = f"{capture['name']}={capture['line']}"
                yield Action("capture", text, stage, section)
        elif step.header == "dir('delivery')":
            yield Action("clear", "", stage, section)
        elif found := SH.match(step.header):
            yield Action("sh", found[1], stage, section)
        elif found := KNOWN.match(step.header):
            yield Action(found[1], step.header, stage, section)
        else:
            assert step.header.startswith(("milestone", "error ")), f"unknown step: {step.header}"


def _holds(condition: Block, build: Build) -> bool:
    """Whether one condition of a `when` holds; one that this reader does not know is an error."""
    text = condition.header
    if text.startswith("before"):
        return True
    if text == "anyOf":
        return any(_holds(inner, build) for inner in condition.body or ())
    if found := re.fullmatch(r"triggeredBy '(\w+)'", text):
        return build.cause == found[1]
    if text == "not":
        return not all(_holds(inner, build) for inner in condition.body or ())
    if found := re.fullmatch(r"branch '([^']+)'", text):
        return build.branch == found[1]
    if found := re.fullmatch(r"equals expected: '([^']+)', actual: params\.(\w+)", text):
        return build.params[found[2]] == found[1]
    if found := re.fullmatch(r"environment name: '(\w+)', value: '([^']+)'", text):
        return build.env.get(found[1]) == found[2]
    raise AssertionError(f"unknown condition: {text}")


def _label(agent: Block, build: Build) -> str:
    (label,) = (b.header.removeprefix("label ") for b in agent.body or ())
    return label.strip("'") if label.startswith("'") else build.env[label.removeprefix("env.")]


def _stages(block: Block) -> Iterator[Block]:
    for stages in block.all("stages"):
        yield from stages.all("stage")


def name_of(stage: Block) -> str:
    """The name in `stage('name')`."""
    return stage.header.removeprefix("stage('").removesuffix("')")


def _body(block: Block) -> list[Block]:
    assert block.body is not None
    return block.body
