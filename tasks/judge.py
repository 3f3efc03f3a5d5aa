"""Stage: the verdict on the evidence, under the policy and on the day that params.yaml names.

A refusal is a result like any other and is recorded like one. Nothing is trained or promoted here. For how a
verdict comes about, see `clearance.policy.project_verdict`.
"""

from __future__ import annotations

import logging
from pathlib import Path

from clearance import params, paths, stage
from clearance.policy import project_verdict

logger = logging.getLogger(__name__)


def main() -> None:
    """Read the evidence and the policy, write `reports/verdict.json`."""
    settings = params.load(paths.PARAMS)
    verdict = project_verdict.judge(settings, Path())
    verdict.write(Path())
    logger.info("verdict: %s", verdict.verdict.replace("_", " "))
    for reason in verdict.reasons:
        logger.info("  %s", reason)


if __name__ == "__main__":
    stage.run(main)
