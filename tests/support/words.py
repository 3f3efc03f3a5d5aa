"""The record of messages: `tests/words/<test file>.txt` lists what people read in the tests of that file.

While a test runs, every message for people is noted: each `ClearanceError`, each reason why a decision does
not count or an approval is missing, each finding about a ledger. Where a record exists, every message must
be in it, word for word; numbers, ids, times and paths are recorded by their kind. A changed message fails
its tests until somebody has read it and recorded it: `pytest tests/test_x.py --record-words`, whole files.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from clearance.errors import ClearanceError
from clearance.ledger.verification_report import LedgerReport
from clearance.trust.approval_state import ApprovalState
from clearance.trust.recorded_decisions import UncountedDecision

RECORDS = Path(__file__).resolve().parents[1] / "words"
MESSAGES: dict[type, Callable[[Any], list[str]]] = {
    ClearanceError: lambda error: [str(error)],
    UncountedDecision: lambda decision: [decision.why],
    LedgerReport: lambda report: str(report).splitlines(),
    ApprovalState: lambda state: list(state.reasons),
}
"""The classes that carry messages for people, each with a function that lists an object's messages."""

VARIABLE_PARTS = (
    (re.compile(re.escape(tempfile.gettempdir()) + r"/[^\s'\"`:;,]*?(?=[\w.-]*([\s'\"`:;,)]|$))"), "TMP/"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8,}(?![0-9A-Za-z])"), lambda match: f"HEX{len(match[0])}"),
    (re.compile(r" \(\d+ in total\)"), ""),
    (re.compile(r"(?<![A-Za-z0-9])\d+"), "N"),
)


def normalized(message: str) -> str:
    """The message as it is recorded: parts that differ between runs by their kind, and no empty lines."""
    for pattern, kind in VARIABLE_PARTS:
        message = pattern.sub(kind, message)
    return re.sub(r"\n\s*\n", "\n", message.strip())


def read(path: Path) -> frozenset[str]:
    """The messages of a record."""
    return frozenset(path.read_text(encoding="utf-8").strip().split("\n\n"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-words", action="store_true", help="record the messages of these test files")


@pytest.fixture(scope="session")
def noted_messages() -> Iterator[list[str]]:
    """Every message for people from now on, in its recorded form."""
    messages: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for carrier, list_messages in MESSAGES.items():
            patch.setattr(carrier, "__init__", _noting(carrier.__init__, list_messages, messages))  # type: ignore[misc]
        yield messages


@pytest.fixture(scope="module")
def message_record(request: pytest.FixtureRequest) -> Iterator[frozenset[str] | set[str] | None]:
    """The messages in this test file's record; a set to fill while recording; None without a record."""
    path = RECORDS / f"{request.path.stem}.txt"
    if not request.config.getoption("record_words"):
        yield read(path) if path.exists() else None
        return
    messages: set[str] = set()
    yield messages
    path.write_text("\n\n".join(sorted(messages)) + "\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def _words(
    request: pytest.FixtureRequest,
    noted_messages: list[str],
    message_record: frozenset[str] | set[str] | None,
) -> Iterator[None]:
    noted_messages.clear()
    yield
    if message_record is None or hasattr(getattr(request, "function", None), "hypothesis"):
        return
    if isinstance(message_record, set):
        message_record.update(noted_messages)
    elif unknown := sorted({*noted_messages} - message_record):
        text = "\n\n".join(unknown)
        pytest.fail(f"not in the record of messages (see tests/support/words.py):\n\n{text}")


def _noting(
    init: Callable[..., None], list_messages: Callable[[Any], list[str]], messages: list[str]
) -> Callable[..., None]:
    """`init`, which afterwards adds the new object's messages to `heard`."""

    @wraps(init)
    def noting(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        messages.extend(map(normalized, list_messages(self)))

    return noting
