"""Whether a projection is what its target reads, by a JSON Schema, offline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clearance.reporting import faults


def ensure(content: Any, schema: Mapping[str, Any], target: str) -> None:
    """Raise IntegrityError that names the first place where `content` does not fit the schema of `target`."""
    import jsonschema  # only where a card is projected

    errors = jsonschema.Draft202012Validator(schema).iter_errors(content)
    if (first := next(iter(errors), None)) is not None:
        place = "/".join(map(str, first.absolute_path)) or "the document"
        raise faults.CARD_FORMAT_NOT_VALID(target=target, place=place, reason=first.message[:200])
