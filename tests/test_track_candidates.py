"""Candidates are runs below the execution's run; how often the same rows judged is counted from the runs."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from clearance import files, params, registry
from clearance.documents.verdict_document import VerdictDocument
from clearance.registry import run_record
from clearance.registry import test_set_uses as uses
from clearance.reporting import summary
from clearance.versioning import pipeline_state
from tasks import track
from tests.support import evidence, judged
from tests.support.nightly import every_third
from tests.test_track import Killed, kill_at

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return judged.settle_with_store(tmp_path / "project", monkeypatch, candidates=3)


def runs(experiment: str = "governance-demo") -> tuple[list[Run], list[Run]]:
    """The runs of executions, and those below them in the order of their places."""
    client = MlflowClient()
    entity = client.get_experiment_by_name(experiment)
    every = [] if entity is None else list(client.search_runs([entity.experiment_id]))
    below = [run for run in every if "mlflow.parentRunId" in run.data.tags]
    return (
        [run for run in every if run not in below],
        sorted(below, key=lambda run: run.data.tags["clearance.candidate"]),
    )


def told() -> list[dict[str, Any]]:
    return [
        {
            "name": run.info.run_name,
            "status": run.info.status,
            "params": run.data.params,
            "metrics": run.data.metrics,
            "chosen": run.data.tags["clearance.candidate.chosen"],
        }
        for run in runs()[1]
    ]


def test_every_candidate_is_a_run_below_the_one_of_the_execution(project: Path) -> None:
    track.main()
    (parent,), below = runs()
    candidates = files.read_json(project / "reports/training.json")["candidates"]
    assert [run.data.tags["mlflow.parentRunId"] for run in below] == [parent.info.run_id] * 3
    assert [run.data.params["mitigation"] for run in below] == [
        candidate["mitigation"] for candidate in candidates
    ]
    assert [run.data.tags["clearance.candidate.chosen"] for run in below] == ["false", "true", "false"]
    assert below[1].data.metrics == {
        "utility": 0.69,
        "threshold": 0.5,
        **{f"tune/{name}": value for name, value in evidence.TUNE.items() if name != "f1"},
        "tune/accuracy": 0.8,
        "tune/demographic_parity_difference.race": 0.1,
    }
    assert {run.info.status for run in below} == {"FINISHED"}
    assert not any("clearance.fingerprint" in run.data.tags for run in below)


def test_a_second_call_changes_nothing(project: Path) -> None:
    track.main()
    before = judged.dump(project)
    track.main()
    assert judged.dump(project) == before


def test_one_model_alone_has_no_run_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged.settle_with_store(tmp_path / "project", monkeypatch)
    track.main()
    assert runs()[1] == []


def test_one_mitigated_model_and_its_reference_are_runs_below_and_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = judged.settle_with_store(tmp_path / "project", monkeypatch, candidates=1, reference=True)
    track.main()
    below = runs()[1]
    assert [run.info.run_name for run in below] == [
        "1 LogisticRegression, reweighing",
        "2 LogisticRegression, none (reference)",
    ]
    tags = [run.data.tags for run in below]
    assert [run_tags["clearance.candidate.chosen"] for run_tags in tags] == ["true", "false"]
    assert [run_tags["clearance.candidate.reference"] for run_tags in tags] == ["false", "true"]
    assert below[1].data.metrics["utility"] == 0.75
    before = judged.dump(root)
    track.main()
    assert judged.dump(root) == before


def test_killed_among_the_candidates_it_is_completed_by_the_next_call(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        writes = kill_at(patch, 0, after=False)
        track.main()
    baseline = told()
    assert len(baseline) == 3
    first = writes.index("create_run", writes.index("create_run") + 1)
    for moment in every_third(range(first, len(writes) + 1)):  # after one write is before the next
        place = tmp_path / f"{moment}"
        place.mkdir()
        shutil.copy(judged.empty_store(), place / "mlflow.db")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place / 'mlflow.db'}")
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, moment, after=True)
            track.main()
        track.main()
        (parent,), _ = runs()
        assert told() == baseline, writes[moment - 1]
        assert parent.data.tags[uses.JUDGED_BEFORE] == "1"


def rows(root: Path) -> str:
    digest = run_record.record(pipeline_state.verify(root), params.load(root / "params.yaml")).test_rows
    assert digest is not None
    return digest


def counted(root: Path) -> int:
    return registry.count_test_uses(registry.connect(), rows(root))


def test_each_model_that_the_same_rows_judge_is_counted_once(project: Path) -> None:
    assert counted(project) == 0
    track.main()
    track.main()
    assert counted(project) == 1
    judged.put(project, model=1)
    track.main()
    assert counted(project) == 2
    ordinals = sorted(run.data.tags[uses.JUDGED_BEFORE] for run in runs()[0])
    assert ordinals == ["1", "2"]
    assert registry.count_test_uses(registry.connect(), "f" * 64) == 0


def test_the_same_model_byte_for_byte_is_no_new_use(project: Path) -> None:
    track.main()
    judged.put(project, policy={"title": "other words"})
    track.main()
    assert len(runs()[0]) == 2
    assert counted(project) == 1
    assert {run.data.tags[uses.JUDGED_BEFORE] for run in runs()[0]} == {"1"}


def test_a_run_that_was_deleted_still_counts(project: Path) -> None:
    track.main()
    MlflowClient().delete_run(runs()[0][0].info.run_id)
    assert counted(project) == 1


def test_another_experiment_uses_the_same_rows_up_as_well(project: Path) -> None:
    track.main()
    judged.put(project, model=1, changes={"experiment": "elsewhere"})
    track.main()
    assert counted(project) == 2


def test_a_blocked_run_judges_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged.settle_with_store(tmp_path / "project", monkeypatch, blocked=True)
    track.main()
    assert uses.TEST_ROWS not in runs()[0][0].data.tags


LIMIT = {"warn_from": 2, "kind": "engineering", "source": "our risk board", "valid_from": "2026-01-01"}


def test_track_says_the_count_and_warns_from_the_policys_limit_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = judged.settle_with_store(tmp_path / "limited", monkeypatch, policy={"test_uses": LIMIT})
    with caplog.at_level(logging.INFO, logger="tasks.track"):
        track.main()
        judged.put(root, model=1, policy={"test_uses": LIMIT})
        track.main()
    messages = {record.levelname: record.message for record in caplog.records if "test set" in record.message}
    assert messages["INFO"] == "this test set has now been used to judge 1 model"
    assert "2 models" in messages["WARNING"]
    assert "our risk board" in messages["WARNING"]
    verdict = VerdictDocument.read(root)
    _, line = summary.counts(root, verdict)
    assert line.startswith("warning: ") and "2 models" in line


def test_where_the_policy_names_no_limit_the_count_is_no_warning(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="tasks.track"):
        track.main()
        judged.put(project, model=1)
        track.main()
    records = [record for record in caplog.records if "test set" in record.message]
    assert [record.levelname for record in records] == ["INFO", "INFO"]
    assert "2 models" in records[1].message
