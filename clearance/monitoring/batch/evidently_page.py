"""Evidently's own page about two tables, for whoever wants to see its plots beside our verdict.

It is made in a child process without a network and with telemetry off, and decides nothing here. Evidently is
an extra: nothing else imports it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clearance import isolation, sandbox
from clearance.monitoring import faults
from clearance.monitoring.batch import tables
from clearance.monitoring.batch.tables import Column, Table

ROWS = 20_000
"""The most rows of each table that its page is made of, evenly spread: Evidently holds them all in memory."""

SECONDS = 900


def write(reference: str, current: str, columns: Sequence[str], page: Path, delimiter: str | None) -> None:
    """Write the page about these columns, which both tables have, to the file `page`.

    Raises ConfigurationError where Evidently is not installed, UnavailableError where it fails.
    """
    check_installed()
    page.unlink(missing_ok=True)
    request = {
        "reference": reference,
        "current": current,
        "columns": list(columns),
        "page": str(page.resolve()),
        "delimiter": delimiter,
    }
    try:
        done = subprocess.run(  # noqa: S603 - this Python, our own module
            [sys.executable, *isolation.FLAGS, "-m", __name__],
            input=json.dumps(request),
            env=isolation.variables() | {"DO_NOT_TRACK": "1"},
            preexec_fn=sandbox.cut_network if sandbox.can_cut_network() else None,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise faults.EVIDENTLY_FAILED(reason=f"no page after {SECONDS} seconds") from None
    if done.returncode or not page.is_file():
        raise faults.EVIDENTLY_FAILED(reason=(done.stderr.strip().splitlines() or ["no message"])[-1])


def check_installed() -> None:
    """Raise ConfigurationError where Evidently is not installed."""
    if importlib.util.find_spec("evidently") is None:
        raise faults.NO_EVIDENTLY()


def drift(current: pd.DataFrame, reference: pd.DataFrame, categories: Sequence[str], **preset: Any) -> Any:
    """Evidently's report by its drift preset on two frames of the same columns; `preset` are its settings."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    numbers = [name for name in reference.columns if name not in categories]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=list(categories))
    now, before = (Dataset.from_pandas(frame, data_definition=definition) for frame in (current, reference))
    return Report([DataDriftPreset(**preset)]).run(now, before)


def values(report: Any) -> dict[str, float]:
    """The value of each column in Evidently's report: of its test, a distance or a p-value."""
    return {
        metric["config"]["column"]: float(metric["value"])
        for metric in report.dict()["metrics"]
        if "column" in metric["config"]
    }


def _frame(table: Table, compared: Mapping[str, Column], *, is_reference: bool) -> pd.DataFrame:
    values = {name: column.reference if is_reference else column.current for name, column in compared.items()}
    frame: pd.DataFrame = tables.rows(table, values, ROWS).to_pandas()
    return frame


def main() -> None:
    """Make the page that the request on the standard input asks for."""
    sys.addaudithook(_refuse_network)
    request = json.loads(sys.stdin.read())
    with (
        tables.opened(request["reference"], request["delimiter"]) as reference,
        tables.opened(request["current"], request["delimiter"]) as current,
    ):
        compared = tables.columns(reference, current, request["columns"])
        now = _frame(current, compared, is_reference=False)
        before = _frame(reference, compared, is_reference=True)
    categories = [name for name, column in compared.items() if column.kind == "category"]
    drift(now, before, categories).save_html(request["page"])


def _refuse_network(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        raise PermissionError("the page is made without a network")


if __name__ == "__main__":
    main()
