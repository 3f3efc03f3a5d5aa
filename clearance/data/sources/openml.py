"""One data set of OpenML, by its id, as an Arrow table.

It decides what of the answer is kept as origin. Downloads stay in the folder it is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pyarrow as pa

from clearance.errors import SourceError, UnavailableError


def fetch(openml_id: int, home: Path) -> tuple[pa.Table, dict[str, Any]]:
    """The table and what OpenML calls it: name, version, licence.

    Raises SourceError when there is no such data set, UnavailableError when OpenML does not answer.
    """
    from sklearn import datasets

    home.mkdir(parents=True, exist_ok=True)
    try:
        found = datasets.fetch_openml(
            data_id=openml_id, target_column=None, as_frame=True, parser="pandas", data_home=str(home)
        )
    except HTTPError as error:
        if error.code < 500:
            raise _none_such(openml_id) from None
        raise UnavailableError(f"OpenML answers with error {error.code}", "run again later") from None
    except (URLError, TimeoutError, ConnectionError):
        raise UnavailableError("OpenML does not answer", "check the network, then run again") from None
    except ValueError as error:
        raise SourceError(
            f"OpenML data set {openml_id} cannot be read: {error}", "choose another `source.openml_id`"
        ) from None
    details = {key: found.details.get(key) for key in ("name", "version", "licence")}
    return pa.Table.from_pandas(found.frame, preserve_index=False), details


def _none_such(openml_id: int) -> SourceError:
    return SourceError(f"OpenML has no data set {openml_id}", "mend `source.openml_id` in params.yaml")
