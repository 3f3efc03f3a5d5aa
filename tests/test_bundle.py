"""The evidence bundle: what is signed comes back as it was, and one that contradicts itself is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clearance import files, in_toto
from clearance.promotion import container
from clearance.trust import dsse, evidence_bundle
from clearance.trust.evidence_bundle import BundleEvidence, CodeState, JudgedPolicy
from tests.support import people
from tests.support.codes import raises

VERA = people.SIGNERS["vera"]
KEYS = {VERA.public_key.keyid: VERA.public_key}
TEXT = "id: strict\n"
FILES = {"model.skops": "ab" * 32, "MLmodel": "cd" * 32}
EVIDENCE = BundleEvidence(
    model="loan-approval",
    fingerprint="12" * 32,
    demo=False,
    code=CodeState(commit="c0ffee", changed=(), unkept=()),
    lock="schema: '2.0'\n",
    params="name: loan-approval\n",
    overrides={"seed": 7},
    judged=JudgedPolicy(
        file="policies/strict.yaml",
        id="strict",
        version="1",
        text=TEXT,
        as_of="2026-11-22",
        outcome="pass",
        sha256="ee" * 32,
    ),
    outs={"reports/verdict.json": "ee" * 32, "reports/fairness.json": "ff" * 32},
    deps={"policies/strict.yaml": files.sha256_text(TEXT)},
    environment="34" * 32,
    python="3.11.7",
)


def signed(statement: dict[str, Any]) -> dsse.VerifiedStatement:
    return dsse.verify(dsse.sign(statement, VERA), KEYS)


def changed(change: Callable[[dict[str, Any]], Any]) -> dsse.VerifiedStatement:
    """The bundle as somebody with a key could have signed it, changed."""
    statement = evidence_bundle.statement_for(FILES, EVIDENCE)
    change(statement["predicate"])
    return signed(statement)


def test_what_was_signed_is_read_back() -> None:
    statement = evidence_bundle.statement_for(FILES, EVIDENCE)
    assert statement["predicateType"] == "urn:clearance:evidence:v2"
    bundle = evidence_bundle.read(signed(statement))
    assert (bundle.files, bundle.evidence) == (FILES, EVIDENCE)
    assert bundle.digest == in_toto.content_digest(statement)
    assert bundle.keyids == frozenset(KEYS)


def test_the_same_model_has_the_same_bundle_and_any_change_another_digest() -> None:
    first = in_toto.content_digest(evidence_bundle.statement_for(FILES, EVIDENCE))
    assert in_toto.content_digest(evidence_bundle.statement_for(dict(FILES), EVIDENCE)) == first
    for other in (
        evidence_bundle.statement_for(FILES | {"MLmodel": "ce" * 32}, EVIDENCE),
        *(
            evidence_bundle.statement_for(FILES, EVIDENCE.model_copy(update=change))
            for change in (
                {"lock": "schema: '2.1'\n"},
                {"params": "name: other\n"},
                {"overrides": {"seed": 8}},
                {"demo": True},
                {"environment": "35" * 32},
                {"python": "3.11.8"},
                {"code": CodeState(commit="c0ffee", changed=("tasks/train.py",), unkept=())},
                {"outs": EVIDENCE.outs | {"data/raw.parquet": "aa" * 32}},
            )
        ),
    ):
        assert in_toto.content_digest(other) != first


def judged(**change: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda predicate: predicate["judged"].update(change)


BAD: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another policy": (judged(text="id: lax\n"), "policies/strict.yaml"),
    "a policy that no digest names": (judged(file="policies/lax.yaml"), "policies/lax.yaml"),
    "a verdict that is no output": (judged(sha256="ed" * 32), "verdict"),
    "a digest that is none": (lambda said: said["outs"].update(odd="12"), "outs.odd"),
    "a key too many": (lambda said: said.update(note="all is well"), "note"),
    "a key too few": (lambda said: said.pop("lock"), "lock"),
    "no fingerprint": (lambda said: said.update(fingerprint=""), "fingerprint"),
}


@pytest.mark.parametrize("how", BAD)
def test_one_that_contradicts_itself_is_refused(how: str) -> None:
    change, fault = BAD[how]
    with raises("trust.inconsistent_bundle") as error:
        evidence_bundle.read(changed(change))
    assert fault in error.value.values["why"]


def test_another_kind_of_statement_is_no_bundle() -> None:
    statement = evidence_bundle.statement_for(FILES, EVIDENCE) | {
        "predicateType": "urn:clearance:decision:v1"
    }
    with raises("trust.not_a_bundle", predicate="urn:clearance:decision:v1"):
        evidence_bundle.read(signed(statement))


@pytest.mark.parametrize(
    ("code", "clean"),
    [
        (CodeState(commit="c0ffee", changed=(), unkept=()), True),
        (CodeState(commit=None, changed=(), unkept=()), False),
        (CodeState(commit="c0ffee", changed=("params.yaml",), unkept=()), False),
        (CodeState(commit="c0ffee", changed=(), unkept=("data.csv",)), False),
    ],
)
def test_clean_is_a_commit_that_holds_all_that_was_read(code: CodeState, clean: bool) -> None:
    assert code.clean is clean


IMAGE = f"sha256:{'0f' * 32}"


@pytest.mark.parametrize("name", [IMAGE, f"clearance@{IMAGE}", f"registry:5000/a/clearance:1.2@{IMAGE}"])
def test_the_digest_of_the_image_is_read_from_its_name(name: str) -> None:
    assert container.image_digest({"CLEARANCE_IMAGE": name}) == IMAGE


@pytest.mark.parametrize("environ", [{}, {"CLEARANCE_IMAGE": ""}])
def test_outside_a_container_there_is_no_image(environ: dict[str, str]) -> None:
    assert container.image_digest(environ) is None


@pytest.mark.parametrize(
    "name",
    ["clearance:1.2", "clearance", IMAGE[:-1], f"clearance@{IMAGE}\n", f"a b@{IMAGE}", IMAGE.upper()],
)
def test_an_image_that_is_named_otherwise_is_refused(name: str) -> None:
    with raises("promotion.image_without_digest"):
        container.image_digest({"CLEARANCE_IMAGE": name})


def test_the_image_is_signed_and_read_back() -> None:
    evidence = EVIDENCE.model_copy(update={"image": IMAGE})
    statement = evidence_bundle.statement_for(FILES, evidence)
    assert statement["predicate"]["image"] == IMAGE
    assert evidence_bundle.read(signed(statement)).evidence == evidence


def test_a_bundle_without_an_image_has_the_digest_that_it_had_before_there_were_images() -> None:
    assert "image" not in evidence_bundle.statement_for(FILES, EVIDENCE)["predicate"]
