"""What a person signs about a judged model: approve, reject, override, or revoke an earlier decision.

A decision binds to content, by digest. Whether it counts is not decided here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, Field, ValidationError, model_validator

from clearance import canonical_json, foreign_text, in_toto, params, validation_messages
from clearance.trust import faults

PREDICATE = "urn:clearance:decision:v3"
PREDICATES = {"urn:clearance:decision:v1", "urn:clearance:decision:v2", PREDICATE}
"""Types that are read. Versions 1 and 2 name neither ledger nor root; 1 has an older canonical form."""
EVIDENCE = "evidence"
"""The subject of a decision: its SHA-256 is the content digest of the evidence bundle."""
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _visible(text: str) -> str:
    if not foreign_text.is_visible(text):
        raise ValueError("a reason needs a visible character")
    if "\0" in text:
        raise ValueError("a reason must not contain NUL")
    return text


Reason = Annotated[str, Field(max_length=10_000), AfterValidator(_visible)]
"""Why somebody decided: a text that shows something."""


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
    """What an approval is about.

    `content` is the digest of the evidence bundle, `policy` the id of the policy that judged it. `comparison`
    and `champion` are the digests of the comparison with today's champion and of the champion's evidence;
    None when there is no champion. `ledger` is the id of the ledger that records it, and `root` the digest of
    the root under which its roles are in force: nothing is agreed to in another ledger.
    """

    model: str
    version: int
    content: str
    policy: str
    comparison: str | None = None
    champion: str | None = None
    ledger: str | None = None
    root: str | None = None


class AttestedAccount(params.StrictSection):
    """An account at an identity provider, from a token that the signer of the decision verified.

    `subject` is the issuer's permanent name of the person. `token` is the SHA-256 of the signed token: it
    identifies the token without revealing it. `roles` are those that the issuer's groups allow; None: all.
    """

    issuer: Annotated[str, Field(min_length=1, max_length=1000)]
    subject: Annotated[str, Field(min_length=1, max_length=1000)]
    token: Sha256
    issued: AwareDatetime
    roles: tuple[str, ...] | None = None


class Decision(params.StrictSection):
    """The predicate of a decision. `at` and `by` are claims of the signer; nothing relies on them.

    `account`: the person decided with a token, and the signer attests it; None: the signer decided.
    """

    decision: DecisionKind
    by: str
    at: AwareDatetime
    reason: Reason
    model: str
    version: int = Field(ge=1)
    policy: str
    comparison: Sha256 | None
    champion: Sha256 | None
    ledger: str | None = None
    root: Sha256 | None = None
    until: AwareDatetime | None = None
    revokes: tuple[Sha256, ...] = ()
    account: AttestedAccount | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.until is not None) != (self.decision is DecisionKind.OVERRIDE):
            raise ValueError("an override needs `until`, and no other decision has it")
        if bool(self.revokes) != (self.decision is DecisionKind.REVOKE):
            raise ValueError("a revocation needs `revokes`, and no other decision has it")
        return self


def statement_for(
    kind: DecisionKind,
    subject: ApprovalSubject,
    *,
    by: str,
    reason: str,
    at: dt.datetime,
    until: dt.datetime | None = None,
    revokes: Sequence[str] = (),
    account: AttestedAccount | None = None,
) -> dict[str, Any]:
    """The statement to sign. `revokes` holds the content digests of the decisions that are withdrawn.

    With `account`, the service that verified the person's token signs it. `at`, to the microsecond,
    distinguishes it from an earlier decision that the same person revoked. Raises IntegrityError when it is
    not a valid decision: without a reason, or an override without an end.
    """
    predicate: dict[str, Any] = {
        "decision": kind,
        "by": by,
        "at": at.isoformat(),
        "reason": reason,
        "model": subject.model,
        "version": subject.version,
        "policy": subject.policy,
        "comparison": subject.comparison,
        "champion": subject.champion,
        "ledger": subject.ledger,
        "root": subject.root,
    }
    if until is not None:
        predicate["until"] = until.isoformat()
    if revokes:
        predicate["revokes"] = sorted(revokes)
    if account is not None:
        predicate["account"] = account.model_dump(mode="json")
    statement = in_toto.statement({EVIDENCE: subject.content}, PREDICATE, predicate)
    read(statement)
    return statement


def read(statement: Mapping[str, Any]) -> tuple[Decision, str]:
    """The decision in a statement and the digest of its evidence. Raises IntegrityError if there is none."""
    digests = in_toto.subjects(statement)
    if statement["predicateType"] not in PREDICATES or set(digests) != {EVIDENCE}:
        raise faults.NOT_A_DECISION()
    try:
        decision = Decision.model_validate_json(canonical_json.dumps(statement["predicate"]))
    except ValidationError as error:
        raise faults.INVALID_DECISION(why=validation_messages.describe(error, Decision)) from None
    return decision, digests[EVIDENCE]
