"""What messages may say about a database or a server, and what kind of fault its driver raised.

A label or an address in a message has a kind, host and name, never a user, a password or a query. Nothing is
opened here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from clearance.errors import ClearanceError

if TYPE_CHECKING:
    import sqlalchemy as sa

T = TypeVar("T")


def label(url: sa.URL) -> str:
    """`dialect://host/database`, for people and for records: no user, password, port or folder."""
    database = url.database or ""
    if url.get_backend_name() == "sqlite":
        database = Path(database).name
    return f"{url.get_backend_name()}://{url.host or ''}/{database}"


def safe(address: str) -> str:
    """The address without user, password, query and fragment: `scheme://host:port/path`.

    Everything before the last `@` counts as user and password, because a password that is not encoded may
    contain any character; a port that is no number may be a part of one.
    """
    scheme, rest, _ = _split(address)
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    return scheme + (re.sub(r"^([^/:]*|\[[^\]]*\]):(?!\d+(?:/|$))[^/]*", r"\1", rest) if scheme else rest)


def scrub(text: str, address: sa.URL | str) -> str:
    """`text` without anything that could be a credential in `address`."""
    if not isinstance(address, str):
        user, secrets = address.username or "", {address.password or ""}
        secrets |= {value for values in address.normalized_query.values() for value in values}
    else:
        text = text.replace(address, safe(address))
        _, rest, userinfo = _split(address)
        user, _, password = userinfo.partition(":")
        secrets = {userinfo, password, *re.findall(r"[?&;][^=&;#]*=([^&;#]*)", rest)}
    for secret in sorted(_spellings(secrets), key=len, reverse=True):
        text = text.replace(secret, "***")
    for name in _spellings({user}):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "***", text)
    return text


def _split(address: str) -> tuple[str, str, str]:
    """Scheme with its slashes, what follows the user, and user and password together."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = "", address
    is_file = scheme.partition("+")[0].lower() in {"sqlite", "file"} or (not scheme and ":" not in rest)
    userinfo, at, after = ("", "", rest) if is_file else rest.rpartition("@")
    return scheme + separator, after if at else rest, userinfo


def _spellings(secrets: set[str]) -> set[str]:
    forms = {form for secret in secrets for form in (secret, unquote(secret), unquote_plus(secret))}
    return {spelling for form in forms for spelling in (form, quote(form, safe=""), quote_plus(form))} - {""}


class DatabaseFault(StrEnum):
    """What a driver's error means for the person who meets it."""

    NO_DRIVER = "no driver"
    BUSY = "busy"
    FULL = "full"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    OTHER = "other"


_SQLITE = {5: DatabaseFault.BUSY, 6: DatabaseFault.BUSY, 8: DatabaseFault.REFUSED, 13: DatabaseFault.FULL}
"""Primary result codes: BUSY, LOCKED, READONLY, FULL. Source: sqlite.org/rescode.html."""
_STATES = (
    ("53100", DatabaseFault.FULL),
    *((state, DatabaseFault.BUSY) for state in ("40", "55P03")),
    *((state, DatabaseFault.REFUSED) for state in ("28", "3D", "42501")),
    *((state, DatabaseFault.UNREACHABLE) for state in ("08", "53", "55", "57")),
)
"""SQLSTATE classes: disk full; rollback, lock; login, database, privilege; connection, resources, stop."""
_TEXTS = (
    (
        r"(?:database|table|schema) is locked|deadlock (?:found|detected)|lock wait timeout",
        DatabaseFault.BUSY,
    ),
    (r"disk is full|no space left", DatabaseFault.FULL),
    (
        r"password|authenticat|access denied|does not exist|unknown database|permission|pg_hba|read-?only",
        DatabaseFault.REFUSED,
    ),
    (
        r"timed? ?out|lost connection|closed the connection|terminating connection|connection (?:failed|"
        r"refused|reset|is lost)|(?:could not|can't) connect|too many (?:clients|connections|open files)",
        DatabaseFault.UNREACHABLE,
    ),
)
"""What drivers without such a code say, in the order in which it is looked for."""


def classify(error: BaseException) -> DatabaseFault:
    """What kind of fault a driver, or SQLAlchemy, raised. BUSY, FULL and UNREACHABLE may pass."""
    import sqlalchemy as sa  # every command imports this module to print, and few of them a database's

    if isinstance(error, ImportError | sa.exc.NoSuchModuleError):
        return DatabaseFault.NO_DRIVER
    cause = getattr(error, "orig", None) or error
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return _SQLITE.get(code & 0xFF, DatabaseFault.OTHER)
    if state := getattr(cause, "sqlstate", None):
        return next((fault for start, fault in _STATES if state.startswith(start)), DatabaseFault.OTHER)
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return DatabaseFault.UNREACHABLE
    return classify_text(str(cause))


def classify_text(text: str) -> DatabaseFault:
    """What kind of fault a message of a driver tells of, where nothing but the message is left."""
    return next(
        (fault for pattern, fault in _TEXTS if re.search(pattern, text, re.IGNORECASE)), DatabaseFault.OTHER
    )


@contextmanager
def translated(
    address: T,
    translate: Callable[[Exception, T], ClearanceError],
    kinds: tuple[type[Exception], ...] = (),
) -> Iterator[None]:
    """Raise what `translate` makes of a database error, or of `kinds`, without the original attached.

    A driver's own error shows the address, and whoever prints a traceback prints what is attached.
    """
    from sqlalchemy.exc import SQLAlchemyError

    errors: tuple[type[Exception], ...] = (SQLAlchemyError, *kinds)
    cause: Exception | None = None
    try:
        yield
    except errors as error:
        cause = error
    if cause is not None:
        translation = translate(cause, address)
        try:
            raise translation
        finally:
            translation.__context__ = None  # the caller still handles the driver's error
