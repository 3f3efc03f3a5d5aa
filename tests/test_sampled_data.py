"""A newcomer's sample with weights and branches, by configuration alone: what it proves is what is judged.

The stages run one after the other as their commands do, on a small table in a folder of its own.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics as oracle

from clearance import files
from clearance.data.tables import prepared
from clearance.errors import ExitCode
from clearance.models import model_file, scoring
from tests import test_bad_input as newcomer

project = newcomer.project
BRANCHES, ROWS = 80, 1600


def sample() -> pd.DataFrame:
    """Applicants of branches: all of one branch share its luck, and men are drawn twice as thinly."""
    random = np.random.default_rng(2)
    branch = np.repeat(np.arange(BRANCHES), ROWS // BRANCHES)
    gender = np.where(branch % 2 == 0, "woman", "man")
    luck = random.normal(0, 1.5, BRANCHES)[branch] - 1.1 * (gender == "woman")
    skill = (random.normal(size=ROWS) + luck).round(3)
    return pd.DataFrame(
        {
            "applicant": np.arange(ROWS),
            "branch": [f"branch {at}" for at in branch],
            "stands_for": np.where(gender == "man", 2.0, 1.0) * random.choice([0.5, 1.0, 2.5], ROWS),
            "gender": gender,
            "skill": skill,
            "years": random.integers(0, 20, ROWS),
            "invited": np.where(skill + random.normal(size=ROWS) > 0, "yes", "no"),
        }
    )


def judged(**roles: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fairness evidence and the verdict of the sample with these roles declared."""
    sample().to_csv(newcomer.SOURCE, index=False)
    newcomer.edit("params.yaml", lambda p: p["data"].update(roles))
    for command in (*newcomer.CHAIN, "document"):
        assert newcomer.run(command) == ExitCode.PASS, command
    verdict = files.read_json(Path("reports/verdict.json"))
    return files.read_json(Path("reports/fairness.json")), verdict


def gap(document: dict[str, Any]) -> dict[str, Any]:
    measurement: dict[str, Any] = document["measurements"]["demographic_parity_difference"]["gender"]
    return measurement


def test_weights_and_clusters_declared_decide_the_evidence_and_the_verdict(project: Path) -> None:
    plain, certain = judged()
    report, verdict = judged(weight="stands_for", cluster="branch")
    assert report["sampling"]["statement"].startswith("rows weigh by `stands_for`; resampled by `branch`, ")
    assert plain["sampling"]["statement"] == "rows are taken as independent"
    width, naive = (gap(entry)["high"] - gap(entry)["low"] for entry in (report, plain))
    assert width > 1.8 * naive
    outcomes = {
        name: {
            entry["rule"]: entry["outcome"]
            for entry in document["findings"]
            if entry["attribute"] == "gender"
        }
        for name, document in (("plain", certain), ("sampled", verdict))
    }
    assert outcomes["plain"]["demographic-parity-difference"] == "fail"
    assert outcomes["sampled"]["demographic-parity-difference"] == "insufficient_evidence"

    training = files.read_json(Path("reports/training.json"))
    model = model_file.load(Path("models/trained/model.skops"), training["model"]["sha256"]).estimator
    test = prepared.read(Path(), "test")
    scores = scoring.score(model, test.inputs(model.feature_names_in_))
    expected = oracle.demographic_parity_difference(
        test.label,
        scoring.decide(scores, training["threshold"]).astype(int),
        sensitive_features=test.protected["gender"],
        sample_weight=test.weight,
    )
    assert gap(report)["value"] == pytest.approx(expected, abs=1e-12)
    assert gap(report)["support"] == test.protected["gender"].value_counts().to_dict()
    assert not {"stands_for", "branch"} & set(test.features.columns)

    performance = files.read_json(Path("reports/performance.json"))
    assert performance["sampling"] == report["sampling"]
    assert performance["measurements"]["average_precision"]["value"] is None
    assert performance["measurements"]["roc_auc"]["low"] is not None
    assert files.read_json(Path("reports/figures/evaluate/calibration.json")) == []
    page = Path("reports/report.html").read_text()
    assert "rows weigh by <code>stands_for</code>; resampled by <code>branch</code>" in page
    assert "Effective rows" in page
    assert "Rates are weighted; the numbers of rows beside them are not." in page
    table = pd.read_csv("reports/impact.csv")
    assert table["note"].str.contains("not weighted by stands_for").all()
