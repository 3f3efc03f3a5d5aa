"""A bar counts as set before the result only where the ledger shows that it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clearance import files, ledger, paths
from clearance.documents.training_document import TrainingDocument
from clearance.ledger import EntryKind
from clearance.promotion import preregistration, release
from clearance.promotion.preregistration import Preregistration
from clearance.promotion.session import open_session
from clearance.trust import signers
from flows.runner import run_context
from tasks import preregister, track
from tests.support import governed, judged

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

NAME = "loan-approval"
DEMANDING = judged.POLICY | {"promotion": judged.PROMOTION | {"preregistered": True}}


@pytest.fixture
def settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    def place(**options: Any) -> Path:
        return judged.settle_with_store(tmp_path / "project", monkeypatch, **{"policy": DEMANDING} | options)

    return place


def released(root: Path) -> dict[str, Any]:
    track.main()
    return release.release(root, governed.today())


def bar(version: int = 1) -> Preregistration:
    root = Path.cwd()
    model = TrainingDocument.read(root)
    assert isinstance(model, TrainingDocument)
    policy = files.sha256(root / "policies" / "test.yaml")
    return preregistration.of_version(entries(), version, {model.model.sha256}, policy)


def entries() -> list[ledger.Entry]:
    with open_session(Path.cwd()) as session:
        return session.entries(NAME)


def test_a_bar_recorded_before_the_release_is_before_its_result(settle: Callable[..., Path]) -> None:
    root = settle()
    entry = preregistration.record(root)
    assert entry is not None
    assert entry.kind == EntryKind.PREREGISTRATION
    assert released(root)["status"] == "promoted"
    assert bar().is_before_result
    assert bar().entry == entry.number
    assert bar().bar_at == entry.at
    assert bar().result_at is not None
    assert entry.at <= cast("dt.datetime", bar().result_at)


def test_without_a_record_the_bar_is_after_the_result_and_a_policy_may_mind(
    settle: Callable[..., Path],
) -> None:
    root = settle()
    assert released(root)["status"] == "not promoted"
    assert not bar().is_before_result
    assert bar().entry is None
    judged.put(root, policy=judged.POLICY, changes={"seed": 2}, model=2)
    assert released(root)["status"] == "promoted"


def test_a_record_that_follows_the_verdict_counts_for_nothing(settle: Callable[..., Path]) -> None:
    root = settle()
    released(root)
    entry = preregistration.record(root)
    assert entry is not None
    assert not bar().is_before_result
    assert bar().entry == entry.number
    assert release.release(root, governed.today())["status"] == "not promoted"


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        ({"policy": DEMANDING | {"title": "A policy that fits the score"}}, "policy"),
        ({"changes": {"seed": 2}}, "seed"),
    ],
)
def test_only_the_first_record_about_a_model_and_its_test_rows_counts(
    settle: Callable[..., Path], options: dict[str, Any], differs: str
) -> None:
    root = settle()
    first = preregistration.record(root)
    judged.put(root, **{"policy": DEMANDING} | options)
    second = preregistration.record(root)
    assert first is not None
    assert second is not None
    assert released(root)["status"] == "not promoted"
    assert not bar().is_before_result
    assert bar().entry == first.number
    assert differs in str(bar().objection)


def test_a_record_about_another_model_says_nothing(settle: Callable[..., Path]) -> None:
    root = settle()
    preregistration.record(root)
    judged.put(root, policy=DEMANDING, model=2)
    assert released(root)["status"] == "not promoted"
    assert bar().entry is None


def test_the_same_bar_is_recorded_once(settle: Callable[..., Path]) -> None:
    root = settle()
    assert preregistration.record(root) is not None
    assert preregistration.record(root) is None
    assert [entry.kind for entry in entries()].count(EntryKind.PREREGISTRATION) == 1


def test_a_project_without_a_model_has_nothing_to_record(settle: Callable[..., Path]) -> None:
    root = settle(blocked=True)
    assert preregistration.record(root) is None


def test_a_ledger_that_cannot_take_it_stops_no_run(
    settle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settle()
    monkeypatch.setenv("CLEARANCE_LEDGER", "postgresql://nobody@127.0.0.1:1/none")
    preregister.main()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_who_may_not_propose_records_nothing(
    settle: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = settle()
    governed.add_people(root)
    preregistration.record(root)
    judged.put(root, policy=DEMANDING, model=2)
    governed.add_people(root)
    monkeypatch.setenv(signers.IDENTITY, "vera")
    assert preregistration.record(root) is None
    assert not (root / paths.RELEASE_RECEIPT).exists()


class Run(run_context.RunContext):
    """A run that only knows its graph."""

    def __init__(self, graph: dict[str, list[str]], *, what_if: bool = False) -> None:
        self.__dict__["pipeline"] = SimpleNamespace(order=tuple(graph), after=graph)
        overrides = {"policy": {"file": "policies/other.yaml"}} if what_if else {}
        self.settings = cast("Any", SimpleNamespace(overrides=overrides))


GRAPH = {"train": [], "explain": ["train"], "score": ["train"], "judge": ["score", "explain"]}


def test_the_bar_is_recorded_after_training_and_before_scoring() -> None:
    assert Run(GRAPH).steps == {
        "train": [],
        "explain": ["train"],
        "preregister": ["train"],
        "score": ["train", "preregister"],
        "judge": ["score", "explain"],
        "track": ["train", "explain", "preregister", "score", "judge"],
        "release": ["train", "explain", "preregister", "score", "judge", "track"],
    }


def test_a_what_if_and_a_graph_without_scores_record_no_bar() -> None:
    assert Run(GRAPH, what_if=True).steps == GRAPH
    assert "preregister" not in Run({"dvc repro": []}).steps
