"""What a server does while something is away, locked, changed or lying: never an answer without its record.

Each fault is planted in what a real server works with. It must end unaided: the next request after it is
answered within seconds.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from clearance.serving import served_model
from clearance.serving.champion import Champion
from tests.support import governed, judged, serving
from tests.support.governed import Place
from tests.support.serving import ROW, Running

pytestmark = pytest.mark.slow

PATIENCE = 30.0


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch).put("champion")


@pytest.fixture
def served(tmp_path: Path, place: Place) -> Iterator[Running]:
    champion = Champion(place.root)
    champion.start()
    load = partial(served_model.load_version, place.root)
    with serving.running(tmp_path, champion, load=load, patience=0.5) as running:
        yield running


def recovers(served: Running) -> None:
    """The server answers again, without help, within the promised time."""
    end = time.monotonic() + PATIENCE
    while served.predict(ROW).status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


def on_record(served: Running) -> int:
    return served.log.verify().records


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Somebody else holds the database for writing."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")


@contextlib.contextmanager
def moved(path: Path) -> Iterator[None]:
    """The file is not where it was."""
    away = path.with_name(f"{path.name}.away")
    path.rename(away)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        away.rename(path)


@contextlib.contextmanager
def truncated(path: Path) -> Iterator[None]:
    """The file ends in the middle."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    try:
        yield
    finally:
        path.write_bytes(content)


LOG_FAULTS: dict[str, Callable[[Path], contextlib.AbstractContextManager[None]]] = {
    "locked by another writer": lambda folder: locked(folder / "inference.db"),
}


@pytest.mark.parametrize("fault", LOG_FAULTS)
def test_no_answer_leaves_while_its_record_cannot_be_kept(
    served: Running, tmp_path: Path, fault: str
) -> None:
    assert served.predict(ROW).status_code == 200
    before = on_record(served)
    with LOG_FAULTS[fault](tmp_path):
        refused = served.predict(ROW)
        assert refused.status_code == 503
        assert "decisions" not in refused.json()
    recovers(served)
    answered = on_record(served) - before
    assert answered >= 1


WORLD_FAULTS: dict[str, Callable[[Place], contextlib.AbstractContextManager[None]]] = {
    "registry locked": lambda place: locked(place.root / "mlflow.db"),
    "registry gone": lambda place: moved(place.root / "mlflow.db"),
    "ledger locked": lambda place: locked(place.root / ".clearance/ledger.db"),
    "ledger gone": lambda place: moved(place.root / ".clearance/ledger.db"),
    "model truncated": lambda place: truncated(place.model_folder(1) / "model.skops"),
    "evidence gone": lambda place: moved(place.bundle_file(1)),
    "roles gone": lambda place: moved(place.root / "policies/roles.yaml"),
    "parameters gone": lambda place: moved(place.root / "params.yaml"),
}


@pytest.mark.parametrize("fault", WORLD_FAULTS)
def test_the_champion_that_was_verified_goes_on_while_nothing_newer_can_be_read(
    served: Running, place: Place, fault: str
) -> None:
    with WORLD_FAULTS[fault](place):
        served.champion.refresh()
        assert served.predict(ROW).status_code == 200
        assert served.champion.deciding().version == 1
    served.champion.refresh()
    assert served.champion.status().fault is None
    recovers(served)


def test_a_newer_champion_whose_model_is_damaged_is_not_taken_until_it_is_whole(
    served: Running, place: Place
) -> None:
    place.put("successor")
    with truncated(place.model_folder(2) / "model.skops"):
        assert served.champion.refresh() is False
        status = served.champion.status()
        assert status.fault is not None and status.fault.code == "serving.champion_unsound"
        assert served.predict(ROW).json()["decisions"][0]["version"] == 1
    assert served.champion.refresh() is True
    assert served.predict(ROW).json()["decisions"][0]["version"] == 2


def test_a_forged_alias_changes_nothing(served: Running, place: Place) -> None:
    place.put("second")
    place.move_alias(2)
    served.champion.refresh()
    assert served.predict(ROW).json()["decisions"][0]["version"] == 1
    assert served.champion.status().fault is not None


def test_requests_that_wait_for_the_log_are_answered_or_refused_and_each_answer_is_on_record(
    served: Running, tmp_path: Path
) -> None:
    """Many at once while the log is locked for a moment: what is answered is on record, once."""
    statuses: list[tuple[int, str]] = []

    def ask() -> None:
        answer = served.predict(ROW)
        content = answer.json()
        statuses.append((answer.status_code, content["decisions"][0]["id"] if "decisions" in content else ""))

    clients = [threading.Thread(target=ask) for _ in range(8)]
    with locked(tmp_path / "inference.db"):
        for client in clients:
            client.start()
        time.sleep(0.2)
    for client in clients:
        client.join(PATIENCE)
    assert {status for status, _ in statuses} <= {200, 503}
    answered = [id_ for status, id_ in statuses if status == 200]
    for id_ in answered:
        assert served.log.read(id_, reader="the test", reason="is it there").record.id == id_
    assert served.log.verify().ok


def test_a_swapped_model_under_the_same_version_is_found(served: Running, place: Place) -> None:
    (place.model_folder(1) / "model.skops").write_bytes(judged.trained(9))
    fresh = Champion(place.root)
    with pytest.raises(Exception, match="does not verify"):
        fresh.start()
