"""The catalogue: every planted fault, family by family."""

from ..fault import Family, Fault
from . import (
    distribution,
    duplicates,
    forms,
    integrity,
    leakage,
    missing,
    nulls,
    prepared,
    ranges,
    suites,
    tampering,
    time,
)

FAMILIES = (
    Family("missing", missing.FAULTS),
    Family("null and non-finite", nulls.FAULTS),
    Family("type and format", forms.FAULTS),
    Family("range and unit", ranges.FAULTS),
    Family("duplicates", duplicates.FAULTS),
    Family("integrity", integrity.FAULTS),
    Family("distribution", distribution.FAULTS),
    Family("time", time.FAULTS),
    Family("leakage", leakage.FAULTS),
    Family("prepared tables", prepared.FAULTS),
    Family("tampering", tampering.FAULTS),
    Family("suites", suites.FAULTS),
)


def faults() -> dict[str, Fault]:
    """Every fault by its name."""
    return {fault.name: fault for family in FAMILIES for fault in family.faults}


def of(*names: str) -> tuple[Fault, ...]:
    """The faults of some families."""
    return tuple(fault for name in names for fault in _family(name).faults)


def _family(name: str) -> Family:
    return next(family for family in FAMILIES if family.name == name)
