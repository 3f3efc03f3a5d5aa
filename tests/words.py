"""What people read when something is refused, held against a record: `tests/words/<test file>.txt`.

Whatever a test of a recorded file has the product say must be in that file's record, word for word; numbers,
ids, times and paths are told by their kind. A message that changes turns its tests red until somebody has
read the new one and records it: `pytest tests/test_x.py --record-words`, whole files only.
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
from clearance.ledger.report import LedgerReport
from clearance.trust.approval_state import ApprovalState
from clearance.trust.recorded_decisions import UncountedDecision

RECORDS = Path(__file__).with_name("words")
SPEAKERS: dict[type, Callable[[Any], list[str]]] = {
    ClearanceError: lambda error: [str(error)],
    UncountedDecision: lambda refused: [refused.why],
    LedgerReport: lambda report: str(report).splitlines(),
    ApprovalState: lambda standing: list(standing.reasons),
}
"""What has words for people, and how it is asked for them."""

PASSING = (
    (re.compile(re.escape(tempfile.gettempdir()) + r"/[^\s'\"`:;,]*?(?=[\w.-]*([\s'\"`:;,)]|$))"), "TMP/"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "TIME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "UUID"),
    (re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{8,}(?![0-9A-Za-z])"), lambda found: f"HEX{len(found[0])}"),
    (re.compile(r" \(\d+ in total\)"), ""),
    (re.compile(r"(?<![A-Za-z0-9])\d+"), "N"),
)


def told(message: str) -> str:
    """The message as it is recorded: what differs between two runs by its kind, and no empty line in it."""
    for pattern, kind in PASSING:
        message = pattern.sub(kind, message)
    return re.sub(r"\n\s*\n", "\n", message.strip())


def read(record: Path) -> frozenset[str]:
    """The messages of a record."""
    return frozenset(record.read_text(encoding="utf-8").strip().split("\n\n"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-words", action="store_true", help="write what people read in these test files")


@pytest.fixture(scope="session")
def spoken() -> Iterator[list[str]]:
    """Everything that is said for people from now on, as it is recorded."""
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        for speaker, ask in SPEAKERS.items():
            patch.setattr(speaker, "__init__", _heard(speaker.__init__, ask, said))  # type: ignore[misc]
        yield said


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest) -> Iterator[frozenset[str] | set[str] | None]:
    """The messages of this test file's record; a set to fill while recording; None without a record."""
    record = RECORDS / f"{request.path.stem}.txt"
    if not request.config.getoption("record_words"):
        yield read(record) if record.exists() else None
        return
    said: set[str] = set()
    yield said
    record.write_text("\n\n".join(sorted(said)) + "\n", encoding="utf-8")


@pytest.fixture(autouse=True)
def _words(
    request: pytest.FixtureRequest, spoken: list[str], recorded: frozenset[str] | set[str] | None
) -> Iterator[None]:
    spoken.clear()
    yield
    if recorded is None or hasattr(getattr(request, "function", None), "hypothesis"):
        return
    said = set(spoken)
    if isinstance(recorded, set):
        recorded |= said
    elif new := sorted(said - recorded):
        pytest.fail("not in the record of what people read (see tests/words.py):\n\n" + "\n\n".join(new))


def _heard(
    init: Callable[..., None], ask: Callable[[Any], list[str]], said: list[str]
) -> Callable[..., None]:
    @wraps(init)
    def heard(self: Any, *args: Any, **named: Any) -> None:
        init(self, *args, **named)
        said.extend(map(told, ask(self)))

    return heard
