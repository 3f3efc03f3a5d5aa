"""What a database raises, as one clear error that shows neither user nor password."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

import sqlalchemy as sa

from clearance import database_urls
from clearance.errors import BusyError, ClearanceError, ConfigurationError, IntegrityError, UnavailableError

_NO_PRIVILEGE = "42501"
_REFUSAL = re.compile(r"password|authenticat|does not exist|permission|pg_hba|readonly", re.IGNORECASE)


def translated(url: sa.URL) -> AbstractContextManager[None]:
    """Turn what the database raises into one clear error; nothing of the driver's stays attached."""
    return database_urls.translated(url, _explain)


def _explain(error: sa.exc.SQLAlchemyError, url: sa.URL) -> ClearanceError:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    line = next(iter(str(cause).strip().splitlines()), "").strip().partition(" with text ")[0]
    said = database_urls.scrub(line, url)
    where = f"the ledger's database {database_urls.label(url)}"
    if state == "55P03" or "database is locked" in said:
        return BusyError(f"others are writing to {where}, for too long", "repeat this when they have ended")
    if re.search(r"malformed|not a database|could not decode", said, re.IGNORECASE):
        return IntegrityError(
            f"{where} is damaged: {said}", "put it back from a backup; keep the damaged one"
        )
    unfit = isinstance(error, sa.exc.IntegrityError) or state.startswith(("22", "23", "42"))
    if unfit and state != _NO_PRIVILEGE:
        return IntegrityError(f"{where} is not as it was created: {said}", "put it back from a backup")
    if state == _NO_PRIVILEGE or _REFUSAL.search(said):
        return ConfigurationError(
            f"{where} refuses: {said}", "check CLEARANCE_LEDGER and what that account may do"
        )
    return UnavailableError(
        f"{where} does not answer: {said}",
        "start it or mend CLEARANCE_LEDGER, see with `clearance ledger show` what was recorded, then repeat",
    )
