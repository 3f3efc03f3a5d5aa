"""A killed run cannot report its end: the next run in its checkout marks it as crashed.

While a run holds the checkout, a file there holds its Prefect id. A file that the next run finds names a
run that is gone. Where the server no longer knows that run, nothing is marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_logger
from prefect.states import Crashed

from clearance import paths

FILE = paths.FLOW_RUN
MESSAGE = "its process was killed, as the next run in this checkout found"


@contextmanager
def marker(root: Path, run: UUID) -> Iterator[None]:
    """Record that `run` holds the checkout at `root`, after marking a run that was killed while it did."""
    path = root / FILE
    if path.exists():
        _mark(path.read_text(encoding="utf-8").strip())
    path.write_text(f"{run}\n", encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _mark(run: str) -> None:
    """Set the run and its unfinished steps to Crashed, unless the server has seen their end."""
    try:
        run_id = UUID(run)
    except ValueError:  # killed while it wrote the file
        return
    of_run = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(run_id).state
        except ObjectNotFound:
            return
        for step in client.read_task_runs(flow_run_filter=of_run):
            if step.state is None or not step.state.is_final():
                client.set_task_run_state(step.id, Crashed(message=MESSAGE), force=True)
        if state is None or not state.is_final():
            client.set_flow_run_state(run_id, Crashed(message=MESSAGE), force=True)
            get_logger(__name__).warning("run %s was killed; it is marked as crashed", run_id)
