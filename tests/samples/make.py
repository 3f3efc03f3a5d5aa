"""Make a sample of a governed project with the code of this checkout: `python tests/samples/make.py FOLDER`.

The sample is `FOLDER/project.tar.xz`. `README.md` beside it says what it holds and which commit made it.
This script calls commands and writes documented files only, so it does not depend on how modules are named.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import lzma
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = "project.tar.xz"
STORE, STORE_TEXT, EXPORT = "mlflow.db", "mlflow.sql", "ledger.jsonl"
PLACEHOLDER = "@PROJECT@"
"""Stands in `mlflow.sql` and `ledger.jsonl` for the absolute path of the project folder."""

PASS, REFUSED = 0, 3
"""Exit statuses of the command line."""

SOURCE = "data/source/applicants.csv"
INPUTS = ("$", "data/", "models/", "policies/", "reports/", "requirements.lock")
"""Dependencies of stages that begin so stay in the sample's `dvc.yaml`; the others are code."""

LIBRARIES = ("fairlearn", "mlflow", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skops")
"""What the sample's `requirements.lock` pins. The hashes of the full lock would be half of the archive."""

IGNORE = """\
/.clearance/
/.prefect/
/data/*
!/data/source/
/mlflow.db*
/mlruns/
/models/
/reports/
/ledger.jsonl
"""
CONTENT = (
    *(".clearance/evidence", ".clearance/keys", ".clearance/ledger.checkpoints", ".clearance/ledger.db"),
    *(".clearance/root.json", ".dvc/config", ".dvcignore", ".git", ".gitignore", "data/source", "dvc.lock"),
    *("dvc.yaml", EXPORT, STORE_TEXT, "mlruns", "params.yaml", "policies", "reports", "requirements.lock"),
)
EXCLUDED = re.compile(
    r"\.clearance/keys/\.lock$|\.git/(index|logs|COMMIT_EDITMSG)|(^|/)reports/(figures/|report\.html$)"
)
"""Locks, what git writes again by itself, and pictures: no check reads them and they hardly compress."""


def applicants(rows: int = 900) -> pd.DataFrame:
    """An invented table in which men are favoured, most of whom live in the north."""
    random = np.random.default_rng(5)
    gender = random.choice(["woman", "man"], rows)
    north = np.where(gender == "man", random.random(rows) < 0.95, random.random(rows) < 0.05)
    skill, years = random.normal(size=rows), random.integers(0, 20, rows)
    logit = 1.5 * skill + 0.1 * (years - 10) + 5.0 * ((gender == "man") - 0.5)
    return pd.DataFrame(
        {
            "applicant": np.arange(rows),
            "gender": gender,
            "skill": skill.round(2),
            "years": years,
            "city": np.where(north, "north", "south"),
            "invited": np.where(random.random(rows) < 1 / (1 + np.exp(-logit)), "yes", "no"),
        }
    )


PARAMS: dict[str, Any] = {
    "name": "hiring",
    "experiment": "sample",
    "seed": 20260101,
    "source": {"kind": "file", "path": SOURCE},
    "data": {
        "row_key": "applicant",
        "target": "invited",
        "favourable": "yes",
        "protected": ["gender"],
        "features": ["skill", "years", "city"],
    },
    "split": {"train": 0.4, "tune": 0.2, "test": 0.4},
    "train": {
        "estimator": "logistic_regression",
        "arguments": {"C": 0.1, "max_iter": 1000},
        "mitigation": "reweighing",
        "threshold": {"objective": "balanced_accuracy"},
    },
    "evaluate": {"confidence": 0.95, "resamples": 200, "bins": 5},
    "explain": {"rows": 40, "background": 20},
    "policy": {"file": "policies/hiring.yaml", "as_of": "2026-11-22"},
    "overrides": {},
}


def rule(name: str, metric: str, limit: dict[str, float] | None, **changes: Any) -> dict[str, Any]:
    """A rule of the policy: it blocks, decides by the interval and has no end, unless `changes` says so."""
    defaults = {"decides_by": "interval", "severity": "block", "kind": "engineering", "source": "the sample"}
    bounds = {} if limit is None else {"limit": limit}
    return {"id": name, "metric": metric, **defaults, "valid_from": "2026-01-01", **bounds, **changes}


GENDER = {"attributes": ["gender"]}
POINT = {"decides_by": "point"}
WARN = {"severity": "warn"}
POLICY: dict[str, Any] = {
    "id": "hiring",
    "version": "1",
    "title": "A policy of a sample project",
    "attributes": ["gender"],
    "favourable": {"target": "invited", "value": "yes"},
    "demo": True,
    "promotion": {"approvals": {"none": {"validator": 1, "risk_officer": 1}}, "override_days": 366},
    "challenge": {
        "first_version": {"approvals": 1},
        "quality": [{"metric": "accuracy", "margin": 0.1}],
        "difference_margin": 0.25,
        "ratio_margin": 0.2,
        "kind": "engineering",
        "source": "the sample",
        "valid_from": "2026-01-01",
    },
    "test_uses": {"warn_from": 20, "kind": "engineering", "source": "the sample", "valid_from": "2026-01-01"},
    "retention": {"others": 10},
    "rules": [
        rule("raw-data-is-valid", "validation_raw.blocking_failures", {"at_most": 0}, **POINT),
        rule("prepared-data-is-valid", "validation_prepared.blocking_failures", {"at_most": 0}, **POINT),
        rule("splits-are-disjoint", "split.overlap", {"at_most": 0}, **POINT),
        rule("decides-without-gender", "training.protected_at_decision", {"at_most": 0}, **POINT),
        rule("ranks", "performance.roc_auc", {"at_least": 0.6}, minimum_support=30),
        rule("calibrated", "performance.calibration_error", {"at_most": 0.01}, **WARN),
        rule("parity", "fairness.demographic_parity_difference", {"at_most": 0.45}, **GENDER),
        rule("ratio", "fairness.demographic_parity_ratio", {"at_least": 0.9}, **GENDER, **WARN),
        rule("odds", "fairness.equalized_odds_difference", None, **GENDER, decides_by="report_only"),
        rule("proxies", "validation_prepared.proxy_auc_together", {"at_most": 0.8}, **GENDER, **WARN),
        rule("adds-up", "explanation.additivity_error", {"at_most": 1.0e-6}, **POINT),
        rule(
            "ended", "fairness.missing_share", {"at_most": 0.0}, **GENDER, **POINT, valid_until="2026-01-31"
        ),
    ],
}


class Project:
    """A project in its own folder, changed only by the commands that its people would type."""

    def __init__(self, home: Path) -> None:
        self.root, self.home = home / "project", home / "home"
        for folder in (self.root / "data/source", self.root / "policies", self.home):
            folder.mkdir(parents=True)

    def run(self, *command: str, code: int = PASS) -> str:
        """The output of a command. Raises SystemExit unless it ends with this exit status."""
        result = subprocess.run(
            command, cwd=self.root, env=self._environment(), capture_output=True, text=True, check=False
        )
        if result.returncode != code:
            raise SystemExit(f"{' '.join(command)}: {result.returncode}\n{result.stdout}\n{result.stderr}")
        sys.stderr.write(f"$ {' '.join(command)}  # {code}\n")
        return result.stdout

    def _environment(self) -> dict[str, str]:
        """Names nobody real: MLflow and git record who runs them."""
        git = {"NAME": "dan", "EMAIL": "dan@clearance.example"}
        return {f"GIT_{role}_{part}": git[part] for role in ("AUTHOR", "COMMITTER") for part in git} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "USER": "sample",
            "LOGNAME": "sample",
            "TZ": "UTC",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
        }

    def write(self, name: str, value: Any) -> None:
        """Write a YAML file."""
        (self.root / name).write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")

    def change(self, message: str, **train: Any) -> None:
        """Change how the model is fitted, and commit everything."""
        self.write("params.yaml", PARAMS | {"train": PARAMS["train"] | train})
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def decide(self, kind: str, version: int, by: str, reason: str, *options: str, code: int = PASS) -> None:
        """Record a decision of one of the demo's people."""
        self.run("clearance", kind, str(version), "--as", by, "--reason", reason, *options, code=code)


def prepare(project: Project) -> None:
    """Write the project. Its stages depend on no code, because the sample holds none."""
    applicants().to_csv(project.root / SOURCE, index=False)
    project.write("policies/hiring.yaml", POLICY)
    models = {"hiring": {"policy": "policies/hiring.yaml", "tier": "none"}}
    project.write("policies/authorised.yaml", {"models": models})
    for name in ("policies/roles.yaml", "policies/trusted_types.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, project.root / name)
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    for stage in graph["stages"].values():
        stage["deps"] = [path for path in stage["deps"] if path.startswith(INPUTS)]
    project.write("dvc.yaml", graph)
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [
        pin
        for pin in re.findall(r"^[\w.-]+==[^\s;\\]+", lock, re.MULTILINE)
        if pin.split("==")[0] in LIBRARIES
    ]
    (project.root / "requirements.lock").write_text("\n".join(pins) + "\n", encoding="utf-8")
    (project.root / ".gitignore").write_text(IGNORE, encoding="utf-8")
    project.run("git", "init", "--quiet", "--template=", "--initial-branch=main")
    project.run("dvc", "init", "--quiet")


def fill(project: Project) -> None:
    """Take three versions through approval, rejection, override, rollback and retirement."""
    project.change("The first model")
    project.run("clearance", "run")
    project.decide("approve", 1, "dan", "it is mine", code=REFUSED)
    project.decide("approve", 1, "vera", "validated")
    project.decide("approve", 1, "rita", "the risk is small")

    project.write("policies/hiring.yaml", POLICY | {"version": "2", "title": "Its second version"})
    project.change("The second model, under the second policy", arguments={"C": 0.2, "max_iter": 1000})
    project.run("clearance", "run")
    project.decide("reject", 2, "rita", "the gap has to be explained")
    project.decide("revoke", 2, "rita", "it was explained")
    project.decide("approve", 2, "vera", "validated again")
    project.decide("approve", 2, "rita", "the risk is known")

    project.change("The third model", arguments={"C": 1.0, "max_iter": 1000}, mitigation="none")
    project.run("clearance", "run", code=REFUSED)
    project.run("clearance", "promote", "3", code=REFUSED)
    until = ("--until", (dt.datetime.now(dt.UTC).date() + dt.timedelta(days=300)).isoformat())
    project.decide("override", 3, "vera", "a trial in one office", *until)
    project.decide("override", 3, "rita", "watched every day", *until)
    project.run("clearance", "rollback", "--as", "otto", "--reason", "the trial is over")
    project.run("clearance", "retire", "--as", "otto", "--reason", "an outage")
    project.run("clearance", "rollback", "--to", "2", "--as", "otto", "--reason", "the outage is over")
    project.run("clearance", "ledger", "verify")
    project.run("clearance", "verify")


def pack(project: Project, target: Path) -> None:
    """Write the archive. Its bytes are a function of the project's content: no times, owners or places."""
    project.run("git", "repack", "-a", "-d", "--quiet")
    root = project.root
    with contextlib.closing(sqlite3.connect(root / STORE)) as database:
        text = "\n".join(database.iterdump())
    (root / STORE_TEXT).write_text(text.replace(str(root), PLACEHOLDER) + "\n", encoding="utf-8")
    export = project.run("clearance", "ledger", "export")
    (root / EXPORT).write_text(export.replace(str(root), PLACEHOLDER), encoding="utf-8")
    with contextlib.closing(sqlite3.connect(root / ".clearance/ledger.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("VACUUM")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in file_names(root):
            member = tarfile.TarInfo(name)
            member.size = (root / name).stat().st_size
            member.mode = 0o600 if name.endswith(".pem") else 0o644
            with (root / name).open("rb") as stream:
                archive.addfile(member, stream)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(lzma.compress(buffer.getvalue(), preset=9 | lzma.PRESET_EXTREME))
    sys.stderr.write(f"{target}: {len(buffer.getvalue())} bytes, {target.stat().st_size} compressed\n")


def file_names(root: Path) -> Iterator[str]:
    """The files of the sample, sorted. Raises SystemExit when one says in which folder it was made."""
    files = {path for name in CONTENT for path in (root / name, *(root / name).rglob("*")) if path.is_file()}
    for name in sorted(path.relative_to(root).as_posix() for path in files):
        if EXCLUDED.search(name):
            continue
        if str(root.parent).encode() in (root / name).read_bytes():
            raise SystemExit(f"{name} holds the path of the folder in which it was made")
        yield name


def unpack(archive: Path, root: Path) -> None:
    """Unpack a sample into the new folder `root`, and give MLflow and the export its absolute path."""
    with tarfile.open(archive, "r:xz") as content:
        content.extractall(root, filter="data")
    for name in (STORE_TEXT, EXPORT):
        text = (root / name).read_text(encoding="utf-8").replace(PLACEHOLDER, str(root))
        (root / name).write_text(text, encoding="utf-8")
    with contextlib.closing(sqlite3.connect(root / STORE)) as database:
        database.executescript((root / STORE_TEXT).read_text(encoding="utf-8"))
    (root / STORE_TEXT).unlink()


def main() -> None:
    """Make a sample in the folder that the first argument names; keep the project in the second, if any."""
    with tempfile.TemporaryDirectory(prefix="sample-") as home:
        project = Project(Path(home).resolve())
        prepare(project)
        fill(project)
        if len(sys.argv) > 2:
            shutil.copytree(project.root, sys.argv[2], symlinks=True)
        pack(project, Path(sys.argv[1]).resolve() / ARCHIVE)


if __name__ == "__main__":
    main()
