"""Score the test rows, once: every stage that measures the model reads these scores.

It reads no label and no group, and decides nothing: a score is the model's answer, handed on as it is.
"""

from __future__ import annotations

import logging
from pathlib import Path

from clearance import artifacts, evidence, stage
from clearance.modelling import model_file, scoring
from clearance.tables import prepared, scored

TRAINING = Path("reports/training.json")
MODEL = Path("models/trained/model.skops")


def main() -> None:
    """Write `data/scored/` and `reports/scores.json`."""
    training = artifacts.read_json(TRAINING)
    if training["status"] != "measured":
        refusal = evidence.blocked(training["because"])
        with artifacts.replacing_folder(scored.FOLDER) as folder:
            artifacts.write_json(folder / "blocked.json", refusal)
        artifacts.write_json(scored.RECORD, refusal)
        return
    digest = training["model"]["sha256"]
    model = model_file.load(MODEL, digest)
    test = prepared.read(Path(), "test")
    with artifacts.replacing_folder(scored.FOLDER) as folder:
        scored.write(
            folder / scored.FILE.name, test.rows, scoring.score(model, test.inputs(model.feature_names_in_))
        )
    record = evidence.measured({}, rows=len(test.rows), model_sha256=digest)
    artifacts.write_json(scored.RECORD, record | {"sha256": artifacts.sha256(scored.FILE)})
    logging.getLogger(__name__).info("scored %d test rows", len(test.rows))


if __name__ == "__main__":
    stage.run(main)
