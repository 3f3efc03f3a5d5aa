"""Stage: the verdict on the evidence at hand, under the policy and on the day that params.yaml names.

A refusal is a result like any other and is written down like one. Nothing is trained, promoted or recorded
here; how a verdict comes about: `clearance.policy.project_verdict`.
"""

from __future__ import annotations

import logging
from pathlib import Path

from clearance import files, params, stage
from clearance.policy import project_verdict


def main() -> None:
    """Read the evidence and the policy, write `reports/verdict.json`."""
    settings = params.load(Path("params.yaml"))
    verdict = project_verdict.judge(settings, Path())
    files.write_json(Path("reports/verdict.json"), verdict)
    logger = logging.getLogger(__name__)
    logger.info("verdict: %s", verdict["verdict"].replace("_", " "))
    for reason in verdict["reasons"]:
        logger.info("  %s", reason)


if __name__ == "__main__":
    stage.run(main)
