"""The evidence bundle of a judged model: what it was made of, what was found, and what the verdict was.

Its subjects are the model's files; approvals bind to its digest. It says what is, and decides nothing; no
clock and no person is in it, so that the same model from the same commit has the same bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError

from clearance import canonical_json, files, in_toto, params
from clearance.errors import IntegrityError
from clearance.trust.dsse import VerifiedStatement

PREDICATE = "urn:clearance:evidence:v1"
NAME = "bundle.json"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class CodeState(params.Section):
    """The git commit, and what of the pipeline's inputs it does not hold."""

    commit: str | None
    changed: tuple[str, ...]
    unkept: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether the commit holds all that was read."""
        return self.commit is not None and not self.changed and not self.unkept


class JudgedPolicy(params.Section):
    """The policy that judged, verbatim, and its verdict; `sha256` is that of the verdict's file."""

    file: str
    id: str
    version: str
    text: str
    as_of: str
    outcome: str
    sha256: Sha256


class BundleEvidence(params.Section):
    """The predicate. `lock` and `params` are texts, verbatim; `outs` and `deps` map a path to its SHA-256.

    Among them are data, splits, reports, expectations, code, policy. `environment` is the digest of
    `requirements.lock`. `demo`: made with the demo's keys, which count nowhere else.
    """

    model: str
    fingerprint: Sha256
    demo: bool
    code: CodeState
    lock: str
    params: str
    overrides: dict[str, Any]
    judged: JudgedPolicy
    outs: dict[str, Sha256]
    deps: dict[str, Sha256]
    environment: Sha256
    python: str


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An evidence bundle whose signature holds: its content digest, the model's files, and what it says."""

    digest: str
    files: Mapping[str, str]
    evidence: BundleEvidence
    keyids: frozenset[str]


def statement_for(files: Mapping[str, str], evidence: BundleEvidence) -> dict[str, Any]:
    """The statement to sign about the model's `files` (name: SHA-256)."""
    return in_toto.statement(files, PREDICATE, evidence.model_dump(mode="json"))


def read(signed: VerifiedStatement) -> Bundle:
    """The bundle in a statement whose signature holds. Raises IntegrityError when it is none.

    What it carries verbatim is held against the digests beside it.
    """
    said = signed.statement
    if said["predicateType"] != PREDICATE:
        raise IntegrityError(
            f"this is no evidence bundle but a {said['predicateType']}", "take the bundle itself"
        )
    try:
        evidence = BundleEvidence.model_validate_json(canonical_json.dumps(said["predicate"]))
    except ValidationError as error:
        raise _odd(params.describe(error, BundleEvidence)) from None
    known = {**evidence.deps, **evidence.outs}
    if known.get(evidence.judged.file) != files.sha256_text(evidence.judged.text):
        raise _odd(f"the text of {evidence.judged.file} is not the one that judged")
    if evidence.judged.sha256 not in known.values():
        raise _odd("its verdict is none of the outputs")
    return Bundle(digest=signed.digest, files=in_toto.subjects(said), evidence=evidence, keyids=signed.keyids)


def _odd(why: str) -> IntegrityError:
    return IntegrityError(
        f"the evidence bundle contradicts itself: {why}",
        "release the model again: its evidence is bundled anew",
    )
