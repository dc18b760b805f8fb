"""The three ways a command can fail that are not a bug and not a gate's answer."""

SUPERSEDED = 6  # exit code of `slipway jenkins watch`: a newer build went ahead of this one


class SlipwayError(Exception):
    """A failure with an exit code and a message of three lines: what, where, what to do."""

    exit_code = 1

    def __init__(self, what: str, where: str, todo: str) -> None:
        self.what, self.where, self.todo = what, where, todo
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  to do: {self.todo}"


class ConfigError(SlipwayError):
    """The command line, `delivery.toml` or `params.yaml` is wrong."""

    exit_code = 2


class ToolError(SlipwayError):
    """A process, a service, git, DVC or the disk failed, after slipway's own retries."""

    exit_code = 4


class EvidenceError(SlipwayError):
    """A record is missing, altered, or about something else."""

    exit_code = 5
