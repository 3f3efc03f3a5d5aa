"""Test rows are scored once, and only those very scores are handed on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clearance import files, paths
from clearance.data.tables import prepared, scored
from clearance.models import model_file, scoring
from tasks import score
from tests.support import codes
from tests.support import scored as small


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = small.build(tmp_path / "project", small.table(400))
    monkeypatch.chdir(root)
    return root


def digest(project: Path) -> str:
    return str(files.read_json(project / "reports/training.json")["model"]["sha256"])


def test_the_scores_are_the_models_of_the_test_rows(project: Path) -> None:
    test = prepared.read(project, "test")
    model = model_file.load(project / "models/trained/model.skops", digest(project)).estimator
    scores = scored.read(project, test.rows, digest(project))
    assert np.array_equal(scores, scoring.score(model, test.features))


def test_a_model_that_decides_at_another_threshold_than_the_recorded_one_scores_nothing(
    project: Path,
) -> None:
    record = files.read_json(project / "reports/training.json")
    files.write_json(project / "reports/training.json", record | {"threshold": 0.02})
    with codes.raises("models.another_threshold"):
        score.main()


def test_the_same_bytes_twice(project: Path) -> None:
    first = [(project / name).read_bytes() for name in (paths.SCORED_TABLE, paths.SCORES)]
    score.main()
    assert [(project / name).read_bytes() for name in (paths.SCORED_TABLE, paths.SCORES)] == first


def test_outcomes_are_what_the_whole_tables_say(project: Path) -> None:
    dataset, outcomes = prepared.read(project, "test"), prepared.read_outcomes(project, "test")
    assert dataset.rows.equals(outcomes.rows)
    assert np.array_equal(dataset.label, outcomes.label)
    assert dataset.protected.equals(outcomes.protected)
    assert list(outcomes.features.columns) == []


def test_rows_in_several_chunks_are_the_same_rows(project: Path) -> None:
    rows = prepared.read(project, "test").rows
    scores = scored.read(project, rows, digest(project))
    parts = pd.concat([rows.iloc[:50], rows.iloc[50:]])
    assert np.array_equal(scored.read(project, parts, digest(project)), scores)
    scored.write(project / "again.parquet", parts, scores)
    assert (project / "again.parquet").read_bytes() == (project / paths.SCORED_TABLE).read_bytes()


def test_scores_of_another_model_or_of_other_rows_are_refused(project: Path) -> None:
    rows = prepared.read(project, "test").rows
    with codes.raises("data.scores_of_another_model"):
        scored.read(project, rows, "0" * 64)
    for other in (rows.iloc[::-1], rows.iloc[1:], prepared.read(project, "train").rows):
        with codes.raises("data.scores_of_other_rows"):
            scored.read(project, other, digest(project))


def test_scores_that_were_exchanged_are_refused(project: Path) -> None:
    rows = prepared.read(project, "test").rows
    scored.write(project / paths.SCORED_TABLE, rows, np.ones(len(rows)))
    with codes.raises("files.changed"):
        scored.read(project, rows, digest(project))


def test_a_model_that_is_not_the_recorded_one_scores_nothing(project: Path) -> None:
    model = project / "models/trained/model.skops"
    model.write_bytes(model.read_bytes() + b" ")
    (project / paths.SCORES).unlink()
    with codes.raises("files.changed"):
        score.main()
    assert not (project / paths.SCORES).exists()


def test_without_a_model_nothing_is_scored_and_no_score_is_left(project: Path) -> None:
    small.block(project)
    score.main()
    assert [file.name for file in (project / paths.SCORED).iterdir()] == ["blocked.json"]
    with codes.raises("data.not_scored", reason="validate_raw: 3 rows are wrong"):
        scored.read(project, prepared.read(project, "test").rows, "")
