"""The gates keep what the study declares: a slice of it here, and the guide against the whole record."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assurance import clean_tables, corruption, planted_faults

ROOT = Path(__file__).parent.parent
ROWS = 450
PROMISED = [fault for fault in planted_faults.ALL if "beyond" not in fault.declared]
SLICE = [(fault, place % 5) for place, fault in enumerate(PROMISED)][::2]
RECORD: dict[str, Any] = json.loads(corruption.RECORD.read_text())


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize(("fault", "at"), SLICE, ids=[fault.name for fault, _ in SLICE])
def test_a_fault_is_reported_as_declared(fault: planted_faults.Fault, at: int, scratch: Path) -> None:
    rows = None if fault.kind == "leakage" else ROWS  # how well a feature tells is a matter of rows
    (run,) = corruption.runs([7], scratch, [planted_faults.ALL.index(fault)], [at], rows)
    assert run.report.severity == run.declared, f"{run}: {run.report.detail}"


@pytest.mark.parametrize("seed", [7, 8])
def test_a_clean_table_raises_no_alarm_and_is_the_same_again(seed: int, scratch: Path) -> None:
    case = clean_tables.case(seed, ROWS)
    assert case.table().equals(clean_tables.case(seed, ROWS).table())
    assert corruption.examine(case, scratch) == corruption.Report("silent")


def test_every_fault_is_declared_at_five_strengths_and_what_is_beyond_says_why() -> None:
    assert len({fault.name for fault in planted_faults.ALL}) == len(planted_faults.ALL)
    for fault in planted_faults.ALL:
        assert len(fault.strengths) == len(fault.declared) == 5, fault.name
        assert set(fault.declared) <= {"block", "warn", "beyond", "silent"}, fault.name
        assert ("beyond" in fault.declared) == bool(fault.why), fault.name
        assert ("silent" in fault.declared) == (fault.kind == "harmless"), fault.name


def test_the_tally_counts_silence_and_other_severities_apart() -> None:
    fading = next(
        fault for fault in planted_faults.ALL if fault.declared == ("block", "block", "block", "warn", "warn")
    )
    reports = [corruption.Report(report) for report in ("block", "warn", "silent", "block", "silent")]
    runs = [corruption.Run(fading, at, 0, report) for at, report in enumerate(reports)]
    row = corruption.tally(runs)[fading.kind]
    assert row == {"kinds": 1, "runs": 5, "declared": 1, "other": 2, "silent": 2}


def test_the_record_is_of_todays_faults_and_keeps_the_promises() -> None:
    assert RECORD["kinds"] == corruption.kinds()
    assert len([kind for kind in RECORD["kinds"].values() if "block" in kind["declared"]]) >= 40
    assert RECORD["seeds"] == list(corruption.SEEDS)
    assert RECORD["clean"]["tables"] >= 500
    for record in (RECORD, RECORD["fresh"]):
        assert sum(record["classes"][name]["silent"] for name in corruption.CERTAIN) == 0
        assert record["classes"]["rest"]["declared"] >= 0.95 * record["classes"]["rest"]["runs"]
        assert len(record["clean"]["alarms"]) <= 0.01 * record["clean"]["tables"]


def test_the_guide_prints_the_record() -> None:
    text = (ROOT / "docs/data.md").read_text()
    assert corruption.markdown(RECORD) in text
    for name, kind in RECORD["kinds"].items():
        if "why" in kind:
            assert f"| {name} | {kind['why']} |" in text, name
