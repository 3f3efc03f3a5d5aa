"""Database errors as ledger errors that show neither user nor password."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

import sqlalchemy as sa

from clearance import database_urls
from clearance.database_urls import DatabaseFault
from clearance.errors import ClearanceError
from clearance.ledger import faults


def translated(url: sa.URL) -> AbstractContextManager[None]:
    """Raise a ledger error in place of a database error, without the driver's own error attached."""
    return database_urls.translated(url, _explain)


def _explain(error: Exception, url: sa.URL) -> ClearanceError:
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None) or ""
    line = next(iter(str(cause).strip().splitlines()), "").strip().partition(" with text ")[0]
    text = database_urls.scrub(line, url)
    database = f"the ledger's database {database_urls.label(url)}"
    kind = database_urls.classify(error)
    if kind is DatabaseFault.BUSY:
        return faults.DATABASE_BUSY(database=database)
    if kind is DatabaseFault.FULL:
        return faults.DATABASE_FULL(database=database)
    if re.search(r"malformed|not a database|could not decode", text, re.IGNORECASE):
        return faults.DATABASE_DAMAGED(database=database, why=text)
    if kind is DatabaseFault.REFUSED:
        return faults.DATABASE_REFUSES(database=database, why=text)
    if isinstance(error, sa.exc.IntegrityError) or state.startswith(("22", "23", "42")):
        return faults.DATABASE_CHANGED(database=database, why=text)
    return faults.DATABASE_UNAVAILABLE(database=database, why=text)
