"""The existing evidence judged under another policy or on another day: an answer, never a release.

Prints the verdict and every finding and exits with the verdict's status. Nothing is written.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

from clearance import params, paths, stage
from clearance.policy import project_verdict
from clearance.reporting import headline, summary


def settings_with(settings: params.Params, file: str | None, as_of: dt.date | None) -> params.Params:
    """The same parameters under another policy or day, each recorded as an override, as a run does."""
    changes = {"policy.file": file, "policy.as_of": as_of and as_of.isoformat()}
    overrides = {key: value for key, value in changes.items() if value is not None}
    policy = {"file": file or settings.policy.file, "as_of": as_of or settings.policy.as_of}
    return settings.model_copy(
        update={
            "policy": params.PolicyChoice.model_validate(policy),
            "overrides": dict(settings.overrides) | overrides,
        }
    )


def lines(verdict: dict[str, Any]) -> list[str]:
    """The verdict, why, every finding, and what was not in force."""
    return [summary.title(verdict), f"  {headline.sentence(verdict)}", "", *summary.findings(verdict)]


def main() -> None:
    """Judge the evidence in `reports/`; the arguments are a policy file and a date, either may be empty."""
    file, as_of = sys.argv[1:]
    settings = params.load(paths.PARAMS)
    day = dt.date.fromisoformat(as_of) if as_of else None
    verdict = project_verdict.judge(settings_with(settings, file or None, day), Path())
    sys.stdout.write("\n".join(lines(verdict)) + "\n")
    sys.exit(summary.outcome(verdict).exit_code)


if __name__ == "__main__":
    stage.run(main)
