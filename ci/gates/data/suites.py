"""Is the suite of the raw data as strict as it was in the last release?

Every expectation that was removed or loosened since then is named and blocks, until it is accepted
here with a reason, by somebody, until a day. From the day after, `slipway gate` blocks again.
"""

from collections.abc import Iterable

from ...records import Finding
from ..suites import RAW, accepted
from ..suites.accepted import Settings as Settings
from . import DataEvidence


def judge(evidence: DataEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a change of the suite, or one that it is as it was."""
    reference = evidence.reference
    return accepted.judge(
        "data",
        reference.version if reference else None,
        {n: entries for n, entries in reference.suites.items() if n == RAW} if reference else {},
        {RAW: evidence.suite} if evidence.suite else {},
        settings,
    )
