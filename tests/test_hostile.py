"""No hostile model runs anything, by any door; each payload is first seen to run the careless way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assurance import hostile, hostile_folders, hostile_payloads

FILES = [payload.name for payload in hostile_payloads.ALL]
FOLDERS = [each.name for each in hostile_folders.ALL]


@pytest.fixture(scope="module")
def aim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hostile.Target]:
    with pytest.MonkeyPatch.context() as patch:
        yield hostile.target(tmp_path_factory.mktemp("aim") / "project", patch)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hostile.Range]:
    with hostile.range_at(tmp_path_factory.mktemp("range")) as range_:
        yield range_


@pytest.fixture(scope="module")
def live(ground: hostile.Range, aim: hostile.Target) -> dict[str, bool | None]:
    return ground.live(aim.kept)


@pytest.mark.slow
def test_every_payload_that_can_run_does_so_the_careless_way(live: dict[str, bool | None]) -> None:
    assert len(live) == len({*FILES, *FOLDERS}) >= 80
    assert [name for name, fired in live.items() if fired is False] == []
    assert sum(fired is True for fired in live.values()) >= 50


@pytest.mark.parametrize("payload", hostile_payloads.ALL, ids=FILES)
def test_a_hostile_file_is_neither_loaded_nor_released(
    ground: hostile.Range,
    aim: hostile.Target,
    live: dict[str, bool | None],
    payload: hostile_payloads.Payload,
) -> None:
    outcome = hostile.meet_file(ground, aim, payload)
    assert not outcome.fired
    assert "cannot be loaded safely" in outcome.loader
    assert "models/trained is not what stage train recorded" in outcome.release


@pytest.mark.parametrize("each", hostile_folders.ALL, ids=FOLDERS)
def test_a_hostile_folder_in_mlflow_is_not_released(
    ground: hostile.Range, aim: hostile.Target, live: dict[str, bool | None], each: hostile_folders.Folder
) -> None:
    outcome = hostile.meet_folder(ground, aim, each)
    assert not outcome.fired
    assert "is not what was judged" in outcome.release or "its files cannot be read" in outcome.release
    assert aim.champion() is None


def test_the_honest_model_is_loaded_and_released_after_all_that(aim: hostile.Target) -> None:
    assert hostile.loaded(aim.root / "models/trained/model.skops") == ""
    assert aim.release() == ""
    assert aim.champion().number == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a trusted type with a state of the file's", "LossNode is not how numpy.dtype is loaded"),
        ("a partial under a trusted name", "PartialNode is not how numpy.dtype is loaded"),
        ("lists without end", "stands for another object"),
        ("a function in an old protocol", "it does not use skops protocol"),
        ("a program before it", "it holds more than its members"),
        ("a link", "it holds more than its members"),
        ("bytes behind it", "it holds more than its members"),
        ("two names for a member", "differ"),
        ("compressed arrays in an archive", "is compressed"),
        ("a method that is no more", "_validate_X_predict is not a method"),
        ("categories without a table", "splits by categories"),
        ("rows taken as binned", "does not check its rows itself"),
        ("a tree in what is none", "a column that does not exist"),
        ("LightGBM, a child elsewhere", "a child of a node is out of range"),
        ("LightGBM, a second text", "does not hold one text"),
        ("XGBoost, a child that is its parent", "reaches a node twice"),
        ("XGBoost, a list longer than the file", "it is cut"),
        ("CatBoost, offsets beyond the file", "it is cut"),
    ],
)
def test_what_skops_would_let_pass_is_refused_for_its_own_reason(
    ground: hostile.Range, name: str, says: str
) -> None:
    payload = next(candidate for candidate in hostile_payloads.ALL if candidate.name == name)
    assert says in hostile.loaded(ground.file(payload))


def test_the_tally_names_what_is_not_as_it_should_be(tmp_path: Path) -> None:
    sound = hostile.Found(name="a", kind="pickle", live=True, loader="no", release="no")
    assert sound.refused
    assert not hostile.Found(name="a", kind="pickle", live=True, release="no").refused
    assert not hostile.Found(name="a", kind="pickle", live=True, loader="no").refused
    assert hostile.Found(name="a", kind="folder", live=None, release="no").refused
