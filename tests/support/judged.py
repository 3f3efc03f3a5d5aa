"""Small projects that were judged already: a model, its evidence, a verdict, and DVC's own lock over them."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib.metadata
import json
import logging
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from clearance import environment, files, params, paths
from clearance.documents.baseline_document import BaselineDocument
from clearance.documents.measurement import Measurement
from clearance.documents.reasons_document import ReasonsDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.models import model_file
from clearance.policy import project_verdict
from clearance.versioning import dvc_lock, executions
from tests.support import evidence

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
ROLES = LOCK.with_name("policies") / "roles.yaml"
IGNORE = LOCK.with_name(".dvcignore")
THRESHOLD = 0.45
VENDOR = "Acme Scoring, letter of 2026-03-01"
FEATURES = {"amount": "number", "purpose": "category", "ratio": "number"}
GAPS = {"pass": (0.04, 0.01, 0.08), "fail": (0.3, 0.2, 0.4), "insufficient_evidence": (0.1, 0.01, 0.3)}
"""Demographic parity differences that give these verdicts under `POLICY`."""

PARAMS: dict[str, Any] = {
    "name": "loan-approval",
    "experiment": "governance-demo",
    "seed": 1,
    "source": {"kind": "file", "path": "data/source"},
    "data": {"row_key": "id", "target": "approve", "favourable": 1, "protected": ["race"]},
    "split": {"train": 0.5, "tune": 0.2, "test": 0.3},
    "train": {"estimator": "logistic_regression", "arguments": {"C": 0.1}},
    "policy": {"file": "policies/test.yaml", "as_of": "2026-11-22"},
    "overrides": {},
}
PARAMS["data"]["features"] = list(FEATURES)
FULL = {"attributes": ["race"], "decides_by": "interval", "severity": "block", "kind": "engineering"}
PROMOTION: dict[str, Any] = {
    "approvals": {"none": {}},
    "uncommitted": True,
    "authors_listed": False,
    "contract_pinned": False,
}
POLICY: dict[str, Any] = {
    "id": "test",
    "version": "3",
    "title": "A policy for tests",
    "attributes": ["race"],
    "favourable": {"target": "approve", "value": 1},
    "demo": True,
    "promotion": PROMOTION,
    "rules": [
        {"id": "sound", "metric": "validation_raw.blocking_failures", "limit": {"at_most": 0}}
        | {"source": "the test", "valid_from": "2026-01-01", "decides_by": "point"}
        | {"severity": "block", "kind": "engineering"},
        {"id": "gap", "metric": "fairness.demographic_parity_difference", "limit": {"at_most": 0.1}}
        | {"source": "the test", "valid_from": "2026-01-01"}
        | FULL,
        {"id": "stricter", "metric": "fairness.demographic_parity_difference", "limit": {"at_most": 0.001}}
        | {"source": "the test", "valid_from": "2027-06-01"}
        | FULL,
    ],
}
"""Since June 2027 nothing that measures a gap passes it."""

GRAPH: dict[str, Any] = {
    "prepare": {
        "deps": ["${source.path}", "requirements.lock"],
        "params": ["source", "data"],
        "outs": [
            *("data/origin.json", "data/prepared", "reports/split.json"),
            *("reports/validation_raw.json", "reports/validation_prepared.json"),
        ],
    },
    "train": {
        "deps": ["data/prepared", "reports/split.json"],
        "params": ["seed", "train"],
        "outs": ["models/trained", "reports/training.json"],
    },
    "score": {
        "deps": ["models/trained", "data/prepared"],
        "outs": ["data/scored", "reports/scores.json"],
    },
    "evaluate": {
        "deps": ["models/trained", "data/scored", "data/prepared"],
        "metrics": ["reports/performance.json", "reports/fairness.json"],
        "outs": ["reports/explanation.json", "reports/figures"],
    },
    "judge": {
        "deps": ["${policy.file}", "models/trained", "data/origin.json", "reports/fairness.json"],
        "params": ["name", "data", "policy", "overrides"],
        "outs": ["reports/verdict.json"],
    },
}


_KEPT = ("MLFLOW_TRACKING_URI", "DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
_FOREIGN = ("CI", "CLEARANCE_EPHEMERAL", "MLFLOW_RUN_ID", "MLFLOW_REGISTRY_URI", "MLFLOW_EXPERIMENT_ID")


def settle(root: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Path:
    """A judged project at `root` (`build`); the working folder from now on."""
    shutil.copytree(_template(json.dumps(options, sort_keys=True)), root, symlinks=True)
    move_in(root, monkeypatch)
    return root


def settle_with_store(root: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Path:
    """A judged project at `root` with an empty SQLite store of MLflow; the working folder from now on."""
    settle(root, monkeypatch, **options)
    shutil.copy(empty_store(), root / "mlflow.db")
    return root


def move_in(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `root` the working folder and the home of every tool, with nothing exported by anybody else."""
    monkeypatch.chdir(root)
    for name in _FOREIGN:
        monkeypatch.delenv(name, raising=False)
    for name in _KEPT:
        monkeypatch.setenv(name, environment.tool_locations(root)[name])


def put(root: Path, **options: Any) -> None:
    """Replace what the pipeline wrote at `root` by that of another project; stores stay."""
    for path in _template(json.dumps(options, sort_keys=True)).iterdir():
        if path.is_dir():
            shutil.copytree(path, root / path.name, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy2(path, root / path.name)


@cache
def _home() -> Path:
    folder = tempfile.mkdtemp(prefix="judged-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@cache
def _template(options: str) -> Path:
    root = _home() / hashlib.sha256(options.encode()).hexdigest()[:16]
    with pytest.MonkeyPatch.context() as patch:
        root.mkdir()
        move_in(root, patch)
        return build(root, **json.loads(options))


@cache
def empty_store() -> Path:
    """A SQLite store of MLflow with its tables and nothing in them: making one takes seconds."""
    from clearance import registry

    path = _home() / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        registry.connect()
    return path


def dump(root: Path) -> list[str]:
    """Everything that MLflow's SQLite store holds, and the digest of every file it keeps."""
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as database:
        rows = list(database.iterdump())
    artifact_paths = sorted(path for path in (root / "mlruns").rglob("*") if path.is_file())
    return rows + [f"{path} {files.sha256(path)} {path.stat().st_mtime_ns}" for path in artifact_paths]


def build(
    root: Path,
    *,
    verdict: str = "pass",
    changes: Mapping[str, Any] | None = None,
    policy: Mapping[str, Any] | None = None,
    blocked: bool = False,
    model: int = 0,
    candidates: int = 0,
    reference: bool = False,
    rows: int = 100,
    first: int = 0,
    vendor: str = "",
    reasons: Mapping[str, Any] | None = None,
    baseline: bool = False,
) -> Path:
    """A judged project at `root`. `model` numbers models that differ; `blocked`: none was trained.

    `candidates` is how many models were tried, the second of them chosen; a single one is, if it is alone.
    `reference`: a model without mitigation was fitted to be compared with. The table has `rows` rows,
    numbered from `first`; a row of one number is the same row in every project. `vendor`: the model is a
    vendor's table of scores, and this is what is declared of the rows that trained it. `reasons`: what its
    reports/reasons.json says; None: it has none. `baseline`: it has a reports/baseline.json.
    """
    settings = PARAMS | dict(changes or {})
    rule_book = POLICY | dict(policy or {})
    _yaml(root / "params.yaml", settings)
    graph = {name: {"cmd": f"true {name}"} | of for name, of in GRAPH.items()}
    if reasons is not None:
        graph["reasons"] = {
            "cmd": "true reasons",
            "deps": ["models/trained"],
            "outs": ["reports/reasons.json"],
        }
    if baseline:
        graph["baseline"] = {
            "cmd": "true baseline",
            "deps": ["models/trained"],
            "outs": ["reports/baseline.json"],
        }
    _yaml(root / "dvc.yaml", {"stages": graph})
    _yaml(root / settings["policy"]["file"], rule_book)
    _yaml(
        root / "policies/authorised.yaml",
        {"models": {"loan-approval": {"policy": "policies/test.yaml", "tier": "none"}}},
    )
    shutil.copy(LOCK, root / "requirements.lock")
    shutil.copy(ROLES, root / "policies/roles.yaml")
    files.write_text(root / "data/source/table.csv", "id,amount\n1,2\n")
    columns = ["id", *FEATURES, "race", "approve"]
    evidence.origin(columns=tuple(columns)).write(root)
    gap = GAPS.get(verdict, GAPS["pass"])
    _evidence(root, gap, blocked=blocked, model=model, numbers=(first, rows), vendor=vendor)
    if candidates:
        _add_candidates(root, candidates, reference=reference)
    judgement = project_verdict.judge(params.load(root / "params.yaml"), root)
    judgement.write(root)
    if reasons is not None:
        sha256 = files.sha256(root / paths.MODEL)
        ReasonsDocument.create(model_sha256=sha256, threshold=0.5, **reasons).write(root)
    if baseline:
        _baseline(root).write(root)
    lock(root)
    return root


def lock(root: Path) -> None:
    """Let DVC write its lock over the files as they are, as if its stages had just written them.

    `root` must be the working folder.
    """
    logging.getLogger("dvc").setLevel(logging.WARNING)
    if not (root / ".dvc").exists():
        Repo.init(str(root), no_scm=True).close()
        shutil.copy(IGNORE, root / ".dvcignore")
    with Repo(str(root)) as repo:
        repo.commit(force=True)
    note_executions(root)


def note_executions(root: Path) -> None:
    """Let the stages of the lock at `root` have run there."""
    executions.Executions(root).add(dvc_lock.read(root / "dvc.lock").stages.items())


def _yaml(path: Path, value: Any) -> None:
    files.write_text(path, yaml.safe_dump(value, sort_keys=False))


def _evidence(
    root: Path,
    gap: tuple[float, float, float],
    *,
    blocked: bool,
    model: int,
    numbers: tuple[int, int],
    vendor: str,
) -> None:
    failures = {"blocking_failures": Measurement(value=float(blocked))}
    evidence.raw_validation(failures, blocked=blocked).write(root)
    if blocked:
        names = ("split", "validation_prepared", "training", "scores", "performance", "fairness")
        evidence.block(root, "validate_raw: a fault", *names, "explanation")
        for folder in (paths.PREPARED, paths.SCORED, paths.TRAINED, paths.FIGURES):
            files.write_json(root / folder / paths.BLOCKED, {})
        return
    split = _tables(root / paths.PREPARED, *numbers)
    split.write(root)
    evidence.prepared_validation(failures, tables=split.tables).write(root)
    (root / paths.TRAINED).mkdir(parents=True)
    content = vendor_table(root, model) if vendor else trained(model)
    (root / paths.MODEL).write_bytes(content)
    sha256 = files.sha256(root / paths.MODEL)
    _training(split, sha256, vendor=vendor).write(root)
    score(root)
    auc = Measurement(value=0.8, low=0.7, high=0.9, confidence=0.95)
    evidence.performance({"roc_auc": auc}, model_sha256=sha256).write(root)
    difference = Measurement(
        value=gap[0], low=gap[1], high=gap[2], confidence=0.95, support={"Black": 60, "White": 300}
    )
    groups = {"race": {"Black": evidence.group(30, 10, 10, 10), "White": evidence.group(150, 50, 50, 50)}}
    fairness = evidence.fairness(
        {"demographic_parity_difference": {"race": difference}}, groups=groups, model_sha256=sha256
    )
    fairness.write(root)
    evidence.explanation({}, model_sha256=sha256).write(root)
    files.write_text(root / paths.FIGURES / "roc.svg", "<svg/>")


def _tables(folder: Path, first: int, count: int) -> SplitDocument:
    """Write the prepared tables, and return the record of the split."""
    import pandas as pd

    table = pd.DataFrame([row(number) for number in range(first, first + count)])
    ends = (count // 2, count * 7 // 10)
    table["split"] = ["train" if at < ends[0] else "tune" if at < ends[1] else "test" for at in range(count)]
    folder.mkdir(parents=True)
    parts = {"features": list(FEATURES), "label": ["label"], "protected": ["race"]}
    for name, columns in parts.items():
        table[["row", "split", *columns]].to_parquet(folder / f"{name}.parquet", index=False)
    sides = {name: sorted(table["row"][table["split"] == name]) for name in ("train", "tune", "test")}
    return evidence.split(
        rows={name: len(side) for name, side in sides.items()},
        row_digests={
            name: hashlib.sha256("".join(side).encode()).hexdigest() for name, side in sides.items()
        },
        features=tuple(FEATURES),
        protected=("race",),
        tables={name: files.sha256(folder / f"{name}.parquet") for name in parts},
    )


@cache
def row(number: int) -> dict[str, Any]:
    """The row of this number: its hash, features, label and group."""
    import numpy as np

    draw = np.random.default_rng(number + 2**32)
    ratio = draw.random()
    return {
        "row": hashlib.sha256(str(number).encode()).hexdigest()[:32],
        "amount": draw.normal(100, 20),
        "purpose": str(draw.choice(["house", "car"])),
        "ratio": ratio,
        "label": int(ratio + draw.normal(0, 0.3) > 0.5),
        "race": str(draw.choice(["Black", "White"], p=[0.4, 0.6])),
    }


def score(root: Path) -> None:
    """Let the model at `root` score its test rows."""
    from tasks import score as score_stage

    with contextlib.chdir(root):
        score_stage.main()


def _baseline(root: Path) -> BaselineDocument:
    from clearance.data.tables import prepared, scored
    from tasks import baseline

    training = TrainingDocument.read(root)
    assert isinstance(training, TrainingDocument)
    sides = dict(zip(prepared.SPLITS, prepared.read_splits(root, *prepared.SPLITS), strict=True))
    return baseline.measure(
        model_file.load_scorer(root / paths.MODEL, training.model.sha256, training.threshold),
        training,
        baseline.Rows(sides=sides, test_scores=scored.read(root, sides["test"].rows, training.model.sha256)),
    )


def vendor_table(root: Path, model: int) -> bytes:
    """The file of a vendor's table of scores for the prepared rows at `root`; others for each number."""
    import numpy as np

    from clearance.data.tables import prepared
    from clearance.models.external import answers

    rows = [row for hashes in prepared.read_keys(root).values() for row in hashes.to_pylist()]
    scores = np.random.default_rng(model).random(len(rows))
    pipeline = answers.of_rows(answers.digests(rows), scores)
    path = _home() / f"vendor-{model}.skops"
    model_file.save(model_file.with_threshold(pipeline, THRESHOLD), path)
    return path.read_bytes()


def _training(split: SplitDocument, sha256: str, *, vendor: str = "") -> TrainingDocument:
    libraries = ("numpy", "pandas", "scikit-learn", "scipy", "skops")
    kinds = {"row": "category"} if vendor else FEATURES
    made = {
        "file": "external/vendor.csv",
        "sha256": evidence.DIGEST,
        "format": "table",
        "origin": "declared",
        "answer": "scores",
        "trained_on": vendor,
        "trained_elsewhere": 0,
        "declared_by": VENDOR,
        "declared": [{"about": "scores", "value": "each row's is the one in external/vendor.csv"}],
        "made_with": {},
    }
    return evidence.training(
        **({"external": made} if vendor else {}),
        model=sha256,
        threshold=THRESHOLD,
        data={"rows": split.rows, "row_digests": split.row_digests, "tables": split.tables},
        features=kinds,
        inputs=[
            {"name": name, "type": {"number": "double", "category": "string"}[kind]}
            for name, kind in kinds.items()
        ],
        input_example={"row": "text"} if vendor else {"amount": 1.0, "purpose": "house", "ratio": 0.5},
        libraries={name: importlib.metadata.version(name) for name in libraries} | {"python": "3.11"},
    )


def _add_candidates(root: Path, number: int, *, reference: bool) -> None:
    candidates = [
        evidence.candidate(
            mitigation=_mitigation(at, number),
            chosen=at == min(1, number - 1),
            utility=0.7 - at / 100,
            disparity={"demographic_parity_difference": {"race": 0.2 / (1 + at)}},
            tune=evidence.TUNE | {"accuracy": 0.8, "f1": None},
        )
        for at in range(number)
    ]
    plain = candidates[0] | {"mitigation": "none", "chosen": False, "utility": 0.75} if reference else None
    training = files.read_json(root / paths.TRAINING) | {"candidates": candidates, "reference": plain}
    document = TrainingDocument.from_json(training)
    document.write(root)


def _mitigation(at: int, number: int) -> str:
    if number == 1:
        return "reweighing"
    return "none" if at == 0 else f"grid_search (steps={at})"


@cache
def trained(number: int) -> bytes:
    """The file of a small fitted model; another one for each number."""
    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    from clearance.models import encoding

    draw = np.random.default_rng(number)
    table = pd.DataFrame(
        {
            "amount": draw.normal(100, 20, 200),
            "purpose": draw.choice(["house", "car"], 200),
            "ratio": draw.random(200),
        }
    )
    label = (table["ratio"] + draw.normal(0, 0.3, 200) > 0.5).astype("int8")
    pipeline = Pipeline(
        [("encode", encoding.transformer(FEATURES)), ("estimator", LogisticRegression(C=0.1))]  # type: ignore[arg-type]
    ).fit(table, label)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skops"
        model_file.save(model_file.with_threshold(pipeline, THRESHOLD), path)
        return path.read_bytes()
