"""Which Prefect server records a run that is started in a terminal, if any.

A terminal never starts a server: it would cost more than a small run does.
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from pathlib import Path

from clearance import foreign_text
from flows import faults, ui

_PATIENCE = 10.0


def find(root: Path) -> str | None:
    """The address of the server that `PREFECT_API_URL` names, else of the project's `make ui` if it runs.

    Raises UnavailableError when the server that is named does not answer.
    """
    if address := os.environ.get("PREFECT_API_URL"):
        _refuse_dead(address)
        return address
    address = ui.prefect_api(root)
    return address if address and _answers(address) else None


def _refuse_dead(address: str) -> None:
    if not _answers(address):
        raise faults.SERVER_DOES_NOT_ANSWER(address=foreign_text.without_credentials(address))


def _answers(address: str) -> bool:
    """Whether a server answers there, with whatever status."""
    try:
        urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=_PATIENCE).close()  # noqa: S310
    except urllib.error.HTTPError:
        return True
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return True
