"""Are the suites of the prepared tables as strict as they were in the last release?

Every expectation that was removed or loosened since then is named and blocks, until it is accepted
here with a reason, by somebody, until a day. From the day after, `slipway gate` blocks again.
"""

from collections.abc import Iterable

from ...records import Finding
from ..suites import RAW, accepted
from ..suites.accepted import Settings as Settings
from . import PreparedEvidence


def judge(evidence: PreparedEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a change of a suite, or one that it is as it was."""
    reference = evidence.reference
    return accepted.judge(
        "prepared",
        reference.version if reference else None,
        {n: entries for n, entries in reference.suites.items() if n != RAW} if reference else {},
        evidence.suites,
        settings,
    )
