"""Several checkouts share a ledger and its checkpoint files; a place counts once, whatever it is called."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from clearance import ledger
from clearance.errors import ClearanceError, ConfigurationError, IntegrityError
from clearance.ledger import EntryKind
from clearance.promotion import session
from tests.support import ledger_samples as samples

OWN = ".clearance/ledger.checkpoints"


@pytest.fixture
def checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two checkouts of one project, on one ledger and one shared checkpoint file."""
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "policies").mkdir(parents=True)
    shutil.copy("policies/roles.yaml", one / "policies/roles.yaml")
    with session.open_session(one):
        pass
    (one / ".clearance/ledger.db").unlink()
    (one / OWN).unlink()
    shutil.copytree(one, two)
    monkeypatch.setenv("CLEARANCE_LEDGER", f"sqlite:///{tmp_path}/shared.db")
    monkeypatch.setenv("CLEARANCE_CHECKPOINTS", f"{tmp_path}/shared.checkpoints")
    return one, two


def tell(root: Path, reason: str = "so") -> None:
    with session.open_session(root, "ada") as office:
        office.ensure_sound()
        office.record(office.draft(EntryKind.REFUSAL, "loans", reason=reason))


def signed(file: Path) -> list[str]:
    """The checkpoints of a file, without the unsigned confirmations."""
    return [line for line in file.read_text().splitlines() if not line.startswith('{"confirmed"')]


def test_two_checkouts_write_to_one_ledger(checkouts: tuple[Path, Path]) -> None:
    one, two = checkouts
    for root in (one, one, two, one, two, two, one):
        tell(root)
    for root in checkouts:
        with session.open_read_only(root) as reader:
            report = reader.audit()
            assert (report.ok, report.entries, report.places) == (True, 8, 2)
    assert signed(one / OWN) == signed(one.parent / "shared.checkpoints")


def test_what_a_checkout_saw_is_not_taken_from_the_shared_file(checkouts: tuple[Path, Path]) -> None:
    one, two = checkouts
    tell(one)
    database, shared = one.parent / "shared.db", one.parent / "shared.checkpoints"
    before = database.read_bytes(), shared.read_bytes()
    tell(one)
    tell(one)
    database.with_name("shared.db-wal").unlink(missing_ok=True)
    database.write_bytes(before[0])
    shared.write_bytes(before[1])
    with session.open_read_only(two) as reader:
        assert reader.audit().ok  # it has seen no more: this cannot be told here
    with session.open_read_only(one) as reader:
        assert not reader.audit().ok
    with pytest.raises(IntegrityError) as error:
        tell(one)
    assert error.value.code == "promotion.ledger_unsound"


@pytest.mark.parametrize("kind", ["symlink", "hard link", "folder", "both names listed"])
def test_one_file_under_two_names_is_one_place(tmp_path: Path, kind: str) -> None:
    first, second = tmp_path / "one/a.checkpoints", tmp_path / "b.checkpoints"
    first.parent.mkdir()
    first.touch()
    if kind == "symlink":
        second.symlink_to(first)
    elif kind == "hard link":
        os.link(first, second)
    elif kind == "folder":
        (tmp_path / "two").symlink_to(first.parent)
        second = tmp_path / "two/a.checkpoints"
    else:
        second = tmp_path / "one/../one/a.checkpoints"
    signer = samples.signer()
    with ledger.open(samples.sqlite(tmp_path), seal=signer.seal(first, second), patience=60) as book:
        with pytest.raises(ConfigurationError) as error:
            ledger.append(book, [samples.draft(1)])
        assert error.value.code == "ledger.same_checkpoint_file"
        with pytest.raises(ClearanceError) as error:
            ledger.verify(book, [first, second], signer.verify_envelope)
        assert error.value.code == "ledger.same_checkpoint_file"
        assert list(ledger.entries(book)) == []
