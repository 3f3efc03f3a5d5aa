"""How many models the same test rows have judged, counted on demand from what was tracked.

People who choose models by the same rows again and again slowly learn those rows. The number is reported
and blocks nothing, and no stage reads it, because it depends on what others did.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlflow.entities import Experiment, Run, ViewType

from clearance.registry.mlflow_server import MlflowServer, translated

FINGERPRINT = "clearance.fingerprint"
MODEL = "clearance.model.sha256"
TEST_ROWS = "clearance.test_rows"
JUDGED_BEFORE = "clearance.test_rows.use"

_PAGE = 1000


def count_test_uses(server: MlflowServer, test_rows: str) -> int:
    """How many different models rows with this digest have judged, in all experiments; at least 0.

    The same model, byte for byte, is one use however often it was judged. Deleted runs count, because the
    rows were used.
    """
    with translated(server.addresses[0]):
        return len(_models(server, test_rows))


def mark(server: MlflowServer, run_id: str, test_rows: str) -> None:
    """Tag a run with the rows that judged its model, and with the number of this use; the first is 1."""
    run = server.client.get_run(run_id)
    if TEST_ROWS not in run.data.tags:
        others = _models(server, test_rows) - {_model(run)}
        server.client.set_tag(run_id, JUDGED_BEFORE, str(len(others) + 1))
        server.client.set_tag(run_id, TEST_ROWS, test_rows)


def _models(server: MlflowServer, test_rows: str) -> set[str]:
    return {_model(run) for run in search_runs(server, TEST_ROWS, test_rows)}


def _model(run: Run) -> str:
    """The digest of the judged model's file; of an old run without one, that of all its content."""
    tags = run.data.tags
    return str(tags.get(MODEL) or tags.get(FINGERPRINT) or run.info.run_id)


def search_runs(server: MlflowServer, tag: str, value: str) -> Iterator[Run]:
    """The runs of all experiments with this value of a tag; deleted ones as well."""
    if "'" in value and '"' in value:
        return  # no filter can name it, and no name or digest of ours is like that
    quote = '"' if "'" in value else "'"
    experiments = [experiment.experiment_id for experiment in _experiments(server)]
    token: str | None = None
    while experiments:
        page = server.client.search_runs(
            experiments,
            f"tags.`{tag}` = {quote}{value}{quote}",
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
