"""The controller's own check of a Jenkinsfile."""

from ...errors import ConfigError, ToolError
from .connection import Connection

PATH = "pipeline-model-converter/validate"


def lint(connection: Connection, text: str) -> tuple[str, ...]:
    """What the controller finds wrong in a Declarative Jenkinsfile; nothing where it passes.

    Source: Jenkins handbook, Pipeline Development Tools, "Command-line Pipeline Linter".

    Raises:
        ConfigError: the controller has no linter.
        ToolError: it gives no answer.
    """
    answer = connection.post(PATH, {"jenkinsfile": text}, accept=(200, 404), repeatable=True)
    where = connection.url + PATH
    if answer.status == 404:
        todo = "install the plugin pipeline-model-definition there"
        raise ConfigError("this Jenkins has no linter", where, todo)
    said = answer.body.decode("utf-8", "replace").strip()
    if "Jenkinsfile successfully validated" in said:
        return ()
    if not said or "<html" in said[:1000].lower():
        raise ToolError("the linter gave no answer", where, "read Jenkins' own log")
    return tuple(line for line in said.splitlines() if line.strip())
