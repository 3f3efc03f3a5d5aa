"""Database errors as ledger errors that show neither user nor password."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

import sqlalchemy as sa

from clearance import database_urls
from clearance.errors import ClearanceError
from clearance.ledger import faults

_NO_PRIVILEGE = "42501"
_REFUSAL = re.compile(r"password|authenticat|does not exist|permission|pg_hba|readonly", re.IGNORECASE)


def translated(url: sa.URL) -> AbstractContextManager[None]:
    """Raise a ledger error in place of a database error, without the driver's own error attached."""
    return database_urls.translated(url, _explain)


def _explain(error: sa.exc.SQLAlchemyError, url: sa.URL) -> ClearanceError:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    line = next(iter(str(cause).strip().splitlines()), "").strip().partition(" with text ")[0]
    text = database_urls.scrub(line, url)
    database = f"the ledger's database {database_urls.label(url)}"
    if state == "55P03" or "database is locked" in text:
        return faults.DATABASE_BUSY(database=database)
    if re.search(r"malformed|not a database|could not decode", text, re.IGNORECASE):
        return faults.DATABASE_DAMAGED(database=database, why=text)
    unfit = isinstance(error, sa.exc.IntegrityError) or state.startswith(("22", "23", "42"))
    if unfit and state != _NO_PRIVILEGE:
        return faults.DATABASE_CHANGED(database=database, why=text)
    if state == _NO_PRIVILEGE or _REFUSAL.search(text):
        return faults.DATABASE_REFUSES(database=database, why=text)
    return faults.DATABASE_UNAVAILABLE(database=database, why=text)
