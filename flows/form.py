"""The form of a run in Prefect's page: what each key of params.yaml means, and what it is now.

The meanings are those of docs/configuration.md; nothing is written down twice. Plain data in, plain data out.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from clearance import foreign_text

_ROW = re.compile(r"^\| (`.+?) \| (.+?) \| .*\|$", re.MULTILINE)
_KEY = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_LONGEST = 160


def meanings(guide: str) -> dict[str, str]:
    """The meaning of each dotted key in the text of docs/configuration.md."""
    return dict(_meanings(guide))


def _meanings(guide: str) -> Iterator[tuple[str, str]]:
    for keys, meaning in _ROW.findall(guide):
        names = _KEY.findall(keys)
        section = names[0].rpartition(".")[0]
        for name in names:
            full = f"{section}.{name}" if section and not name.startswith(f"{section}.") else name
            yield full, _LINK.sub(r"\1", meaning)


def described(schema: Mapping[str, Any], guide: str, current: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of the flow's parameters, in which each override has its meaning and its `current` value.

    A key that the guide does not explain keeps what it has.
    """
    result = copy.deepcopy(dict(schema))
    definitions = result.get("definitions", {})
    overrides = result.get("properties", {}).get("overrides", {})
    _describe(definitions, _section(definitions, overrides), "", meanings(guide), current)
    return result


def _describe(
    definitions: Mapping[str, Any], section: Any, prefix: str, texts: Mapping[str, str], current: Any
) -> None:
    for key, entry in (section or {}).get("properties", {}).items():
        path = f"{prefix}{key}"
        value = current.get(key) if isinstance(current, Mapping) else None
        below = _section(definitions, entry)
        if below is not None:
            _describe(definitions, below, f"{path}.", texts, value)
        parts = [texts.get(path, entry.get("description", "")), _now(value)]
        entry["description"] = ". ".join(part for part in parts if part)


def _section(definitions: Mapping[str, Any], entry: Mapping[str, Any]) -> Any:
    """The definition that an entry refers to, if it is a section of params.yaml; None for any other."""
    for reference in (entry, *entry.get("anyOf", ()), *entry.get("allOf", ())):
        name = str(reference.get("$ref", "")).rpartition("/")[2]
        if name.endswith("Overrides"):
            return definitions.get(name)
    return None


def _now(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"Now: {foreign_text.inert(text if len(text) <= _LONGEST else text[:_LONGEST] + '…')}"
