"""`clearance gc` keeps what any registered version of any model needs, by its own signed evidence."""

from __future__ import annotations

import shutil

import pytest
import yaml

from clearance import registry
from clearance.errors import IntegrityError
from clearance.promotion import needed_objects
from tests.support import governed
from tests.support.governed import Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


def needed(place: Place) -> list[str]:
    with place.office() as office:
        return needed_objects.find_needed(office, registry.connect())


def test_every_models_versions_are_kept_whatever_the_project_is_called_now(place: Place) -> None:
    place.put("second")
    locks = needed(place)
    assert len(locks) == 2 and all("models/trained" in lock for lock in locks)
    settings = yaml.safe_load((place.root / "params.yaml").read_text())
    (place.root / "params.yaml").write_text(yaml.safe_dump(settings | {"name": "another"}))
    assert needed(place) == locks


def test_a_version_that_is_gone_is_told_and_not_kept(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.put("second")
    place.sql("DELETE FROM model_versions WHERE name = ? AND version = 2", governed.CANDIDATES)
    assert len(needed(place)) == 1
    assert [record.args for record in caplog.records if record.name.endswith("needed_objects")] == [
        ("loan-approval", 2)
    ]


def test_evidence_that_is_lost_or_swapped_stops_it(place: Place) -> None:
    place.put("second")
    one, two = (place.bundle_file(number) for number in (1, 2))
    shutil.copy(two, one)
    with pytest.raises(IntegrityError) as error:
        needed(place)
    assert error.value.code == "promotion.bundle_not_proposed"
    one.unlink()
    with pytest.raises(IntegrityError, match=r"has no evidence/bundle-"):
        needed(place)
