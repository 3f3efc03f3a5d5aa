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
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem; max-width: 84rem }
body { color: #1c2430 }
.row { display: flex; flex-wrap: wrap; gap: 0 1.5rem } .col-lg-10 { flex: 1 1 30rem; min-width: 0 }
.col-lg-2 { flex: 0 0 13rem } .col-lg-2 ul { list-style: none; padding: 0; margin: 0 }
.ge-section { border: 1px solid #d5dae1; border-radius: .4rem; padding: .2rem 1rem; margin-bottom: 1rem }
h4, h5, h6 { margin: .7rem 0 .3rem; font-size: 1rem } .h6 { font-weight: 600 }
a { color: #24517d } table { border-collapse: collapse; margin: .5rem 0 }
th, td { border: 1px solid #d5dae1; padding: .3rem .6rem; text-align: left; vertical-align: top }
th { background: #f3f5f8 } .clearance { font-size: 1.15rem; margin: 0 0 1rem }
.fa-check-circle::before { content: "\\2713"; color: #1a7f37 }
.fa-times::before { content: "\\2717"; color: #b42318 }
.fa-exclamation-triangle::before { content: "\\26A0"; color: #b54708 }
.navbar-expand-md, .lead, .card:has(input), [data-toggle=collapse], footer { display: none }
</style></head>"""
_DEAD_LINK = re.compile(r"<a href=\"(?:\.\./){4}[^\"]*\"[^>]*>(.*?)</a>", re.DOTALL)
_FOOTER = re.compile(r"<footer.*?</footer>", re.DOTALL)
_STATUS = re.compile(r"(Status:</span> )<i [^>]*></i> \w+")
_FAILED_ICON, _WARNING_ICON = "fa-times", "fa-exclamation-triangle"
_REPORT = "../../../reports/report.html#data"


def publish(result: ExpectationSuiteValidationResult, hidden: set[str], folder: Path) -> Path:
    """Write the result's page as `folder/index.html`, without a value of the hidden columns."""
    shown = hide(result, hidden)
    document = ValidationResultsPageRenderer().render(shown)
    page = DefaultJinjaPageView().render(document)  # type: ignore[no-untyped-call]  # GX has no types here
    page = _DEAD_LINK.sub(r"\1", _FOOTER.sub("", _ACTIVE.sub("", page))).replace("</head>", _STYLE, 1)
    path = folder / "index.html"
    files.write_text(path, _by_severity(page, shown))
    return path


def _by_severity(page: str, result: ExpectationSuiteValidationResult) -> str:
    """The page with what only warns as a warning: Great Expectations calls every unmet expectation failed."""
    unmet = [entry for entry in result.results if not boundary.is_met(entry)]
    warnings = [boundary.requirement(entry) for entry in unmet if not boundary.blocks(entry)]
    blocking = len(unmet) - len(warnings)
    rows = page.split("<tr>")
    for number, row in enumerate(rows):
        if _FAILED_ICON in row and any(text and text in row for text in warnings):
            rows[number] = row.replace(_FAILED_ICON, _WARNING_ICON)
    met = f"{len(result.results) - len(unmet)} of {len(result.results)} expectations are met"
    counts = [f"{blocking} block"] if blocking else []
    counts += [f"{len(warnings)} {'warns' if len(warnings) == 1 else 'warn'}"] if warnings else []
    state = "This table may not be used" if blocking else "This table may be used"
    sentence = f"{state}: {', '.join([met, *counts])}."
    icon = _FAILED_ICON if blocking else _WARNING_ICON if warnings else "fa-check-circle"
    headline = f'<p class="clearance"><i class="{icon}"></i> {sentence} <a href="{_REPORT}">Report</a></p>'
    whole = _STATUS.sub(rf'\1<i class="{icon}"></i> {state.lower()}', "<tr>".join(rows))
    return re.sub(r"<body[^>]*>", lambda match: match[0] + headline, whole, count=1)


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
