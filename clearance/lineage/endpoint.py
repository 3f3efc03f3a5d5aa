"""Where events go besides their file: the standard OpenLineage settings, read without running their code.

The sources are those of the OpenLineage client, and the first that is there counts: the file that
`OPENLINEAGE_CONFIG` names, `openlineage.yml` in the project or in `~/.openlineage`, variables
`OPENLINEAGE__TRANSPORT__…`, `OPENLINEAGE_URL`. A class that a setting would have imported is refused.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from clearance import database_urls, yaml
from clearance.lineage import faults

NAMESPACE = "OPENLINEAGE_NAMESPACE"
DEFAULT_NAMESPACE = "clearance"
KINDS = ("http", "file")
"""The transports of the OpenLineage client that know, when they return, that the other side has the event."""
TOKENS = ("api_key", "jwt", "oauth2")
_PREFIX = "OPENLINEAGE__TRANSPORT__"
_ONE_TRY = {"total": 0, "status_forcelist": []}


class Transport(Protocol):
    """What sends an event; it returns when the other side has it, and raises otherwise."""

    kind: str | None

    def emit(self, event: Any) -> Any:
        """Send one event."""


def namespace(environ: Mapping[str, str] = os.environ) -> str:
    """The namespace of jobs and of the project's own data sets: `OPENLINEAGE_NAMESPACE`, or `clearance`."""
    return environ.get(NAMESPACE) or DEFAULT_NAMESPACE


def settings(root: Path, environ: Mapping[str, str] = os.environ) -> dict[str, Any] | None:
    """The settings of the transport; None where events are only kept in their file.

    Raises ConfigurationError when they cannot be read, or name code.
    """
    if environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return None
    found = _from_file(root, environ) or _from_variables(environ) or _from_url(environ)
    if not found or found.get("type") in (None, "noop", "console"):
        return None
    kind = "http" if found["type"] == "async_http" else found["type"]
    if kind not in KINDS:
        raise faults.TRANSPORT_UNKNOWN(what="transport", name=kind, known=", ".join(KINDS))
    auth = found.get("auth")
    token = auth.get("type") if isinstance(auth, Mapping) else None
    if token is not None and token not in TOKENS:
        raise faults.TRANSPORT_UNKNOWN(what="authentication", name=token, known=", ".join(TOKENS))
    return {**found, "type": kind}


def connect(transport: Mapping[str, Any]) -> Transport:
    """The transport with these settings; it tries once, because an event that was not sent is sent later.

    Raises ConfigurationError when a library is missing or a setting is wrong.
    """
    from openlineage.client.transport import get_default_factory

    logging.getLogger("openlineage").setLevel(logging.CRITICAL + 1)  # its lines may hold a key
    defaults: dict[str, Any] = {"retry": _ONE_TRY, "timeout": 5.0} if transport["type"] == "http" else {}
    try:
        return get_default_factory().create(defaults | dict(transport))
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own; its text may hold a key
        raise faults.TRANSPORT_UNUSABLE(kind=transport["type"], why=type(error).__name__) from None


def address(transport: Mapping[str, Any]) -> str:
    """What messages call the other side: never with a credential."""
    url = transport.get("url")
    return database_urls.safe(str(url)) if url else str(transport["type"])


def _from_file(root: Path, environ: Mapping[str, str]) -> dict[str, Any] | None:
    places = [root / "openlineage.yml", Path.home() / ".openlineage" / "openlineage.yml"]
    if named := environ.get("OPENLINEAGE_CONFIG"):
        places.insert(0, root / named)
    for place in places:
        if place.is_file():
            try:
                content = yaml.loads(place.read_text(encoding="utf-8")) or {}
                transport = content.get("transport") or {}
                return dict(transport)
            except (yaml.YAMLError, OSError, ValueError, AttributeError, TypeError) as error:
                raise faults.SETTINGS_UNREADABLE(place=place.name, why=type(error).__name__) from None
    return None


def _from_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """`OPENLINEAGE__TRANSPORT__AUTH__TYPE=api_key` is the key `type` in `auth`; JSON is read as JSON."""
    found: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(_PREFIX):
            continue
        *above, last = (part.lower() for part in name.removeprefix(_PREFIX).split("__"))
        place = found
        for part in above:
            inner = place.setdefault(part, {})
            if not isinstance(inner, dict):
                raise faults.SETTINGS_UNREADABLE(place=name, why="two variables exclude each other")
            place = inner
        place[last] = _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _from_url(environ: Mapping[str, str]) -> dict[str, Any] | None:
    url = environ.get("OPENLINEAGE_URL")
    if not url:
        return None
    found: dict[str, Any] = {"type": "http", "url": url}
    if path := environ.get("OPENLINEAGE_ENDPOINT"):
        found["endpoint"] = path
    if key := environ.get("OPENLINEAGE_API_KEY"):
        found["auth"] = {"type": "api_key", "apiKey": key}
    return found
