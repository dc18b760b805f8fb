"""The command line: what a mistake or a failure looks like to the caller."""

import errno
from pathlib import Path

import pytest

from slipway import __main__, stages
from slipway.errors import ConfigError, EvidenceError, SlipwayError, ToolError
from slipway.stages import Done


def run(argv: list[str]) -> int:
    return __main__.main(argv)


@pytest.mark.parametrize("argv", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(argv) == 0
    out = capsys.readouterr().out
    assert all(f"  {command} " in out for command in stages.COMMANDS)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["delpoy"], "did you mean 'slipway deploy'"),
        (["gate"], "subject"),
        (["gate", "dta"], "invalid choice"),
        (["gate", "data", "--nope"], "--nope"),
        (["test", "smoke"], "invalid choice"),
        (["run", "--to", "moon"], "invalid choice"),
        (["--nope"], "no command '--nope'"),
    ],
)
def test_a_wrong_command_line_exits_2_with_three_lines(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(argv) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 3
    assert error.startswith("slipway: ")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (ConfigError("a", "b", "c"), 2),
        (ToolError("a", "b", "c"), 4),
        (EvidenceError("a", "b", "c"), 5),
        (OSError(errno.ENOSPC, "No space left on device", "/somewhere"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_failure_has_its_exit_code(
    failure: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: object) -> Done:
        raise failure

    monkeypatch.setattr(stages, "execute", fail)
    assert run(["status"]) == code
    error = capsys.readouterr().err
    assert "Traceback" not in error
    if isinstance(failure, SlipwayError | OSError):
        assert len(error.strip().splitlines()) == 3


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> Done:
        raise OSError(errno.EIO, "strange")

    monkeypatch.setattr(stages, "execute", fail)
    with pytest.raises(OSError, match="strange"):
        run(["status"])


def test_outside_a_project_every_command_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in ("plan", "status", "report", "describe", "release"):
        assert run([command]) == 2
        assert "no delivery.toml here or above" in capsys.readouterr().err
