"""One data set of OpenML, by its id, as an Arrow table.

It decides which of OpenML's details are recorded as the origin. Downloads stay in the given folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pyarrow as pa

from clearance.data import faults
from clearance.params import Source


def pull(source: Source, state: Path) -> tuple[Iterable[pa.Table], dict[str, Any]]:
    """The table of `source`, and what OpenML calls it. Raises what `fetch` raises."""
    if source.openml_id is None:
        raise ValueError("an openml source has an id")
    table, details = fetch(source.openml_id, state / "openml")
    return [table], details


def fetch(openml_id: int, home: Path) -> tuple[pa.Table, dict[str, Any]]:
    """The table, and its name, version and licence at OpenML.

    Raises SourceError when there is no such data set, UnavailableError when OpenML does not answer.
    """
    from sklearn import datasets

    home.mkdir(parents=True, exist_ok=True)
    try:
        dataset = datasets.fetch_openml(
            data_id=openml_id, target_column=None, as_frame=True, parser="pandas", data_home=str(home)
        )
    except HTTPError as error:
        if error.code < 500:
            raise faults.OPENML_NOT_FOUND(openml_id=openml_id) from None
        raise faults.OPENML_ERROR(status=error.code) from None
    except (URLError, TimeoutError, ConnectionError):
        raise faults.OPENML_UNREACHABLE() from None
    except ValueError as error:
        raise faults.OPENML_UNREADABLE(openml_id=openml_id, reason=str(error)) from None
    details = {key: dataset.details.get(key) for key in ("name", "version", "licence")}
    return pa.Table.from_pandas(dataset.frame, preserve_index=False), details
