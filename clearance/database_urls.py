"""What may be said of a database: its kind, host and name, and its own words without user or password."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from clearance.errors import ClearanceError


def label(url: sa.URL) -> str:
    """`dialect://host/database`, for people and for the record: no user, password, port or folder."""
    database = url.database or ""
    if url.get_backend_name() == "sqlite":
        database = Path(database).name
    return f"{url.get_backend_name()}://{url.host or ''}/{database}"


def scrub(text: str, url: sa.URL) -> str:
    """`text` without anything that could be a credential of `url`."""
    values = [value for values in url.normalized_query.values() for value in values]
    for secret in sorted({url.password or "", *values}, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote_plus(secret)} - {""}:
            text = text.replace(form, "***")
    if url.username:
        text = re.sub(rf"(?<!\w){re.escape(url.username)}(?!\w)", "***", text)
    return text


@contextmanager
def translated(
    url: sa.URL, explain: Callable[[sa.exc.SQLAlchemyError, sa.URL], ClearanceError]
) -> Iterator[None]:
    """Raise what `explain` makes of whatever the database raises; nothing of the driver's stays attached."""
    fault: sa.exc.SQLAlchemyError | None = None
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        fault = error
    if fault is not None:
        told = explain(fault, url)
        try:
            raise told
        finally:
            told.__context__ = None  # the caller still handles what the driver raised
