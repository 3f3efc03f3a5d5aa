"""The artefacts of a version as a technical file reads them, made in memory: nothing is fetched or run."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from clearance import files
from clearance.documents.measurement import Measurement
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.technical_file_document import TechnicalFile
from clearance.reporting.claims.artefacts import Artefact
from clearance.reporting.technical_file import annex_iv, sources
from clearance.reporting.technical_file.sources import Subject
from tests.support import evidence

AT = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
POLICY_FILE = "policies/test.yaml"
SUBJECT = Subject(name="loans", version=2, at=AT, policy_file=POLICY_FILE)
DIGEST = "ab" * 32
KEY = "cd" * 32
FEATURES = ("amount", "ratio")
GROUPS = {
    "race": {"Black": evidence.group(30, 10, 10, 10), "White": evidence.group(150, 50, 50, 50)},
    "sex": {"female": evidence.group(90, 30, 30, 30), "male": evidence.group(90, 30, 30, 30)},
    "race & sex": {
        "(missing)": evidence.group(1, 0, 0, 0),
        "Black & female": evidence.group(2, 1, 1, 0),
        "White & male": evidence.group(177, 59, 59, 60),
    },
}
IMPACT_TABLE = {
    "excludable_below": 0.02,
    "kind": "legal",
    "source": "6 RCNY § 5-300 ff.; from explainers",
    "certainty": "secondary",
    "valid_from": "2023-07-05",
    "excluded": [
        {"attribute": "race & sex", "category": "Black & female", "justification": "four people"},
    ],
}
POLICY: dict[str, Any] = {
    "id": "p",
    "version": "7",
    "title": "A policy for tests",
    "promotion": {"approvals": {"none": {}, "high": {"validator": 1}}},
    "reasons": {"kind": "legal", "source": "12 CFR 1002.9(b)(2)", "certainty": "text"}
    | {"valid_from": "2026-01-01"},
    "impact_table": IMPACT_TABLE,
    "inference_log": {
        "retention": [
            {"id": "logs", "months": 6, "kind": "legal", "source": "Art. 19(1)", "certainty": "text"}
            | {"valid_from": "2024-08-01"}
        ],
    },
    "monitoring": {
        "looks": ["day"],
        "false_alarms": 0.05,
        "watched_by": ["operator"],
        "retraining": {"cool_down_days": 14, "most_a_year": 6},
        "rules": [{"id": "live", "kind": "engineering", "source": "the test", "valid_from": "2026-01-01"}],
        "deadlines": [
            {"id": "serious", "incidents": ["serious"], "role": "provider", "to": "the authority"}
            | {"days": 15, "kind": "legal", "source": "Art. 73(2)", "certainty": "text"}
            | {"valid_from": "2026-08-02"}
        ],
    },
    "rules": [
        {"id": "gap", "metric": "fairness.demographic_parity_difference", "attributes": ["race"]}
        | {"kind": "engineering", "source": "the test", "valid_from": "2026-01-01"},
        {"id": "stricter", "metric": "fairness.demographic_parity_difference", "attributes": ["race"]}
        | {"kind": "legal", "source": "a law to come", "certainty": "memory", "valid_from": "2027-06-01"},
        {"id": "older", "metric": "performance.roc_auc", "kind": "legal", "source": "a law that was"}
        | {"certainty": "secondary", "valid_from": "2020-01-01", "valid_until": "2026-04-17"},
        {"id": "ranks", "metric": "performance.roc_auc", "kind": "engineering", "source": "the test"}
        | {"valid_from": "2026-01-01"},
    ],
}
CARD_TEXT: dict[str, Any] = {
    "model": "loans",
    "intended_use": [{"text": "To practise.", "by": "A. Person", "on": "2026-11-01"}],
    "technical_file": {
        "provider": [{"text": "Ours, not on any market.", "by": "A. Person", "on": "2026-11-01"}],
    },
}
LEDGER: dict[str, Any] = {
    "model": "loans",
    "version": 2,
    "at": "2026-11-23 12:00:00 UTC",
    "until_entry": 9,
    "content": DIGEST,
    "reports": [
        {"path": "reports/fairness.json", "sha256": DIGEST, "entry": 5, "at": "2026-11-22 09:00:00 UTC"}
        | {"by": "tess", "keyid": KEY},
    ],
    "bar": {"statement": "bar set 2026-11-22 08:00:00 UTC (entry 4), result 2026-11-22 09:00:00 UTC"},
    "decisions": [
        {"entry": 7, "at": "2026-11-22 10:00:00 UTC", "by": "vera", "kind": "approval", "reason": "sound"},
    ],
    "signatures": [
        {"entry": 7, "at": "2026-11-22 10:00:00 UTC", "by": "vera", "kind": "approval", "keyid": KEY},
    ],
    "rebuilds": [{"entry": 8, "by": "rita", "conclusion": "identical", "environment": "fresh"}],
    "changes": [
        {"entry": 9, "at": "2026-11-22 11:00:00 UTC", "by": "pipeline", "kind": "promotion", "reason": "ok"}
        | {"tier": "high"},
    ],
    "incidents": [],
    "restrictions": [],
    "other_versions": [1],
    "followed": 1,
    "first_promotion": {"entry": 3, "at": "2026-10-01 09:00:00 UTC", "version": 1, "by": "pipeline"},
}
BUNDLE: dict[str, Any] = {
    "digest": DIGEST,
    "files": {"model.skops": DIGEST},
    "demo": True,
    "code": {"commit": "ef" * 20, "changed": [], "unkept": []},
    "overrides": {},
    "outs": {"reports/fairness.json": DIGEST},
    "deps": {"clearance/a.py": DIGEST},
    "environment": DIGEST,
    "python": "3.11",
    "installation": {"digest": DIGEST, "modules": 900, "isolated": True},
}
REASONS: dict[str, Any] = {
    "features": FEATURES,
    "policy": {"id": "p", "version": "7", "source": "12 CFR 1002.9(b)(2)", "method": "near_cutoff"}
    | {"band": 0.2, "minimum_rows": 30, "at_most": 4, "near_share": 0.9, "key_factors": False}
    | {"required": False},
    "texts": {"amount": "Amount of the loan", "ratio": "Obligations in relation to income"},
    "explainer": "linear",
    "space": "log-odds",
    "denials": 40,
    "methods_differ": 0.25,
}


def artefact(content: Any) -> Artefact:
    """The content as the artefact of a file that holds it."""
    plain = json.loads(json.dumps(content, default=str))
    return Artefact(content=plain, sha256=files.sha256_json(plain))


def findings() -> list[dict[str, Any]]:
    """What the two rules in force say."""
    gap = {"value": 0.15, "low": 0.05, "high": 0.27, "outcome": "insufficient_evidence"}
    return [
        evidence.finding(**gap, reason="the interval straddles the limit"),
        evidence.finding(rule="ranks", metric="performance.roc_auc", attribute=None, value=0.8, low=0.7)
        | {"high": 0.9, "limit": {"at_least": 0.6, "at_most": None}},
    ]


def verdict(**changes: Any) -> dict[str, Any]:
    """The verdict, as JSON has it."""
    report = evidence.policy_report(impact_table=IMPACT_TABLE, as_of="2026-11-22")
    made = evidence.verdict("insufficient_evidence", findings=findings(), policy=vars(report), **changes)
    return made.to_json()


def known(**changes: Any) -> dict[str, Artefact]:
    """Every artefact, by its name; `changes` replace the content of some, None takes one away."""
    difference = Measurement(value=0.15, low=0.05, high=0.27, confidence=0.95)
    counts = {"expectations": Measurement(value=5), "blocking_failures": Measurement(value=0)}
    counts["warnings"] = Measurement(value=1)
    auc = Measurement(value=0.8, low=0.7, high=0.9, confidence=0.95)
    cells = {"true_positive": 180, "false_positive": 60, "false_negative": 60, "true_negative": 60}
    contents: dict[str, Any] = {
        sources.ORIGIN: evidence.origin(source={"kind": "file"}, columns=("id", *FEATURES)).to_json(),
        sources.SPLIT: evidence.split(features=FEATURES, protected=("race", "sex")).to_json(),
        sources.TRAINING: evidence.training(
            inputs=[{"name": name, "type": "double"} for name in FEATURES],
            libraries={"numpy": "2.3.5"},
            split_use={"train": "fits", "tune": "chooses", "test": "none"},
        ).to_json(),
        sources.PERFORMANCE: evidence.performance({"roc_auc": auc}, rows=360, confusion=cells).to_json(),
        sources.FAIRNESS: evidence.fairness(
            {"demographic_parity_difference": {"race": difference}}, groups=with_intervals(GROUPS), rows=360
        ).to_json(),
        sources.EXPLANATION: evidence.explanation(
            {"rows": Measurement(value=300)},
            importance=[{"feature": "amount", "mean_abs": 0.4}, {"feature": "ratio", "mean_abs": 0.1}],
            explainer="shap.LinearExplainer",
            space="log-odds",
            against="the mean of 100 train rows",
        ).to_json(),
        sources.REASONS: ReasonsDocument.create(model_sha256=DIGEST, threshold=0.5, **REASONS).to_json(),
        sources.RAW: evidence.raw_validation(counts).to_json(),
        sources.PREPARED: evidence.prepared_validation(counts).to_json(),
        sources.VERDICT: verdict(),
        sources.PARAMS: {"data": {"target": "approve", "favourable": 1}, "source": {"select": "SELECT 1"}},
        POLICY_FILE: POLICY,
        sources.CARD_TEXT: CARD_TEXT,
        sources.PRESENT_CARD_TEXT: CARD_TEXT,
        sources.LEDGER: LEDGER,
        sources.COUNTS: {"test_rows_judged": 2},
        sources.BUNDLE: BUNDLE,
    }
    contents |= changes
    return {name: artefact(content) for name, content in contents.items() if content is not None}


def with_intervals(groups: dict[str, Any]) -> dict[str, Any]:
    """The groups, each with an interval for every rate that it has."""
    rates = ("selection_rate", "true_positive_rate", "false_positive_rate")
    return {
        attribute: {
            name: group
            | {"intervals": {rate: group[rate] and [group[rate] * 0.9, group[rate]] for rate in rates}}
            for name, group in listed.items()
        }
        for attribute, listed in groups.items()
    }


def document(**changes: Any) -> TechnicalFile:
    """The technical file of these artefacts."""
    return annex_iv.make(known(**changes), SUBJECT)
