"""Pages from templates, in which every text from outside is inert.

Decides how text gets into HTML, never what a page says. Markup is escaped; characters that are invisible or
that change the direction of the text are shown as their code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from clearance import foreign_text, wording
from clearance.documents import metric_catalogue

_TICKED = re.compile("`([^`<>]+)`")
_WORDS = ("count", "join_names", "limit", "measurement", "number", "percent", "sentence")


def environment(*folders: Path) -> jinja2.Environment:
    """The templates of these folders, with the words of `clearance.wording` as filters.

    Rendering raises UndefinedError on a name that was not given: a gap never prints as nothing.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    templates.filters |= {name: getattr(wording, name) for name in _WORDS}
    templates.filters |= {
        "css_string": css_string,
        "prose": prose,
        "subject": metric_catalogue.subject,
        "metric_title": metric_catalogue.title,
        "verbatim": verbatim,
    }
    return templates


def visible(value: Any) -> Any:
    """A text with its invisible characters as their code, "\\u202e"; anything else unchanged."""
    return foreign_text.inert(value, keep="\n\r\t") if type(value) is str else value


def prose(text: str) -> markupsafe.Markup:
    """A sentence with its markup escaped, and text in backticks as code."""
    escaped = str(markupsafe.escape(visible(text)))
    return markupsafe.Markup(_TICKED.sub(r"<code>\1</code>", escaped))  # noqa: S704


def css_string(text: str) -> str:
    """The text as it may stand between quotes in a style sheet: nothing in it ends the string."""
    return re.sub(r"[^\w .:,-]", " ", str(visible(text)))


def verbatim(value: Any) -> str:
    """A value as JSON, on one line."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
