"""The `clearance` command: parses what was typed, calls the library in this process, prints what it returns.

Nothing heavy is imported before a command runs, so help appears at once. Steps of the pipeline belong to the
project above this package: they run as child processes.
"""

from __future__ import annotations

import click

from clearance.cli import (
    alerts,
    approvals,
    champions,
    decisions,
    documents,
    incidents,
    init,
    ledger,
    lineage,
    maintenance,
    monitoring,
    pipeline,
    serving,
    start,
    technical_documents,
    trust,
    verdicts,
)
from clearance.cli.sections import SectionedGroup

SECTIONS = {
    "Start": (init.init, start.check, start.status),
    "Run the pipeline": (pipeline.run, pipeline.snapshot, pipeline.track, pipeline.release),
    "Read the verdict": (
        verdicts.verdict,
        verdicts.report,
        verdicts.judge,
        verdicts.contract_,
        verdicts.policy,
    ),
    "Read the documents": (
        verdicts.show,
        documents.card,
        technical_documents.technical_file,
        technical_documents.compliance,
        technical_documents.diff,
        lineage.lineage,
        documents.check_documents,
    ),
    "Decide": (
        approvals.approve,
        approvals.reject,
        approvals.revoke,
        approvals.override,
        approvals.serve_approvals,
    ),
    "Champions": (
        champions.promote,
        champions.rollback,
        champions.retire,
        champions.verify,
        champions.history,
        start.list_,
        champions.reproduce,
    ),
    "Serve": (serving.serve, serving.serve_key, serving.predict, serving.shadow, decisions.decisions),
    "Watch": (monitoring.monitor, monitoring.labels, alerts.alerts, incidents.incident, incidents.plan),
    "Ledger": (ledger.ledger,),
    "Trust": (trust.keys, trust.roles, trust.root),
    "Maintenance": (maintenance.repair, maintenance.gc),
}


@click.group(cls=SectionedGroup, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="clearance")
def main() -> None:
    """A governed machine-learning pipeline: no model ships without evidence."""
