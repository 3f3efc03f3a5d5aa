"""Approvals over HTTP: whose token it is, what they ask for, and the answer as JSON.

Who may decide, and what a decision is worth, `Approvals` says, as for the command line. Every refused attempt
is recorded. A token is neither recorded nor repeated.
"""

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from clearance import params
from clearance.approvals_api import faults, tokens
from clearance.approvals_api.oidc_keys import ProviderKeys
from clearance.approvals_api.oidc_settings import ProviderSettings
from clearance.approvals_api.rate_limit import RateLimiter
from clearance.approvals_api.tokens import RejectedToken
from clearance.errors import ClearanceError, ReleaseRefused, TransientError
from clearance.trust.decisions import AttestedAccount, DecisionKind, Reason

MAX_BYTES = 64 * 1024
"""Bytes of a request's body."""
PER_MINUTE = {False: 30, True: 120}
"""How many refusals a minute are recorded one by one: without an attested account, and with one."""


class DecisionRequest(params.Section):
    """The body of a decision. `until` belongs to an override; a date ends it as that day begins in UTC."""

    reason: Reason
    until: AwareDatetime | dt.date | None = None

    @property
    def end(self) -> dt.datetime | None:
        """The moment that `until` means."""
        if self.until is None or isinstance(self.until, dt.datetime):
            return self.until
        return dt.datetime.combine(self.until, dt.time(), dt.UTC)


class Approvals(Protocol):
    """Where decisions are taken, recorded and looked up."""

    @property
    def model(self) -> str:
        """The name of the model that is decided on here."""

    def decide(
        self,
        version: int,
        kind: DecisionKind,
        account: AttestedAccount,
        reason: str,
        until: dt.datetime | None,
    ) -> Mapping[str, Any]:
        """Record the decision; says whether it `counts`. Raises ReleaseRefused when the account may not."""

    def state(self, version: int, account: AttestedAccount) -> Mapping[str, Any]:
        """Who agreed and what is missing. Raises ReleaseRefused when the account may not read it."""

    def refuse(
        self, version: int | None, reason: str, by: AttestedAccount | RejectedToken, skipped: int
    ) -> None:
        """Record a refused attempt, and how many more were skipped since the last recorded one."""


def app(
    approvals: Approvals,
    settings: ProviderSettings,
    keys: ProviderKeys,
    per_minute: Mapping[bool, int] = PER_MINUTE,
) -> FastAPI:
    """The service: POST a decision, GET the state, each with a bearer token of the provider."""
    api = FastAPI(title="Clearance approvals", docs_url=None, redoc_url=None, redirect_slashes=False)
    limiters = {attested: RateLimiter(limit) for attested, limit in per_minute.items()}

    def refuse(
        request: Request, error: ClearanceError, by: AttestedAccount | RejectedToken, status: int
    ) -> JSONResponse:
        """The answer to a refusal after it was recorded; 429 when there are too many to record each."""
        skipped = limiters[by.subject is not None].admit()
        if skipped is None:
            return _answer(faults.TOO_MANY_REFUSALS(), 429)
        ours = request.path_params.get("model") == approvals.model
        version = _version(request) if ours else None
        reason = f"{request.method} {request.url.path[:200]}: {error.fault}"
        approvals.refuse(version, reason, by, skipped)
        return _answer(error, status, {"WWW-Authenticate": "Bearer"} if status == 401 else None)

    def refuse_request(request: Request, error: ClearanceError, status: int) -> JSONResponse:
        """The answer to what is no request, recorded and counted like any other refusal."""
        account = getattr(request.state, "account", None) or RejectedToken(error=error)
        return refuse(request, error, account, status)

    def authenticate(request: Request) -> AttestedAccount:
        """The account of the request's token. Raises _Answered, after it was recorded, without one."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            account: AttestedAccount | RejectedToken = RejectedToken(error=faults.NO_BEARER_TOKEN())
        else:
            account = tokens.read(token.strip(), settings, keys)
        if isinstance(account, RejectedToken):
            raise _Answered(refuse(request, account.error, account, 401))
        request.state.account = account
        if request.path_params["model"] != approvals.model:
            raise _Answered(refuse_request(request, faults.OTHER_MODEL(model=approvals.model), 404))
        return account

    def respond(
        request: Request, account: AttestedAccount, ask: Callable[[], Mapping[str, Any]]
    ) -> JSONResponse:
        try:
            content = ask()
        except ReleaseRefused as error:
            return refuse(request, error, account, 403)
        return JSONResponse(dict(content), 200 if content.get("counts", True) else 409)

    def number(request: Request, _: Annotated[AttestedAccount, Depends(authenticate)]) -> int:
        """The version in the path. Raises _Unfit for what is no number of one."""
        if (version := _version(request)) is None:
            raise _Unfit(404, faults.NOT_FOUND(method=request.method, path=request.url.path[:200]))
        return version

    @api.get("/models/{model}/versions/{version}")
    def state(
        request: Request,
        version: Annotated[int, Depends(number)],
        account: Annotated[AttestedAccount, Depends(authenticate)],
    ) -> Response:
        return respond(request, account, lambda: approvals.state(version, account))

    @api.post("/models/{model}/versions/{version}/{kind}")
    def decide(
        request: Request,
        kind: DecisionKind,
        version: Annotated[int, Depends(number)],
        account: Annotated[AttestedAccount, Depends(authenticate)],
        body: Annotated[DecisionRequest, Depends(_body)],
    ) -> Response:
        def ask() -> Mapping[str, Any]:
            return approvals.decide(version, kind, account, body.reason, body.end)

        return respond(request, account, ask)

    _guard(api, refuse_request)
    return api


def _version(request: Request) -> int | None:
    """The number of a version in the path: ASCII digits, as many as a version can have."""
    text = str(request.path_params.get("version", ""))
    return int(text) if re.fullmatch("[1-9][0-9]{0,8}", text, re.ASCII) else None


async def _body(request: Request) -> DecisionRequest:
    """The body of a decision: JSON in UTF-8. Raises _Unfit for anything else."""
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if media_type.strip() != "application/json" or charset not in {"", "utf-8"}:
        raise _unfit("the body must be application/json in UTF-8")
    try:
        return DecisionRequest.model_validate_json((await request.body()).decode("utf-8"))
    except UnicodeDecodeError:
        raise _unfit("the body must be application/json in UTF-8") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise _unfit(": ".join([*map(str, first["loc"]), first["msg"]])) from None


class _Unfit(Exception):
    """What was sent is no request: the status and the error to answer with."""

    def __init__(self, status: int, error: ClearanceError) -> None:
        super().__init__()
        self.status, self.error = status, error


def _unfit(reason: str) -> _Unfit:
    return _Unfit(422, faults.INVALID_REQUEST(reason=reason))


class _Answered(Exception):
    """The request ends with this response."""

    def __init__(self, response: JSONResponse) -> None:
        super().__init__()
        self.response = response


def _answer(error: ClearanceError, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The error as JSON: its stable code, what is wrong, and what to do about it; folders are left out."""
    content = {"code": error.code, "message": _without_folders(error.fault), "hint": error.hint}
    return JSONResponse({"error": content}, status, headers)


_FOLDERS = re.compile(r"(?:(?<=:///)|(?<![\w:/.]))/(?:[^\s/:;,'\"()]+/)+")


def _without_folders(text: str) -> str:
    """The text with the names of files and databases, and without the folders in which they are."""
    return _FOLDERS.sub("", text)


def _guard(api: FastAPI, refuse: Callable[[Request, ClearanceError, int], JSONResponse]) -> None:
    """Limit the size of bodies, and answer every error in the same form."""

    @api.middleware("http")
    async def limit(request: Request, proceed: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        stated = re.fullmatch("[0-9]{1,9}", length, re.ASCII) and "transfer-encoding" not in request.headers
        if not stated or int(length) > MAX_BYTES:
            too_large = faults.REQUEST_TOO_LARGE(limit=MAX_BYTES)
            return await run_in_threadpool(refuse, request, too_large, 413)
        return await proceed(request)

    @api.exception_handler(_Answered)
    async def answered(_: Request, error: _Answered) -> Response:
        return error.response

    @api.exception_handler(_Unfit)
    def unfit(request: Request, error: _Unfit) -> Response:
        return refuse(request, error.error, error.status)

    @api.exception_handler(ClearanceError)
    async def fault(_: Request, error: ClearanceError) -> Response:
        return _answer(error, 503 if isinstance(error, TransientError) else 409)

    @api.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return refuse(request, faults.INVALID_REQUEST(reason=reason), 422)

    @api.exception_handler(HTTPException)
    def not_found(request: Request, error: HTTPException) -> Response:
        unknown = faults.NOT_FOUND(method=request.method, path=request.url.path[:200])
        return refuse(request, unknown, error.status_code)

    @api.exception_handler(Exception)
    async def defect(_: Request, __: Exception) -> Response:
        return _answer(faults.INTERNAL(), 500)
