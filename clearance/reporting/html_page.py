"""Pages from templates, in which every text from outside is inert.

Decides how text reaches HTML, never what a page says: markup is escaped, and characters that no
reader sees, or that turn the direction of the text, are shown as their code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from clearance import wording
from clearance.reporting import headline

_CONTROLS = (*range(9), 11, 12, *range(14, 32), *range(127, 160))
_DIRECTIONS = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_UNSEEN = {code: f"\\u{code:04x}" for code in _CONTROLS + _DIRECTIONS}
_TICKED = re.compile("`([^`<>]+)`")
_WORDS = ("count", "limit", "listed", "measurement", "metric", "number", "percent", "sentence")


def environment(folder: Path) -> jinja2.Environment:
    """The templates of `folder`, with the words of `clearance.wording` as filters.

    Rendering raises UndefinedError on a name that was not given: a hole never prints as nothing.
    """
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=seen,
    )
    found.filters |= {name: getattr(wording, name) for name in _WORDS}
    found.filters |= {"prose": prose, "subject": headline.subject, "verbatim": verbatim}
    return found


def seen(value: Any) -> Any:
    """A text with its unseen characters as their code, "\\u202e"; anything else as it is."""
    return value.translate(_UNSEEN) if type(value) is str else value


def prose(text: str) -> markupsafe.Markup:
    """A sentence, inert, with what stands in backticks as code."""
    inert = str(markupsafe.escape(seen(text)))
    return markupsafe.Markup(_TICKED.sub(r"<code>\1</code>", inert))  # noqa: S704


def verbatim(value: Any) -> str:
    """A value as it is written in JSON, on one line."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
