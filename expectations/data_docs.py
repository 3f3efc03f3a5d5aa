"""Data Docs: the same result as a page to browse, readable without a network.

The page holds times, so it is not an output of a stage. Values of hidden columns and the text of exceptions
are removed from the result first. The page fetches nothing and runs nothing, whatever the table holds.
"""

from __future__ import annotations

import copy
import html
import re
from pathlib import Path
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from clearance import files, paths
from expectations import boundary

FOLDER = paths.DATA_DOCS

_SHOWN = ("element_count", "missing_count", "unexpected_count", "unexpected_percent", "observed_value")
_ACTIVE = re.compile(
    r"<script.*?</script>|<(?:link|img)[^>]*\b(?:href|src)=[\"']https?:[^>]*>", re.DOTALL | re.IGNORECASE
)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1c2430 }
table { border-collapse: collapse; margin: .5rem 0 } th, td { border: 1px solid #d5dae1; padding: .3rem .6rem;
text-align: left; vertical-align: top } th { background: #f3f5f8 }
.fa-check-circle::before { content: "\\2713"; color: #1a7f37 }
.fa-times::before { content: "\\2717"; color: #b42318 }
.fa-exclamation-triangle::before { content: "\\26A0"; color: #b54708 }
</style></head>"""


def publish(result: ExpectationSuiteValidationResult, hidden: set[str], folder: Path) -> Path:
    """Write the result's page as `folder/index.html`, without a value of the hidden columns."""
    document = ValidationResultsPageRenderer().render(hide(result, hidden))
    page = DefaultJinjaPageView().render(document)  # type: ignore[no-untyped-call]  # GX has no types here
    path = folder / "index.html"
    files.write_text(path, _ACTIVE.sub("", page).replace("</head>", _STYLE, 1))
    return path


def hide(result: ExpectationSuiteValidationResult, hidden: set[str]) -> ExpectationSuiteValidationResult:
    """The result without rows and values of the hidden columns, and without the text of any exception."""
    shown = copy.deepcopy(result)
    for entry in shown.results:
        if boundary.raised(entry.exception_info):
            entry.exception_info = {
                "raised_exception": True,
                "exception_message": "not run: see the validation report",
                "exception_traceback": "",
            }
        if hidden & set(boundary.columns_of(entry)):
            entry.result = {key: value for key, value in entry.result.items() if key in _SHOWN}
        entry.result = _escaped(entry.result)
        config: Any = entry.expectation_config
        config.description = _escaped(config.description)
        config.kwargs = _escaped(config.kwargs)
    return shown


def _escaped(value: Any) -> Any:
    """The value with all its texts escaped for HTML, which Great Expectations does not do."""
    if isinstance(value, dict):
        return {_escaped(key): _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(inner) for inner in value]
    return html.escape(value) if isinstance(value, str) else value
