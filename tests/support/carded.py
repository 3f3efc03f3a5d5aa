"""A small judged project with all its documents: its evidence is made up, and the real judge judges it."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import numpy as np

from clearance import files, params, paths, yaml
from clearance.documents.card_document import CardDocument
from clearance.documents.evidence_document import BlockedDocument
from tasks import card as card_stage
from tasks import document as document_stage
from tests.support import evidence, reported

LOCK = "\n".join(
    [
        "alpha==1.0 ; python_full_version < '3.12' \\",
        f"    --hash=sha256:{'a' * 64} \\",
        f"    --hash=sha256:{'b' * 64}",
        "beta[extra]==2.0.1",
    ]
)
SENTENCE = {"text": "For practice alone.", "by": "A. Person", "on": "2026-11-01"}
SECTIONS = ("intended_use", "out_of_scope", "limits", "mitigation", "ethical_considerations", "contacts")
STATED: dict[str, Any] = {"model": "loans"} | {name: [SENTENCE] for name in SECTIONS}
TERMS: dict[str, Any] = {
    "required": ["intended_use", "data", "fairness", "limits"],
    "valid_days": 365,
    "kind": "engineering",
    "source": "the test",
    "valid_from": "2026-01-01",
}
"""What a policy may require of a card."""


def documents(**options: Any) -> dict[str, dict[str, Any]]:
    """Evidence by name, with an interval for the rate of each group and reasons for denials."""
    records = copy.deepcopy(reported.documents(**options))
    for group in records["fairness"]["groups"]["race"].values():
        rate = group["selection_rate"]
        bounds = None if rate is None else [max(0.0, rate - 0.1), min(1.0, rate + 0.1)]
        group["intervals"] = {"selection_rate": bounds}
    records["split"]["features"], records["split"]["protected"] = ["income", "debt"], ["race"]
    records["explanation"]["against"] = "the mean of 30 train rows"
    records["reasons"] = {
        "model_sha256": reported.MODEL_SHA256,
        "threshold": 0.5,
        "explainer": "linear",
        "denials": 17,
        "schema_version": 1,
        "status": "measured",
        "because": None,
        "measurements": {},
    }
    return records


def write(root: Path, records: dict[str, dict[str, Any]] | None = None, **options: Any) -> Path:
    """A project at `root` with this evidence and all documents over it; `stated` is its card.yaml."""
    stated = options.pop("stated", STATED)
    reported.write(root, documents() if records is None else records, **options)
    files.write_text(root / paths.REQUIREMENTS_LOCK, LOCK + "\n")
    files.write_text(root / paths.CARD_TEXT, stated if isinstance(stated, str) else yaml.dumps(stated))
    make(root)
    return root


def make(root: Path) -> CardDocument:
    """Make the documents below `root` again, by the stages themselves."""
    with contextlib.chdir(root):
        card_stage.main()
        document_stage.main()
    return CardDocument.read(root)


def drawn(random: np.random.Generator, groups: int = 3) -> dict[str, dict[str, Any]]:
    """Evidence with other numbers: every measured value, interval, count and rate is drawn."""
    low, high = sorted(random.uniform(0, 0.6, 2))
    records = documents(gap=(float((low + high) / 2), float(low), float(high)))
    for name in ("roc_auc", "brier"):
        low, value, high = sorted(float(number) for number in random.uniform(0, 1, 3))
        records["performance"]["measurements"][name] |= {"low": low, "value": value, "high": high}
    listed = {}
    for number, counts in enumerate(random.integers(0, 400, (groups, 4))):
        made = evidence.group(*map(int, counts))
        rate = made["selection_rate"]
        bounds = None if rate is None else [rate * 0.9, min(1.0, rate * 1.1)]
        listed[f"group {number}"] = made | {"intervals": {"selection_rate": bounds}}
    records["fairness"]["groups"]["race"] = listed
    for feature in records["explanation"]["importance"]:
        feature["mean_abs"] = float(random.exponential())
    records["reasons"]["denials"] = int(random.integers(0, 100_000))
    return records


def blocked() -> dict[str, dict[str, Any]]:
    """Evidence of a run that a validation blocked before there was a model."""
    records = reported.blocked()
    because = records["training"]["because"]
    return records | {"reasons": BlockedDocument(because=because).to_json()}


def settings(root: Path) -> params.Params:
    """The parameters of the project."""
    return params.load(root / paths.PARAMS)
