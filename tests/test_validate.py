"""Validation as a stage: its report is evidence anyone may read, and the same table gives the same bytes."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clearance import files
from clearance.documents.measurement import Measurement
from tasks import prepare, validate
from tests.support import codes, tables

SECRETS = ("Zulu", "Yankee", "Xray-person", "W-key")


def run(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "argv", ["validate", name])
    validate.main()
    document: dict[str, Any] = files.read_json(root / f"reports/validation_{name}.json")
    return document


def page(root: Path, name: str) -> str:
    return (root / f".clearance/data_docs/{name}/index.html").read_text()


def test_a_sound_table_passes_both_boundaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tables.project(tmp_path, tables.applications())
    raw = run(root, "raw", monkeypatch)
    prepare.main()
    prepared = run(root, "prepared", monkeypatch)
    for name, document in (("raw", raw), ("prepared", prepared)):
        assert (document["status"], document["boundary"], document["blocked"]) == ("measured", name, False)
        for measurement in ("blocking_failures", "warnings", "expectations"):
            Measurement.from_json(document["measurements"][measurement])
    assert raw["table"] == files.read_json(root / "data/origin.json")["sha256"]
    assert prepared["tables"] == files.read_json(root / "reports/split.json")["tables"]
    assert set(prepared["measurements"]["label_rate_ratio"]) == {"race", "sex"}


def test_a_blocked_table_is_judged_not_raised_and_the_next_boundary_passes_it_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    income = tables.put(tables.applications().column("income"), {7: -5.0})
    root = tables.project(tmp_path, tables.applications(income=income))
    assert run(root, "raw", monkeypatch)["blocked"] is True
    assert "block: `income` is out of range in 1 of 400 known values" in caplog.text
    prepare.main()
    document = run(root, "prepared", monkeypatch)
    assert (document["status"], document["blocked"]) == ("blocked", True)
    assert document["because"].startswith("validate_raw: `income` is out of range in 1 of 400")
    assert document["measurements"] == {}


def faulty(rows: int = 400) -> pa.Table:
    """A table with a fault of every kind: a key twice, values missing, out of range or unknown."""
    return tables.applications(
        rows,
        id=[1000, *range(1000, 999 + rows)],
        income=[None, -5.0, float("inf"), *[50.0] * (rows - 3)],
        debt=[None, *range(-1, rows - 2)],
        kind=[None, "boat", *["car"] * (rows - 2)],
        sex=None,
    )


def test_the_same_table_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    income = tables.put(tables.applications().column("income"), {7: -5.0})
    texts = []
    for folder in ("one", "two"):
        root = tables.project(tmp_path / folder, tables.applications(income=income, kind=None))
        run(root, "raw", monkeypatch)
        texts.append((root / "reports/validation_raw.json").read_bytes())
        assert str(tmp_path) not in texts[-1].decode()
    assert texts[0] == texts[1]


def secretive() -> pa.Table:
    """A table whose every fault sits on a value that nobody may see."""
    random = np.random.default_rng(3)
    race = np.array(["Black", "White", "Zulu"])[random.integers(0, 3, 400)]
    return tables.applications(
        id=[f"W-key {at // 2}" for at in range(400)],
        person=[None if at == 3 else f"Xray-person {at}" for at in range(400)],
        race=race,
        sex=["Yankee", "male"] * 200,
        black=np.where(race == "Black", "Zulu", "White"),
        kind=np.where(race == "Black", "Zulu", "other"),
    )


def test_no_report_shows_who_anybody_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kind` is not declared an encoding: it is found to be one, and hidden like the others'."""
    declared = json.loads(json.dumps(tables.DATA))
    declared["entity"] = "person"
    declared["columns"]["black"] = {"type": "number", "min": 0}
    declared["columns"]["race"] = {"type": "number", "max": 1, "values": [1]}
    declared["columns"]["id"] = {"type": "integer", "values": ["1"]}
    root = tables.project(tmp_path, secretive(), data=declared)
    document = run(root, "raw", monkeypatch)
    failed = {entry["column"]: entry for entry in document["expectations"] if not entry["success"]}
    assert {"race", "sex", "black", "kind", "id", "person"} <= failed.keys()
    for text in (json.dumps(document), page(root, "raw")):
        assert [secret for secret in SECRETS if secret in text] == []
    examples = {
        name: [entry["examples"] for entry in document["expectations"] if entry["column"] == name]
        for name in failed
    }
    for name in ("race", "sex", "black", "kind"):
        assert not any(examples[name]), name
    keys = [example for batch in examples["id"] for example in batch]
    assert keys
    assert {example["value"] for example in keys} == {None}
    assert all(re.fullmatch("[0-9a-f]{16}", example["row"]) for example in keys)


def test_no_prepared_report_shows_who_anybody_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = tables.DATA | {"columns": {}, "features": ["income", "kind"]}
    root = tables.project(tmp_path, tables.applications(race=secretive().column("race")), data=declared)
    run(root, "raw", monkeypatch)
    prepare.main()
    run(root, "prepared", monkeypatch)
    assert "Zulu" not in page(root, "prepared")
    assert "Zulu" not in json.dumps(
        files.read_json(root / "reports/validation_prepared.json")["expectations"]
    )


def test_failing_values_and_rows_that_may_be_seen_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    income = tables.put(tables.applications().column("income"), {7: -5.25})
    root = tables.project(tmp_path, tables.applications(income=income))
    run(root, "raw", monkeypatch)
    prepare.main()
    document = files.read_json(root / "reports/validation_raw.json")
    (entry,) = (entry for entry in document["expectations"] if not entry["success"])
    assert entry["examples"][0]["value"] == -5.25
    assert "-5.25" in page(root, "raw")


def test_an_example_is_named_as_the_prepared_row_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    kind = tables.put(tables.applications().column("kind"), {7: "boat"})
    for row_key in ("id", None):
        root = tables.project(
            tmp_path / str(row_key), tables.applications(kind=kind), data=tables.DATA | {"row_key": row_key}
        )
        document = run(root, "raw", monkeypatch)
        (entry,) = (entry for entry in document["expectations"] if not entry["success"])
        prepare.main()
        features = pq.read_table(root / "data/prepared/features.parquet", filters=[("kind", "=", "boat")])
        (row,) = features.column("row").to_pylist()
        assert entry["examples"] == [{"row": row[:16], "value": "boat"}]


def test_the_page_reads_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tables.project(tmp_path, tables.applications())
    run(root, "raw", monkeypatch)
    text = page(root, "raw")
    assert not re.search(r"""<(script|link|img|iframe)[^>]*\b(src|href)=["'](https?:)?//""", text)
    assert "the row key `id` identifies each row" in text
    assert "<style>" in text
    assert [path.name for path in (root / ".clearance").rglob("*") if path.is_file()] == ["index.html"]


def test_great_expectations_writes_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tables.project(tmp_path / "project", tables.applications())
    home = tmp_path / "home"
    temporary = tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    run(root, "raw", monkeypatch)
    assert [*home.rglob("*"), *temporary.rglob("*")] == []


@pytest.mark.parametrize("arguments", [[], ["row"], ["raw", "prepared"]])
def test_an_unknown_boundary_is_named(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["validate", *arguments])
    with codes.raises("expectations.unknown_boundary", name=" ".join(arguments)):
        validate.main()


def test_a_table_that_is_not_the_recorded_one_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tables.project(tmp_path, tables.applications())
    (root / "data/raw.parquet").write_bytes(b"?")
    with codes.raises("files.changed"):
        run(root, "raw", monkeypatch)
    (root / "data/raw.parquet").unlink()
    with codes.raises("files.missing"):
        run(root, "raw", monkeypatch)
    assert not (root / "reports").exists()


def test_a_table_without_rows_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tables.project(tmp_path, tables.applications().slice(0, 0))
    with codes.raises("expectations.empty_table"):
        run(root, "raw", monkeypatch)


def test_columns_with_strange_names_and_values_reach_the_report_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "in $come: <b>%s</b> {x}"
    values = ["<img src=x onerror=alert(1)>", "é" * 200] + ["a", "b"] * 199
    declared = tables.DATA | {"features": ["debt", name], "columns": {name: {"values": ["a", "b"]}}}
    root = tables.project(tmp_path, tables.applications(**{name: values}), data=declared)
    document = run(root, "raw", monkeypatch)
    (entry,) = (entry for entry in document["expectations"] if not entry["success"])
    assert entry["column"] == name
    assert entry["examples"][0]["value"] == "<img src=x onerror=alert(1)>"
    assert entry["examples"][1]["value"] == "é" * 79 + "…"
    assert "<img src=x onerror=alert(1)>" not in page(root, "raw")


def test_the_page_calls_a_warning_a_warning_and_leads_to_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tables.applications()
    income = tables.put(table.column("income"), {7: -5.0})
    rules = {"income": {"type": "number", "min": 0, "severity": "warn"}}
    declared = tables.DATA | {"columns": tables.DATA["columns"] | rules}
    root = tables.project(tmp_path, tables.applications(income=income), data=declared)
    document = run(root, "raw", monkeypatch)
    (unmet,) = [entry for entry in document["expectations"] if not entry["success"]]
    assert (document["blocked"], unmet["severity"]) == (False, "warn")
    text = page(root, "raw")
    assert "This table may be used: " in text and ", 1 warns." in text
    assert "Failed" not in re.sub(r"<label.*?</label>", "", text, flags=re.DOTALL)
    assert "fa-times" not in text.partition("<body")[2]
    assert 'href="../../../reports/report.html#data"' in text and "<footer" not in text
