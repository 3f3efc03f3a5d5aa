"""The JSON Schemas of evidence documents, ledger entries and policies, written by `make schemas`.

    python -m tools.schemas [--check]

Those of documents and entries are in docs/schemas/; that of policies is beside them, where an editor looks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clearance.documents import published
from clearance.ledger import events
from clearance.policy import schema

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "schemas"
POLICY = ROOT / "policies" / "policy.schema.json"


def texts() -> dict[str, str]:
    """What each schema's file must hold, by the file's name."""
    return {
        f"{name}.schema.json": json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for name, content in (published.schemas() | events.schemas()).items()
    }


def outdated(folder: Path) -> list[str]:
    """The files below `folder` that are missing, not as they would be written, or of no document."""
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.schema.json")}
    computed = texts()
    return sorted(
        name for name in written.keys() | computed.keys() if written.get(name) != computed.get(name)
    )


def main() -> None:
    """Write the schemas; with `--check`, exit with 1 when one is not as it would be written."""
    if "--check" in sys.argv[1:]:
        names = outdated(FOLDER)
        if POLICY.read_text(encoding="utf-8") != schema.json_schema():
            names.append(POLICY.name)
        sys.exit(f"out of date: {', '.join(names)}: run `make schemas`" if names else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in outdated(FOLDER):
        (FOLDER / name).unlink(missing_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    POLICY.write_text(schema.json_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
