"""A fresh database for a ledger: an SQLite file, and a PostgreSQL database where a server answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ledger_samples as samples


@pytest.fixture(scope="module")
def signer() -> samples.Signer:
    """Somebody whose key the ledger's checkpoints are signed with."""
    return samples.signer()


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database of either kind."""
    if request.param == "sqlite":
        yield samples.sqlite(tmp_path)
    elif not samples.postgres_runs():
        pytest.skip("PostgreSQL does not answer on 127.0.0.1:5432")
    else:
        with samples.postgres() as url:
            yield url
