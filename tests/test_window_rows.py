"""All features of live decisions together: a sample of the log beside the version's own rows, or a reason."""

import datetime as dt
import shutil
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from clearance import paths
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome
from clearance.inference_log import Inference, ModelReference
from clearance.monitoring import run, window_rows
from clearance.monitoring.counting import window_decisions
from clearance.monitoring.figures import all_features
from tests.support import watched
from tests.support.governed import NAME, Place

START = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    version = watched.version()
    assert version.prepared is not None
    monkeypatch.setattr(all_features, "PERMUTATIONS", 100)
    return watched.enter(monkeypatch)


def decided(rows: list[dict[str, Any]]) -> list[Inference]:
    return watched.decisions(watched.version(), rows, START, DAY / (len(rows) + 1))


def correlated(rows: int) -> list[dict[str, Any]]:
    """Each feature is drawn as in training; together they are not."""
    draw = np.random.default_rng(5)
    amounts, ratios = np.sort(draw.normal(100, 20, rows)), np.sort(draw.random(rows))
    order = draw.permutation(rows)
    purposes = draw.choice(["house", "car"], rows)
    return [
        {"amount": float(amounts[at]), "ratio": float(ratios[at]), "purpose": str(purposes[at])}
        for at in order
    ]


def look(place: Place) -> LiveFinding:
    """What a policy with the rule says of the day, judged again: nothing is stored."""
    file = place.root / "policies/test.yaml"
    policy = yaml.safe_load(file.read_text())
    rule = {"id": "together", "metric": "drift.all_features", "of": "all", "limit": {"at_most": 0.55}}
    policy["monitoring"]["rules"] = [rule | watched.ENGINEERING]
    other = file.with_name("together.yaml")
    other.write_text(yaml.safe_dump(policy))
    result = run.run(place.root, run.Request(policy=other), clock=lambda: START + 1.1 * DAY)
    (finding,) = [item for day in result.looks if day.rows for item in day.findings]
    return finding


def test_quiet_decisions_are_not_told_from_the_rows_of_the_version(place: Place) -> None:
    watched.record(place, decided(watched.inputs(400, 3)))
    finding = look(place)
    assert finding.outcome is Outcome.PASS, finding.reason
    assert (finding.rows, finding.value) == (400, pytest.approx(0.5, abs=0.05))
    assert finding.reference_rows and finding.reference_rows > 400


def test_a_change_of_how_features_depend_on_each_other_fails(place: Place) -> None:
    watched.record(place, decided(correlated(400)))
    finding = look(place)
    assert finding.outcome is Outcome.FAIL, finding.reason
    assert finding.value is not None and finding.value > 0.7


def test_of_many_decisions_a_sample_is_read_the_same_one_each_time_and_it_is_said(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_rows, "MOST_ROWS", 120)
    watched.record(place, decided(watched.inputs(300, 3)))
    first, second = look(place), look(place)
    assert first == second and first.rows == 120
    assert first.assumption is not None and "120 decisions of 300" in first.assumption
    with watched.log(place, START + 2 * DAY) as log:
        drawn = [
            window_decisions.sample(log, (NAME, 1), START, START + DAY, most=50, reader="otto")
            for _ in range(2)
        ]
        assert [one.id for one in drawn[0].inferences] == [one.id for one in drawn[1].inferences]
        assert (len(drawn[0].inferences), drawn[0].each) == (50, 6)
        assert log.verify().by_kind["read"] == 5, "the counting and each sample are reads on record"


def test_decisions_that_name_other_evidence_are_not_in_the_sample(place: Place) -> None:
    version = watched.version()
    other = ModelReference(name=version.model, version=version.version, digest="e" * 64)
    strangers = watched.decisions(version, correlated(200), START, DAY / 201, model=other)
    watched.record(place, [*decided(watched.inputs(200, 3)), *strangers])
    finding = look(place)
    assert finding.rows == 200 and finding.value is not None and finding.value < 0.6


def test_erased_decisions_leave_a_sample_that_says_nothing(place: Place) -> None:
    watched.record(place, decided(watched.inputs(200, 3)))
    run.run(place.root, clock=lambda: START + 1.1 * DAY)
    with watched.log(place, START + 2 * DAY) as log:
        for number in range(60):
            log.erase_subject(f"person-{number}", actor="otto", reason="asked for")
    finding = look(place)
    assert finding.outcome is Outcome.NOT_EVALUATED
    assert "140 of the 200 decisions" in finding.reason


def test_rows_that_the_checkout_no_longer_has_come_from_dvc_and_altered_ones_are_never_compared(
    place: Place,
) -> None:
    watched.record(place, decided(watched.inputs(200, 3)))
    own = look(place)
    file = place.root / paths.PREPARED / "features.parquet"
    frame = pd.read_parquet(file)
    frame["amount"] += 1_000
    frame.to_parquet(file, index=False)
    assert own.value is not None and look(place).value == own.value, (
        "those of the cache, not the altered ones"
    )
    shutil.rmtree(place.root / ".dvc/cache")
    gone = look(place)
    assert gone.outcome is Outcome.NOT_EVALUATED
    assert "not to be had unchanged" in gone.reason
