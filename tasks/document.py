"""Stage: the report page and the impact table, from the evidence; see `clearance.reporting.report`."""

from __future__ import annotations

from pathlib import Path

from clearance import files, params, paths, stage
from clearance.params import data_contract
from clearance.reporting import impact_table, report


def main() -> None:
    """Read the evidence below the working folder, write the page and the impact table."""
    settings = params.load(paths.PARAMS)
    evidence = report.read(Path())
    declared = data_contract.of_sections(
        settings.source, settings.data, settings.split, settings.evaluate.reference
    )
    files.write_text(paths.REPORT_PAGE, report.render(evidence, settings.data, declared))
    files.write_text(paths.IMPACT_TABLE, impact_table.to_csv(report.impact_rows(evidence)))


if __name__ == "__main__":
    stage.run(main)
