"""Effect: what the pipeline recorded becomes one run in MLflow, found again by its content fingerprint.

The next call refills a server that was lost or replaced. For what a run holds, see
`clearance.registry.run_record`.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
from pathlib import Path

from clearance import params, paths, registry, stage
from clearance.documents.verdict_document import VerdictDocument
from clearance.policy import policy_file
from clearance.promotion import attempts
from clearance.registry import run_record, stores  # noqa: F401 - a run imports MLflow once for both effects
from clearance.reporting import attempt_notice, test_set_notice
from clearance.versioning import pipeline_state

logger = logging.getLogger(__name__)


def main() -> None:
    """Track the project in the working folder; under `mlflow run`, fill that run."""
    root = Path.cwd()
    settings = params.load(root / paths.PARAMS)
    verified = pipeline_state.verify(root)
    server = registry.connect()
    record = run_record.record(verified, settings)
    outer = os.environ.get("MLFLOW_RUN_ID")
    tracked = registry.track_run(server, record, outer)
    if outer and outer != tracked.run_id and not registry.link_runs(server, tracked, outer):
        logger.warning("MLflow has no run %s (MLFLOW_RUN_ID): it is not linked", outer)
    logger.info("tracked: run %s in experiment %s", tracked.run_id, settings.experiment)
    verdict = VerdictDocument.from_json(verified.read_json(pipeline_state.VERDICT))
    if record.model:
        terms = policy_file.load(root / settings.policy.file).attempts
        count = attempts.count_tracked(root, server, settings.name, record.fingerprint, terms)
        attempt_notice.record(root, count.number, str(count))
        attempt_notice.log(count.number, str(count), verdict.policy, logger)
    if record.test_rows:
        uses = registry.count_test_uses(server, record.test_rows)
        test_set_notice.record(root, record.test_rows, uses, dt.datetime.now(dt.UTC).date())
        test_set_notice.log(uses, verdict.policy, logger)


if __name__ == "__main__":
    stage.run(main)
