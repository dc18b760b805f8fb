"""A Jenkins controller, spoken to over HTTP: jobs, queue, builds, logs, inputs, artifacts."""

from .connection import Answer, Connection
from .patience import Patience

__all__ = ["Answer", "Connection", "Patience"]
