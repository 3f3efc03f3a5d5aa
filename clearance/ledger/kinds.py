"""The kinds of entries, and the words for each. What may be recorded when is decided elsewhere."""

from __future__ import annotations

from enum import StrEnum


class EntryKind(StrEnum):
    """What an entry records. The comment says what its body holds beside free fields.

    `version` is a version of the registered model, `content` the digest that approvals bind to.
    """

    PROPOSAL = "proposal"  # version, content
    VERDICT = "verdict"  # version, content, outcome
    COMPARISON = "comparison"  # version, content
    APPROVAL = "approval"  # version, content
    REJECTION = "rejection"  # version, content
    REVOCATION = "revocation"  # version, content: the actor takes an approval back
    REFUSAL = "refusal"  # version, content
    OVERRIDE = "override"  # version, content: let through although the verdict is no pass
    INTENT = "intent"  # step (a promotion, rollback or retirement), version, content: before the act
    PROMOTION = "promotion"  # version, content, intent (its number): after the act
    ROLLBACK = "rollback"  # version, content, intent
    RETIREMENT = "retirement"  # version, content, intent: no version is champion from here on
    REPAIR = "repair"  # intent (its number): it was not carried out, and is given up
    ROLES = "roles"  # who may do what has changed
    CHECKPOINT_POLICY = "checkpoint_policy"  # who signs checkpoints, or where they are kept, has changed
    REDACTION = "redaction"  # entries (their numbers), reason


WORDS = {
    EntryKind.PROPOSAL: "proposed",
    EntryKind.VERDICT: "recorded the verdict on",
    EntryKind.COMPARISON: "recorded the comparison with the champion of",
    EntryKind.APPROVAL: "approved",
    EntryKind.REJECTION: "rejected",
    EntryKind.REVOCATION: "took back the approval of",
    EntryKind.REFUSAL: "was refused a change of",
    EntryKind.OVERRIDE: "overrode the verdict on",
    EntryKind.INTENT: "set out to change the champion to",
    EntryKind.PROMOTION: "promoted",
    EntryKind.ROLLBACK: "rolled back to",
    EntryKind.RETIREMENT: "retired",
    EntryKind.REPAIR: "gave up an unfinished change of",
    EntryKind.ROLES: "changed who may do what",
    EntryKind.CHECKPOINT_POLICY: "changed how checkpoints are signed or kept",
    EntryKind.REDACTION: "erased the content of earlier entries",
}
"""What somebody did, in the past tense, before the model and its version."""
