"""The study of estimates: its record meets the bars and is what the guide shows; a small part of it runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from assurance import docs_tables, monitoring_estimates


def test_the_guide_shows_the_record_and_every_bar_is_met() -> None:
    record = json.loads(monitoring_estimates.RECORD.read_text())
    text = monitoring_estimates.GUIDE.read_text()
    assert docs_tables.placed(text, "estimates", monitoring_estimates.render(record)) == text
    assert monitoring_estimates.below(record) == []
    assert record["rounds"] >= monitoring_estimates.ROUNDS
    assert all(row["nannyml_error"] is not None for row in record["estimates"])


def test_a_bar_that_is_missed_is_named() -> None:
    record = json.loads(monitoring_estimates.RECORD.read_text())
    record["estimates"][0]["mean_error"] = 0.021
    record["calibration_checks"][0]["share_ended"] = 0.2
    assert len(monitoring_estimates.below(record)) == 2


def test_a_round_of_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CLEARANCE_NANNYML_PYTHON", raising=False)
    monkeypatch.setattr(monitoring_estimates, "CALIBRATING", (1_400,))
    name, model = next(iter(monitoring_estimates.MODELS.items()))
    monkeypatch.setattr(monitoring_estimates, "MODELS", {name: model})
    random = np.random.default_rng(1)
    rows = monitoring_estimates._estimates(random, 1, tmp_path)
    assert {row["shift"] for row in rows} == set(monitoring_estimates.SHIFTS)
    assert max(row["mean_error"] for row in rows) < 0.06
    assert {row["nannyml_error"] for row in rows} == {None}
    power = {
        (row["rows"], row["metric"], row["limit"]): row for row in monitoring_estimates._power(random, 3)
    }
    assert power[300, "parity", 0.1]["power"] <= power[10_000, "parity", 0.05]["plain_power"] == 1
