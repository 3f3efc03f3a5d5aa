"""The JSON Schemas of evidence documents and ledger entries in docs/schemas/, written by `make schemas`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from clearance.documents import published
from clearance.ledger import events

FOLDER = Path(__file__).parent.parent / "docs" / "schemas"


def texts() -> dict[str, str]:
    """What each schema's file must hold, by the file's name."""
    return {
        f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in (published.schemas() | events.schemas()).items()
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
        sys.exit(f"out of date: {', '.join(names)}: run `make schemas`" if names else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in outdated(FOLDER):
        (FOLDER / name).unlink(missing_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
