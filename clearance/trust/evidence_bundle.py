"""The evidence bundle of a judged model: what it was made of, what was measured, and the verdict.

Its subjects are the model's files; approvals bind to its digest. It decides nothing, and holds neither a time
nor a person, so the same model from the same commit has the same bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError

from clearance import canonical_json, files, in_toto, params, validation_messages
from clearance.errors import ClearanceError
from clearance.trust import faults
from clearance.trust.dsse import VerifiedStatement

PREDICATE = "urn:clearance:evidence:v2"
PREDICATES = {"urn:clearance:evidence:v1", PREDICATE}
"""Types that are read. Version 1 has the same fields; its digest uses the older canonical form."""
NAME = "bundle.json"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ImageDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class CodeState(params.Section):
    """The git commit, and the inputs of the pipeline that differ from it or are not in it."""

    commit: str | None
    changed: tuple[str, ...]
    unkept: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether the commit holds everything that was read."""
        return self.commit is not None and not self.changed and not self.unkept


class JudgedPolicy(params.Section):
    """The policy, verbatim, and its verdict; `sha256` is the digest of the verdict's file."""

    file: str
    id: str
    version: str
    text: str
    as_of: str
    outcome: str
    sha256: Sha256


class InstallationEvidence(params.Section):
    """What was installed where the bundle was signed: the digest of `modules` modules.

    `isolated`: the process that signed imported nothing but Python, installed packages and the project.
    """

    digest: Sha256
    modules: int
    isolated: bool


class BundleEvidence(params.Section):
    """The predicate. `lock` and `params` are verbatim texts; `outs` and `deps` map a path to its SHA-256.

    They cover data, splits, reports, expectations, code and policy. `environment` is the digest of
    `requirements.lock`; `installation` is what was installed, None in bundles of earlier versions. `image` is
    the digest of the container image that signed, as its starter states; None outside a container.
    `demo`: signed with the demo's keys, which are valid only in the demo.
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
    installation: InstallationEvidence | None = None
    image: ImageDigest | None = None


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A verified evidence bundle: its content digest, the digests of the model's files, and the evidence."""

    digest: str
    files: Mapping[str, str]
    evidence: BundleEvidence
    keyids: frozenset[str]


def statement_for(files: Mapping[str, str], evidence: BundleEvidence) -> dict[str, Any]:
    """The statement to sign about the model's `files` (name: SHA-256)."""
    predicate = evidence.model_dump(mode="json")
    if evidence.image is None:
        del predicate["image"]  # a bundle made outside a container keeps the digest that it always had
    return in_toto.statement(files, PREDICATE, predicate)


def read(signed: VerifiedStatement) -> Bundle:
    """The bundle in a verified statement. Raises IntegrityError when it is not a bundle.

    What it holds verbatim is compared with the digests beside it.
    """
    statement = signed.statement
    if statement["predicateType"] not in PREDICATES:
        raise faults.NOT_A_BUNDLE(predicate=statement["predicateType"])
    try:
        evidence = BundleEvidence.model_validate_json(canonical_json.dumps(statement["predicate"]))
    except ValidationError as error:
        raise _inconsistent(validation_messages.describe(error, BundleEvidence)) from None
    digests = {**evidence.deps, **evidence.outs}
    if digests.get(evidence.judged.file) != files.sha256_text(evidence.judged.text):
        raise _inconsistent(f"the text of {evidence.judged.file} is not the one that judged")
    if evidence.judged.sha256 not in digests.values():
        raise _inconsistent("its verdict is not one of the outputs")
    return Bundle(
        digest=signed.digest, files=in_toto.subjects(statement), evidence=evidence, keyids=signed.keyids
    )


def _inconsistent(why: str) -> ClearanceError:
    return faults.INCONSISTENT_BUNDLE(why=why)
