"""`prefect server start` that asks nobody: `python -m flows.offline_server server start --port 4200`.

Prefect's server fetches its catalogue of work pool types from the internet before it falls back on the copy
it ships, and has no setting against that. Here the catalogue's address is one that nothing answers.
"""

from __future__ import annotations

import runpy
import sys

NOWHERE = "http://127.0.0.1:9"


def main() -> None:
    """Run Prefect's own command line in this process, with the arguments given."""
    from prefect.server.api import collections

    collections.KNOWN_VIEWS.update(dict.fromkeys(collections.KNOWN_VIEWS, NOWHERE))
    sys.argv[0] = "prefect"
    runpy.run_module("prefect", run_name="__main__")


if __name__ == "__main__":
    main()
