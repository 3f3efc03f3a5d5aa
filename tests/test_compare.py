"""The effect `compare`: champion and candidate on real rows of a judged project and a real registry."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from clearance import comparison, files, params, paths, registry
from clearance.comparison import Comparison, compare
from clearance.data.tables import fitted_rows, prepared
from clearance.documents.measurement import Outcome
from clearance.errors import IntegrityError
from clearance.models import compatibility, encoding, model_file
from clearance.policy import project_verdict
from clearance.promotion import release
from clearance.versioning import pipeline_state
from tasks import prepare, track
from tests.support import codes, evidence, judged, tables
from tests.test_comparison_decision import asked

NAME = "loan-approval"
LOOSE = {"difference_margin": 0.3, "ratio_margin": 0.5, "quality": [{"metric": "accuracy", "margin": 0.1}]}
ROWS = 1000
RECORDS = ("reports/training.json", "reports/split.json", "data/origin.json")
DAY = dt.date(2026, 11, 30)


@pytest.fixture(scope="module")
def reigning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose model is the champion: fitted and tuned on rows 0 to 699, judged on 700 to 999."""
    root = tmp_path_factory.mktemp("reigning") / "project"
    with pytest.MonkeyPatch.context() as patch:
        judged.settle_with_store(root, patch, rows=ROWS)
        track.main()
        release.release(root, DAY)
    return root


@pytest.fixture
def project(reigning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, in a copy whose registry speaks of the copy's own files."""
    root = tmp_path / "project"
    shutil.copytree(reigning, root, symlinks=True)
    with sqlite3.connect(root / "mlflow.db") as store:
        for table, column in places(store):
            store.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?)",  # noqa: S608 - our own names
                (str(reigning), str(root)),
            )
    store.close()
    judged.move_in(root, monkeypatch)
    return root


def places(store: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every text column of MLflow's store whose name says that it holds a place."""
    locations = []
    for (table,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        columns = [row[1] for row in store.execute(f"PRAGMA table_info({table})")]
        locations += [(table, column) for column in columns if column.endswith(("uri", "location", "source"))]
    return locations


def run(root: Path, vouched: registry.SignedDigests | None = None, **changes: Any) -> Comparison:
    server = registry.connect()
    champion = registry.champion(server, NAME)
    return compare.compare(
        pipeline_state.verify(root), asked(**{**LOOSE, **changes}), server, champion, vouched
    )


def candidate(root: Path, change: Callable[[pd.DataFrame], pd.Series] | None = None, **options: Any) -> None:
    """Put another judged candidate at `root`; `change` makes its labels of the train rows it is fitted on."""
    judged.put(root, **({"rows": ROWS, "model": 1} | options))
    if change is None:
        return
    train = prepared.read(root, "train")
    label = change(train.features.assign(label=train.label, race=train.protected["race"]))
    pipeline = Pipeline(
        [("encode", encoding.transformer(judged.FEATURES)), ("estimator", LogisticRegression())]  # type: ignore[arg-type]
    ).fit(train.features, label)
    model = root / "models/trained/model.skops"
    sha256 = model_file.save(model_file.with_threshold(pipeline, judged.THRESHOLD), model)
    record = files.read_json(root / "reports/training.json")
    record["model"]["sha256"] = sha256
    files.write_json(root / "reports/training.json", record)
    judged.score(root)
    rejudge(root)


def rejudge(root: Path) -> None:
    """Judge what lies at `root`, and let DVC lock it."""
    verdict = project_verdict.judge(params.load(root / "params.yaml"), root)
    verdict.write(root)
    judged.lock(root)


def reasons(result: Comparison) -> str:
    return " ".join(finding.reason for finding in result.findings)


@pytest.mark.slow
def test_a_candidate_beside_the_champion(project: Path) -> None:
    candidate(project)
    result = run(project)
    assert (result.rows.test, result.rows.left_out, result.rows.compared) == (300, 0, 300)
    assert [finding.outcome for finding in result.findings] == [Outcome.PASS] * 2, reasons(result)
    assert result.outcome is Outcome.PASS
    champion = registry.champion(registry.connect(), NAME)
    assert champion is not None and result.champion is not None
    assert result.champion.version == champion.number
    assert result.champion.fingerprint == champion.fingerprint
    assert result.champion.sha256 == hashlib.sha256(judged.trained(0)).hexdigest()
    assert result.candidate.sha256 == hashlib.sha256(judged.trained(1)).hexdigest()
    assert result.candidate.fingerprint == pipeline_state.verify(project).fingerprint
    document = result.to_json()
    assert set(document["figures"]["by_group"]["race"]) == {"Black", "White"}
    assert 0 < document["figures"]["mcnemar_p"] <= 1
    path = compare.write(project, result)
    first = path.read_bytes()
    again = run(project)
    assert compare.write(project, again).read_bytes() == first
    assert comparison.digest(again) == comparison.digest(result) == files.sha256_json(document)
    assert str(project) not in first.decode()


@pytest.mark.slow
def test_of_the_champion_only_what_its_signed_evidence_says_counts(project: Path) -> None:
    candidate(project)
    champion = registry.champion(registry.connect(), NAME)
    assert champion is not None
    digests = {path: champion.tags[f"clearance.evidence.{path.replace('/', '.')}"] for path in RECORDS}
    record = registry.SignedDigests(
        model=champion.tags["clearance.model.sha256"],
        outs=digests,
        params=(project / "params.yaml").read_text(),
    )
    assert run(project, record).outcome is Outcome.PASS
    for other, fault in [
        (replace(record, model="0" * 64), "model.skops"),
        *[(replace(record, outs=digests | {path: "0" * 64}), path) for path in RECORDS],
        (replace(record, outs={}), "reports/training.json"),
    ]:
        with codes.raises("registry.version_altered") as error:
            run(project, other)
        assert fault in error.value.values["reason"]
    declared = yaml.safe_load(record.params)
    declared["data"]["favourable"] = "another"
    result = run(project, replace(record, params=yaml.safe_dump(declared)))
    assert "trained on another outcome" in result.findings[0].reason


@pytest.mark.slow
def test_a_worse_candidate_fails_and_the_champion_itself_passes(project: Path) -> None:
    candidate(project, lambda rows: 1 - rows["label"])
    worse = run(project)
    assert worse.findings[0].outcome is Outcome.FAIL
    assert worse.outcome is Outcome.FAIL
    judged.put(project, rows=ROWS, model=0)
    same = run(project, minimum_rows=100_000, difference_margin=0.0)
    assert same.outcome is Outcome.PASS
    assert {finding.change.method for finding in same.findings if finding.change} == {"the same model"}


@pytest.mark.slow
def test_rows_the_champion_has_seen_are_left_out_and_counted(project: Path) -> None:
    candidate(project, first=-150)  # its test rows are 550 to 849: 150 of them tuned the champion
    some = run(project)
    assert (some.rows.left_out, some.rows.compared) == (150, 150)
    assert "decided differently" in some.to_json()["figures"]["quality"]["accuracy"]["support"]
    assert run(project, minimum_rows=151).outcome is Outcome.INSUFFICIENT_EVIDENCE
    candidate(project, first=-400)  # 300 to 599: all of them fitted or tuned it
    every = run(project)
    assert (every.rows.left_out, every.rows.compared) == (300, 0)
    assert {finding.outcome for finding in every.findings} == {Outcome.INSUFFICIENT_EVIDENCE}
    assert "0 rows can be compared, but at least 100 are needed" in reasons(every)


@pytest.mark.slow
def test_a_first_version_stands_on_its_own_verdict(project: Path) -> None:
    server = registry.connect()
    for verdict in ("pass", "fail", "insufficient_evidence"):
        judged.put(project, rows=ROWS, verdict=verdict)
        result = compare.compare(pipeline_state.verify(project), asked(), server, None)
        assert (result.champion, result.approvals, result.outcome.value) == (None, 1, verdict)
    for folder in ("data/prepared", "data/scored", "models/trained", "reports/figures"):
        shutil.rmtree(project / folder)
    judged.put(project, blocked=True)
    with pytest.raises(IntegrityError) as error:
        compare.compare(pipeline_state.verify(project), asked(), server, None)
    assert error.value.code == "comparison.no_candidate"
    assert error.value.values["because"].startswith("validate_raw: a fault")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("vendor", "rows", "reason"),
    [
        ("none", 300, None),
        ("none", 350, "it is a table of scores, and has none for"),
        ("unknown", 300, "it is not known of all rows whether they trained it"),
    ],
)
def test_a_vendors_table_as_champion_answers_for_the_rows_it_lists(
    vendor: str, rows: int, reason: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    judged.settle_with_store(root, monkeypatch, rows=300, vendor=vendor)
    track.main()
    release.release(root, DAY)
    judged.put(root, rows=rows, model=1)
    result = run(root)
    if reason is None:
        assert result.rows.compared == 90
        assert Outcome.NOT_EVALUATED not in {finding.outcome for finding in result.findings}
    else:
        assert result.outcome is Outcome.NOT_EVALUATED
        assert reason in reasons(result)


@pytest.mark.slow
def test_what_keeps_the_champion_from_being_asked_is_found_and_never_passes(project: Path) -> None:
    declared = judged.PARAMS["data"]
    other = [
        ({"target": "repaid"}, "another outcome"),
        ({"favourable": 0}, "another outcome"),
        ({"row_key": "number"}, "have other keys"),
        ({"weight": "stands_for"}, "rows have weights or clusters"),
    ]
    for change, reason in other:
        candidate(project, changes={"data": declared | change})
        result = run(project)
        assert result.outcome is Outcome.NOT_EVALUATED, reason
        assert reason in reasons(result)
        assert result.rows.left_out is None
    candidate(project)
    features = pd.read_parquet(project / "data/prepared/features.parquet")
    for frame, reason in (
        (features.drop(columns="ratio"), "the table lacks `ratio`"),
        (features.assign(ratio="much"), "`ratio` was a number and is a category"),
        (features.assign(amount=features["amount"] / 1000), "`amount` is on another scale"),
        (features.assign(purpose="boat"), "`purpose` holds categories that it never saw in 100.0%"),
    ):
        record = files.read_json(project / "reports/split.json")
        frame.to_parquet(project / "data/prepared/features.parquet", index=False)
        record["tables"]["features"] = files.sha256(project / "data/prepared/features.parquet")
        files.write_json(project / "reports/split.json", record)
        rejudge(project)
        result = run(project)
        assert {finding.outcome for finding in result.findings} == {Outcome.NOT_EVALUATED}
        assert reason in reasons(result)


def kept_at(root: Path, name: str) -> list[Path]:
    return [path for path in (root / "mlruns").rglob(Path(name).name) if str(path).endswith(name)]


@pytest.mark.slow
def test_a_champion_that_was_tampered_with_is_refused(project: Path) -> None:
    candidate(project)
    altered = ("model.skops", *RECORDS, "rows/train.bin", "rows/tune.bin")
    for name in altered:
        files = kept_at(project, name)
        assert files, name
        before = [file.read_bytes() for file in files]
        for file, content in zip(files, before, strict=True):
            file.write_bytes(content[:16] + content[32:] if name.startswith("rows") else content + b" ")
        with codes.raises("registry.version_altered") as error:
            run(project)
        assert name in error.value.values["reason"]
        for file, content in zip(files, before, strict=True):
            file.write_bytes(content)
    assert run(project).outcome is Outcome.PASS
    for file in kept_at(project, "rows/tune.bin"):
        file.unlink()
    older = run(project)  # a run from before such rows were kept
    assert older.outcome is Outcome.NOT_EVALUATED
    assert "did not record which rows the champion was fitted on" in reasons(older)
    MlflowClient().delete_model_version_tag(NAME, "1", "clearance.model.sha256")
    with pytest.raises(IntegrityError, match="was not released here"):
        run(project)


@pytest.mark.slow
def test_the_rows_a_model_was_fitted_on_are_kept_with_its_run(project: Path) -> None:
    split = files.read_json(project / "reports/split.json")
    for side in fitted_rows.SPLITS:
        (file,) = kept_at(project, fitted_rows.name(side))
        assert file.stat().st_size == 16 * split["rows"][side]
        assert fitted_rows.digest(file.read_bytes()) == split["row_digests"][side]
        assert file.read_bytes() == fitted_rows.read(project)[side]


def test_what_prepare_records_is_the_digest_of_the_rows_that_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tables.project(tmp_path / "project", tables.applications())
    files.write_json(
        root / paths.VALIDATION_RAW,
        evidence.raw_validation(table=files.sha256(root / paths.RAW_TABLE)).to_json(),
    )
    monkeypatch.chdir(root)
    prepare.main()
    split = files.read_json(root / paths.SPLIT)
    for side in fitted_rows.SPLITS:
        assert fitted_rows.digest(fitted_rows.read(root)[side]) == split["row_digests"][side]


hashes = st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), unique=True, max_size=30)


@given(hashes, hashes, st.randoms(use_true_random=False))
def test_seen_rows_are_found_in_any_order(known: list[str], others: list[str], random: Any) -> None:
    queries = [*known, *others]
    random.shuffle(queries)
    packed = fitted_rows.pack(known)
    assert packed.hex() == "".join(sorted(known))
    assert packed == fitted_rows.pack(sorted(known, reverse=True))
    assert fitted_rows.digest(packed) == hashlib.sha256("".join(sorted(known)).encode()).hexdigest()
    mask = fitted_rows.contained(queries, [packed[: 16 * 3], packed[16 * 3 :]])
    assert mask.tolist() == [query in set(known) for query in queries]


def fitted_on(table: pd.DataFrame, how: encoding.Encoding = "one_hot") -> Pipeline:
    label = (np.arange(len(table)) % 2).astype("int8")
    estimator = LogisticRegression() if how == "one_hot" else HistGradientBoostingClassifier(max_iter=2)
    steps = [("encode", encoding.transformer(judged.FEATURES, how)), ("estimator", estimator)]  # type: ignore[arg-type]
    return Pipeline(steps).fit(table, label)


def test_a_table_that_only_drifted_can_still_be_read() -> None:
    table = pd.DataFrame([judged.row(number) for number in range(300)])[list(judged.FEATURES)]
    model = fitted_on(table)
    none: dict[str, str | None] = {}
    assert compatibility.incompatibilities(model, table, none, 0.0) == []
    drifted = table.assign(amount=table["amount"] * 1.5, more=1.0)
    rare = drifted["purpose"].where(drifted.index >= 10, "boat")
    assert compatibility.incompatibilities(model, drifted.assign(purpose=rare), none, 0.05) == []
    (message,) = compatibility.incompatibilities(model, drifted.assign(purpose=rare), none, 0.01)
    assert "3.3% of the rows (boat)" in message
    (infinite,) = compatibility.incompatibilities(model, table.assign(amount=np.inf), none, 0.05)
    assert "infinite" in infinite
    empty = table.assign(amount=np.nan)
    assert compatibility.incompatibilities(model, empty, {"amount": "number"}, 0.05) == []


@pytest.mark.parametrize("kept_by_the_model", [True, False])
def test_another_unit_is_seen_in_the_model_or_in_the_record(kept_by_the_model: bool) -> None:
    """A model that takes numbers unchanged keeps nothing of its train rows: the training document does."""
    table = pd.DataFrame([judged.row(number) for number in range(300)])[list(judged.FEATURES)]
    cents, none = table.assign(amount=table["amount"] * 100), dict[str, str | None]()
    numbers = None if kept_by_the_model else compatibility.summaries(table)
    model = fitted_on(table) if kept_by_the_model else fitted_on(table, "ordinal")
    assert compatibility.incompatibilities(model, table, none, 0.0, numbers) == []
    (message,) = compatibility.incompatibilities(model, cents, none, 0.0, numbers)
    assert message.startswith("`amount` is on another scale")


def test_summaries_are_of_the_values_that_are_there() -> None:
    table = pd.DataFrame(
        {"x": [1.0, np.nan, 2.0, 9.0], "none": np.nan, "huge": [1e308, -1e308, 1.0, 2.0], "text": "a"}
    )
    summary = compatibility.summaries(table)
    assert list(summary) == ["x"]
    assert summary["x"].median == 2.0
    assert summary["x"].standard_deviation == pytest.approx(np.std([1.0, 2.0, 9.0]))
