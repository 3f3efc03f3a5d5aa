"""A version whose card has a gap that its policy does not allow is not promoted, and is told so."""

import datetime as dt
from pathlib import Path

import pytest

from clearance.documentation import checking, version_card
from clearance.errors import ClearanceError
from clearance.promotion import next_step, project_status, release
from tasks import track
from tests.support import carded, judged

pytestmark = pytest.mark.slow
DAY = dt.date(2026, 11, 30)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A judged project that passes; its policy requires a card, and it has none."""
    place = judged.settle_with_store(tmp_path / "project", monkeypatch, policy={"documents": carded.TERMS})
    track.main()
    return place


def test_without_a_card_that_the_policy_requires_nothing_is_promoted(root: Path) -> None:
    receipt = release.release(root, DAY)
    assert receipt["status"] == next_step.Status.NOT_PROMOTED
    assert not receipt["is_champion"]
    assert "reports/card.json" in receipt["reason"]
    assert "reports/card.json" in str(project_status.read(root).card)


def test_a_version_from_before_cards_is_one_message(root: Path) -> None:
    release.release(root, DAY)
    with pytest.raises(ClearanceError) as caught:
        version_card.read(root, 1)
    assert caught.value.code == "documentation.no_card"
    with pytest.raises(ClearanceError) as caught:
        version_card.read(root, 1, dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert caught.value.code == "documentation.not_proposed_then"
    with pytest.raises(ClearanceError) as caught:
        version_card.read(root, 7)
    assert caught.value.code == "documentation.no_such_version"


def test_before_any_version_there_is_one_message(root: Path) -> None:
    with pytest.raises(ClearanceError) as caught:
        version_card.read(root)
    assert caught.value.code == "documentation.no_version_yet"


def test_a_version_from_before_cards_cannot_be_checked_silently(root: Path) -> None:
    release.release(root, DAY)
    with pytest.raises(ClearanceError) as caught:
        checking.check_version(root, 1)
    assert caught.value.code == "documentation.no_card"
