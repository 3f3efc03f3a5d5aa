"""What the server says of models, records and itself as JSON, and the OpenAPI document of its requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from clearance.inference_log import Inference
from clearance.inference_log.records import FAVOURABLE, UNFAVOURABLE
from clearance.ledger import times
from clearance.serving import faults, open_inference, request_rows
from clearance.serving.champion import Status
from clearance.serving.live_counts import KEPT_HOURS
from clearance.serving.served_model import ServedModel

LONGEST_TEXT = 4000
"""Characters of what a person writes in a review."""
_ERRORS = {
    400: "The body is not JSON as this server takes it",
    401: "The request names no known caller",
    403: "The caller lacks the role",
    404: "No decision with this id is on record",
    405: "The resource has no such method",
    408: "The body arrived too slowly",
    409: "The idempotency key was used for another request",
    410: "The personal content of this decision was erased",
    413: "The body is too large",
    415: "The body is not application/json in UTF-8",
    422: "The body does not fit the model",
    429: "The caller sent more rows in a minute than it may",
    503: "No decision can be made, or put on record, at the moment",
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "hint", "request_id"],
            "additionalProperties": False,
            "properties": {name: {"type": "string"} for name in ("code", "message", "hint", "request_id")},
        }
    },
}


@dataclass(frozen=True, kw_only=True)
class ReviewRequest:
    """A person's part in a decision: they contest it, or they say what becomes of it."""

    step: str
    text: str
    outcome: str | None
    decision: str | None


def review_request(document: Any) -> ReviewRequest:
    """The review in a JSON value. Raises DataError for anything else."""
    if not isinstance(document, dict):
        raise faults.INVALID_BODY(where="/", reason="must be an object")
    if set(document) - {"step", "text", "outcome", "decision"}:
        raise faults.INVALID_BODY(where="/", reason="has a key beside step, text, outcome and decision")
    step, text = document.get("step"), document.get("text")
    outcome, decision = document.get("outcome"), document.get("decision")
    if step not in ("contest", "outcome"):
        raise faults.INVALID_BODY(where="/step", reason="must be `contest` or `outcome`")
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= len(text) <= LONGEST_TEXT:
        raise faults.INVALID_BODY(where="/text", reason=f"must be a text of 1 to {LONGEST_TEXT} characters")
    if step == "contest" and ("outcome" in document or "decision" in document):
        raise faults.INVALID_BODY(where="/outcome", reason="belongs to the step `outcome`")
    if step == "outcome" and outcome not in ("upheld", "changed"):
        raise faults.INVALID_BODY(where="/outcome", reason="must be `upheld` or `changed`")
    if step == "outcome" and decision not in (FAVOURABLE, UNFAVOURABLE):
        reason = f"must be `{FAVOURABLE}` or `{UNFAVOURABLE}`: the decision that now holds"
        raise faults.INVALID_BODY(where="/decision", reason=reason)
    return ReviewRequest(step=step, text=text, outcome=outcome, decision=decision)


def of_record(recorded: Inference) -> dict[str, Any]:
    """A decision on record, in full."""
    return {
        "id": recorded.id,
        "time": times.stamp(recorded.time),
        "caller": recorded.caller,
        "request_id": recorded.request_id,
        "entity": recorded.subject,
        "model": {
            "name": recorded.model.name,
            "version": recorded.model.version,
            "evidence": recorded.model.digest,
        },
        "policy": {
            "id": recorded.policy.id,
            "version": recorded.policy.version,
            "sha256": recorded.policy.digest,
        },
        "features": dict(recorded.input),
        "score": recorded.score,
        "threshold": recorded.threshold,
        "decision": recorded.decision,
        "reasons": list(recorded.reasons),
        "flags": list(recorded.flags),
        "details": dict(recorded.details),
    }


def of_model(model: ServedModel) -> dict[str, Any]:
    """What is served: version, permission, policy, inputs, and how scores are computed."""
    return {
        "name": model.name,
        "version": model.version,
        "evidence": model.content,
        "model_sha256": model.model_sha256,
        "champion_since": times.stamp(model.since),
        "ledger_entry": model.entry,
        "allowed_by": list(model.allowed_by),
        "allowed_until": model.allowed_until and times.stamp(model.allowed_until),
        "signed_with_demo_keys": model.demo,
        "policy": {"id": model.stamp.id, "version": model.stamp.version, "sha256": model.stamp.sha256},
        "threshold": model.threshold,
        "inputs": [{"name": column.name, "type": _TYPES[column.type]} for column in model.inputs],
        "scored_by": "row plan" if model.plan is not None else "scikit-learn",
        "plan": model.plan_note,
        "reasons": model.reasons_note,
        "unusual_inputs": model.policy.serving.unusual_inputs,
        "review_reasons": list(model.review_reasons),
    }


def of_status(status: Status) -> dict[str, Any]:
    """Whether a decision could be made now, and if not, why, by a code."""
    model = status.model
    return {
        "ready": status.decides,
        "version": model.version if model else None,
        "lapsed": status.lapsed,
        "stopped": status.stopped,
        "fault": status.fault.code if status.fault else None,
        "seconds_since_last_check": round(status.unchecked, 1),
    }


# OpenAPI

_TYPES = {"double": "number", "string": "string"}
_NUMBER = {"type": "number"}
_TEXT = {"type": "string"}
_NULLABLE = {"type": ["string", "null"]}
_SCORES = {"score": _NUMBER, "decision": {"enum": [FAVOURABLE, UNFAVOURABLE]}}
_VALUES = {"type": ["number", "string", "null"]}
_REASON_ANSWER = {
    "type": "object",
    "required": ["feature", "text", "contribution", "shortfall"],
    "properties": {"feature": _TEXT, "text": _TEXT, "contribution": _NUMBER, "shortfall": _NUMBER},
}
_DECISION_ANSWER = {
    "type": "object",
    "required": ["id", "decision", "score", "threshold", "version", "reasons", "flags"],
    "properties": {
        "id": _TEXT,
        **_SCORES,
        "threshold": _NUMBER,
        "version": {"type": "integer"},
        "reasons": {"type": "array", "items": _REASON_ANSWER},
        "reasons_method": {"enum": ["near_cutoff", "all_applicants"]},
        "reasons_not_given": _TEXT,
        "nearly_reasons": {"type": "array", "items": _REASON_ANSWER},
        "key_factors": {"type": "array", "items": _REASON_ANSWER},
        "contributions": {"type": "object", "additionalProperties": _NUMBER},
        "contributions_base": _NUMBER,
        "contributions_space": {"enum": ["log-odds", "probability"]},
        "contributions_not_given": _TEXT,
        "review_required": {"type": "boolean"},
        "review_reasons": {"type": "array", "items": _TEXT},
        "flags": {"type": "array", "items": _TEXT},
        "entity": _TEXT,
    },
}
_ID = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The id in the answer to the decision",
    "schema": {"type": "string", "format": "uuid"},
    "example": "01965bb0-1c3e-7d47-9f0e-2a6b8f3c4d5e",
}
_REASON = {
    "name": "reason",
    "in": "query",
    "required": True,
    "description": "Why you look at this decision; it is put on record",
    "schema": {"type": "string", "minLength": 1, "maxLength": 500},
    "example": "the applicant asked",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A repeat with the same key and body gets the first decisions",
    "schema": {"type": "string", "pattern": "^[!-~]{1,150}$"},
}


def _operation(
    summary: str,
    answer: Mapping[str, Any],
    statuses: tuple[int, ...],
    *,
    status: int = 200,
    body: Mapping[str, Any] | None = None,
    parameters: tuple[Mapping[str, Any], ...] = (),
    media_type: str = "application/json",
    open_to_all: bool = False,
) -> dict[str, Any]:
    """An operation of the OpenAPI document."""
    content = {media_type: {"schema": dict(answer)}}
    responses: dict[str, Any] = {str(status): {"description": "Done", "content": content}}
    for error in statuses:
        error_content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        responses[str(error)] = {"description": _ERRORS[error], "content": error_content}
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": responses,
        "parameters": [dict(parameter) for parameter in parameters],
        "security": [] if open_to_all else [{"bearer": []}],
    }
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": dict(body)}},
        }
    return operation


_BODY = (400, 408, 413, 415, 422)
_WHO = (401, 403, 503)
PREDICT = _operation(
    "Decide about one or many rows",
    {
        "type": "object",
        "required": ["request_id", "decisions"],
        "properties": {"request_id": _TEXT, "decisions": {"type": "array", "items": _DECISION_ANSWER}},
    },
    (*_BODY, *_WHO, 409, 429),
    body={"$ref": "#/components/schemas/PredictRequest"},
    parameters=(_KEY,),
)
DECISION = _operation(
    "A decision on record",
    {
        "type": "object",
        "required": ["id", "time", "features", "score", "decision"],
        "properties": {"id": _TEXT, "features": {"type": "object", "additionalProperties": _VALUES}},
    },
    (*_WHO, 404, 410, 422),
    parameters=(_ID, _REASON),
)
REPLAY = _operation(
    "Compute a decision again from its record, and compare every bit",
    {
        "type": "object",
        "required": ["id", "same", "recorded", "computed", "version", "replay"],
        "properties": {"id": _TEXT, "same": {"type": "boolean"}},
    },
    (*_WHO, 404, 410, 422),
    parameters=(_ID, _REASON),
)
REVIEW = _operation(
    "Put on record that a person contests a decision, or what a person decided about that",
    {"type": "object", "required": ["id", "review", "step"], "properties": {"id": _TEXT}},
    (*_BODY, *_WHO, 404, 410),
    status=201,
    body={"$ref": "#/components/schemas/ReviewRequest"},
    parameters=(_ID, _REASON),
)
MODEL = _operation(
    "What is served, and how",
    {"type": "object", "required": ["name", "version", "evidence", "inputs"]},
    _WHO,
)
_HOURS = {
    "name": "hours",
    "in": "query",
    "required": False,
    "description": "How many hours back; by default as many as the policy of the version says",
    "schema": {"type": "integer", "minimum": 1, "maximum": KEPT_HOURS},
}
SHADOW = _operation(
    "Champion and challenger on the same live rows",
    {"type": "object", "required": ["challenger", "fault", "waiting", "comparison"]},
    (*_WHO, 422),
    parameters=(_HOURS,),
)
FAIRNESS = _operation(
    "What the version's own policy says of its live decisions",
    {
        "type": "object",
        "required": ["version", "policy", "window_hours", "outcome"],
        "properties": {
            "outcome": {"enum": ["pass", "fail", "insufficient_evidence", "not_evaluated"]},
            "decisions": {"type": "integer"},
            "findings": {"type": "array"},
            "groups": {"type": "object"},
            "rules_not_read": {"type": "object"},
        },
    },
    (*_WHO, 422),
    parameters=(_HOURS,),
)
HEALTH = _operation("Whether the server runs", {"type": "object"}, (), open_to_all=True)
READY = _operation("Whether a decision could be made now", {"type": "object"}, (), open_to_all=True) | {}
READY["responses"]["503"] = {
    "description": "No decision could be made now; the code says why",
    "content": {"application/json": {"schema": {"type": "object"}}},
}
METRICS = _operation("Counters for Prometheus", _TEXT, _WHO, media_type="text/plain")

_V2_ERROR = {"$ref": "#/components/schemas/InferenceError"}
_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype", "data"],
    "additionalProperties": False,
    "properties": {
        "name": _TEXT,
        "shape": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2},
        "datatype": {"enum": [*sorted(open_inference.NUMBERS), "BYTES"]},
        "parameters": {"type": "object"},
        "data": {"type": "array"},
    },
}
INFERENCE_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "maxLength": 200},
        "parameters": {"type": "object"},
        "inputs": {"type": "array", "minItems": 1, "items": _TENSOR},
        "outputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"enum": list(open_inference.OUTPUTS)},
                    "parameters": {"type": "object"},
                },
            },
        },
    },
}
INFERENCE_ERROR = {"type": "object", "required": ["error"], "properties": {"error": _TEXT}}
V2_SERVER = _operation(
    "What the server is",
    {"type": "object", "required": ["name", "version", "extensions"]},
    (),
    open_to_all=True,
)
_NAME_PARAMETER = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
_VERSION_PARAMETER = {"name": "version", "in": "path", "required": True, "schema": _TEXT}
V2_MODELS: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "/v2/models/{name}": (_NAME_PARAMETER,),
    "/v2/models/{name}/versions/{version}": (_NAME_PARAMETER, _VERSION_PARAMETER),
}
"""The paths of a model in the open inference protocol, with their parameters."""


def _v2(operation: dict[str, Any]) -> dict[str, Any]:
    """The operation with the errors in the protocol's own form."""
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            response["content"] = {"application/json": {"schema": _V2_ERROR}}
    return operation


def v2_model(parameters: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """The tensors of a model."""
    answer = {"type": "object", "required": ["name", "versions", "platform", "inputs", "outputs"]}
    return _v2(_operation("The tensors of the model", answer, (*_WHO, 404), parameters=parameters))


def v2_ready(parameters: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Whether a model could decide now."""
    answer = {"type": "object", "required": ["name", "ready"]}
    summary = "Whether the model could decide now"
    return _v2(_operation(summary, answer, (404, 503), parameters=parameters, open_to_all=True))


def v2_infer(parameters: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """Decide about rows in tensors."""
    return _v2(
        _operation(
            "Decide about rows in tensors",
            {"type": "object", "required": ["model_name", "id", "outputs"]},
            (*_BODY, *_WHO, 404, 409, 429),
            body={"$ref": "#/components/schemas/InferenceRequest"},
            parameters=(*parameters, _KEY),
        )
    )


REVIEW_REQUEST = {
    "oneOf": [
        {
            "type": "object",
            "required": ["step", "text"],
            "additionalProperties": False,
            "properties": {
                "step": {"const": "contest"},
                "text": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": r"\S"},
            },
        },
        {
            "type": "object",
            "required": ["step", "text", "outcome", "decision"],
            "additionalProperties": False,
            "properties": {
                "step": {"const": "outcome"},
                "text": {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": r"\S"},
                "outcome": {"enum": ["upheld", "changed"]},
                "decision": {"enum": [FAVOURABLE, UNFAVOURABLE]},
            },
        },
    ],
    "examples": [{"step": "contest", "text": "My income is higher than the file says."}],
}


def predict_schema(
    model: ServedModel | None, most_rows: int = 1000, *, by_id: bool = False
) -> dict[str, Any]:
    """The schema of a request for decisions, with the features of the model that decides.

    `by_id`: a row may name an entity in place of features.
    """
    row: dict[str, Any] = {
        "type": "object",
        **(
            {"anyOf": [{"required": ["features"]}, {"required": ["entity"]}]}
            if by_id
            else {"required": ["features"]}
        ),
        "additionalProperties": False,
        "properties": {
            "entity": {
                "type": "string",
                "minLength": 1,
                "maxLength": request_rows.LONGEST_ENTITY,
                "pattern": request_rows.ENTITY,
                "description": "The id of the person or thing that the decision is about",
            },
            "features": {"type": "object"},
        },
    }
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["rows"],
        "additionalProperties": False,
        "properties": {
            "rows": {"type": "array", "minItems": 1, "maxItems": most_rows, "items": row},
            "contributions": {"type": "boolean", "default": False},
        },
    }
    if model is None:
        return schema
    largest = request_rows.LARGEST_NUMBER
    kinds = {
        "double": {"type": ["number", "null"], "minimum": -largest, "maximum": largest},
        "string": {"type": ["string", "null"], "maxLength": request_rows.LONGEST_TEXT},
    }
    row["properties"]["features"] = {
        "type": "object",
        "required": [column.name for column in model.inputs],
        "additionalProperties": False,
        "properties": {column.name: kinds[column.type] for column in model.inputs},
    }
    schema["examples"] = [{"rows": [{"entity": "application-1", "features": dict(model.example)}]}]
    return schema


def describe(api: FastAPI, present: Callable[[], ServedModel | None], *, by_id: bool = False) -> None:
    """Have the app answer /openapi.json with the document of the model that decides at that time."""

    def openapi() -> dict[str, Any]:
        document = get_openapi(title=api.title, version=api.version, routes=api.routes)
        components = document.setdefault("components", {})
        components["schemas"] = {
            "Error": ERROR,
            "PredictRequest": predict_schema(present(), by_id=by_id),
            "ReviewRequest": REVIEW_REQUEST,
            "InferenceRequest": INFERENCE_REQUEST,
            "InferenceError": INFERENCE_ERROR,
        }
        components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        return document

    api.openapi = openapi  # type: ignore[method-assign]
