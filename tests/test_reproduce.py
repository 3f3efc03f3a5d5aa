"""The demo's run is made again, identical to the byte; what a forger changes in its record is found."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clearance import files as artifacts
from clearance.reproduction import differences, rebuild
from clearance.reproduction.differences import Conclusion
from clearance.reproduction.rebuild import RebuiltProject
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.versioning import pipeline_state
from tests.support import bytecode
from tests.support.nightly import NIGHTLY
from tests.support.projects import Done, Project
from tests.support.versions import forge, of_state

pytestmark = pytest.mark.slow

MODEL = "models/trained"
VERDICT = "reports/verdict.json"


@pytest.fixture(scope="module")
def true(demo: Project, demo_run: Done) -> RebuildRecord:
    return of_state(pipeline_state.verify(demo.root))


@pytest.fixture(scope="module")
def rebuilt(demo: Project, true: RebuildRecord) -> Iterator[RebuiltProject]:
    with rebuild.temporary_folder() as folder:
        if not NIGHTLY:  # that a rebuild compiles from source is tests/test_rebuild.py's
            bytecode.lend(folder)
        yield rebuild.rebuild(demo.root, true, folder)


def test_the_run_is_made_again_identically(true: RebuildRecord, rebuilt: RebuiltProject) -> None:
    report = differences.compare(true, rebuilt)
    assert report.conclusion is Conclusion.IDENTICAL, report.lines()
    assert report.same == report.outputs == len(true.outs)
    assert report.notes == report.environment == ()
    assert not (rebuilt.tree / "mlflow.db").exists()


def test_a_seed_that_nobody_used_gives_another_model(true: RebuildRecord, rebuilt: RebuiltProject) -> None:
    other = true.model_copy(update={"params": true.params.replace("seed: 20260101", "seed: 7")})
    assert other != true
    lock = true.lock.replace("seed: 20260101", "seed: 7")
    assert (
        differences.compare(other.model_copy(update={"lock": lock}), rebuilt).conclusion
        is Conclusion.DIFFERENT
    )


def files(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def with_model(root: Path, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, bytes]:
    """The trained model with every array of numbers changed."""
    contents = files(root / MODEL)
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(contents["model.skops"])) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".npy"):
                array = np.load(io.BytesIO(content), allow_pickle=False)
                if array.dtype == np.float64:
                    out = io.BytesIO()
                    np.save(out, change(array))
                    content = out.getvalue()
            new.writestr(name, content)
    return contents | {"model.skops": stream.getvalue()}


@pytest.mark.parametrize(
    ("change", "conclusion"),
    [
        (lambda array: array * (1 + 1e-9), Conclusion.EQUIVALENT),
        (lambda array: array * 1.001, Conclusion.DIFFERENT),
        (lambda array: np.append(array, 0.0), Conclusion.DIFFERENT),
    ],
)
def test_another_model_is_told_from_one_that_another_processor_rounded(
    demo: Project,
    true: RebuildRecord,
    rebuilt: RebuiltProject,
    change: Callable[[np.ndarray], np.ndarray],
    conclusion: Conclusion,
) -> None:
    forgery = forge(demo.root, true, MODEL, with_model(demo.root, change))
    report = differences.compare(forgery, rebuilt)
    assert report.conclusion is conclusion, report.lines()
    assert report.same == report.outputs - 1


def test_one_score_of_one_row(demo: Project, true: RebuildRecord, rebuilt: RebuiltProject) -> None:
    content = files(demo.root / "data/scored")
    (name,) = (name for name in content if name.endswith(".parquet"))
    table = pq.read_table(io.BytesIO(content[name]))
    scores = table.column("score").to_pylist()
    scores[3] += 0.01
    stream = io.BytesIO()
    pq.write_table(table.set_column(table.column_names.index("score"), "score", pa.array(scores)), stream)
    forgery = forge(demo.root, true, "data/scored", content | {name: stream.getvalue()})
    (difference,) = differences.compare(forgery, rebuilt).different
    assert difference.startswith(f"data/scored/{name}: column score: ")
    assert difference.endswith("1 of them different")


def test_a_verdict_and_the_evidence_it_cites(
    demo: Project, true: RebuildRecord, rebuilt: RebuiltProject
) -> None:
    """Forged through and through: the figure, the verdict on it, and the digest that binds them."""
    fairness = json.loads((demo.root / "reports/fairness.json").read_text())
    verdict = artifacts.read_json(demo.root / VERDICT)
    better = artifacts.dumps(fairness | {"added": 0.5}).encode()
    forgery = forge(demo.root, true, "reports/fairness.json", better)
    evidence = verdict["evidence"] | {"reports/fairness.json": forgery.outs["reports/fairness.json"]}
    payload = artifacts.dumps(verdict | {"verdict": "pass", "evidence": evidence}).encode()
    forgery = forge(demo.root, forgery, VERDICT, payload)
    assert differences.compare(forgery, rebuilt).different == (
        "reports/fairness.json: added: recorded 0.5, rebuilt nothing",
        f"{VERDICT}: verdict: recorded pass, rebuilt insufficient_evidence",
    )


@pytest.mark.skipif(not NIGHTLY, reason="a second whole rebuild: every night")
def test_somebody_else_rebuilds_it_and_signs(demo: Project, demo_run: Done) -> None:
    result = demo.run("clearance", "reproduce", "1", "--attest", "--as", "builder").ok()
    assert "identical: 20 of 20" in result.out
    output = demo.run("clearance", "verify", "1").out
    assert "builder rebuilt it in the environment there: identical" in output
