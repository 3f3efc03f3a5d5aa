"""The early start: a stage is taken over once, with its lines and its error; then no other is started."""

import threading

import pytest

from clearance.errors import ClearanceError
from flows.runner.child_processes import OnLine
from flows.runner.early_start import EarlyStart


def test_what_was_done_early_is_taken_over_with_its_lines_and_its_answer() -> None:
    def bring(name: str, on_line: OnLine) -> bool:
        on_line(f"working on {name}")
        return name == "ingest"

    idle = threading.Event()
    early = EarlyStart(["ingest", "train"], bring, idle)
    early._thread.join()
    assert idle.is_set()  # whoever idle for it to be at work must not wait for one that is done
    lines: list[str] = []
    assert early.take_over("ingest", lines.append) is True
    assert early.take_over("train", lines.append) is False
    assert lines == ["working on ingest", "working on train"]


def test_once_the_first_is_taken_over_no_other_is_begun() -> None:
    go, launch = threading.Event(), threading.Event()
    stages: list[str] = []

    def bring(name: str, on_line: OnLine) -> bool:
        stages.append(name)
        launch.set()
        assert go.wait(30)
        return True

    early = EarlyStart(["ingest", "prepare", "train"], bring, threading.Event())
    assert launch.wait(30)
    taker = threading.Thread(target=early.take_over, args=("ingest", print))
    taker.start()
    while not early._over:
        pass
    go.set()
    taker.join()
    early.close()
    assert stages == ["ingest"]
    assert early.take_over("prepare", print) is None


def test_a_fault_ends_the_head_start_and_is_raised_where_the_stage_is_taken_over_once() -> None:
    stages: list[str] = []

    def bring(name: str, on_line: OnLine) -> bool:
        stages.append(name)
        on_line("it breaks")
        raise ClearanceError("no table", "bring one")

    idle = threading.Event()
    early = EarlyStart(["ingest", "train"], bring, idle)
    early._thread.join()
    assert idle.is_set()
    lines: list[str] = []
    with pytest.raises(ClearanceError, match="no table"):
        early.take_over("ingest", lines.append)
    assert (stages, lines) == (["ingest"], ["it breaks"])
    assert early.take_over("ingest", lines.append) is None  # the next try is the taker's own
