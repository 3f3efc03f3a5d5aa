"""Data Docs: the same result as a page to browse, readable without a network.

The page holds times, so it is no output of a stage. Values of hidden columns and the words of exceptions
are taken out of the result first; whatever the page would fetch from elsewhere is left out of it.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from clearance import artifacts
from expectations import boundary

FOLDER = Path(".clearance/data_docs")

_REMOTE = re.compile(r"<script[^>]*\bsrc=[\"']https?:.*?</script>|<link[^>]*\bhref=[\"']https?:[^>]*>", re.S)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1c2430 }
table { border-collapse: collapse; margin: .5rem 0 } th, td { border: 1px solid #d5dae1; padding: .3rem .6rem;
text-align: left; vertical-align: top } th { background: #f3f5f8 }
.fa-check-circle::before { content: "\\2713"; color: #1a7f37 } .fa-times::before { content: "\\2717"; color: #b42318 }
.fa-exclamation-triangle::before { content: "\\26A0"; color: #b54708 }
</style></head>"""


def publish(result: ExpectationSuiteValidationResult, hidden: set[str], folder: Path) -> Path:
    """Write the result's page as `folder/index.html`, without a value of the hidden columns."""
    document = ValidationResultsPageRenderer().render(hide(result, hidden))
    page = DefaultJinjaPageView().render(document)
    path = folder / "index.html"
    artifacts.write_text(path, _REMOTE.sub("", page).replace("</head>", _STYLE, 1))
    return path


def hide(result: ExpectationSuiteValidationResult, hidden: set[str]) -> ExpectationSuiteValidationResult:
    """The result without rows and values of the hidden columns, and without the words of any exception."""
    shown = copy.deepcopy(result)
    for each in shown.results:
        if boundary.raised(each.exception_info):
            each.exception_info = {
                "raised_exception": True,
                "exception_message": "not run: see the validation report",
                "exception_traceback": "",
            }
        if hidden & set(_columns(each.expectation_config.kwargs)):
            each.result = {key: value for key, value in each.result.items() if "unexpected_" not in key} | {
                key: each.result[key]
                for key in ("unexpected_count", "unexpected_percent")
                if key in each.result
            }
    return shown


def _columns(kwargs: dict[str, Any]) -> list[str]:
    return [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
