"""How often the same test rows have judged a model: counted from what was tracked, when it is asked for.

Rows that judge again and again are slowly learnt by whoever chooses what they pass. The number is told, it
blocks nothing, and no stage reads it: it depends on what others did.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlflow.entities import Experiment, Run, ViewType

from clearance.registry.server import MlflowServer, translated

FINGERPRINT = "clearance.fingerprint"
TEST_ROWS = "clearance.test_rows"
JUDGED_BEFORE = "clearance.test_rows.use"

_PAGE = 1000


def count(server: MlflowServer, test_rows: str) -> int:
    """Models of different content that rows of this digest have judged, in every experiment.

    At least 0. Deleted runs count: the rows have been used all the same.
    """
    with translated(server.addresses[0]):
        return len(_fingerprints(server, test_rows))


def mark(server: MlflowServer, run_id: str, fingerprint: str, test_rows: str) -> None:
    """Tag a run with the rows that judged its model, and with which use of them it is: 1 is the first."""
    others = _fingerprints(server, test_rows) - {fingerprint}
    tags = server.client.get_run(run_id).data.tags
    if TEST_ROWS not in tags:
        server.client.set_tag(run_id, JUDGED_BEFORE, str(len(others) + 1))
        server.client.set_tag(run_id, TEST_ROWS, test_rows)


def _fingerprints(server: MlflowServer, test_rows: str) -> set[str]:
    return {run.data.tags.get(FINGERPRINT, run.info.run_id) for run in _runs(server, test_rows)}


def _runs(server: MlflowServer, test_rows: str) -> Iterator[Run]:
    experiments = [each.experiment_id for each in _experiments(server)]
    token: str | None = None
    while experiments:
        page = server.client.search_runs(
            experiments,
            f"tags.`{TEST_ROWS}` = '{test_rows}'",
            run_view_type=ViewType.ALL,
            max_results=_PAGE,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def _experiments(server: MlflowServer) -> Iterator[Experiment]:
    token: str | None = None
    while True:
        page = server.client.search_experiments(ViewType.ALL, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
