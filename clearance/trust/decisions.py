"""What a person signs about a judged model: approve, reject, override, or revoke what they signed before.

A decision binds to content, by digest. Whether it stands is not decided here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError, model_validator

from clearance import canonical_json, in_toto, params
from clearance.errors import IntegrityError

PREDICATE = "urn:clearance:decision:v1"
EVIDENCE = "evidence"
"""The subject of a decision: its SHA-256 is the content digest of the evidence bundle."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class DecisionKind(StrEnum):
    """What is decided. `override` allows a model for a limited time although its verdict does not.

    `noun` names the decision itself; it is also the kind of the ledger entry that records it.
    """

    APPROVE = "approve"
    REJECT = "reject"
    OVERRIDE = "override"
    REVOKE = "revoke"

    @property
    def noun(self) -> str:
        """The decision itself: "approval" of "approve"."""
        return _NOUNS[self]


_NOUNS = {
    DecisionKind.APPROVE: "approval",
    DecisionKind.REJECT: "rejection",
    DecisionKind.OVERRIDE: "override",
    DecisionKind.REVOKE: "revocation",
}


@dataclass(frozen=True, kw_only=True)
class ApprovalSubject:
    """What there is to decide today.

    `content` is the digest of the evidence bundle; `policy` the id of the policy that judged; `comparison`
    and `champion` are the digests of the comparison with today's champion and of its evidence, None without.
    """

    model: str
    version: int
    content: str
    policy: str
    comparison: str | None = None
    champion: str | None = None


class AttestedAccount(params.Section):
    """Whom an identity provider named, in a token that the signer of the decision checked.

    `subject` is the issuer's own, lasting name of the person; `token` the SHA-256 of what the issuer signed,
    which tells tokens apart and gives none away; `roles` those that the issuer's groups leave, None: all.
    """

    model_config = ConfigDict(strict=True)

    issuer: Annotated[str, Field(min_length=1, max_length=1000)]
    subject: Annotated[str, Field(min_length=1, max_length=1000)]
    token: Sha256
    issued: AwareDatetime
    roles: tuple[str, ...] | None = None


class Decision(params.Section):
    """The predicate of a decision. `at` and `by` are what the signer says: told, and never gone by.

    `account`: somebody else decided, known by a token, and the signer attests it; None: the signer decided.
    """

    model_config = ConfigDict(strict=True)

    decision: DecisionKind
    by: str
    at: AwareDatetime
    reason: Annotated[str, Field(pattern=r"\S", max_length=10_000)]
    model: str
    version: int = Field(ge=1)
    policy: str
    comparison: Sha256 | None
    champion: Sha256 | None
    until: AwareDatetime | None = None
    revokes: tuple[Sha256, ...] = ()
    account: AttestedAccount | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.until is not None) != (self.decision is DecisionKind.OVERRIDE):
            raise ValueError("`until` goes with an override, and an override with `until`")
        if bool(self.revokes) != (self.decision is DecisionKind.REVOKE):
            raise ValueError("`revokes` goes with a revocation, and a revocation with `revokes`")
        return self


def statement_for(
    kind: DecisionKind,
    matter: ApprovalSubject,
    *,
    by: str,
    reason: str,
    at: dt.datetime,
    until: dt.datetime | None = None,
    revokes: Sequence[str] = (),
    account: AttestedAccount | None = None,
) -> dict[str, Any]:
    """The statement to sign. `revokes` holds the content digests of the decisions that are taken back.

    With `account`, it is signed by the service that checked the token of whoever decided.

    `at`, to the microsecond, makes it differ from what the same person decided before and revoked. Raises
    IntegrityError when it is no decision: no reason, an override without an end.
    """
    said = {
        "decision": kind,
        "by": by,
        "at": at.isoformat(),
        "reason": reason,
        "model": matter.model,
        "version": matter.version,
        "policy": matter.policy,
        "comparison": matter.comparison,
        "champion": matter.champion,
    }
    if until is not None:
        said["until"] = until.isoformat()
    if revokes:
        said["revokes"] = sorted(revokes)
    if account is not None:
        said["account"] = account.model_dump(mode="json")
    made = in_toto.statement({EVIDENCE: matter.content}, PREDICATE, said)
    read(made)
    return made


def read(said: Mapping[str, Any]) -> tuple[Decision, str]:
    """A statement's decision and the digest of the evidence it is about. Raises IntegrityError if none."""
    about = in_toto.subjects(said)
    if said["predicateType"] != PREDICATE or set(about) != {EVIDENCE}:
        raise IntegrityError("this statement decides nothing", "decide with `clearance approve` or `reject`")
    try:
        decision = Decision.model_validate_json(canonical_json.dumps(said["predicate"]))
    except ValidationError as error:
        raise IntegrityError(
            f"this decision is faulty: {params.describe(error, Decision)}", "decide again, with a reason"
        ) from None
    return decision, about[EVIDENCE]
