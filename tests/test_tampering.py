"""A slice of the study: each artefact changed in some of its ways is refused, a harmless change never is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from assurance import artifact_changes, tampering

HARMFUL = [each for each in artifact_changes.ALL if each.kind != artifact_changes.HARMLESS]
CALM = [each for each in artifact_changes.ALL if each.kind == artifact_changes.HARMLESS]
SLICE = [each for each in HARMFUL if each.kind != "DVC cache"][::25] + HARMFUL[::97]
CALM_SLICE = CALM[::23]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tampering.Ground]:
    with tampering.ground(tmp_path_factory.mktemp("ground") / "project") as place:
        yield place


@pytest.mark.parametrize("change", list(dict.fromkeys(SLICE)), ids=lambda change: change.name)
def test_a_change_is_refused_and_nobody_else_is_champion(
    ground: tampering.Ground, change: artifact_changes.Change
) -> None:
    outcome = ground.meet(change, 7)
    assert tampering.is_refused(outcome), outcome


@pytest.mark.parametrize("change", CALM_SLICE, ids=lambda change: change.name)
def test_a_harmless_change_stops_nobody(ground: tampering.Ground, change: artifact_changes.Change) -> None:
    outcome = ground.meet(change, 7)
    assert tampering.is_let_pass(outcome), outcome


def test_the_study_is_of_more_than_600_changes_and_200_harmless_ones() -> None:
    assert len(HARMFUL) >= 600
    assert len(CALM) >= 200
    assert len(artifact_changes.NAMED) == len(artifact_changes.ALL)
    kinds = {"data", "model", "reports", "lock file", "DVC cache", "parameters", "policy", "graph", "MLflow"}
    assert kinds < {change.kind for change in HARMFUL}


def test_a_release_that_promotes_is_lost_and_one_that_does_not_is_a_false_refusal() -> None:
    loss = tampering.Met("a", "data", refused=False, by="", moved=True, loads=False)
    assert not tampering.is_refused(loss) and tampering.is_let_pass(loss)
    takeover = tampering.Met("a", "data", refused=True, by="so", moved=True, loads=False)
    leak = tampering.Met("a", "model", refused=True, by="so", moved=False, loads=True)
    silent = tampering.Met("a", "data", refused=True, by="", moved=False, loads=False)
    assert not any(map(tampering.is_refused, (takeover, leak, silent)))
    assert not tampering.is_let_pass(silent)
