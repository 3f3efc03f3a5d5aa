"""Score the test rows, once: every stage that measures the model reads these scores.

It reads no label and no group, and decides nothing: a score is the model's answer, handed on as it is.
"""

from __future__ import annotations

import logging
from pathlib import Path

from clearance import files, stage
from clearance.data.tables import prepared, scored
from clearance.documents import measurement
from clearance.models import model_file, scoring

TRAINING = Path("reports/training.json")
MODEL = Path("models/trained/model.skops")


def main() -> None:
    """Write `data/scored/` and `reports/scores.json`."""
    training = files.read_json(TRAINING)
    if training["status"] != "measured":
        refusal = measurement.blocked(training["because"])
        with files.replacing_folder(scored.FOLDER) as folder:
            files.write_json(folder / "blocked.json", refusal)
        files.write_json(scored.RECORD, refusal)
        return
    digest = training["model"]["sha256"]
    model = model_file.load(MODEL, digest)
    test = prepared.read(Path(), "test")
    with files.replacing_folder(scored.FOLDER) as folder:
        scored.write(
            folder / scored.FILE.name, test.rows, scoring.score(model, test.inputs(model.feature_names_in_))
        )
    record = measurement.measured({}, rows=len(test.rows), model_sha256=digest)
    files.write_json(scored.RECORD, record | {"sha256": files.sha256(scored.FILE)})
    logging.getLogger(__name__).info("scored %d test rows", len(test.rows))


if __name__ == "__main__":
    stage.run(main)
