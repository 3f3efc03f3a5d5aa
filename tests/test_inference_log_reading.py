"""Many decisions read at once: in order, as they were recorded, and recorded as one read."""

import datetime as dt
from pathlib import Path

import pytest

from clearance.errors import ClearanceError
from clearance.inference_log import InferenceLog, RecordKind
from clearance.inference_log import reading as reading_
from tests.support import inferences
from tests.support.inferences import inference

HOUR = dt.timedelta(hours=1)
READER = {"reader": "monitor", "reason": "monitoring"}


def kinds(log: InferenceLog) -> dict[str, int]:
    return log.verify().by_kind


def test_decisions_come_in_order_and_one_read_is_recorded(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_, "PAGE", 4)
    with inferences.opened(address, tmp_path) as log:
        made = [inference(subject=f"person-{number % 3}", score=number / 10) for number in range(10)]
        for one in made:
            log.append(one)
        seen = list(log.decisions(after=0, **READER))
        assert [decision.inference for decision in seen] == made
        assert [decision.sequence for decision in seen] == list(range(1, 11))
        assert kinds(log) == {"inference": 10, "read": 1}
        assert [decision.id for decision in log.decisions(after=8, **READER)] == [made[8].id, made[9].id]
        assert kinds(log)["read"] == 2


def test_nothing_new_is_no_read(address: str, tmp_path: Path) -> None:
    with inferences.opened(address, tmp_path) as log:
        log.append(inference())
        (decision,) = log.decisions(after=0, **READER)
        assert list(log.decisions(after=decision.sequence, **READER)) == []
        assert kinds(log) == {"inference": 1, "read": 1}


def test_the_read_is_durable_before_the_first_decision_is_returned(address: str, tmp_path: Path) -> None:
    with inferences.opened(address, tmp_path) as log:
        log.append(inference(), inference())
        next(iter(log.decisions(after=0, **READER)))
        assert kinds(log)["read"] == 1


def test_what_was_erased_keeps_its_place_without_content(address: str, tmp_path: Path) -> None:
    with inferences.opened(address, tmp_path) as log:
        log.append(inference("one"))
        log.append(inference("two"))
        log.erase_subject("one", actor="otto", reason="asked for")
        first, second = log.decisions(after=0, **READER)
        assert first.inference is None and first.model == inferences.MODEL
        assert second.inference is not None and second.inference.subject == "two"
        assert log.find(subjects=["one"], **READER) == []
        assert [decision.inference for decision in log.find(ids=[first.id], **READER)] == [None]


def test_decisions_are_found_by_id_and_by_subject_once_each(address: str, tmp_path: Path) -> None:
    with inferences.opened(address, tmp_path) as log:
        one, two, three = (inference(name) for name in ("a", "b", "a"))
        log.append(one, two)
        log.append(three)
        found = log.find(ids=[one.id, two.id, "unknown"], subjects=["a", "nobody"], **READER)
        assert [decision.inference for decision in found] == [one, two, three]
        assert kinds(log)["read"] == 1


def test_decisions_are_read_by_the_time_at_which_the_log_took_them(address: str, tmp_path: Path) -> None:
    start = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    made = [inference(f"person-{number}") for number in range(6)]
    for number, one in enumerate(made):
        with inferences.opened(address, tmp_path, clock=lambda at=start + number * HOUR: at) as log:
            log.append(one)
    with inferences.opened(address, tmp_path) as log:
        taken = log.decisions_taken(start=start + HOUR, end=start + 4 * HOUR, **READER)
        assert [decision.inference for decision in taken] == made[1:4], "from the start, until before the end"
        assert list(log.decisions_taken(start=start - HOUR, end=start, **READER)) == []
        assert kinds(log) == {"inference": 6, "read": 1}
        drawn, each = log.sample_taken(start=start + HOUR, end=start + 4 * HOUR, most=9, seed=1, **READER)
        assert ([decision.inference for decision in drawn], each) == (made[1:4], 1.0)
        two, each = log.sample_taken(start=start, end=start + 5 * HOUR, most=2, seed=1, **READER)
        assert (len(two), each) == (2, 2.5) and two[0].sequence < two[1].sequence
        assert log.sample_taken(start=start - HOUR, end=start, most=2, seed=1, **READER) == ([], 1.0)
        assert kinds(log)["read"] == 3


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE clearance_inference_records SET at = '2026-01-01T00:00:00.000000Z' WHERE sequence = 2",
        "UPDATE clearance_inference_records SET header = sealed WHERE sequence = 2",
        "DELETE FROM clearance_inference_records WHERE sequence = 2",
        "UPDATE clearance_inference_records SET mac = header WHERE sequence = 2",
    ],
)
def test_a_record_that_was_changed_or_deleted_is_a_fault(address: str, tmp_path: Path, change: str) -> None:
    with inferences.opened(address, tmp_path) as log:
        log.append(*(inference(f"person-{number}") for number in range(4)))
    inferences.change(address, change)
    with inferences.opened(address, tmp_path) as log, pytest.raises(ClearanceError) as caught:
        list(log.decisions(after=0, **READER))
    assert caught.value.code == "inference_log.unreadable_record"


@pytest.mark.parametrize("who", [{"reader": "", "reason": "x"}, {"reader": "x", "reason": " "}])
def test_nobody_reads_without_a_name_and_a_reason(address: str, tmp_path: Path, who: dict[str, str]) -> None:
    with inferences.opened(address, tmp_path) as log, pytest.raises(ClearanceError) as caught:
        list(log.decisions(after=0, **who))
    assert caught.value.code == "inference_log.no_reason"
    assert RecordKind.READ == "read"
