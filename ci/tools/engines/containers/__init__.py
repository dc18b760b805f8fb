"""The Docker engine: services in containers, behind one nginx an environment."""

from .engine import DockerEngine

__all__ = ["DockerEngine"]
