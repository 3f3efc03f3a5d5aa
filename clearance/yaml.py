"""YAML 1.2, as DVC reads and writes it: `yes` and `1:30` are text, `1e-3` is a number, a key stands once.

One reader for parameters, policies and the lock, so that no two steps see different values in one file.
"""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

__all__ = ["YAMLError", "dumps", "loads"]


def loads(text: str) -> Any:
    """The content of one YAML document. Raises YAMLError on anything else, a repeated key included."""
    return YAML(typ="safe").load(text)


def dumps(value: Any) -> str:
    """`value` as a YAML document that `loads` reads back as it was, keys in their order."""
    writer = YAML()
    writer.allow_unicode = True
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()
