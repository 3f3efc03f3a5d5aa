"""Each document has one reader, which refuses what does not fit and says where, and one JSON Schema."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance import files, paths
from clearance.documents import catalogue, codec, published
from clearance.documents.evidence_document import BlockedDocument, MeasuredDocument, unless_blocked
from clearance.documents.measurement import Measurement
from clearance.documents.origin_document import OriginDocument
from clearance.documents.scores_document import ScoresDocument
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import (
    CandidateReport,
    SkippedCandidateReport,
    TrainingDocument,
)
from clearance.documents.validation_document import BlockedValidation, PreparedValidationDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import IntegrityError
from clearance.policy import project_verdict
from tests.samples import make
from tests.support import evidence
from tools import schemas

ARCHIVE = Path(__file__).parent / "samples" / "v0" / make.ARCHIVE
DOCUMENTS = published.DOCUMENTS
GAP = "demographic_parity_difference"
BOUNDED = Measurement(value=0.5, low=0.4, high=0.6, confidence=0.95, support={"a": 3})
EXAMPLES: dict[str, Any] = {
    "origin": evidence.origin(columns=("a",), types={"a": "int64"}),
    "split": evidence.split(time={"column": "day", "test_from": "2026-01-01"}),
    "validation_raw": evidence.raw_validation(
        expectations=[evidence.expectation("`a` is null", examples=[{"row": "ab", "value": "secret"}])]
    ),
    "validation_prepared": evidence.prepared_validation({"label_rate_ratio": {"sex": BOUNDED}}),
    "training": evidence.training(
        candidates=[
            evidence.candidate(broken=[], keeps_every_rule=True, chosen=True),
            {
                key: evidence.candidate(fitted=False)[key]
                for key in ("estimator", "arguments", "mitigation", "uses_protected_at_decision", "why")
            }
            | {"fitted": False, "chosen": False},
        ]
    ),
    "scores": ScoresDocument(rows=3, model_sha256=evidence.DIGEST, sha256=evidence.DIGEST),
    "performance": evidence.performance({"roc_auc": BOUNDED}),
    "fairness": evidence.fairness(
        {GAP: {"race": BOUNDED}},
        groups={"race": {"a": evidence.group(1, 2, 3, 4)}},
    ),
    "explanation": evidence.explanation(explainer="shap.LinearExplainer", space="log-odds"),
}


def verdict() -> dict[str, Any]:
    finding = {
        "rule": "gap",
        "metric": "fairness.demographic_parity_difference",
        "attribute": "race",
        "limit": {"at_least": None, "at_most": 0.1},
        "severity": "block",
        "decides_by": "interval",
        "kind": "engineering",
        "source": "the test",
        "certainty": None,
        "jurisdiction": None,
        "outcome": "pass",
        "reason": "it is small",
        "value": 0,
        "low": None,
        "high": None,
        "confidence": None,
        "support": {"a": 3},
    }
    policy = {"id": "p", "version": "1", "title": "t", "file": "p.yaml", "sha256": evidence.DIGEST}
    return {
        "name": "loans",
        "verdict": "pass",
        "reasons": ["it is small"],
        "findings": [finding],
        "not_in_force": [{"id": "later", "valid_from": "2030-01-01", "valid_until": None}],
        "policy": policy | {"as_of": "2026-11-22", "impact_table": None, "test_uses": None},
        "what_if": False,
        "overrides": {},
        "evidence": {"reports/fairness.json": evidence.DIGEST},
    }


def example(name: str) -> dict[str, Any]:
    """A valid document of that name, as JSON."""
    if name == "verdict":
        return verdict()
    content: dict[str, Any] = json.loads(files.dumps(EXAMPLES[name].to_json()))
    return content


def at(document: Any, pointer: str) -> tuple[Any, Any]:
    """The container of the value that a JSON Pointer names, and its key there."""
    *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    for part in parents:
        document = document[int(part) if isinstance(document, list) else part]
    return document, int(last) if isinstance(document, list) else last


# Schemas


def test_the_published_schemas_are_those_of_the_classes() -> None:
    assert schemas.outdated(schemas.FOLDER) == []


def test_a_schema_that_is_missing_changed_or_of_no_document_is_outdated(tmp_path: Path) -> None:
    for name, text in schemas.texts().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "split.schema.json").unlink()
    (tmp_path / "origin.schema.json").write_text("{}")
    (tmp_path / "gone.schema.json").write_text("{}")
    assert schemas.outdated(tmp_path) == ["gone.schema.json", "origin.schema.json", "split.schema.json"]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_each_schema_is_one_of_draft_2020_12(name: str) -> None:
    schema = published.schemas()[name]
    assert schema["$schema"] == codec.DIALECT
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", [*EXAMPLES, "verdict"])
def test_reader_and_schema_agree_on_a_valid_document(name: str) -> None:
    document = example(name)
    jsonschema.Draft202012Validator(published.schemas()[name]).validate(document)
    assert DOCUMENTS[name].from_json(document).to_json().items() >= document.items()


def spoilt(value: Any) -> Any:
    """A value of another kind than `value`."""
    return 3 if isinstance(value, str | list | dict | bool) or value is None else "text"


@pytest.mark.parametrize("name", [*EXAMPLES, "verdict"])
def test_reader_and_schema_refuse_the_same_documents(name: str) -> None:
    """Each top-level key of another kind or gone, and one key too many."""
    validator = jsonschema.Draft202012Validator(published.schemas()[name])
    document = example(name)
    variants = [document | {key: spoilt(value)} for key, value in document.items() if key != "measurements"]
    missing = [{key: value for key, value in document.items() if key != left_out} for left_out in document]
    for candidate in (*variants, *missing, document | {"unknown": 1}):
        try:
            DOCUMENTS[name].from_json(candidate)
            accepted = True
        except IntegrityError:
            accepted = False
        assert accepted == validator.is_valid(candidate), candidate.keys() ^ document.keys()


# Refusals


@pytest.mark.parametrize(
    ("name", "pointer", "value", "expected", "actual"),
    [
        ("split", "/rows/test", "many", "a whole number", "text"),
        ("split", "/rows/test", -1, "a count from 0 up", "another whole number"),
        ("split", "/rows/test", True, "a whole number", "true or false"),
        ("split", "/time/test_from", None, "text", "null"),
        ("split", "/row_digests/test", "abc", "a SHA-256 as 64 hex digits", "another text"),
        ("validation_raw", "/expectations/0/severity", "fatal", "block or warn", "another text"),
        ("validation_raw", "/expectations/0/examples/0/row", 7, "text", "a whole number"),
        ("training", "/candidates/0/tune/f1", "high", "a number or null", "text"),
        ("training", "/candidates/1/why", 3, "text", "a whole number"),
        ("performance", "/measurements/roc_auc/low", "x", "a number or null", "text"),
        ("fairness", f"/measurements/{GAP}/race/support/a", 0.5, "a whole number", "a number"),
        ("fairness", "/groups/race/a/cells", [1, 2, 3, 4], "an object", "a list"),
        ("fairness", "/groups/race/a/intervals", {"a/b": [1]}, "a list of 2 or null", "a list of 1"),
        (
            "verdict",
            "/verdict",
            "yes",
            "pass or fail or insufficient_evidence or not_evaluated",
            "another text",
        ),
        ("verdict", "/findings/0/limit/at_most", {}, "a number or null", "an object"),
        ("verdict", "/schema_version", 2, "1", "another whole number"),
    ],
)
def test_a_reader_says_where_a_document_does_not_fit(
    name: str, pointer: str, value: Any, expected: str, actual: str
) -> None:
    document = example(name)
    container, key = at(document, pointer)
    container[key] = value
    with pytest.raises(IntegrityError) as error:
        DOCUMENTS[name].from_json(document)
    assert error.value.code == "documents.does_not_fit"
    below = "/a~1b" if value == {"a/b": [1]} else ""
    assert error.value.values == {
        "document": DOCUMENTS[name].path.as_posix(),
        "pointer": pointer + below,
        "expected": expected,
        "actual": actual,
    }


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (lambda it: it.pop("rows"), "/rows"),
        (lambda it: it["confusion"].pop("true_positive"), "/confusion/true_positive"),
        (lambda it: it.update(rows_=1), "/rows_"),
        (lambda it: it["measurements"]["roc_auc"].update(lowest=0), "/measurements/roc_auc/lowest"),
        (lambda it: it["measurements"]["roc_auc"].update(value=None), "/measurements/roc_auc"),
        (lambda it: it["measurements"]["roc_auc"].pop("value"), "/measurements/roc_auc/value"),
    ],
)
def test_a_key_too_few_or_too_many_is_named(change: Callable[[Any], Any], pointer: str) -> None:
    document = example("performance")
    change(document)
    with pytest.raises(IntegrityError) as error:
        DOCUMENTS["performance"].from_json(document)
    assert error.value.values["pointer"] == pointer


def test_a_refusal_never_repeats_a_value() -> None:
    """Values of rows stand in examples; none of them may reach an error."""
    document = example("validation_raw")
    document["expectations"][0]["examples"][0] |= {"row": ["Zulu"], "value": "Zulu"}
    with pytest.raises(IntegrityError) as error:
        DOCUMENTS["validation_raw"].from_json(document)
    assert "Zulu" not in str(error.value)
    assert error.value.values["actual"] == "a list"


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_a_reader_raises_nothing_but_its_own_error(data: Any) -> None:
    for kind in DOCUMENTS.values():
        with pytest.raises(IntegrityError):
            kind.from_json(data)


def test_what_a_reader_would_refuse_is_not_written(tmp_path: Path) -> None:
    wrong = OriginDocument(source={}, rows=-1, columns=(), types={}, sha256=evidence.DIGEST)
    with pytest.raises(IntegrityError) as error:
        wrong.write(tmp_path)
    assert error.value.values["pointer"] == "/rows"
    assert not (tmp_path / paths.ORIGIN).exists()


# Values


def test_numbers_keep_their_kind_on_the_way() -> None:
    performance = evidence.performance({"a": Measurement(value=0), "b": Measurement(value=0.0)})
    text = files.dumps(performance.to_json())
    assert (text.count('"value": 0,'), text.count('"value": 0.0,')) == (0, 0)
    assert ('"value": 0\n' in text, '"value": 0.0\n' in text) == (True, True)
    again = DOCUMENTS["performance"].from_json(json.loads(text))
    assert files.dumps(again.to_json()) == text


def test_a_candidate_is_read_as_what_it_is() -> None:
    training = TrainingDocument.from_json(example("training"))
    assert isinstance(training, TrainingDocument)
    candidate, skipped = training.candidates
    assert isinstance(candidate, CandidateReport) and isinstance(skipped, SkippedCandidateReport)
    assert training.model_digest == training.model.sha256


# Blocked documents


def test_a_blocked_document_is_read_by_the_same_call(tmp_path: Path) -> None:
    evidence.block(tmp_path, "validate_raw: 3 rows", "training", "validation_prepared")
    training = TrainingDocument.read(tmp_path)
    assert training == BlockedDocument(because="validate_raw: 3 rows")
    assert (training.is_measured, training.measurements, training.model_digest) == (False, {}, None)
    validation = PreparedValidationDocument.read(tmp_path)
    assert validation == BlockedValidation(because="validate_raw: 3 rows", boundary="prepared")


@pytest.mark.parametrize(
    ("document", "because"),
    [
        (BlockedDocument(because="no rows"), "no rows"),
        (
            evidence.raw_validation(
                blocked=True,
                expectations=[
                    evidence.expectation("fine"),
                    *(evidence.expectation(f"fault {number}", success=False) for number in range(5)),
                ],
            ),
            "validate_raw: fault 0; fault 1; fault 2",
        ),
    ],
    ids=["blocked", "blocking"],
)
def test_a_block_is_passed_on_to_every_output_of_a_stage(
    document: MeasuredDocument | BlockedDocument,
    because: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    files.write_text(paths.SCORED_TABLE, "an earlier run")
    assert unless_blocked(document, paths.SCORES, paths.SCORED) is None
    assert ScoresDocument.read(tmp_path) == BlockedDocument(because=because)
    assert [file.name for file in paths.SCORED.iterdir()] == [paths.BLOCKED.name]
    assert files.read_json(paths.SCORED / paths.BLOCKED)["because"] == because


def test_a_document_that_blocks_nothing_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    split = evidence.split()
    assert unless_blocked(split, paths.TRAINING, paths.TRAINED) is split
    assert list(tmp_path.iterdir()) == []


# Documents of the release before


def test_documents_without_a_schema_version_are_version_1() -> None:
    for name in (*EXAMPLES, "verdict"):
        old = {key: value for key, value in example(name).items() if key != "schema_version"}
        assert DOCUMENTS[name].from_json(old) == DOCUMENTS[name].from_json(old | {"schema_version": 1})


def test_an_old_verdict_decides_the_same_as_a_new_one_with_other_words() -> None:
    old = verdict()
    new = VerdictDocument.from_json(old).to_json()

    def same(document: dict[str, Any]) -> bool:
        return project_verdict.same_decision(
            VerdictDocument.from_json(old), VerdictDocument.from_json(document)
        )

    new["reasons"] = ["it is small, in other words"]
    new["findings"][0]["reason"] = "in other words"
    assert same(new)
    changes: list[dict[str, Any]] = [{"verdict": "fail"}, {"overrides": {"seed": 1}}, {"evidence": {}}]
    for change in changes:
        assert not same(new | change)
    new["findings"][0]["value"] = 0.2
    assert not same(new)


def test_every_document_of_the_release_before_is_read_and_kept_as_it_is(tmp_path: Path) -> None:
    make.unpack(ARCHIVE, tmp_path / "project")
    read = set()
    for name, kind in DOCUMENTS.items():
        for file in (tmp_path / "project").rglob(kind.path.name):
            if file.parent.name != kind.path.parent.name:
                continue
            content = files.read_json(file)
            document = kind.from_json(content)
            assert "schema_version" not in content
            again = {key: value for key, value in document.to_json().items() if key != "schema_version"}
            assert files.dumps(again) == files.dumps(content), name
            jsonschema.Draft202012Validator(published.schemas()[name]).validate(content)
            read.add(name)
    assert read >= {*catalogue.EVIDENCE, "origin", "verdict"}


def test_the_catalogue_lists_every_document_that_a_rule_may_read() -> None:
    assert tuple(document.path for document in catalogue.EVIDENCE.values()) == paths.EVIDENCE
    measured = {name for name, kind in DOCUMENTS.items() if issubclass(kind, MeasuredDocument)}
    assert measured - {"scores", "reasons", "baseline"} == catalogue.EVIDENCE.keys()


def test_a_split_document_counts_the_rows_of_each_split() -> None:
    split = SplitDocument.from_json(example("split"))
    assert isinstance(split, SplitDocument)
    assert sum(split.rows.values()) == 3
