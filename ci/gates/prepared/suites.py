"""Are the suites of the prepared tables and their gates as strict as in the last release?

Every expectation that was removed or loosened since then is named and blocks, and so does a gate
that is not asked any more, until it is accepted here with a reason, by somebody, until a day. From
the day after, `slipway gate` blocks again. Another setting of a gate is named, and warns unless it
is stricter. This gate is always asked.
"""

from collections.abc import Iterable

from ...records import Finding
from ..suites import RAW, accepted
from ..suites.accepted import Settings as Settings
from . import PreparedEvidence


def judge(evidence: PreparedEvidence, settings: Settings) -> Iterable[Finding]:
    """One finding a change of a suite, or one that it is as it was."""
    reference = evidence.reference
    before = None
    if reference:
        kept = {n: entries for n, entries in reference.suites.items() if n != RAW}
        before = accepted.Released(reference.version, kept, reference.gates.get("prepared"))
    return accepted.judge("prepared", before, evidence.suites, evidence.gates, settings)
