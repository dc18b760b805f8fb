"""The image of the proxy in front of an environment: nginx, configured by a mounted folder."""

from ...config import Project
from . import pulled, systems
from .systems import System

PORT = 8080
PROXY = System(
    "proxy",
    {
        "User": "10001:10001",
        "Env": ["PATH=/usr/sbin:/usr/bin"],
        "Cmd": ["nginx", "-c", "/etc/slipway/nginx.conf", "-g", "daemon off;"],
        "ExposedPorts": {f"{PORT}/tcp": {}},
        "StopSignal": "SIGQUIT",  # nginx then ends after the last answer
    },
)


def ensure(project: Project, host: str) -> str:
    """What an engine knows the proxy's image by; configured, or made of Debian's packages.

    Raises:
        ToolError: it can be neither pulled nor made.
        EvidenceError: the configured digest is not there.
    """
    named = project.config.image.proxy
    return pulled.ensure(named, host, "proxy") if named else systems.ensure(project, PROXY, host)
