"""How a run ended: one value for the terminal's exit status, Prefect's end state and a notification.

Only a pass completes a run, even if approvals are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clearance.documents.measurement import Outcome
from clearance.promotion import receipt
from clearance.reporting import attempt_notice, headline, summary
from flows.runner.run_context import RunContext

COMPLETED, FAILED = "Completed", "Failed"
AWAITING = "Awaiting approval"
"""The name of the completed end of a run whose model passed and waits for approvals."""
LAPSED = "Champion lapsed"
"""The end of a run whose verdict is a pass, while what allowed the champion has ended."""
JUDGED = frozenset({COMPLETED, AWAITING, LAPSED, *headline.VERDICTS.values()})
"""The names of the ends of a run that reached a verdict."""


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """The end of a run: its name, which is that of Prefect's state, and what to tell people."""

    name: str
    message: str

    @property
    def completes(self) -> bool:
        """Whether the run did what it was started for."""
        return self.name in (COMPLETED, AWAITING)

    @property
    def is_judged(self) -> bool:
        """Whether the run reached a verdict."""
        return self.name in JUDGED


def without_verdict(faults: Sequence[str]) -> Conclusion:
    """The end of a run that technical faults stopped."""
    return Conclusion(name=FAILED, message="\n".join(faults))


def conclude(run: RunContext) -> Conclusion:
    """The verdict of a run whose steps have all ended well, as the end of that run."""
    verdict = attempt_notice.read_verdict(run.folder)
    counted_in = run.folder if run.effects_after else None
    notices = [] if counted_in is None else summary.counts(counted_in, verdict)
    lines = [summary.title(verdict), *summary.reasons(verdict), *summary.overrides(verdict), *notices]
    name, outcome = COMPLETED, verdict.verdict
    if outcome != Outcome.PASS:
        name = headline.VERDICTS[outcome]
    elif counted_in and receipt.has_lapsed(counted_in):
        name, lines = LAPSED, [*lines, *receipt.release_lines(counted_in)]
    elif counted_in and (waits := receipt.waiting_lines(counted_in)):
        name, lines = AWAITING, [*lines, *waits]
    return Conclusion(name=name, message="\n".join(lines))
