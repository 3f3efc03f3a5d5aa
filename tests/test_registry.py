"""MLflow, spoken to quietly and safely: one model folder, one version a content, one champion."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE

from clearance import environment, files, registry
from clearance.errors import ExitCode
from clearance.models import model_file, scoring
from clearance.registry import mlflow_server, model_folder
from clearance.versioning import pipeline_state
from tasks import track
from tests.support import codes, disks, judged, ledger_samples

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning"),
]

CANDIDATES = "loan-approval-candidate"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return judged.settle_with_store(tmp_path / "project", monkeypatch)


@pytest.fixture
def described(project: Path) -> registry.ModelDescription:
    description = registry.describe_model(pipeline_state.verify(project))
    assert description is not None
    return description


def tracked_model(project: Path) -> tuple[registry.MlflowServer, registry.TrackedRun]:
    track.main()
    connected = registry.connect()
    run = registry.find_run(connected, "governance-demo", pipeline_state.verify(project).fingerprint)
    assert run is not None
    return connected, run


def registered(project: Path) -> tuple[registry.MlflowServer, registry.Version]:
    connected, run = tracked_model(project)
    fingerprint = pipeline_state.verify(project).fingerprint
    return connected, registry.register_version(
        connected, CANDIDATES, run, fingerprint, {"clearance.verdict": "pass"}
    )


def test_the_model_folder_holds_our_bytes_and_is_the_same_every_time(
    described: registry.ModelDescription, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        model_folder.write(
            tmp_path / name, described, model_id="m-1", run_id="r-1", created=1_700_000_000_000
        )
    assert model_folder.folder_digests(tmp_path / "a") == model_folder.folder_digests(tmp_path / "b")
    assert files.sha256(tmp_path / "a" / "model.skops") == described.sha256
    about = yaml.safe_load((tmp_path / "a" / "MLmodel").read_text())
    assert about["flavors"]["sklearn"]["serialization_format"] == "skops"
    assert about["flavors"]["python_function"]["predict_fn"] == "predict"
    assert about["metadata"]["clearance"] == {"threshold": 0.45, "model_sha256": described.sha256}
    assert str(tmp_path) not in (tmp_path / "a" / "MLmodel").read_text()


def test_requirements_are_what_the_lock_pins(described: registry.ModelDescription) -> None:
    lines = (Path(__file__).parent.parent / "requirements.lock").read_text()
    names = {line.partition("==")[0] for line in described.requirements}
    assert names == {"mlflow", "numpy", "pandas", "scikit-learn", "scipy", "skops"}
    assert all(f"\n{line} " in f"\n{lines}" for line in described.requirements)


@pytest.mark.parametrize(
    ("library", "version"), [("scikit-learn", "0.0.1"), ("never-heard-of", "1.0"), ("skops", "0.16")]
)
def test_a_library_that_the_lock_does_not_pin_is_refused(project: Path, library: str, version: str) -> None:
    record = files.read_json(project / model_folder.RECORD)
    record["libraries"][library] = version
    files.write_json(project / model_folder.RECORD, record)
    verified = pipeline_state.PipelineState(
        root=project,
        fingerprint="",
        outs={model_folder.RECORD: files.sha256(project / model_folder.RECORD)},
        deps={},
    )
    with codes.raises("registry.library_not_pinned", name=library, version=version):
        registry.describe_model(verified)
    del record["inputs"]
    files.write_json(project / model_folder.RECORD, record)
    again = replace(verified, outs={model_folder.RECORD: files.sha256(project / model_folder.RECORD)})
    with codes.raises("documents.does_not_fit", pointer="/inputs"):
        registry.describe_model(again)


def test_a_model_file_that_changed_is_not_written(
    described: registry.ModelDescription, tmp_path: Path
) -> None:
    described.file.write_bytes(described.file.read_bytes() + b"\0")
    with codes.raises("files.changed", path=described.file):
        model_folder.write(tmp_path / "a", described, model_id="m", run_id="r", created=0)


def test_mlflow_loads_the_model_and_scores_as_we_do(project: Path) -> None:
    import mlflow

    connected, version = registered(project)
    registry.set_champion(connected, registry.copy_version(connected, version, "loan-approval"))
    rows = pd.DataFrame(
        {
            "amount": [90.0, None, 120.0, 100.0, 100.0],
            "purpose": ["house", "car", None, "car", "house"],
            "ratio": [0.2, 0.5, None, 0.4, 0.45],
        }
    )
    path = project / "models/trained/model.skops"
    ours = scoring.score(model_file.load_scorer(path, files.sha256(path), judged.THRESHOLD), rows)
    served = mlflow.pyfunc.load_model("models:/loan-approval@champion")
    decisions = ours >= judged.THRESHOLD
    assert 0 < decisions.sum() < len(rows) and not np.array_equal(decisions, ours >= 0.5)
    assert served.predict(rows).tolist() == decisions.astype(int).tolist()
    assert served.predict(served.input_example).shape == (1,)
    assert str(served.predict(rows).dtype) == served.metadata.signature.outputs.inputs[0].type.name
    assert np.array_equal(served.get_raw_model().predict_proba(rows)[:, 1], ours)
    assert [str(kind) for kind in served.metadata.signature.inputs.input_types()] == [
        "DataType.double",
        "DataType.string",
        "DataType.double",
    ]
    model = mlflow.sklearn.load_model("models:/loan-approval@champion")
    assert np.array_equal(scoring.score(model.estimator, rows), ours)
    assert model.predict(rows).tolist() == decisions.astype(int).tolist()


def test_a_version_is_registered_once_with_all_its_tags(project: Path) -> None:
    connected, version = registered(project)
    assert (version.name, version.number) == (CANDIDATES, 1)
    assert version.tags["clearance.verdict"] == "pass"
    assert version.fingerprint == pipeline_state.verify(project).fingerprint
    before = judged.dump(project)
    assert registered(project)[1] == version
    assert judged.dump(project) == before
    assert registry.champion(connected, "loan-approval") is None
    assert registry.find_version(connected, "never-registered", version.fingerprint) is None


def test_the_champion_is_read_back_until_there_is_none(project: Path) -> None:
    connected, version = registered(project)
    copy = registry.copy_version(connected, version, "loan-approval")
    assert copy.tags == version.tags
    assert registry.champion(connected, "loan-approval") is None
    registry.set_champion(connected, copy)
    assert registry.champion(connected, "loan-approval") == copy
    assert registry.find_number(connected, "loan-approval", copy.number) == copy
    assert registry.find_number(connected, "loan-approval", 7) is None
    registry.clear_champion(connected, "loan-approval")
    assert registry.champion(connected, "loan-approval") is None


def test_a_collision_is_tried_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, collisions = MlflowClient.create_model_version, iter(range(3))

    def collide(*arguments: Any, **keywords: Any) -> Any:
        if next(collisions, None) is not None:
            raise MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: model_versions")
        return original(*arguments, **keywords)

    monkeypatch.setattr(MlflowClient, "create_model_version", collide)
    assert registered(project)[1].number == 1


def test_of_two_versions_that_arise_at_once_the_older_stays(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = MlflowClient.create_model_version

    def twice(*arguments: Any, **keywords: Any) -> Any:
        original(*arguments, **keywords)  # somebody else, a moment earlier
        return original(*arguments, **keywords)

    monkeypatch.setattr(MlflowClient, "create_model_version", twice)
    connected, version = registered(project)
    assert version.number == 1
    assert [
        int(candidate.version) for candidate in connected.client.search_model_versions(f"name='{CANDIDATES}'")
    ] == [1]


def change_the_model(place: Path) -> None:
    content = bytearray((place / "model.skops").read_bytes())
    content[100] ^= 1
    (place / "model.skops").write_bytes(content)


def point_at_a_pickle(place: Path) -> None:
    text = (place / "MLmodel").read_text()
    (place / "MLmodel").write_text(
        text.replace("serialization_format: skops", "serialization_format: pickle")
    )


def add_code(place: Path) -> None:
    (place / "code").mkdir()
    (place / "code" / "loader.py").write_text("")


def trust_more(place: Path) -> None:
    text = (place / "MLmodel").read_text()
    (place / "MLmodel").write_text(text.replace("- numpy.dtype", "- numpy.dtype\n    - os.system"))


def need_more(place: Path) -> None:
    with (place / "requirements.txt").open("a") as file:
        file.write("something-else==1.0\n")


def lose_a_file(place: Path) -> None:
    (place / "conda.yaml").unlink()


def lose_all(place: Path) -> None:
    shutil.rmtree(place)


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (change_the_model, "model.skops"),
        (point_at_a_pickle, "MLmodel"),
        (add_code, "code/loader.py"),
        (trust_more, "MLmodel"),
        (need_more, "requirements.txt"),
        (lose_a_file, "conda.yaml"),
        (lose_all, "cannot be read"),
    ],
)
def test_files_that_are_not_what_was_judged_are_named(
    project: Path, described: registry.ModelDescription, tamper: Callable[[Path], None], named: str
) -> None:
    connected, version = registered(project)
    registry.verify_files(connected, version, described)
    (place,) = (project / "mlruns").glob("*/models/*/artifacts")
    tamper(place)
    with codes.raises("registry.version_altered", version=version) as error:
        registry.verify_files(connected, version, described)
    assert named in error.value.values["reason"]


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (MlflowException("no", error_code=PERMISSION_DENIED), "account_refused"),
        (MlflowException("API request to endpoint /x failed with error code 401 != 200"), "account_refused"),
        (MlflowException("API request to http://h/x failed with exception refused"), "mlflow_unavailable"),
        (MlflowException("API request to http://h/x failed with timeout exception"), "mlflow_unavailable"),
        (MlflowException("busy", error_code=TEMPORARILY_UNAVAILABLE), "mlflow_unavailable"),
        (MlflowException("something else"), "mlflow_failed"),
    ],
)
def test_what_mlflow_raises_becomes_an_error_of_ours_without_the_password(
    raised: MlflowException, code: str
) -> None:
    with (
        codes.raises(f"registry.{code}", address="http://host:1/path") as error,
        mlflow_server.translated("http://user:secret@host:1/path"),
    ):
        raise raised
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "code", "shown"),
    [
        ("htp://bob:s3cr3t@host/x?token=s3cr3t", "address_not_usable", "htp://host/x"),
        ("mysql://bob:s3cr3t@127.0.0.1:{port}/x", "driver_missing", "mysql://127.0.0.1:{port}/x"),
        ("postgresql+nosuch://bob:s3cr3t@127.0.0.1:{port}/x", "driver_missing", None),
        ("sqlite+nosuch:///x.db?token=s3cr3t", "driver_missing", "sqlite+nosuch:///x.db"),
        ("postgresql://bob:s3cr3t@127.0.0.1:s3cr3t/x", "address_not_usable", None),
        ("postgresql://bob:s3c/r3t@127.0.0.1:1/x?sslkey=s3cr3t", "mlflow_unavailable", None),
        (
            "postgresql://bob:s3cr3t@127.0.0.1:5432/nosuch",
            "database_refuses",
            "postgresql://127.0.0.1:5432/nosuch",
        ),
        ("sqlite:///params.yaml", "mlflow_failed", "sqlite:///params.yaml"),
    ],
)
def test_an_address_of_no_use_is_one_error_that_shows_no_credential(
    project: Path, monkeypatch: pytest.MonkeyPatch, address: str, code: str, shown: str | None
) -> None:
    if ":5432/" in address and not ledger_samples.postgres_runs():
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(port=port))
        with codes.raises(f"registry.{code}") as error:
            registry.connect()
    assert not re.search("s3c/?r3t|bob", f"{error.value} {error.value.values}")
    assert error.value.__cause__ is None and error.value.__context__ is None
    if shown:
        assert error.value.values["address"] == shown.format(port=port)


# What passes


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """MLflow and we wait no time for a locked database."""

    def shorten(_c: Any, _u: Any, statement: str, parameters: Any, *_: Any) -> tuple[str, Any]:
        return re.sub(r"(PRAGMA busy_timeout =) \d+", r"\1 0", statement), parameters

    monkeypatch.setattr(mlflow_server, "PATIENCE", 0.0)
    sa.event.listen(sa.Engine, "before_cursor_execute", shorten, retval=True)
    yield
    sa.event.remove(sa.Engine, "before_cursor_execute", shorten)


def test_a_locked_database_is_a_fault_that_passes(project: Path, impatient: None) -> None:
    connected = registry.connect()
    with closing(sqlite3.connect("mlflow.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        for call in (track.main, lambda: registry.champion(connected, "loan-approval")):
            with codes.raises("registry.database_busy") as error:
                call()
            assert error.value.exit_code == ExitCode.TRANSIENT
            assert error.value.__cause__ is None and error.value.__context__ is None
    assert registry.champion(connected, "loan-approval") is None


def test_a_call_is_repeated_until_the_database_is_free(
    project: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected = registry.connect()
    holder = sqlite3.connect("mlflow.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(mlflow_server, "PATIENCE", 60.0)
    monkeypatch.setattr(time, "sleep", lambda _: holder.close())
    assert connected.client.create_experiment("later")


def test_a_full_temporary_folder_is_no_lost_evidence(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected, version = registered(project)
    with disks.full(tmp_path / "full") as full:
        monkeypatch.setattr(tempfile, "tempdir", str(full))
        target = tmp_path / "target"
        calls: list[Callable[[], Any]] = [
            lambda: registry.fetch_files(connected, version, ["params.yaml"], target),
            lambda: registry.model_file_digests(connected, version),
        ]
        for call in calls:
            with codes.raises("files.no_space") as error:
                call()
            assert error.value.exit_code == ExitCode.TRANSIENT


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        ("http://host:5000", True),
        ("https://host", True),
        ("databricks", True),
        ("postgresql+psycopg://host/db", True),
        ("sqlite:////tmp/x.db", False),
        ("file:///tmp/x", False),
        ("./mlruns", False),
    ],
)
def test_only_a_server_is_shared(address: str, shared: bool) -> None:
    assert mlflow_server.is_shared(address) is shared


def _connect(address: str, start: Any, results: Any) -> None:
    os.environ["MLFLOW_TRACKING_URI"] = address
    start.wait()
    try:
        registry.connect()
        results.put("")
    except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
        results.put(repr(error))


def _register(root: str, start: Any, results: Any) -> None:
    os.chdir(root)
    os.environ.update(environment.tool_locations(Path(root)))
    connected = registry.connect()
    verified = pipeline_state.verify(Path(root))
    run = registry.find_run(connected, "governance-demo", verified.fingerprint)
    assert run is not None
    start.wait()
    try:
        for number in range(5):
            registry.register_version(connected, CANDIDATES, run, f"{number:064}", {})
        results.put("")
    except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
        results.put(repr(error))


def at_once(number: int, target: Callable[..., None], argument: str) -> list[str]:
    """What each of `number` processes that start together has to say.

    They are forks of a process that has imported this file, and nothing more: it takes seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [__name__, "mlflow.store.tracking.sqlalchemy_store", "sklearn.linear_model"]
    )
    start, results = context.Barrier(number), context.Queue()
    processes = [context.Process(target=target, args=(argument, start, results)) for _ in range(number)]
    for process in processes:
        process.start()
    answers = [results.get(timeout=240) for _ in processes]
    for process in processes:
        process.join()
    return answers


def test_every_name_of_the_room_is_there_and_mlflow_is_imported_late() -> None:
    assert all(getattr(registry, name) is not None for name in registry.__all__)  # type: ignore[attr-defined]
    stub = Path(registry.__file__).with_suffix(".pyi").read_text()
    assert set(re.findall(r" as (\w+)$", stub, re.MULTILINE)) == set(registry.__all__)  # type: ignore[attr-defined]
    script = "import sys, clearance.registry; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_files_of_a_run_are_located_once(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connected, version = registered(project)
    located: list[str] = []
    original = MlflowClient.get_run

    def get_run(client: MlflowClient, run_id: str) -> Any:
        located.append(run_id)
        return original(client, run_id)

    monkeypatch.setattr(MlflowClient, "get_run", get_run)
    names = ["reports/training.json", "reports/verdict.json", "params.yaml"]
    registry.fetch_files(connected, version, names, tmp_path / "files")
    assert located == [version.run_id]
    assert [(tmp_path / "files" / name).read_bytes() for name in names] == [
        (project / name).read_bytes() for name in names
    ]
    with codes.raises("registry.file_lost", name="reports/never.json"):
        registry.fetch_files(connected, version, [names[0], "reports/never.json"], tmp_path / "lost")


@pytest.mark.slow
def test_a_fresh_store_survives_several_processes_at_once(tmp_path: Path) -> None:
    assert at_once(2, _connect, f"sqlite:///{tmp_path / 'new' / 'mlflow.db'}") == [""] * 2


@pytest.mark.slow
def test_processes_that_register_the_same_contents_at_once_make_one_version_each(project: Path) -> None:
    connected, _ = tracked_model(project)
    assert at_once(2, _register, str(project)) == [""] * 2
    versions = connected.client.search_model_versions(f"name='{CANDIDATES}'")
    assert sorted(version.tags["clearance.fingerprint"] for version in versions) == [
        f"{n:064}" for n in range(5)
    ]
