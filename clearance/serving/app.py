"""The decision server as one ASGI app: who asks, what they ask for, the decision on record, and the answer.

An answer leaves only after its record is durable. Every error has one form: a stable code, a sentence that
repeats nothing that was sent, a hint, and the id of the request.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from clearance.approvals_api.rate_limit import RateLimiter
from clearance.errors import ClearanceError, DataError, IntegrityError, ReleaseRefused, TransientError
from clearance.feature_store import faults as store_faults
from clearance.inference_log import AsyncInferenceLog, Inference, Refusal, Replay, Review, records
from clearance.inference_log import faults as log_faults
from clearance.serving import access, answers, bodies, documents, faults, open_inference, request_rows
from clearance.serving.access import Caller, Gate, Role
from clearance.serving.champion import Champion
from clearance.serving.live import Live
from clearance.serving.live_counts import KEPT_HOURS
from clearance.serving.metrics import Metrics
from clearance.serving.request_rows import PredictRequest, Row
from clearance.serving.served_model import ServedModel

logger = logging.getLogger(__name__)

MOST_ROWS = 1000
"""Rows of one request."""
INLINE = 32
"""Up to this many rows are decided at once; more go to a thread, so that others are not kept waiting."""
REFUSALS_A_MINUTE = 60
"""How many refusals a minute are recorded one by one; of the others only the number."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,150}", re.ASCII)
_STATUS = {
    faults.WRONG_MEDIA_TYPE.code: 415,
    faults.BODY_TOO_LARGE.code: 413,
    faults.BODY_TOO_SLOW.code: 408,
    faults.NOT_UTF8.code: 400,
    faults.NOT_JSON.code: 400,
    faults.NOT_FINITE.code: 400,
    faults.DUPLICATE_KEY.code: 400,
    faults.TOO_DEEP.code: 400,
    faults.NOT_TEXT.code: 400,
    faults.NO_SUCH_DECISION.code: 404,
    faults.NOT_FOUND.code: 404,
    faults.NO_SUCH_MODEL.code: 404,
    faults.METHOD_NOT_ALLOWED.code: 405,
    faults.TOO_MANY_REQUESTS.code: 429,
    faults.LAPSED.code: 503,
    faults.STOPPED.code: 503,
    log_faults.UNKNOWN_DECISION.code: 404,
    log_faults.ERASED.code: 410,
    log_faults.KEY_CONFLICT.code: 409,
    store_faults.WRONG_VALUE.code: 503,
    store_faults.WRONG_COLUMN.code: 503,
    store_faults.UNREADABLE.code: 503,
    store_faults.AMBIGUOUS.code: 503,
    store_faults.FROM_THE_FUTURE.code: 503,
    store_faults.LACKING.code: 503,
    store_faults.WRONG_KIND.code: 503,
}
_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",  # a browser heeds it over TLS alone
}


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the app works with. `load` fetches an earlier version by number and evidence digest."""

    champion: Champion
    log: AsyncInferenceLog
    gate: Gate
    load: Callable[[int, str], ServedModel]
    metrics: Metrics
    live: Live = field(default_factory=Live)


class Server:
    """Answers requests, each with the model that decides when it arrives."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._refusals = RateLimiter(REFUSALS_A_MINUTE)
        self._earlier: dict[tuple[int, str], ServedModel] = {}
        self._loading = asyncio.Lock()

    # Access

    async def caller(self, request: Request, role: Role, action: str, *others: Role) -> Caller:
        """Who asks, if they have the role or one of the others. Raises ReleaseRefused otherwise."""
        gate = self._services.gate
        header = request.headers.get("authorization", "")
        if gate.asks_provider and not header.startswith("Bearer clk_"):
            caller = await run_in_threadpool(gate.identify, header)
        else:
            caller = gate.identify(header)
        request.state.caller = caller.name
        gate.demand(caller, role, action, *others)
        return caller

    # Decisions

    async def predict(self, request: Request) -> Response:
        """Decide about the rows of a request, put the decisions on record, answer."""
        caller = await self.caller(request, Role.PREDICT, "ask for decisions")
        key = _idempotency_key(request)
        body, document = await bodies.read_json(request)
        start = time.perf_counter()
        try:
            model = self._services.champion.deciding()
            wanted = request_rows.predict_request(document, model.inputs, MOST_ROWS)
            inferences = await self.decide(request, caller, model, wanted, key=key, body=body)
        except ClearanceError:
            inferences = [] if key is None else await self._first_decisions(request, caller, key, body)
            if not inferences:
                raise
        self._services.metrics.seconds.observe(time.perf_counter() - start)
        return _answer(
            {"request_id": _request_id(request), "decisions": [answers.answer(item) for item in inferences]}
        )

    async def decide(
        self,
        request: Request,
        caller: Caller,
        model: ServedModel,
        wanted: PredictRequest,
        *,
        key: str | None,
        body: bytes,
    ) -> list[Inference]:
        """The decisions about the rows, on record. Under a key that was used before, the first ones."""
        seconds = self._services.gate.spend(caller, len(wanted.rows))
        if seconds:
            raise _TooMany(faults.TOO_MANY_REQUESTS(), seconds)
        rows, origins = await self._features(model, wanted)
        flags = answers.flags(model, rows, [f"/rows/{index}/features" for index in range(len(rows))])
        entities = [row.entity for row in wanted.rows]
        if len(rows) <= INLINE:
            decisions = answers.decide(model, rows, entities, flags, contributions=wanted.contributions)
        else:
            decisions = await run_in_threadpool(
                answers.decide, model, rows, entities, flags, contributions=wanted.contributions
            )
        digest = hashlib.sha256(body).hexdigest()
        new = [
            answers.record(
                model,
                decision,
                caller=caller.name,
                request_id=_request_id(request),
                key=None if key is None else f"{key}#{index}",
                body_digest=digest,
                contributions=wanted.contributions,
            )
            for index, decision in enumerate(decisions)
        ]
        new = [
            replace(item, details={**item.details, **origin}) if origin else item
            for item, origin in zip(new, origins, strict=True)
        ]
        start = time.perf_counter()
        receipts = await self._services.log.append(*new)
        self._services.metrics.commit_seconds.observe(time.perf_counter() - start)
        decided = [item for receipt, item in zip(receipts, new, strict=True) if receipt.first is None]
        self._services.live.offer(decided)
        firsts = [receipt.first or item for receipt, item in zip(receipts, new, strict=True)]
        for item in firsts:
            self._services.metrics.decisions.labels(str(item.model.version), str(item.decision)).inc()
            self._services.metrics.flags.inc(int(bool(item.flags)))
        return firsts

    async def _first_decisions(
        self, request: Request, caller: Caller, key: str, body: bytes
    ) -> list[Inference]:
        """The decisions that a key was first used for with this body; none where it was not.

        A repeat gets them even where no new decision could be made by now.
        """
        digest = hashlib.sha256(body).hexdigest()
        first: list[Inference] = []
        while len(first) < MOST_ROWS:
            stored = await self._services.log.find_by_key(
                caller.name, f"{key}#{len(first)}", request_id=_request_id(request)
            )
            if stored is None or not isinstance(stored.record, Inference):
                break
            if stored.record.body_digest != digest:
                return []
            first.append(stored.record)
        return first

    async def _features(
        self, model: ServedModel, wanted: PredictRequest
    ) -> tuple[list[Row], list[Mapping[str, Any]]]:
        """The features of each row, and where they came from if that is the feature store."""
        given = [row.features for row in wanted.rows if row.features is not None]
        if len(given) == len(wanted.rows):
            return given, [{}] * len(given)
        features = self._services.live.features
        if features is None:
            raise faults.INVALID_BODY(where="/rows", reason="needs `features`: there is no feature store")
        return await run_in_threadpool(features.complete, model, wanted.rows)

    # The open inference protocol

    async def infer(self, request: Request) -> Response:
        """Decide about the rows in tensors; on record like every other decision."""
        caller = await self.caller(request, Role.PREDICT, "ask for decisions")
        key = _idempotency_key(request)
        body, document = await bodies.read_json(request)
        model = self._named_model(request)
        wanted, id_, outputs = open_inference.infer_request(document, model.inputs, MOST_ROWS)
        inferences = await self.decide(request, caller, model, wanted, key=key, body=body)
        answer = open_inference.infer_answer(model, inferences, id_ or _request_id(request), outputs)
        return _answer(answer)

    async def model_metadata(self, request: Request) -> Response:
        """The tensors of the model."""
        await self.caller(request, Role.PREDICT, "see the model")
        return _answer(open_inference.model_metadata(self._named_model(request)))

    async def model_ready(self, request: Request) -> Response:
        """Whether the named model could decide now."""
        model = self._named_model(request)
        return _answer({"name": model.name, "ready": True})

    def _named_model(self, request: Request) -> ServedModel:
        """The model that decides now, if it is the one in the path."""
        model = self._services.champion.deciding()
        name, version = request.path_params["name"], request.path_params.get("version")
        if name != model.name or version not in (None, str(model.version)):
            raise faults.NO_SUCH_MODEL()
        return model

    # Decisions on record

    async def decision(self, request: Request, id_: str) -> Response:
        """A decision on record; that it was read, by whom and why, is on record first."""
        caller = await self.caller(request, Role.READ, "read decisions")
        recorded = await self._read(request, caller, id_)
        return _answer(documents.of_record(recorded))

    async def replay(self, request: Request, id_: str) -> Response:
        """Compute a decision again from its record, and compare every bit."""
        caller = await self.caller(request, Role.READ, "replay decisions")
        recorded = await self._read(request, caller, id_)
        model = await self._version(recorded)
        row = tuple(recorded.input[column.name] for column in model.inputs)
        (decision,) = answers.decide(model, [row], [recorded.subject], [recorded.flags])
        same = answers.is_same(model, decision, recorded)
        replay = Replay(
            caller=caller.name,
            request_id=_request_id(request),
            about=recorded.id,
            same=same,
            score=decision.score,
            decision=decision.word,
        )
        await self._services.log.append(replay)
        return _answer(
            {
                "id": recorded.id,
                "same": same,
                "recorded": {
                    "score": recorded.score,
                    "decision": recorded.decision,
                    "reasons": list(recorded.reasons),
                },
                "computed": {
                    "score": decision.score,
                    "decision": decision.word,
                    "reasons": list(decision.reasons),
                },
                "version": model.version,
                "replay": replay.id,
            }
        )

    async def review(self, request: Request, id_: str) -> Response:
        """Put on record that a person contests a decision, or what a person decided about that."""
        caller = await self.caller(request, Role.READ, "review decisions")
        _, document = await bodies.read_json(request)
        wanted = documents.review_request(document)
        recorded = await self._read(request, caller, id_)
        review = Review(
            caller=caller.name,
            request_id=_request_id(request),
            about=recorded.id,
            step=wanted.step,
            text=wanted.text,
            outcome=wanted.outcome,
            decision=wanted.decision,
        )
        await self._services.log.append(review)
        return _answer({"id": recorded.id, "review": review.id, "step": wanted.step}, 201)

    async def _read(self, request: Request, caller: Caller, id_: str) -> Inference:
        reason = _reason(request)
        if not records.is_id(id_):
            raise faults.NO_SUCH_DECISION()
        try:
            stored = await self._services.log.read(
                id_, reader=caller.name, reason=reason, request_id=_request_id(request)
            )
        except DataError as error:
            if error.code == log_faults.UNKNOWN_DECISION.code:
                raise faults.NO_SUCH_DECISION() from None
            raise
        if not isinstance(stored.record, Inference):
            raise faults.NO_SUCH_DECISION()
        return stored.record

    async def _version(self, recorded: Inference) -> ServedModel:
        """The version that decided then: the present one, or an earlier one, verified."""
        present = self._services.champion.status().model
        wanted = (recorded.model.version, recorded.model.digest)
        if present is not None and (present.version, present.content) == wanted:
            return present
        async with self._loading:
            if wanted not in self._earlier:
                if len(self._earlier) >= 2:
                    self._earlier.pop(next(iter(self._earlier)))
                self._earlier[wanted] = await run_in_threadpool(self._services.load, *wanted)
            return self._earlier[wanted]

    # The server itself

    @property
    def decides(self) -> bool:
        """Whether a decision could be made now."""
        return self._services.champion.status().decides

    async def model(self, request: Request) -> Response:
        """What is served, and how."""
        await self.caller(request, Role.PREDICT, "see the model")
        return _answer(documents.of_model(self._services.champion.deciding()))

    async def ready(self) -> Response:
        """Whether a decision could be made now."""
        status = self._services.champion.status()
        return _answer(documents.of_status(status), 200 if status.decides else 503)

    async def metrics(self, request: Request) -> Response:
        """The counters for Prometheus."""
        await self.caller(request, Role.ADMINISTER, "see metrics")
        text = self._services.metrics.text(self._services.champion.status())
        return Response(text, headers=_HEADERS, media_type="text/plain; version=0.0.4; charset=utf-8")

    # Errors

    async def refuse(self, request: Request, error: ClearanceError) -> Response:
        """The answer to an error. A refusal of access is put on record, up to a number a minute."""
        self._services.metrics.faults.labels(error.code).inc()
        status = _status(error)
        headers = {"www-authenticate": "Bearer"} if status == 401 else {}
        if isinstance(error, _TooMany):
            headers["retry-after"] = str(int(error.seconds + 1))
        if status in (401, 403) and (skipped := self._refusals.admit()) is not None:
            reason = f"{error.code}{f' ({skipped} more were not recorded)' if skipped else ''}"
            refusal = Refusal(
                caller=getattr(request.state, "caller", "unknown"),
                request_id=_request_id(request),
                code=error.code,
                reason=reason,
            )
            try:
                await self._services.log.append(refusal)
            except ClearanceError as fault:
                logger.warning("a refusal could not be put on record: %s", fault.fault)
        if status == 408:
            headers["connection"] = "close"
        return _error(request, error, status, headers)


class _TooMany(ReleaseRefused):
    """Too many rows: with the seconds after which they would fit."""

    def __init__(self, error: ClearanceError, seconds: float) -> None:
        super().__init__(error.fault, error.hint, code=error.code, values=error.values)
        self.seconds = seconds


def app(services: Services) -> FastAPI:
    """The ASGI app."""
    api = FastAPI(
        title="Clearance decisions", version="1", docs_url=None, redoc_url=None, redirect_slashes=False
    )
    server = Server(services)

    @api.post("/v1/predict", openapi_extra=documents.PREDICT)
    async def predict(request: Request) -> Response:
        return await server.predict(request)

    @api.get("/v1/decisions/{id}", openapi_extra=documents.DECISION)
    async def decision(request: Request) -> Response:
        return await server.decision(request, request.path_params["id"])

    @api.post("/v1/decisions/{id}/replay", openapi_extra=documents.REPLAY)
    async def replay(request: Request) -> Response:
        return await server.replay(request, request.path_params["id"])

    @api.post("/v1/decisions/{id}/review", openapi_extra=documents.REVIEW)
    async def review(request: Request) -> Response:
        return await server.review(request, request.path_params["id"])

    @api.get("/v1/model", openapi_extra=documents.MODEL)
    async def model(request: Request) -> Response:
        return await server.model(request)

    @api.get("/healthz", openapi_extra=documents.HEALTH)
    async def healthz() -> Response:
        return _answer({"status": "ok"})

    @api.get("/readyz", openapi_extra=documents.READY)
    async def readyz() -> Response:
        return await server.ready()

    @api.get("/metrics", openapi_extra=documents.METRICS)
    async def metrics(request: Request) -> Response:
        return await server.metrics(request)

    _add_open_inference(api, server)
    _add_live(api, server, services)
    _handle_errors(api, server)
    by_id = services.live.features is not None
    documents.describe(api, lambda: services.champion.status().model, by_id=by_id)
    return api


def _add_open_inference(api: FastAPI, server: Server) -> None:
    """The routes of the open inference protocol."""

    @api.get("/v2", openapi_extra=documents.V2_SERVER)
    async def metadata() -> Response:
        return _answer(open_inference.server_metadata(api.version))

    @api.get("/v2/health/live", openapi_extra=documents.HEALTH)
    async def live() -> Response:
        return _answer({"live": True})

    @api.get("/v2/health/ready", openapi_extra=documents.READY)
    async def ready() -> Response:
        decides = server.decides
        return _answer({"ready": decides}, 200 if decides else 503)

    for path, parameters in documents.V2_MODELS.items():
        api.add_api_route(
            path, server.model_metadata, methods=["GET"], openapi_extra=documents.v2_model(parameters)
        )
        api.add_api_route(
            f"{path}/ready", server.model_ready, methods=["GET"], openapi_extra=documents.v2_ready(parameters)
        )
        api.add_api_route(
            f"{path}/infer", server.infer, methods=["POST"], openapi_extra=documents.v2_infer(parameters)
        )


def _add_live(api: FastAPI, server: Server, services: Services) -> None:
    """The routes of what follows decisions; they answer as well while the model may not decide any more."""

    def present() -> ServedModel:
        return services.champion.status().model or services.champion.deciding()

    @api.get("/v1/shadow", openapi_extra=documents.SHADOW)
    async def shadow(request: Request) -> Response:
        await server.caller(request, Role.ADMINISTER, "see the challenger", Role.READ)
        hours, model = _hours(request), present()
        return _answer(await run_in_threadpool(services.live.shadow_document, model, hours))

    @api.get("/v1/fairness", openapi_extra=documents.FAIRNESS)
    async def fairness(request: Request) -> Response:
        await server.caller(request, Role.ADMINISTER, "see the fairness of decisions", Role.READ)
        hours, model = _hours(request), present()
        return _answer(await run_in_threadpool(services.live.fairness_document, model, hours))


def _handle_errors(api: FastAPI, server: Server) -> None:
    @api.exception_handler(ClearanceError)
    async def fault(request: Request, error: ClearanceError) -> Response:
        return await server.refuse(request, error)

    @api.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        kind = faults.METHOD_NOT_ALLOWED if error.status_code == 405 else faults.NOT_FOUND
        return _error(request, kind(), error.status_code, dict(error.headers or {}))

    @api.exception_handler(Exception)
    async def defect(request: Request, error: Exception) -> Response:
        logger.error("request %s failed", _request_id(request), exc_info=error)
        return _error(request, faults.INTERNAL(), 500, {})


def _status(error: ClearanceError) -> int:
    if error.code in _STATUS:
        return _STATUS[error.code]
    if isinstance(error, ReleaseRefused):
        return access.refusal_status(error)
    if isinstance(error, TransientError):
        return 503
    return 422 if isinstance(error, DataError) else 500 if isinstance(error, IntegrityError) else 409


def _answer(content: Mapping[str, Any], status: int = 200) -> Response:
    return JSONResponse(content, status, _HEADERS)


def _error(request: Request, error: ClearanceError, status: int, headers: Mapping[str, str]) -> Response:
    hidden = status >= 500
    shown = {
        "code": error.code,
        "message": faults.NO_MODEL().fault if hidden and error.code not in _SHOWN else error.fault,
        "hint": error.hint if not hidden or error.code in _SHOWN else faults.INTERNAL().hint,
        "request_id": _request_id(request),
    }
    if request.url.path.startswith("/v2"):  # the protocol's own form of an error
        return JSONResponse(
            {"error": f"{shown['code']}: {shown['message']}"},
            status,
            {**_HEADERS, **headers, "x-request-id": shown["request_id"]},
        )
    return JSONResponse({"error": shown}, status, {**_HEADERS, **headers})


_SHOWN = {faults.LAPSED.code, faults.STOPPED.code, faults.NO_MODEL.code, faults.INTERNAL.code}
"""Faults of the server whose sentences are made for callers; those of others may name a database."""


def _request_id(request: Request) -> str:
    """The id that the caller gave the request, or one of our own."""
    known = getattr(request.state, "request_id", None)
    if known is None:
        given = request.headers.get("x-request-id", "")
        known = given if _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
        request.state.request_id = known
    return str(known)


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise faults.INVALID_PARAMETER(
            name="Idempotency-Key", reason="must be 1 to 150 visible ASCII characters"
        )
    return key


def _reason(request: Request) -> str:
    reason = request.query_params.get("reason", "").strip()
    if not 1 <= len(reason) <= 500 or not reason.isprintable():
        raise faults.INVALID_PARAMETER(
            name="reason", reason="say in 1 to 500 printable characters why you look at this decision"
        )
    return reason


def _hours(request: Request) -> int | None:
    """How many hours back the caller asks for; None where the policy says."""
    text = request.query_params.get("hours")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= KEPT_HOURS):
        raise faults.INVALID_PARAMETER(name="hours", reason=f"must be a whole number from 1 to {KEPT_HOURS}")
    return int(text)
