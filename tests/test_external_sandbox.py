"""Code from elsewhere runs where it reaches nothing, and what comes out of it is read as numbers or texts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from clearance import files, params, paths, sandbox
from clearance.models.external import adopted, sandboxed
from clearance.registry import pyfunc_sandbox
from tasks import explain, score, train
from tests.support import codes, elsewhere, learnable

confined = pytest.mark.skipif(not sandbox.can_confine(), reason="this kernel cannot confine a process")
pytestmark = confined

LOGISTIC = """
import numpy as np

class Model:
    def predict(self, rows, params=None):
        favourable = 1 / (1 + np.exp(-(0.05 * rows["age"].to_numpy() - 2)))
        return np.column_stack([1 - favourable, favourable])

def _load_pyfunc(path):
    return Model()
"""


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return elsewhere.table()


def logistic(frame: pd.DataFrame) -> Any:
    return 1 / (1 + np.exp(-(0.05 * frame["age"].to_numpy() - 2)))


def project(root: Path, frame: pd.DataFrame, source: str, **more: Any) -> Path:
    elsewhere.build(root, frame, features=["age"], file="external/m", **more)
    elsewhere.pyfunc(root / "external/m", source, ["age"])
    return root


def test_what_a_folder_answers_is_judged_and_marked_as_such(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path, frame, LOGISTIC))
    for stage in (train, score, explain):
        stage.main()
    made = files.read_json(paths.TRAINING)["external"]
    assert (made["origin"], made["answer"], made["format"]) == ("sandboxed", "scores", "mlflow")
    scores = pd.read_parquet(paths.SCORED_TABLE).set_index("row")["score"]
    expected = pd.Series(logistic(frame), index=frame["row"])
    assert np.abs(scores - expected[scores.index]).max() <= 1e-9
    assert files.read_json(paths.EXPLANATION)["measurements"]["additivity_error"]["value"] is None


FORMS: dict[str, tuple[Any, str, list[float] | str]] = {
    "probabilities of both": (np.array([[0.9, 0.1], [0.2, 0.8]]), "scores", [0.1, 0.8]),
    "probabilities of one": (np.array([0.1, 0.8]), "scores", [0.1, 0.8]),
    "decisions": (np.array([0.0, 1.0]), "decisions", [0.0, 1.0]),
    "labels": (("0", "1"), "decisions", [0.0, 1.0]),
    "labels of three outcomes": (("0", "1", "2"), "", "models.external_not_two_classes"),
    "points": (np.array([300.0, 600.0]), "", "models.external_scores_out_of_range"),
}


@pytest.mark.parametrize("case", FORMS)
@pytest.mark.parametrize("favourable", [1, 0])
def test_numbers_and_labels_are_read_by_the_favourable_outcome(
    favourable: int, case: str, tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, answer, expected = FORMS[case]
    rows = learnable.split(frame.head(len(given)).assign(split="test"), "test")
    project = adopted.Project(
        external=params.External(file="external/m", declared_by="x"),
        data=learnable.data().model_copy(update={"favourable": favourable}),
        rows=rows,
    )
    monkeypatch.chdir(tmp_path)
    elsewhere.pyfunc(tmp_path / "external/m", LOGISTIC)

    def adopt() -> adopted.Adopted:
        return sandboxed.adopt(given, project, {})

    if isinstance(expected, str):
        with codes.raises(expected):
            adopt()
        return
    model = adopt()
    scores = model.pipeline.predict_proba(rows.inputs(["row"]))[:, favourable]
    assert model.answer == answer
    assert scores.tolist() == pytest.approx(expected, abs=1e-12)


SPY = """
import json, os, pathlib, socket

def attempt(action):
    try:
        return str(action())[:40] or "done"
    except Exception as error:
        return type(error).__name__

def _load_pyfunc(path):
    found = {
        "project": attempt(lambda: open(PROJECT + "/params.yaml").read()),
        "list": attempt(lambda: os.listdir(PROJECT)),
        "parent": attempt(lambda: open(f"/proc/{os.getppid()}/environ").read()),
        "write": attempt(lambda: open(path + "/changed", "w").write("x")),
        "network": attempt(lambda: socket.create_connection(("127.0.0.1", PORT), 2)),
        "signal": attempt(lambda: os.kill(os.getppid(), 0)),
        "link": attempt(lambda: os.symlink(PROJECT, "link") or open("link/params.yaml").read()),
        "secret": os.environ.get("CLEARANCE_PASSPHRASE", "hidden"),
    }
    raise SystemExit("FOUND " + json.dumps(found))
"""


def test_foreign_code_reaches_no_file_no_network_and_no_key(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEARANCE_PASSPHRASE", "open sesame")
    root = tmp_path / "project"
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = SPY.replace("PROJECT", repr(str(root))).replace("PORT", str(port))
        project(root, frame, source)
        with codes.raises("models.external_sandbox_failed") as raised:
            pyfunc_sandbox.answers(root / "external/m", frame[["age"]])
    found = json.loads(str(raised.value.values["reason"]).partition("FOUND ")[2])
    denied = {"PermissionError", "OSError"}
    assert {name for name, said in found.items() if said not in denied} == {"secret"}
    assert found["secret"] == "hidden"  # noqa: S105 - what the code saw
    assert not (root / "external/m/changed").exists()


def test_a_folder_that_asks_for_all_memory_is_ended(tmp_path: Path, frame: pd.DataFrame) -> None:
    folder = elsewhere.pyfunc(tmp_path / "m", "bytearray(64 << 30)", ["age"])
    with codes.raises("models.external_sandbox_failed"):
        pyfunc_sandbox.answers(folder, frame[["age"]])


def objects(home: Path) -> None:
    np.save(home / "answers.npy", np.array([print], dtype=object), allow_pickle=True)


WRITES: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda _: None,
    "objects": objects,
    "answers for other rows": lambda home: np.save(home / "answers.npy", np.zeros(3)),
    "no array": lambda home: (home / "answers.npy").write_bytes(b"x"),
    "labels for other rows": lambda home: (home / "labels.json").write_text('["1"]'),
    "other things than labels": lambda home: (home / "labels.json").write_text("{}"),
}


@pytest.mark.parametrize("case", WRITES)
def test_what_the_child_leaves_is_read_as_numbers_or_labels_alone(
    case: str, tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyfunc_sandbox, "_run", lambda _folder, home: WRITES[case](home))
    with codes.raises("models.external_sandbox_answer"):
        pyfunc_sandbox.answers(tmp_path, frame[["age"]])


def test_a_folder_that_never_ends_is_ended(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyfunc_sandbox, "TIMEOUT", 0.5)
    folder = elsewhere.pyfunc(tmp_path / "m", "import time\ntime.sleep(600)", ["age"])
    with codes.raises("models.external_sandbox_failed"):
        pyfunc_sandbox.answers(folder, frame[["age"]])


MISFITS: dict[str, tuple[list[str] | None, str]] = {
    "other features": (["age", "debt"], "models.external_features_differ"),
    "no signature": (None, "models.external_features_unnamed"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_folder_of_other_inputs_is_refused_before_it_runs(
    case: str, tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, code = MISFITS[case]
    elsewhere.build(tmp_path, frame, features=["age"], file="external/m")
    elsewhere.pyfunc(tmp_path / "external/m", "raise SystemExit('it ran')", names)
    monkeypatch.chdir(tmp_path)
    with codes.raises(code):
        train.main()


def test_without_a_sandbox_nothing_runs(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "can_confine", lambda: False)
    folder = elsewhere.pyfunc(tmp_path / "m", "raise SystemExit('it ran')", ["age"])
    with codes.raises("models.external_sandbox_unavailable"):
        pyfunc_sandbox.answers(folder, frame[["age"]])


def test_links_in_a_folder_and_a_broken_one_are_refused(tmp_path: Path, frame: pd.DataFrame) -> None:
    folder = elsewhere.pyfunc(tmp_path / "m", LOGISTIC, ["age"])
    (folder / "link").symlink_to(tmp_path)
    with codes.raises("models.external_sandbox_failed"):
        pyfunc_sandbox.answers(folder, frame[["age"]])
    (folder / "MLmodel").write_text("flavors: {}\n")
    with codes.raises("models.external_wrong_format"):
        pyfunc_sandbox.describe(folder)


CONFINED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from clearance import sandbox
sandbox.confinement([Path(sys.argv[2])], [Path(sys.argv[3])])()
for action in (
    lambda: open(sys.argv[2] + "/file").read(),
    lambda: open(sys.argv[3] + "/new", "w").write("x"),
    lambda: open(sys.argv[2] + "/new", "w").write("x"),
    lambda: open(sys.argv[4] + "/file").read(),
    lambda: os.rename(sys.argv[2] + "/file", sys.argv[3] + "/file"),
):
    try:
        action()
        print("yes")
    except OSError:
        print("no")
"""


def test_a_confined_process_has_the_places_it_was_given(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("read", "write", "other")]
    for place in places:
        place.mkdir()
        (place / "file").write_text("x")
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", CONFINED, str(root), *map(str, places)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout.split() == ["yes", "yes", "no", "no", "no"]
