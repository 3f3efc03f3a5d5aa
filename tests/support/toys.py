"""A toy project: real DVC, real parameters and policy, and steps of a few lines that run in no time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from clearance import environment

ROOT = Path(__file__).resolve().parents[2]

GRAPH = """
stages:
  ingest:
    cmd: python -m tasks.work data/raw.txt
    deps: ["${source.path}", tasks/work.py]
    params: [source]
    outs: [data/raw.txt]
  train:
    cmd: python -m tasks.work models/model.txt data/raw.txt
    deps: [data/raw.txt, tasks/work.py]
    params: [seed, train]
    outs: [models/model.txt]
  evaluate:
    cmd: python -m tasks.work reports/figures models/model.txt
    deps: [models/model.txt, tasks/work.py]
    params: [evaluate]
    outs: [reports/figures]
  assess:
    cmd: python -m tasks.work reports/fairness.txt models/model.txt
    deps: [models/model.txt, tasks/work.py]
    metrics: [reports/fairness.txt]
  explain:
    cmd: mkdir -p reports && cp models/model.txt reports/explanation.txt
    deps: [models/model.txt]
    outs: [reports/explanation.txt]
  judge:
    cmd: python -m tasks.judge
    deps: ["${policy.file}", reports/figures, reports/fairness.txt, reports/explanation.txt, tasks/judge.py]
    params: [name, policy, overrides]
    outs: [reports/verdict.json]
"""
ORDER = ("ingest", "train", "evaluate", "assess", "explain", "judge")

WORK = """
import os, sys, time
from pathlib import Path

import yaml
from clearance import stage
from clearance.errors import DataError, UnavailableError

def main():
    out, inputs = Path(sys.argv[1]), sys.argv[2:]
    print("working on", out)
    text = "".join(Path(name).read_text() for name in inputs) + f"{out} "
    if out.parent.name == "models":
        text += str(yaml.safe_load(Path("params.yaml").read_text())["seed"])
    out.parent.mkdir(parents=True, exist_ok=True)
    order = Path(os.environ["LC_TOY"]) / out.stem if "LC_TOY" in os.environ else Path("none")
    if order.exists():
        word, _, value = order.read_text().partition(" ")
        if word == "sleep":
            out.with_name(f"{out.name}.half").write_text("half")
            order.unlink()
            print(f"asleep as {os.getpid()}", flush=True)
            time.sleep(float(value))
        if word == "await":
            end = time.monotonic() + 60
            while not Path(value).exists():
                assert time.monotonic() < end, f"{value} is not there: nothing runs beside us"
                time.sleep(0.02)
        if word == "fail":
            raise DataError("the table is empty", "give it rows")
        if word == "once":
            order.unlink()
            raise UnavailableError("the service is away", "wait")
        if word == "crash":
            raise RuntimeError("a defect")
    if out.name == "figures":
        time.sleep(0.2)
        out.mkdir()
        (out / "a.svg").write_text(text)
        (out / "b.svg").write_text("b")
    else:
        out.write_text(text)

if __name__ == "__main__":
    stage.run(main)
"""

JUDGE = """
import os
from pathlib import Path

import yaml
from clearance import files as artifacts

if __name__ == "__main__":
    params = yaml.safe_load(Path("params.yaml").read_text())
    outcomes = {"passes": "pass", "fails": "fail", "lacks": "insufficient_evidence"}
    outcome = outcomes.get(params["name"], "not_evaluated")
    reason = "demographic parity difference by race is 0.2"
    finding = {
        "rule": "gap", "metric": "fairness.demographic_parity_difference", "attribute": "race",
        "outcome": outcome, "severity": "block", "value": 0.2, "low": 0.1, "high": 0.3, "confidence": 0.95,
        "limit": {"at_least": None, "at_most": 0.1}, "kind": "engineering", "source": "none",
        "decides_by": "interval", "support": {"a": 10}, "reason": reason,
        "certainty": None, "jurisdiction": None,
    }
    artifacts.write_json(Path("reports/verdict.json"), {
        "verdict": outcome, "name": params["name"], "reasons": [reason],
        "what_if": "policy" in params["overrides"], "overrides": params["overrides"],
        "policy": params["policy"] | {
            "id": "toy", "version": "1", "title": "a toy",
            "sha256": artifacts.sha256(Path(params["policy"]["file"])),
            "impact_table": None, "test_uses": None,
        },
        "findings": [finding], "not_in_force": [],
        "evidence": {"reports/fairness.txt": artifacts.sha256(Path("reports/fairness.txt"))},
    })
"""

EFFECT = """
import os, sys
from pathlib import Path

if __name__ == "__main__":
    registry = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///"))
    with registry.with_name("effects.txt").open("a") as file:
        file.write(Path(sys.argv[0]).stem + "\\n")
"""


def build(folder: Path, graph: str = GRAPH, name: str = "passes") -> Path:
    """Lay out the toy project, under git and DVC, with `name` as its model's name: it says the verdict."""
    files = {
        "dvc.yaml": graph,
        "tasks/__init__.py": "",
        "tasks/work.py": WORK,
        "tasks/judge.py": JUDGE,
        **{f"tasks/{effect}.py": EFFECT for effect in ("snapshot", "track", "release")},
        "data/source/rows.csv": "a,b\n1,2\n",
        "data/source/.gitignore": "rows.csv\n",
        "reasons.yaml": (ROOT / "reasons.yaml").read_text(),
        "card.yaml": (ROOT / "card.yaml").read_text(),
        "policies/demo.yaml": (ROOT / "policies" / "demo.yaml").read_text(),
        ".gitignore": "/data/raw.txt\n/models/\n/reports/\n/.clearance/\n/.prefect/\n__pycache__/\n",
        ".dvc/config": (ROOT / ".dvc" / "config").read_text(),
        ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
        ".dvcignore": ".clearance\n.prefect\n",
    }
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    set_params(folder, yaml.safe_load((ROOT / "params.yaml").read_text()) | {"name": name})
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "toy"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


def set_params(folder: Path, content: dict[str, object]) -> None:
    """Write params.yaml."""
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def edit(folder: Path, **keys: object) -> None:
    """Change top-level keys of params.yaml."""
    set_params(folder, yaml.safe_load((folder / "params.yaml").read_text()) | keys)


def surroundings(folder: Path) -> dict[str, str]:
    """The environment in which commands run in the toy project."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | environment.TOOL_DEFAULTS | environment.tool_locations(folder) | {"PATH": path}


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the plain `dvc` command there."""
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=folder,
        env=surroundings(folder),
        capture_output=True,
        text=True,
        check=False,
    )


def twin(folder: Path, to: Path) -> Path:
    """A copy of the project, state and all."""
    shutil.copytree(folder, to, symlinks=True)
    return to
