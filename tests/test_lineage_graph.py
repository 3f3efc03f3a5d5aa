"""What a model was made of: the chain with its digests, the way of a column; foreign names are inert."""

import dataclasses
import datetime as dt
import json
import re
from typing import Any

import click
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance import foreign_text, params
from clearance.documents.origin_document import OriginDocument
from clearance.errors import ConfigurationError
from clearance.lineage import graph
from clearance.lineage.columns import ColumnUse
from clearance.lineage.datasets import Evidence
from clearance.lineage.graph import ColumnWay, Composition
from clearance.promotion import version_composition
from clearance.versioning import dvc_lock
from tests.support import governed, openlineage
from tests.support.governed import NAME, Place

HOSTILE = [
    '"]; click n0 "javascript:alert(1)"',
    "<script>alert(1)</script>",
    "a\u202etxt.exe",
    "line\nend\x1b[31m",
    "|-->|x| n0",
    "%%{init: {}}%%",
    "#quot;",
    "x" * 10_000,
]
LOCK = """
schema: '2.0'
stages:
  judge:
    cmd: python -m tasks.judge
    deps: [{path: b, md5: '2'}, {path: x.py, md5: '9'}]
    outs: [{path: c, md5: '3'}]
  ingest: {cmd: python -m tasks.ingest, deps: [{path: s, md5: '0'}], outs: [{path: a, md5: '1'}]}
  train: {cmd: [one, two], deps: [{path: a, md5: '1'}], outs: [{path: b, md5: '2'}]}
"""


def made(columns: tuple[str, ...] = ("race", "gdlin"), lock: str = LOCK, **source: Any) -> Composition:
    content = params.read_yaml(openlineage.ROOT / "params.yaml")
    content["source"] |= source
    origin = OriginDocument(
        source={"kind": "file", "name": "loans"},
        rows=10,
        columns=columns,
        types=dict.fromkeys(columns, "string"),
        sha256="a" * 64,
    )
    return Composition(
        subject="loans version 1",
        settings=params.parse(content, "params.yaml"),
        lock=dvc_lock.parse(lock),
        digests={"a": "1" * 64, "c": "3" * 64},
        evidence=Evidence(origin=origin),
        fingerprint="f" * 64,
        commit=None,
    )


def test_steps_stand_behind_those_whose_outputs_they_read_and_name_no_code() -> None:
    assert [(step.name, step.reads, step.writes) for step in graph.steps(made())] == [
        ("ingest", ("s",), ("a",)),
        ("train", ("a",), ("b",)),
        ("judge", ("b",), ("c",)),
    ]


def test_a_run_that_was_blocked_has_no_model_and_says_so() -> None:
    parts = {part.role: part for part in graph.chain(made())}
    assert parts["model"].sha256 is None
    assert "no digest" in "\n".join(graph.text(made()))
    assert graph.to_json(made())["chain"][3]["sha256"] is None


def test_a_column_of_the_source_leads_to_the_columns_made_of_it() -> None:
    ways = graph.column_ways(made(("race", "black", "white")), "BLACK")
    assert [(way.name, way.uses) for way in ways] == [
        ("black", (ColumnUse("black", "IDENTITY"),)),
        ("race", (ColumnUse("black", "CONDITIONAL"), ColumnUse("hispan", "CONDITIONAL"))),
    ]


def test_what_the_text_does_not_tell_is_called_unknown_and_not_left_out() -> None:
    composition = made(("race",), select="SELECT (SELECT max(r) FROM source) AS race FROM source")
    (way,) = graph.column_ways(composition, "race")
    assert way.uses is None
    assert any("not known" in line for line in graph.text(composition, [way]))
    assert any("not known" in line for line in graph.mermaid(composition, [way]))
    assert graph.to_json(composition, [way])["columns"][0]["source"] is None


def test_a_column_that_nothing_knows_is_an_error() -> None:
    with pytest.raises(ConfigurationError) as error:
        graph.column_ways(made(), "gdli")
    assert error.value.code == "lineage.column_unknown"


def assert_inert(composition: Composition, ways: list[ColumnWay]) -> None:
    """One line a node or an edge, made of our own signs around plain labels; text of single lines."""
    chart = graph.mermaid(composition, ways) + graph.mermaid(composition)
    label = r"(?:[\w .,:/=-]|#\d+;|<br/>[0-9a-f]+)*"
    node, edge = rf'(?:\["{label}"\]|\(\["{label}"\]\))', rf"-->(?:\|{label}\|)?"
    shapes = ["flowchart LR", rf"  n\d+{node}", rf"  n\d+ {edge} n\d+"]
    for line in chart:
        assert re.fullmatch("|".join(f"(?:{shape})" for shape in shapes), line, re.ASCII), line
    for line in (*graph.text(composition, ways), *graph.text(composition), *chart):
        assert line == foreign_text.inert(line)
        assert len(line) < 1000
    json.dumps(graph.to_json(composition, ways))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_inert_in_text_and_mermaid(name: str) -> None:
    lock = yaml.safe_dump(
        {
            "schema": "2.0",
            "stages": {
                name: {"cmd": "x", "deps": [{"path": name, "md5": "0"}], "outs": [{"path": "o", "md5": "1"}]}
            },
        }
    )
    composition = made((name,), lock, select=None)
    assert_inert(composition, graph.column_ways(composition, name))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_name_is_inert(name: str) -> None:
    way = ColumnWay(
        name=name, uses=(ColumnUse(name, "IDENTITY"),), role="feature", prepared=name, input_type="double"
    )
    assert_inert(made(("a",)), [way])


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    return governed.enter(monkeypatch)


@pytest.mark.slow
def test_a_version_is_told_by_its_signed_evidence_and_not_by_the_present_files(place: Place) -> None:
    place.put("judged").release()
    before = version_composition.of_version(place.root, 1)
    assert before.fingerprint == place.proposed(1).fingerprint
    assert {part.role for part in graph.chain(before) if part.sha256} >= {"model", "policy", "verdict"}
    for file in ("reports/verdict.json", "reports/training.json", "dvc.lock"):
        (place.root / file).unlink()
    after = version_composition.of_version(place.root, 1)
    assert dataclasses.replace(after, evidence=before.evidence) == before
    assert graph.to_json(after) == graph.to_json(before)


@pytest.mark.slow
def test_a_moment_means_the_champion_of_that_moment(place: Place) -> None:
    place.put("judged").release()
    place.agree(1, by=("vic", "roy")).promote(1)
    (entry,) = place.entries("promotion")
    assert version_composition.champion_at(place.root, entry.at) == 1
    with pytest.raises(ConfigurationError) as error:
        version_composition.champion_at(place.root, entry.at - dt.timedelta(seconds=1))
    assert error.value.code == "lineage.no_champion_then"
    after = (entry.at + dt.timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
    done = place.command("lineage", "--at", after)
    assert (done.code, done.said.startswith(f"{NAME} version 1: fingerprint")) == (0, True)
    with pytest.raises(click.UsageError):
        place.command("lineage", "--at", after, "--version", "1")
