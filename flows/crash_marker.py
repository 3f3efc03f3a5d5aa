"""A run that was killed cannot say so: the next one in its checkout marks it as crashed.

While a run holds the checkout its Prefect id stands in a file there. A file that is found by the next
holder names a run that is gone. Where its server does not know it any more, nothing is marked.
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

FILE = Path(".clearance/flow_run")
MESSAGE = "its process was killed; the next run in this checkout found out"


@contextmanager
def noted(root: Path, run: UUID) -> Iterator[None]:
    """Note that `run` holds the checkout at `root`, after marking one that was killed while it did."""
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
        gone = UUID(run)
    except ValueError:  # killed while it wrote the file
        return
    chosen = FlowRunFilter(id=FlowRunFilterId(any_=[gone]))
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(gone).state
        except ObjectNotFound:
            return
        for step in client.read_task_runs(flow_run_filter=chosen):
            if step.state is None or not step.state.is_final():
                client.set_task_run_state(step.id, Crashed(message=MESSAGE), force=True)
        if state is None or not state.is_final():
            client.set_flow_run_state(gone, Crashed(message=MESSAGE), force=True)
            get_logger(__name__).warning("run %s was killed: marked as crashed", gone)
