"""Good data versions pass; what is truly strange about one is said, and blocks nothing."""

import pytest

from .fault import Good
from .good import GOOD
from .harness import Bench, passed


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good.name)
def test_it_is_not_blocked_and_warns_of_no_more_than_it_should(place: Bench, good: Good) -> None:
    found = passed(place, good)
    assert found.problems == []
    assert found.outcome == ("warn" if good.warns else "pass")
