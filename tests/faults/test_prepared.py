"""Faults between the raw lines and the model are stopped by the finding that should."""

import pytest

from .catalogue import of
from .fault import Fault
from .harness import Bench, answer

FAULTS = of("leakage", "prepared tables", "tampering")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_is_stopped_by_what_the_catalogue_says(place: Bench, fault: Fault) -> None:
    assert answer(place, fault).problems == []
