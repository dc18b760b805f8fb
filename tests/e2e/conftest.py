"""Real data for the end-to-end tests, and one delivered project that several of them read."""

from pathlib import Path

import pytest

from slipway import config
from slipway.tools import source
from tests.projects import ROOT, Checkout, few_customers, small_project

PERCENT = 8

# This one tests the delivery that it is part of: `slipway test e2e` runs it, with a delivery there.
collect_ignore = [] if (ROOT / "delivery/image.json").exists() else ["test_candidate.py"]


@pytest.fixture(scope="session")
def months() -> dict[str, bytes]:
    """The real purchases of a few customers, as one CSV file a month."""
    project = config.load(ROOT)
    assert project.config.data.source
    member = source.fetch(project, project.config.data.source)
    every = source.split_by_month(member, project.config.data.columns)
    return few_customers(every, percent=PERCENT)


@pytest.fixture(scope="session")
def delivered(months: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A small project, delivered to production; its tests leave it as it is."""
    checkout = small_project(tmp_path_factory.mktemp("delivered"), months)
    checkout.slipway("run", "--yes")
    yield checkout
    checkout.slipway("stop", "--all")


@pytest.fixture
def small(months: dict[str, bytes], tmp_path: Path) -> Checkout:
    """A small project of the test's own, not delivered yet."""
    checkout = small_project(tmp_path, months)
    yield checkout
    checkout.slipway("stop", "--all", code=None)
