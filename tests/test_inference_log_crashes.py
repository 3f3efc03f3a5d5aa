"""Writers that are killed lose nothing that they answered, and record nothing twice."""

from __future__ import annotations

from pathlib import Path

from assurance import inference_log_crashes
from tests.support.nightly import NIGHTLY

KILLS, RECORDS = (200, 50_000) if NIGHTLY else (8, 1_000)


def test_killed_writers_keep_their_word(address: str, tmp_path: Path) -> None:
    outcome = inference_log_crashes.run(address, tmp_path, kills=KILLS, records=RECORDS)
    assert outcome.faults == ()
    assert (outcome.kills, outcome.acknowledged) == (KILLS, RECORDS)


def test_the_study_notices_a_receipt_that_is_not_kept(address: str, tmp_path: Path) -> None:
    inference_log_crashes.run(address, tmp_path, kills=0, records=4)
    with (tmp_path / "receipts-0").open("a") as file:
        file.write(f"9 {'0' * 8} 1 {'0' * 64}\n")
    receipts = {receipt[1]: receipt for receipt in inference_log_crashes.receipts(tmp_path, 0)}
    assert inference_log_crashes._faults(address, tmp_path, receipts)[1]
