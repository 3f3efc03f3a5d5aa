"""docs/errors.md: every error code with its class, its message and its hint. `make errors` writes it.

    python -m tools.error_reference [--check]

The sentences come from the rooms' `faults.py` and from the modules of the ground floor that define their own.
What is in braces is filled in where the error occurs.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import ModuleType

from clearance.errors import ErrorKind

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/errors.md"
ROOMS = ("clearance", "expectations", "flows", "tasks")
_DEFINITION = re.compile(r"^\w+ = ErrorKind\(", re.MULTILINE)
_COUNTED = re.compile(r"\{(\w+):[^{}|]+\|([^{}|]+)\}")
HEAD = """# Error codes

Every error has a stable code. The command line prints the message and a hint. The approvals API and the
library also give the code (`error.code`) and the values in the message (`error.values`). The exit status of a
command is 75 for a `TransientError` and its kinds `BusyError` and `UnavailableError`, which may pass if you
try again, else 1. `clearance run` ends with 1 on any of them.

<!-- written by `python -m tools.error_reference` -->
"""


def catalogues() -> Iterator[ModuleType]:
    """Every module that defines error kinds, in the order of their names."""
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        if _DEFINITION.search(path.read_text(encoding="utf-8")):
            yield importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def kinds(catalogue: ModuleType) -> dict[str, ErrorKind]:
    """The error kinds that a catalogue defines, by the names of their constants."""
    return {name: value for name, value in vars(catalogue).items() if isinstance(value, ErrorKind)}


def page() -> str:
    """The whole page: a table for each room, sorted by code."""
    by_code = {kind.code: kind for catalogue in catalogues() for kind in kinds(catalogue).values()}
    lines = [HEAD]
    for room, codes in groupby(sorted(by_code), key=lambda code: code.partition(".")[0]):
        lines += [f"## {room}", "", "| code | class | message | hint |", "|---|---|---|---|"]
        for code in codes:
            kind = by_code[code]
            cells = (f"`{code}`", f"`{kind.error.__name__}`", _cell(kind.fault), _cell(kind.hint))
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """A template as one cell of a Markdown table, shown as it is written; what it counts in the plural."""
    shown = _COUNTED.sub(r"{\1} \2", text).replace("{{", "{").replace("}}", "}")
    return " ".join(shown.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Write docs/errors.md; with `--check`, fail instead if it would change."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit("docs/errors.md is not what the error catalogues give: run `make errors`")


if __name__ == "__main__":
    main()
