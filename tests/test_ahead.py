"""The head start: what was begun is taken over once, with its lines and its fault; nothing is begun later."""

import threading
from collections.abc import Callable

import pytest

from clearance.errors import ClearanceError
from flows.runner.early_start import EarlyStart

Hear = Callable[[str], None]


def test_what_was_done_ahead_is_taken_over_with_its_lines_and_its_answer() -> None:
    def bring(name: str, hear: Hear) -> bool:
        hear(f"working on {name}")
        return name == "ingest"

    waits = threading.Event()
    ahead = EarlyStart(["ingest", "train"], bring, waits)
    ahead._thread.join()
    assert waits.is_set()  # whoever waits for it to be at work must not wait for one that is done
    heard: list[str] = []
    assert ahead.take("ingest", heard.append) is True
    assert ahead.take("train", heard.append) is False
    assert heard == ["working on ingest", "working on train"]


def test_once_the_first_is_taken_over_no_other_is_begun() -> None:
    go, begun = threading.Event(), threading.Event()
    seen: list[str] = []

    def bring(name: str, hear: Hear) -> bool:
        seen.append(name)
        begun.set()
        assert go.wait(30)
        return True

    ahead = EarlyStart(["ingest", "prepare", "train"], bring, threading.Event())
    assert begun.wait(30)
    taker = threading.Thread(target=ahead.take, args=("ingest", print))
    taker.start()
    while not ahead._over:
        pass
    go.set()
    taker.join()
    ahead.close()
    assert seen == ["ingest"]
    assert ahead.take("prepare", print) is None


def test_a_fault_ends_the_head_start_and_is_raised_where_the_stage_is_taken_over_once() -> None:
    seen: list[str] = []

    def bring(name: str, hear: Hear) -> bool:
        seen.append(name)
        hear("it breaks")
        raise ClearanceError("no table", "bring one")

    waits = threading.Event()
    ahead = EarlyStart(["ingest", "train"], bring, waits)
    ahead._thread.join()
    assert waits.is_set()
    heard: list[str] = []
    with pytest.raises(ClearanceError, match="no table"):
        ahead.take("ingest", heard.append)
    assert (seen, heard) == (["ingest"], ["it breaks"])
    assert ahead.take("ingest", heard.append) is None  # the next try is the taker's own
