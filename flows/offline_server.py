"""`prefect server start` without a request to the internet: `python -m flows.offline_server server start`.

Prefect's server fetches its catalogue of work pool types from the internet before it falls back on the copy
it ships, and its web page sends what a reader clicks to an analytics host. No setting prevents either.
Here nothing answers at the catalogue's address, and the page lets the browser connect to this server only.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

UNANSWERED = "http://127.0.0.1:9"


CONNECT_TO_THIS_SERVER = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'"
"""What the browser may load and connect to while it shows Prefect's page."""


def main() -> None:
    """Run Prefect's own command line in this process, with the arguments given."""
    from prefect.server.api import collections, server

    create_ui_app = server.create_ui_app

    def create_sealed_ui_app(*arguments: Any, **options: Any) -> Any:
        return _sealed(create_ui_app(*arguments, **options))

    server.create_ui_app = create_sealed_ui_app

    collections.KNOWN_VIEWS.update(dict.fromkeys(collections.KNOWN_VIEWS, UNANSWERED))
    sys.argv[0] = "prefect"
    runpy.run_module("prefect", run_name="__main__")


def _sealed(app: Any) -> Any:
    """The app, with a policy on each of its answers under which a browser connects to no other host."""

    async def add_policy(request: Any, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["Content-Security-Policy"] = CONNECT_TO_THIS_SERVER
        return response

    app.middleware("http")(add_policy)
    return app


if __name__ == "__main__":
    main()
