"""Stage: score the test rows once; every stage that measures the model reads these scores.

It reads no label and no group, and decides nothing: a score is the model's answer, handed on as it is.
"""

from __future__ import annotations

import logging
from pathlib import Path

from clearance import files, paths, stage
from clearance.data.tables import prepared, scored
from clearance.documents.evidence_document import unless_blocked
from clearance.documents.scores_document import ScoresDocument
from clearance.documents.training_document import TrainingDocument
from clearance.models import model_file, scoring

logger = logging.getLogger(__name__)


def main() -> None:
    """Write `data/scored/` and `reports/scores.json`."""
    training = unless_blocked(TrainingDocument.read(Path()), paths.SCORES, paths.SCORED)
    if training is None:
        return
    model = model_file.load_scorer(paths.MODEL, training.model.sha256, training.threshold)
    test = prepared.read(Path(), "test")
    scores = scoring.score(model, test.inputs(model.feature_names_in_))
    with files.replacing_folder(paths.SCORED) as folder:
        scored.write(folder / paths.SCORED_TABLE.name, test.rows, scores)
    record = ScoresDocument(
        rows=len(test.rows),
        model_sha256=training.model.sha256,
        sha256=files.sha256(paths.SCORED_TABLE),
    )
    record.write(Path())
    logger.info("scored %d test rows", len(test.rows))


if __name__ == "__main__":
    stage.run(main)
