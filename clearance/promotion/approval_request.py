"""What approvers read about a version besides its verdict: the question it answers, what its run replaced.

Sentences only; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearance import params, registry
from clearance.params import data_contract
from clearance.policy import authorised
from clearance.promotion import review
from clearance.promotion.review import Review
from clearance.promotion.session import ReadOnlySession
from clearance.promotion.version_record import VersionRecord


@dataclass(frozen=True, kw_only=True)
class ApprovalRequest:
    """The data contract of a version, and what about its question and its run must be said one by one.

    `pinned` are the digests that compliance agreed to, `changes` what differs from the champion's contract,
    `overrides` the parameters that the run replaced. `claims` says of each person who may not approve only
    because somebody else's commit names them, which one does.
    """

    contract: data_contract.DataContract
    pinned: Sequence[str]
    changes: Sequence[str]
    overrides: Mapping[str, Any]
    claims: Mapping[str, str] = field(default_factory=dict)

    def lines(self) -> tuple[str, ...]:
        """The request in sentences: the contract, each change of it, each override."""
        overrides = data_contract.describe_overrides(self.overrides)
        barred = sorted(self.claims.items())
        return (
            f"data contract {self.contract.digest[:12]}…, {self._agreement()}",
            *(f"data contract changed since the champion: {change}" for change in self.changes),
            *(f"parameter replaced for this run: {override}" for override in overrides),
            *(f"{identity} may not approve, named {claim}" for identity, claim in barred),
        )

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        return {
            "contract": {
                "sha256": self.contract.digest,
                "pinned": self.contract.digest in self.pinned,
                "changes": list(self.changes),
            },
            "overrides": list(data_contract.describe_overrides(self.overrides)),
            "barred": dict(self.claims),
        }

    def _agreement(self) -> str:
        if self.contract.digest in self.pinned:
            return f"pinned in {authorised.FILE}"
        if self.pinned:
            return f"NOT the one that {authorised.FILE} pins"
        return f"not pinned in {authorised.FILE}: compliance has not agreed to what it asks"


def of_review(reviewed: Review) -> ApprovalRequest:
    """The request about a version that was reviewed."""
    return ApprovalRequest(
        contract=reviewed.assessment.evidence.contract,
        pinned=reviewed.assessment.authority.contracts,
        changes=reviewed.contract_changes,
        overrides=reviewed.bundle.evidence.overrides,
        claims=reviewed.contributors.claims,
    )


def of_version(
    session: ReadOnlySession, server: registry.MlflowServer, settings: params.Params, record: VersionRecord
) -> ApprovalRequest:
    """The request about the version of `record`, which was made with `settings`.

    Raises IntegrityError when the evidence of the reference champion is lost, ConfigurationError when the
    list of authorised policies is faulty.
    """
    contract = data_contract.of(settings)
    reference = review.champion_bundle(session, server, record.model, record.reference)
    listed = authorised.find(session.root, record.model)
    return ApprovalRequest(
        contract=contract,
        pinned=listed.contracts if listed else (),
        changes=review.contract_changes(contract, reference),
        overrides=settings.overrides,
    )
