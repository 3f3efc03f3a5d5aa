"""The stage `baseline`: counts of train, tune and test rows that travel with the version."""

import contextlib
import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clearance import files, params, paths
from clearance.data.tables import prepared
from clearance.data.tables.stored_table import StoredTable
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.training_document import TrainingDocument
from clearance.models import model_file, scoring
from tasks import baseline
from tests.support import judged


def stage(root: Path) -> BaselineDocument | BlockedDocument:
    """Run the stage where no reasons were evaluated; the document that it wrote."""
    training = TrainingDocument.read(root)
    if isinstance(training, TrainingDocument):
        ReasonsDocument(
            model_sha256=training.model.sha256, threshold=0.5, not_evaluated="the policy does not say"
        ).write(root)
    with contextlib.chdir(root):
        baseline.main()
    return BaselineDocument.read(root)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return judged.settle(tmp_path / "project", monkeypatch, rows=400)


def test_every_count_is_that_of_the_rows(root: Path) -> None:
    document = stage(root)
    assert isinstance(document, BaselineDocument)
    train, tune, test = prepared.read_splits(root, *prepared.SPLITS)
    assert (document.rows, document.counted_in, document.days) == (len(train.rows), "train", None)
    purpose = document.features["purpose"]
    shares = train.features["purpose"].value_counts()
    assert dict(zip(purpose.bins.categories, purpose.counts, strict=False)) == shares.to_dict()
    amount = document.features["amount"]
    edges = [-np.inf, *amount.bins.edges, np.inf]
    assert (
        list(amount.counts[:-2])
        == np.histogram(-train.features["amount"], -np.array(edges[::-1]))[0][::-1].tolist()
    )
    assert amount.mean == pytest.approx(train.features["amount"].mean())
    assert amount.deviation == pytest.approx(train.features["amount"].std())
    training = TrainingDocument.read(root)
    assert isinstance(training, TrainingDocument)
    model = model_file.load_scorer(root / paths.MODEL, training.model.sha256, training.threshold)
    for side, cells in ((test, document.cells), (tune, document.calibration)):
        favourable = scoring.score(model, side.inputs(model.feature_names_in_)) >= training.threshold
        table = pd.crosstab(side.label, favourable)
        for label in (0, 1):
            for decision in (0, 1):
                count = sum(n for _, one, other, n in cells if (one, other) == (label, decision))
                assert count == table.loc[label, bool(decision)]
    black = document.groups["race"]["Black"]
    chosen = (test.protected["race"] == "Black").to_numpy()
    scores = scoring.score(model, test.inputs(model.feature_names_in_))
    assert black.rows == chosen.sum() and black.positive == test.label[chosen].sum()
    assert black.selected == (scores[chosen] >= training.threshold).sum()
    assert document.score is not None and sum(document.score.counts) == len(test.rows)
    assert document.attribution is None  # no reasons, so no contributions are exact


def test_the_same_rows_give_the_same_bytes(root: Path) -> None:
    stage(root)
    first = (root / paths.BASELINE).read_bytes()
    stage(root)
    assert (root / paths.BASELINE).read_bytes() == first


def test_no_row_is_in_it(root: Path) -> None:
    stage(root)
    text = (root / paths.BASELINE).read_text()
    rows = prepared.read(root, None).rows
    assert not [row for row in rows if row in text]


def test_where_an_earlier_stage_blocked_it_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = stage(judged.settle(tmp_path / "project", monkeypatch, blocked=True))
    assert isinstance(document, BlockedDocument) and "a fault" in document.because


@pytest.mark.parametrize("trained_on", ["none", "unknown"])
def test_a_table_of_answers_has_no_features_and_keeps_its_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained_on: str
) -> None:
    document = stage(judged.settle(tmp_path / "project", monkeypatch, vendor=trained_on))
    assert isinstance(document, BaselineDocument)
    assert document.features == {} and document.attribution is None
    assert document.score is not None and document.roc_auc is not None


def test_days_are_those_of_the_column_that_the_split_names(tmp_path: Path) -> None:
    times = [dt.datetime(2026, 1, 1 + n % 3, 23, 59) for n in range(9)]
    file = tmp_path / "raw.parquet"
    pd.DataFrame({"id": range(9), "at": times}).to_parquet(file)
    data = params.load(_params(tmp_path)).data
    time = params.OutOfTime(column="at", test_from=dt.date(2026, 1, 3))
    from clearance.data.tables import row_ids, split

    rows = pd.Series(row_ids.hexadecimal(split.identify(StoredTable(file), data).row).to_pylist())
    days = baseline.days_of(file, data, time, rows[::-1])
    assert days == [time.date().isoformat() for time in times][::-1]


def _params(folder: Path) -> Path:
    import yaml

    files.write_text(folder / "params.yaml", yaml.safe_dump(judged.PARAMS))
    return folder / "params.yaml"


def test_counts_by_day_add_up_to_the_reference() -> None:
    rng = np.random.default_rng(1)
    inputs = pd.DataFrame({"amount": rng.normal(size=90), "purpose": rng.choice(["a", "b"], 90)})
    days: Any = np.repeat(np.arange(3), 30)
    for reference in baseline.features(inputs, days, 3).values():
        assert reference.by_day is not None and len(reference.by_day) == 3
        assert tuple(map(sum, zip(*reference.by_day, strict=True))) == reference.counts
        assert {sum(day) for day in reference.by_day} == {30}


def test_a_model_that_was_trained_elsewhere_is_compared_with_tune_rows() -> None:
    class Side:
        def __init__(self, rows: int) -> None:
            self.rows = pd.Series(range(rows))

    sides: Any = {"train": Side(0), "tune": Side(3), "test": Side(9)}
    assert baseline.feature_rows(sides) == "tune"
