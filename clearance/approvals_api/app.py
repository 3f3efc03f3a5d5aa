"""Approvals over HTTP: whose token it is, what they ask for, and the answer as JSON.

Who may decide, and what a decision is worth, is asked of the `Desk`, where the command line asks as well.
Every attempt that is refused is recorded; a token is neither recorded nor repeated.
"""

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, Field

from clearance import params
from clearance.approvals_api import tokens
from clearance.approvals_api.oidc_keys import Issuer
from clearance.approvals_api.oidc_settings import Identity
from clearance.approvals_api.rate_limit import Tally
from clearance.approvals_api.tokens import Refused
from clearance.errors import ClearanceError, ReleaseRefused, TransientError
from clearance.trust.decisions import AttestedAccount, DecisionKind

LONGEST = 64 * 1024
"""Bytes of a request's body."""
PER_MINUTE = {False: 30, True: 120}
"""How many refusals are recorded one by one: without an account that is known, and with one."""


class Said(params.Section):
    """The body of a decision; `until` goes with an override, and a day ends it as it begins, in UTC."""

    reason: Annotated[str, Field(pattern=r"\S", max_length=10_000)]
    until: AwareDatetime | dt.date | None = None

    @property
    def end(self) -> dt.datetime | None:
        """The moment that `until` means."""
        if self.until is None or isinstance(self.until, dt.datetime):
            return self.until
        return dt.datetime.combine(self.until, dt.time(), dt.UTC)


class Desk(Protocol):
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

    def refuse(self, version: int | None, why: str, by: AttestedAccount | Refused, passed_over: int) -> None:
        """Record an attempt that was refused, and how many more were since the last."""


def app(
    desk: Desk, settings: Identity, issuer: Issuer, per_minute: Mapping[bool, int] = PER_MINUTE
) -> FastAPI:
    """The service: POST a decision, GET how things stand, each with a bearer token of the provider."""
    served = FastAPI(title="Clearance approvals", docs_url=None, redoc_url=None)
    tallies = {known: Tally(most) for known, most in per_minute.items()}

    def refused(request: Request, why: str, by: AttestedAccount | Refused, code: int) -> JSONResponse:
        """The answer to a refusal, after it was recorded; 429 when there are too many to record each."""
        passed_over = tallies[by.subject is not None].admit()
        if passed_over is None:
            return JSONResponse({"fault": why, "mend": "Too many were refused: wait a minute."}, 429)
        number = request.path_params.get("version", "")
        about = int(number) if request.path_params.get("model") == desk.model and number.isdigit() else None
        desk.refuse(about, f"{request.method} {request.url.path[:200]}: {why}", by, passed_over)
        mend = "Sign in anew; an account must be listed in policies/roles.yaml, with a role that may do this."
        headers = {"WWW-Authenticate": "Bearer"} if code == 401 else None
        return JSONResponse({"fault": why, "mend": mend}, code, headers)

    def known(request: Request) -> AttestedAccount:
        """The account of the request's token. Raises _Stopped, after it was recorded, when it has none."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            found: AttestedAccount | Refused = Refused(why="There is no bearer token.")
        else:
            found = tokens.read(token.strip(), settings, issuer)
        if isinstance(found, Refused):
            raise _Stopped(refused(request, found.why, found, 401))
        if request.path_params["model"] != desk.model:
            raise _Stopped(JSONResponse({"fault": f"Here is {desk.model}.", "mend": "Ask for that."}, 404))
        return found

    def answered(
        request: Request, account: AttestedAccount, ask: Callable[[], Mapping[str, Any]]
    ) -> JSONResponse:
        try:
            said = ask()
        except ReleaseRefused as error:
            return refused(request, error.fault, account, 403)
        return JSONResponse(dict(said), 200 if said.get("counts", True) else 409)

    @served.get("/models/{model}/versions/{version}")
    def state(
        request: Request, version: int, account: Annotated[AttestedAccount, Depends(known)]
    ) -> Response:
        return answered(request, account, lambda: desk.state(version, account))

    @served.post("/models/{model}/versions/{version}/{kind}")
    def decide(
        request: Request,
        version: int,
        kind: DecisionKind,
        said: Said,
        account: Annotated[AttestedAccount, Depends(known)],
    ) -> Response:
        def ask() -> Mapping[str, Any]:
            return desk.decide(version, kind, account, said.reason, said.end)

        return answered(request, account, ask)

    _guard(served)
    return served


class _Stopped(Exception):
    """The request ends with this answer."""

    def __init__(self, answer: JSONResponse) -> None:
        super().__init__()
        self.answer = answer


def _guard(served: FastAPI) -> None:
    """No endless body, and every error of ours as fault and mend."""

    @served.middleware("http")
    async def bounded(request: Request, go_on: Callable[[Request], Awaitable[Response]]) -> Response:
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdigit() or int(length) > LONGEST:
            said = {"fault": "The request is too long.", "mend": f"Send at most {LONGEST} bytes, by length."}
            return JSONResponse(said, 413)
        return await go_on(request)

    @served.exception_handler(_Stopped)
    async def stopped(_: Request, error: _Stopped) -> Response:
        return error.answer

    @served.exception_handler(ClearanceError)
    async def fault(_: Request, error: ClearanceError) -> Response:
        code = 503 if isinstance(error, TransientError) else 409
        return JSONResponse({"fault": error.fault, "mend": error.hint}, code)
