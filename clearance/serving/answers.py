"""From typed rows to decisions, the records of them, and the JSON of an answer. Nothing is sent from here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clearance.inference_log import Inference, ModelReference, PolicyReference
from clearance.inference_log.records import FAVOURABLE, UNFAVOURABLE
from clearance.reasons.decision import Reason
from clearance.serving import faults
from clearance.serving.request_rows import Row
from clearance.serving.served_model import Explained, ServedModel


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the model says about one row. `flags` are the rules of the training data that the row breaks."""

    row: Row
    entity: str | None
    explained: Explained
    favourable: bool
    flags: tuple[str, ...]

    @property
    def score(self) -> float:
        """The probability of the favourable outcome, in [0, 1]."""
        return self.explained.score

    @property
    def reasons(self) -> tuple[dict[str, Any], ...]:
        """The principal reasons as JSON, the most important first; none for a favourable decision."""
        return () if self.explained.reasons is None else _listed(self.explained.reasons.principal)

    @property
    def word(self) -> str:
        """The decision in one word."""
        return FAVOURABLE if self.favourable else UNFAVOURABLE


def decide(
    model: ServedModel,
    rows: Sequence[Row],
    entities: Sequence[str | None],
    flags: Sequence[tuple[str, ...]],
    *,
    contributions: bool = False,
) -> list[Decision]:
    """The decision about each row. Raises as `ServedModel.explained`."""
    explained = model.explained(rows, contributions=contributions)
    return [
        Decision(
            row=row, entity=entity, explained=answer, favourable=model.decide(answer.score), flags=row_flags
        )
        for row, entity, answer, row_flags in zip(rows, entities, explained, flags, strict=True)
    ]


def _listed(reasons: Sequence[Reason]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "feature": reason.feature,
            "text": reason.text,
            "contribution": reason.contribution,
            "shortfall": reason.shortfall,
        }
        for reason in reasons
    )


def _details(model: ServedModel, decision: Decision, contributions: bool) -> dict[str, Any]:
    """What an answer says beside its reasons: the method, and what else the policy wants said."""
    explained, details = decision.explained, dict[str, Any]()
    if model.review_reasons:
        details["review_required"] = True
        details["review_reasons"] = list(model.review_reasons)
    if not decision.favourable:
        if explained.reasons is None:
            details["reasons_not_given"] = model.reasons_note
        else:
            details["reasons_method"] = explained.reasons.method
            if explained.reasons.nearly:
                details["nearly_reasons"] = list(_listed(explained.reasons.nearly))
            if explained.reasons.key_factors is not None:
                details["key_factors"] = list(_listed(explained.reasons.key_factors))
    if contributions and explained.contributions is None:
        details["contributions_not_given"] = model.reasons_note
    if explained.contributions is not None and model.reasoner is not None:
        details["contributions"] = dict(explained.contributions)
        details["contributions_base"] = model.reasoner.explainer.base
        details["contributions_space"] = model.reasoner.explainer.space
    return details


def flags(model: ServedModel, rows: Sequence[Row], places: Sequence[str]) -> list[tuple[str, ...]]:
    """The rules of the training data that each row breaks.

    `places` says where each row stands. Raises DataError where the policy refuses such rows.
    """
    broken: list[tuple[str, ...]] = []
    for row, place in zip(rows, places, strict=True):
        unusual = model.checks.unusual(row)
        if unusual and model.policy.serving.unusual_inputs == "refuse":
            name, reason = unusual[0]
            raise faults.UNUSUAL_INPUT(where=f"{place}/{name}", reason=reason)
        broken.append(tuple(f"{name} {reason}" for name, reason in unusual))
    return broken


def model_reference(model: ServedModel) -> ModelReference:
    """The model as records name it."""
    return ModelReference(name=model.name, version=model.version, digest=model.content)


def policy_reference(model: ServedModel) -> PolicyReference:
    """The policy as records name it."""
    return PolicyReference(id=model.stamp.id, version=model.stamp.version, digest=model.stamp.sha256)


def record(
    model: ServedModel,
    decision: Decision,
    *,
    caller: str,
    request_id: str,
    key: str | None,
    body_digest: str,
    contributions: bool = False,
) -> Inference:
    """The record of a decision; `key` is the idempotency key of this row.

    `contributions` says whether the caller asked for them.
    """
    return Inference(
        caller=caller,
        request_id=request_id,
        model=model_reference(model),
        policy=policy_reference(model),
        input=dict(zip((column.name for column in model.inputs), decision.row, strict=True)),
        score=decision.score,
        threshold=model.threshold,
        decision=decision.word,
        reasons=decision.reasons,
        details=_details(model, decision, contributions),
        flags=decision.flags,
        subject=decision.entity,
        idempotency_key=key,
        body_digest=body_digest,
    )


def is_same(model: ServedModel, decision: Decision, recorded: Inference) -> bool:
    """Whether a decision that was computed again is the recorded one, to the last bit of every number."""
    computed = (decision.score, decision.word, model.threshold, decision.reasons)
    return computed == (recorded.score, recorded.decision, recorded.threshold, tuple(recorded.reasons))


def answer(recorded: Inference) -> dict[str, Any]:
    """The JSON of one decision, from its record: what was answered first is what a repeat gets."""
    return {
        "id": recorded.id,
        "decision": recorded.decision,
        "score": recorded.score,
        "threshold": recorded.threshold,
        "version": recorded.model.version,
        "reasons": list(recorded.reasons),
        **recorded.details,
        "flags": list(recorded.flags),
        **({"entity": recorded.subject} if recorded.subject is not None else {}),
    }
