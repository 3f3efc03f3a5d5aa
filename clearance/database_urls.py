"""What messages may say about a database: its kind, host and name, never a user or a password."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from clearance.errors import ClearanceError


def label(url: sa.URL) -> str:
    """`dialect://host/database`, for people and for records: no user, password, port or folder."""
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
    url: sa.URL, translate: Callable[[sa.exc.SQLAlchemyError, sa.URL], ClearanceError]
) -> Iterator[None]:
    """Raise what `translate` makes of a database error, without the driver's own error attached."""
    cause: sa.exc.SQLAlchemyError | None = None
    try:
        yield
    except sa.exc.SQLAlchemyError as error:
        cause = error
    if cause is not None:
        translation = translate(cause, url)
        try:
            raise translation
        finally:
            translation.__context__ = None  # the caller still handles the driver's error
