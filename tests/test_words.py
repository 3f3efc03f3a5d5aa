"""The record of what people read: none of it is lost unseen, and what passes is told by its kind."""

import tempfile

import pytest

from tests.support import words

RECORDED = {
    *(
        "accounts",
        "approvals",
        "authorisation",
        "bundle",
        "envelope",
        "keys",
        "model_file",
        "params",
        "policy",
    ),
    *("ledger", "ledger_faults", "ledger_history", "ledger_tampering", "ledger_checkpoint_reader"),
    *("roles", "trust"),
}
"""Test files with a record of messages: without the record nothing would compare them."""


def test_every_record_is_there_and_says_something() -> None:
    records = {record.stem: words.read(record) for record in words.RECORDS.glob("*.txt")}
    assert set(records) == {f"test_{name}" for name in RECORDED}
    for name, messages in records.items():
        assert all(messages), name
        assert (words.RECORDS.parent / f"{name}.py").exists()


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("entry 12 of 3.5 s (4 in total)", "entry N of N.N s"),
        (f"key 0a1b2c3d4e5f… of {tempfile.gettempdir()}/a/b.pem: no", "key HEX12… of TMP/b.pem: no"),
        ("on 2026-11-26 at 2026-11-26T10:00:00Z", "on DAY at TIME"),
        ("the fault\n\n  hint: it ", "the fault\n  hint: it"),
    ],
)
def test_what_differs_between_two_runs_is_told_by_its_kind(message: str, told: str) -> None:
    assert words.normalized(message) == told
