"""Where the files that the pipeline reads and writes lie, relative to the project's root.

Names only: nothing here reads or writes.
"""

from __future__ import annotations

from pathlib import Path

PARAMS = Path("params.yaml")
DVC_YAML = Path("dvc.yaml")
DVC_LOCK = Path("dvc.lock")
REQUIREMENTS_LOCK = Path("requirements.lock")
_EXTRAS = ("catboost", "lightgbm", "onnx", "xgboost")
EXTRA_LOCKS = {name: Path(f"requirements-{name}.lock") for name in _EXTRAS}
"""The lock of each optional library, by the name of its module and of its group in pyproject.toml."""
POLICIES = Path("policies")

REASON_TEXTS = Path("reasons.yaml")
"""What people read for a feature that is a reason for a denial."""

CARD_TEXT = Path("card.yaml")
"""What people state about the model, for its card: intended use, limits, contacts."""

EXTERNAL = Path("external")
"""What was made elsewhere: model files, tables of answers, lists of the rows that trained them."""

RAW_TABLE = Path("data/raw.parquet")
ORIGIN = Path("data/origin.json")
PREPARED = Path("data/prepared")
SCORED = Path("data/scored")
SCORED_TABLE = SCORED / "scores.parquet"

TRAINED = Path("models/trained")
MODEL = TRAINED / "model.skops"
BACKGROUND = Path("models/background")

REPORTS = Path("reports")
VALIDATION_RAW = REPORTS / "validation_raw.json"
SPLIT = REPORTS / "split.json"
VALIDATION_PREPARED = REPORTS / "validation_prepared.json"
TRAINING = REPORTS / "training.json"
SCORES = REPORTS / "scores.json"
PERFORMANCE = REPORTS / "performance.json"
FAIRNESS = REPORTS / "fairness.json"
EXPLANATION = REPORTS / "explanation.json"
EVIDENCE = (VALIDATION_RAW, SPLIT, VALIDATION_PREPARED, TRAINING, PERFORMANCE, FAIRNESS, EXPLANATION)
"""The evidence documents that a rule of a policy may read."""
REASONS = REPORTS / "reasons.json"
BASELINE = REPORTS / "baseline.json"
VERDICT = REPORTS / "verdict.json"
CARD = REPORTS / "card.json"
CARD_FORMATS = REPORTS / "card"
"""The model card as other tools read it, one file each."""
REPORT_PAGE = REPORTS / "report.html"
IMPACT_TABLE = REPORTS / "impact.csv"
FIGURES = REPORTS / "figures"
TRAIN_FIGURES = FIGURES / "train"
EVALUATE_FIGURES = FIGURES / "evaluate"
EXPLAIN_FIGURES = FIGURES / "explain"

BLOCKED = Path("blocked.json")
"""The only file of an output folder whose stage did not run."""

STATE = Path(".clearance")
"""What a project keeps for itself and never commits: locks, logs, notes, keys, the ledger."""
MONITORING = STATE / "monitoring.db"
MONITORING_PAGE = STATE / "monitoring.html"
MONITORING_METRICS = STATE / "monitoring.prom"
COMPARISON = STATE / "comparison.json"
RELEASE_RECEIPT = STATE / "release.json"
TEST_USES = STATE / "test_uses.json"
ATTEMPTS = STATE / "attempts.json"
EVIDENCE_BUNDLE = STATE / "evidence"
RUN_LOCK = STATE / "run.lock"
LEDGER = STATE / "ledger.db"
CHECKPOINTS = STATE / "ledger.checkpoints"
KEYS = STATE / "keys"
TRUST_ROOT = STATE / "root.json"
LOGS = STATE / "logs"
EXECUTIONS = STATE / "executions"
WORKSPACES = STATE / "workspaces"
DATA_DOCS = STATE / "data_docs"
DUCKDB_HOME = STATE / "duckdb"
SNAPSHOT_STATE = STATE / "snapshot"
FLOW_RUN = STATE / "flow_run"


MLFLOW_DATABASE = Path("mlflow.db")
MLFLOW_ARTIFACTS = Path("mlruns")
"""Where MLflow keeps runs and their files, unless `MLFLOW_TRACKING_URI` names a server."""


def report(document: str) -> Path:
    """Where the evidence document of that name lies, such as `reports/training.json`."""
    return REPORTS / f"{document}.json"


def sqlite_url(path: Path, driver: str = "") -> str:
    """The URL of the SQLite database at `path`, which may have characters that mean something in a URL.

    Such a URL names its driver: without one, MLflow makes a folder of the name as it is encoded.
    """
    encoded = url_path(path)
    driver = driver or ("" if encoded == str(path) else "pysqlite")
    return f"sqlite{'+' if driver else ''}{driver}:///{encoded}"


def url_path(path: Path) -> str:
    """The path as it stands in a database URL."""
    return str(path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
