"""`prefect server start` without a request to the internet: `python -m flows.offline_server server start`.

Prefect's server fetches its catalogue of work pool types from the internet before it falls back on the copy
it ships, and has no setting to prevent that. Here nothing answers at the catalogue's address.
"""

from __future__ import annotations

import runpy
import sys

UNANSWERED = "http://127.0.0.1:9"


def main() -> None:
    """Run Prefect's own command line in this process, with the arguments given."""
    from prefect.server.api import collections

    collections.KNOWN_VIEWS.update(dict.fromkeys(collections.KNOWN_VIEWS, UNANSWERED))
    sys.argv[0] = "prefect"
    runpy.run_module("prefect", run_name="__main__")


if __name__ == "__main__":
    main()
