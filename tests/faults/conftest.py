"""What the tests of each part of the catalogue share."""

from collections.abc import Iterator

import pytest

from .harness import Bench, bench


@pytest.fixture(scope="module")
def place() -> Iterator[Bench]:
    """A project's folder for a module's faults."""
    with bench() as made:
        yield made
