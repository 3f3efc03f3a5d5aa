"""From typed rows to decisions, the records of them, and the JSON of an answer. Nothing is sent from here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clearance.inference_log import Inference, ModelReference, PolicyReference
from clearance.serving import faults
from clearance.serving.request_rows import Row
from clearance.serving.served_model import ServedModel

FAVOURABLE, UNFAVOURABLE = "favourable", "unfavourable"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the model says about one row. `flags` are the rules of the training data that the row breaks."""

    row: Row
    entity: str | None
    score: float
    favourable: bool
    flags: tuple[str, ...]

    @property
    def word(self) -> str:
        """The decision in one word."""
        return FAVOURABLE if self.favourable else UNFAVOURABLE


def decide(
    model: ServedModel, rows: Sequence[Row], entities: Sequence[str | None], flags: Sequence[tuple[str, ...]]
) -> list[Decision]:
    """The decision about each row. Raises DataError when the model refuses a row."""
    scores = model.scores(rows)
    return [
        Decision(row=row, entity=entity, score=score, favourable=model.decide(score), flags=row_flags)
        for row, entity, score, row_flags in zip(rows, entities, scores, flags, strict=True)
    ]


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
) -> Inference:
    """The record of a decision; `key` is the idempotency key of this row."""
    return Inference(
        caller=caller,
        request_id=request_id,
        model=model_reference(model),
        policy=policy_reference(model),
        input=dict(zip((column.name for column in model.inputs), decision.row, strict=True)),
        score=decision.score,
        threshold=model.threshold,
        decision=decision.word,
        flags=decision.flags,
        subject=decision.entity,
        idempotency_key=key,
        body_digest=body_digest,
    )


def answer(recorded: Inference) -> dict[str, Any]:
    """The JSON of one decision, from its record: what was answered first is what a repeat gets."""
    return {
        "id": recorded.id,
        "decision": recorded.decision,
        "score": recorded.score,
        "threshold": recorded.threshold,
        "version": recorded.model.version,
        "reasons": list(recorded.reasons),
        "flags": list(recorded.flags),
        **({"entity": recorded.subject} if recorded.subject is not None else {}),
    }
