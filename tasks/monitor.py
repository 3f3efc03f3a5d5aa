"""Compare a table with a reference: which columns drifted, at a stated probability of a false alarm.

Two files or folders are all it needs: no project, model, database, Prefect or network. Run it as a Kubernetes
CronJob, an Argo step or by hand; the exit status is that of every verdict. See docs/monitoring-batch.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clearance import files, stage
from clearance.documents.table_look_document import TableLook
from clearance.monitoring.batch import evidently_page, table_look, tables
from clearance.monitoring.batch.tables import Table
from clearance.policy import alarm_budget, policy_file
from clearance.policy.limit import Limit
from clearance.policy.monitoring_terms import LiveRule, MonitoringTerms, Period
from clearance.reporting.monitoring import table_look_text
from tasks import command_line, faults

ARGUMENTS = (
    "--reference PATH --current PATH (--threshold NUMBER | --policy FILE) [--point] [--columns NAME ...] "
    "[--error-budget SHARE] [--period batch|day|week|month] [--delimiter MARK] [--json] [--report FILE] "
    "[--evidently FILE]"
)
_NUMBERS = {
    "--threshold": "a number above 0, such as 0.1",
    "--error-budget": "a share between 0 and 1, such as 0.05",
}
_RULE = "psi"
_ALWAYS = dt.date(1, 1, 1)


def terms(options: argparse.Namespace, today: dt.date) -> table_look.Terms:
    """What the options ask for. Raises ConfigurationError where that is nothing, or cannot be."""
    monitoring = _monitoring(Path(options.policy)) if options.policy is not None else None
    in_force = [rule for rule in monitoring.rules if rule.in_force(today)] if monitoring else []
    rules = list(table_look.applicable(in_force))
    if monitoring is not None and not rules:
        raise faults.NO_TABLE_RULE(path=options.policy)
    if options.threshold is not None:
        rules.append(_by_threshold(options.threshold, point=options.point))
    if not rules:
        raise faults.NOTHING_TO_JUDGE()
    if monitoring is None:
        looks: tuple[Period, ...] = ("day",) if options.period == "batch" else (options.period,)
        monitoring = MonitoringTerms(rules=tuple(rules), looks=looks)
    if options.error_budget is not None:
        monitoring = monitoring.model_copy(update={"false_alarms": options.error_budget})
    columns = tuple(dict.fromkeys(options.columns)) if options.columns else None
    return table_look.Terms(
        rules=tuple(rules),
        level=alarm_budget.level(monitoring, options.period),
        columns=columns,
        beyond=tuple(rule.id for rule in in_force if rule not in rules),
    )


def _monitoring(path: Path) -> MonitoringTerms:
    if not path.is_file():
        raise faults.NO_SUCH_FILE(path=path, option="--policy")
    monitoring = policy_file.load(path).monitoring
    if monitoring is None:
        raise faults.NO_TABLE_RULE(path=path)
    return monitoring


def _by_threshold(threshold: float, *, point: bool) -> LiveRule:
    return LiveRule(
        id=_RULE,
        kind="engineering",
        source="the command line",
        valid_from=_ALWAYS,
        metric="drift.psi",
        limit=Limit(at_most=threshold),
        decides_by="point" if point else "interval",
        minimum_support=1,
    )


def refuse_options(options: argparse.Namespace) -> None:
    """Raise ConfigurationError on an option that names no file, or whose value cannot be used."""
    for name in ("reference", "current"):
        if not Path(getattr(options, name)).exists():
            raise faults.NO_SUCH_FILE(path=getattr(options, name), option=f"--{name}")
    for name in ("report", "evidently"):
        path = getattr(options, name)
        if path is not None and (Path(path).is_dir() or not Path(path).parent.is_dir()):
            raise faults.OPTION_VALUE(option=f"--{name}", value=path, expected="a file in an existing folder")
    for name, value, end in (
        ("--threshold", options.threshold, float("inf")),
        ("--error-budget", options.error_budget, 1),
    ):
        if value is not None and not 0 < value < end:
            raise faults.OPTION_VALUE(option=name, value=value, expected=_NUMBERS[name])


def look(options: argparse.Namespace, today: dt.date) -> TableLook:
    """The look that the options ask for; see `table_look.compare`."""
    refuse_options(options)
    if options.evidently:
        evidently_page.check_installed()
    wanted = terms(options, today)
    with (
        tables.opened(options.reference, options.delimiter) as reference,
        tables.opened(options.current, options.delimiter) as current,
    ):
        if not reference.rows:
            raise faults.NO_REFERENCE_ROWS(path=options.reference)
        _refuse_unknown(wanted, reference)
        made = table_look.compare(reference, current, wanted)
    if options.policy is None:
        return made
    return replace(made, policy=options.policy, policy_sha256=files.sha256(Path(options.policy)))


def _refuse_unknown(wanted: table_look.Terms, reference: Table) -> None:
    for column in wanted.columns or ():
        if column not in reference.types:
            folded = {name.strip().casefold(): name for name in reference.types}
            alike = folded.get(column.strip().casefold())
            close = [alike] if alike else difflib.get_close_matches(column, reference.types, n=1)
            suggestion = f" (did you mean `{close[0]}`?)" if close else ""
            raise faults.UNKNOWN_COLUMN(path=reference.path, column=column, suggestion=suggestion)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The options among these words of a command line. Raises ConfigurationError on a wrong one."""
    parser = command_line.Parser("tasks.monitor")
    for name in ("--reference", "--current"):
        parser.add_argument(name, required=True)
    for name in ("--policy", "--delimiter", "--report", "--evidently"):
        parser.add_argument(name)
    for name, expected in _NUMBERS.items():
        parser.add_argument(name, type=command_line.number(name, expected))
    for name in ("--point", "--json"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--columns", nargs="+")
    parser.add_argument("--period", choices=("batch", "day", "week", "month"), default="batch")
    return parser.parse_args(words)


def main() -> None:
    """Print which columns drifted, the worst first, and end with the exit status of the verdict."""
    options = parse(sys.argv[1:])
    made = look(options, dt.datetime.now(dt.UTC).date())
    document = json.dumps(made.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    sys.stdout.write(document if options.json else table_look_text.text(made))
    sys.stdout.flush()
    if options.report:
        Path(options.report).write_text(document, encoding="utf-8")
    if options.evidently:
        judged = dict.fromkeys(finding.subject for finding in made.findings if finding.subject is not None)
        evidently_page.write(
            made.reference.path, made.current.path, list(judged), Path(options.evidently), options.delimiter
        )
    sys.exit(made.outcome.exit_code)


if __name__ == "__main__":
    stage.run(main, ARGUMENTS)
