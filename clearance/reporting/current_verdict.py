"""The last verdict, and whether it still holds for the files that lie here now.

A verdict is about the files that it judged. Once one of them has changed, what is shown says which one, and
is never a pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, paths
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import ClearanceError, ConfigurationError, ExitCode, IntegrityError
from clearance.reporting import attempt_notice, summary
from clearance.versioning import pipeline_state

_WITHDRAWN = Path(__file__).parent / "templates" / "withdrawn.html"


@dataclass(frozen=True, kw_only=True)
class CurrentVerdict:
    """The last verdict of a project; `fault` says what has changed since, None where it still holds."""

    document: VerdictDocument
    fault: ClearanceError | None

    @property
    def is_stale(self) -> bool:
        """Whether the files here are no longer the ones that were judged."""
        return self.fault is not None

    @property
    def title(self) -> str:
        """One line: the verdict, or that it is stale and what it was."""
        last = summary.title(self.document)
        return f"Stale: these files have not been judged (last verdict: {last})" if self.fault else last

    def to_json(self) -> dict[str, Any]:
        """The document and `stale`. A stale one has no `verdict`: what was judged stands under `last`."""
        last, head = self.document.to_json(), {"stale": self.is_stale, "changed": list(self.change)}
        return head | ({"verdict": None, "last": last} if self.is_stale else last)

    @property
    def change(self) -> tuple[str, ...]:
        """What has changed since, and what to do about it, a sentence each; none where it still holds."""
        if self.fault is None:
            return ()
        broken = isinstance(self.fault, ConfigurationError)
        return self.fault.fault, self.fault.hint if broken else "run the pipeline again: `clearance run`"

    @property
    def exit_code(self) -> ExitCode:
        """That of the verdict; of a stale one, that of files that were not evaluated."""
        return ExitCode.NOT_EVALUATED if self.fault else self.document.verdict.exit_code


def read(root: Path) -> CurrentVerdict:
    """The last verdict of the project at `root`, checked against all that it rests on.

    Reads and hashes what the pipeline read and wrote, and asks neither DVC nor MLflow. Raises IntegrityError
    when there is no verdict or it is not readable.
    """
    last = VerdictDocument.read(root)
    if (fault := why_stale(root)) is not None:
        return CurrentVerdict(document=last, fault=fault)
    return CurrentVerdict(document=attempt_notice.read_verdict(root), fault=None)


def why_stale(root: Path) -> ClearanceError | None:
    """What differs from the files that the last verdict judged, and how to fix it; None if nothing does."""
    try:
        pipeline_state.verify(root)
    except (IntegrityError, ConfigurationError) as fault:
        return fault
    return None


def markdown(current: CurrentVerdict, root: Path) -> str:
    """The verdict as Markdown (`summary.markdown`); a stale one is only named, with what has changed."""
    if current.fault is None:
        return summary.markdown(current.document, root)
    return "\n".join([f"## {current.title}", "", *(f"- {line}" for line in current.change), ""])


def withdraw_page(root: Path) -> None:
    """Replace the report, which cannot check itself, by a page that says it is stale. No report: nothing.

    The next run that reaches a verdict writes the report again. DVC's cache and MLflow keep the old one.
    """
    if (page := root / paths.REPORT_PAGE).exists():
        files.write_text(page, _WITHDRAWN.read_text(encoding="utf-8"))


def remove_withdrawn_page(root: Path) -> None:
    """Remove the report where it is only the page of `withdraw_page`: what was judged is in DVC's cache."""
    page = root / paths.REPORT_PAGE
    if page.is_file() and page.read_bytes() == _WITHDRAWN.read_bytes():
        page.unlink()
