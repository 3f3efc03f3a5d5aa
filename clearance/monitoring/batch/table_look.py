"""A look at two tables: which columns of the current one differ from the reference, at a stated error rate.

It needs no model, log, database or project. What a pair of tables cannot show (decisions, labels, groups) is
left to the monitor of a version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from clearance import wording
from clearance.documents.look_document import LiveFinding
from clearance.documents.measurement import Outcome
from clearance.documents.table_look_document import ComparedTable, TableLook
from clearance.monitoring import judgement
from clearance.monitoring.batch import tables
from clearance.monitoring.batch.tables import Column, Sample, Table
from clearance.monitoring.counting import bins
from clearance.monitoring.counting.window_counts import Counts
from clearance.monitoring.figures import largest_change
from clearance.monitoring.figures.data_quality import UnitFactor
from clearance.monitoring.figures.effects import Effect, Hypothesis
from clearance.monitoring.statistics import distribution, normal
from clearance.policy import judgement as verdicts
from clearance.policy.monitoring_terms import LiveRule

TOGETHER = "drift.all_features"
"""The metric that is read from rows of all columns, not from the counts of each."""

COLUMNS_RULE = "columns"
"""The rule that every column of the reference is there; it is always applied."""

_UNIT = "data.unit_factor"
_IDENTIFIER_SHARE = 0.5
_FEW_VALUES = 50
_EQUAL_BY_CHANCE = 5
"""Whole numbers that all differ name rows where, drawn at random, so many pairs would be equal."""
_NESTED = "a list, a structure or bytes"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is judged: the rules, the probability `level` of a failed one without any change, the columns.

    Without `columns`, those of the reference but for dates, identifiers and what is no plain value.
    `beyond` are the ids of rules that two tables cannot be judged by.
    """

    rules: tuple[LiveRule, ...]
    level: float
    columns: tuple[str, ...] | None = None
    beyond: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class CountedColumn:
    """The counts of a column in both tables, in the same cells; `unit` is the effect of its unit."""

    reference: distribution.ReferenceCounts
    current: Counts
    unit: Effect | None = None


def applicable(rules: Sequence[LiveRule]) -> tuple[LiveRule, ...]:
    """Those of the rules that two tables can be judged by: figures of single columns, or of all together."""
    return tuple(rule for rule in rules if rule.metric == TOGETHER or applies(rule))


def applies(rule: LiveRule) -> bool:
    """Whether two tables can be judged by the rule: it is about single columns."""
    known = rule.metric in distribution.METRICS or rule.metric == _UNIT
    return known and (rule.of == "features" or not isinstance(rule.of, str))


def compare(reference: Table, current: Table, terms: Terms) -> TableLook:
    """The look at the current table. Raises SourceError or DataError where a table cannot be read."""
    names = terms.columns or tuple(reference.types)
    reasons = {name: _NESTED for name in names if _is_nested(name, reference, current)}
    missing = [name for name in names if name not in current.types]
    compared = tables.columns(
        reference, current, [name for name in names if name not in reasons and name not in missing]
    )
    kinds = {name: column.kind for name, column in compared.items()}
    samples = tables.samples(reference, {name: column.reference for name, column in compared.items()}, kinds)
    if terms.columns is None:
        named = {name for rule in terms.rules if not isinstance(rule.of, str) for name in rule.of}
        others = {name: column for name, column in compared.items() if name not in named}
        reasons |= unjudged(reference, others, samples)
    judged = {name: column for name, column in compared.items() if name not in reasons}
    counted = _count(reference, current, judged, samples)
    empty = {name: "no value in either table" for name in judged if _is_empty(counted[name])}
    counted = {name: counts for name, counts in counted.items() if name not in empty}
    if any(rule.metric == _UNIT for rule in terms.rules):
        counted = _with_units(current, judged, samples, counted)
    asked = [name for name in terms.columns or () if name in reasons or name in empty]
    judged_findings = judgement.judge(
        [
            *_hypotheses(terms.rules, counted, asked, current.rows),
            *_together(terms.rules, reference, current, {name: judged[name] for name in counted}),
        ],
        terms.level,
    )
    findings = (
        _columns_finding(names, missing, current),
        *(_with_change(finding, counted) for finding in judged_findings),
    )
    return TableLook(
        reference=ComparedTable(path=reference.path, rows=reference.rows),
        current=ComparedTable(path=current.path, rows=current.rows),
        level=terms.level,
        sampled_rows=tables.sampled_rows(reference, len(compared)),
        outcome=_outcome(findings),
        findings=findings,
        not_judged=reasons | empty,
        notes=(*_beyond(terms), *_notes(reference, current, judged, counted), *_crowded(counted)),
    )


def _with_change(finding: LiveFinding, counted: Mapping[str, CountedColumn]) -> LiveFinding:
    column = counted.get(finding.subject or "")
    if column is None:
        return finding
    return largest_change.told(finding, column.current, column.reference.counts, column.reference.bins)


def _is_nested(name: str, reference: Table, current: Table) -> bool:
    return reference.family(name) == "nested" or (name in current.types and current.family(name) == "nested")


def unjudged(
    reference: Table, compared: Mapping[str, Column], samples: Mapping[str, Sample]
) -> dict[str, str]:
    """Why a column is not judged unless it is asked for: it moves by itself, or names its row."""
    reasons = {}
    for name in compared:
        if reference.family(name) == "time":
            reasons[name] = "a date or time, which moves by itself"
        elif _is_identifier(samples[name]):
            reasons[name] = "an identifier: most rows have a value of their own"
    return reasons


def _is_identifier(sample: Sample) -> bool:
    """Texts most of which differ, or whole numbers that all do although their range is not that wide."""
    values, different = sample.values, sample.different
    if different <= _FEW_VALUES:
        return False
    if not isinstance(values, np.ndarray):
        return different > _IDENTIFIER_SHARE * len(values)
    span = float(values.max() - values.min())
    is_whole = bool((values == np.floor(values)).all())
    return is_whole and different == len(values) and span * 2 * _EQUAL_BY_CHANCE <= different**2


def _count(
    reference: Table, current: Table, judged: Mapping[str, Column], samples: Mapping[str, Sample]
) -> dict[str, CountedColumn]:
    cells = {name: tables.cells(column.kind, samples[name]) for name, column in judged.items()}
    with ThreadPoolExecutor(1) as other:
        coming = other.submit(
            tables.count, current, {name: column.current for name, column in judged.items()}, cells
        )
        before = tables.count(reference, {name: column.reference for name, column in judged.items()}, cells)
        now = coming.result()
    return {
        name: CountedColumn(
            reference=distribution.ReferenceCounts(
                bins=cells[name],
                counts=before[name],
                means=tables.means(cells[name], samples[name]) if column.kind == "number" else None,
                deviation=_deviation(samples[name]),
            ),
            current=now[name],
        )
        for name, column in judged.items()
    }


def _deviation(sample: Sample) -> float | None:
    numbers = sample.values
    return float(numbers.std(ddof=1)) if isinstance(numbers, np.ndarray) and len(numbers) > 1 else None


def _is_empty(counted: CountedColumn) -> bool:
    """Whether every row of both tables has the column missing."""
    return not counted.reference.counts[:-1].any() and not counted.current[:-1].any()


def _hypotheses(
    rules: Sequence[LiveRule], counted: Mapping[str, CountedColumn], asked: Sequence[str], rows: int
) -> list[Hypothesis]:
    """Each rule for each column; a column that was asked for and not counted is never a pass."""
    return [
        Hypothesis(rule=rule, subject=name, effect=_effect(rule.metric, counted.get(name), rows))
        for rule in rules
        if rule.metric != TOGETHER
        for name in ([*counted, *asked] if rule.of == "features" else rule.of)
        if name not in counted or rule.of != "features" or _fits(rule.metric, counted[name])
    ]


def _together(
    rules: Sequence[LiveRule], reference: Table, current: Table, judged: Mapping[str, Column]
) -> list[Hypothesis]:
    """Each rule on all columns together, over evenly spread rows of both tables."""
    wanted = [rule for rule in rules if rule.metric == TOGETHER]
    if not wanted:
        return []
    from clearance.monitoring.figures import all_features

    before, now = (
        tables.rows(table, values, all_features.MOST_ROWS).to_pandas()
        for table, values in (
            (reference, {name: column.reference for name, column in judged.items()}),
            (current, {name: column.current for name, column in judged.items()}),
        )
    )
    effect = all_features.measure(now, before)
    return [Hypothesis(rule=rule, subject=None, effect=effect) for rule in wanted]


def _fits(metric: str, counted: CountedColumn) -> bool:
    kind = counted.reference.bins.kind
    return kind == "number" if metric == _UNIT else distribution.applies(metric, kind)


def _effect(metric: str, counted: CountedColumn | None, rows: int) -> Effect:
    if counted is None:
        return normal.undefined("it is not a column with values in both tables", rows)
    if metric == _UNIT:
        return counted.unit or normal.undefined("it has no size in both tables", rows)
    return distribution.effect(metric, counted.current, counted.reference)


def _with_units(
    current: Table,
    judged: Mapping[str, Column],
    samples: Mapping[str, Sample],
    counted: Mapping[str, CountedColumn],
) -> dict[str, CountedColumn]:
    """The columns with the effects of the units of numbers, from the rows that stand for all."""
    numbers = {name: judged[name] for name in counted if judged[name].kind == "number"}
    now = tables.samples(
        current,
        {name: column.current for name, column in numbers.items()},
        dict.fromkeys(numbers, "number"),
    )
    return dict(counted) | {
        name: replace(counted[name], unit=_unit(samples[name], now[name])) for name in numbers
    }


def _unit(reference: Sample, current: Sample) -> Effect | None:
    before, now = (np.asarray(sample.values, dtype=np.float64) for sample in (reference, current))
    if not (before.any() and now.any()):
        return None
    sizes = np.log10(np.abs(before[before != 0]))
    return UnitFactor(
        sizes=np.bincount(bins.size_places(now), minlength=bins.SIZES),
        median_size=float(np.median(sizes)),
        reference_rows=len(sizes),
    )


def _columns_finding(names: Sequence[str], missing: Sequence[str], current: Table) -> LiveFinding:
    """Whether the current table has every column: nothing that chance could change."""
    lacks = f"{current.path} has no column {wording.join_names(f'`{name}`' for name in missing)}"
    alike = {_folded(name): name for name in current.types}
    if hints := [f"`{alike[_folded(name)]}` is there" for name in missing if _folded(name) in alike]:
        lacks += f" ({wording.join_names(hints)}: names differ in case or spaces)"
    return LiveFinding(
        rule=COLUMNS_RULE,
        metric="data.schema_violations",
        subject=None,
        outcome=Outcome.FAIL if missing else Outcome.PASS,
        severity="serious",
        on_fail="alert",
        at_most=0.0,
        value=float(len(missing)),
        rows=current.rows,
        reason=lacks if missing else f"all {wording.counted(len(names), 'column')} are there",
    )


def _folded(name: str) -> str:
    return name.strip().casefold()


def _outcome(findings: Sequence[LiveFinding]) -> Outcome:
    """The worst of the findings; not evaluated where nothing but the columns was judged."""
    if len(findings) == 1 and findings[0].outcome is Outcome.PASS:
        return Outcome.NOT_EVALUATED
    return verdicts.worst(finding.outcome for finding in findings)


def _beyond(terms: Terms) -> Iterator[str]:
    if terms.beyond:
        rules = wording.join_names(terms.beyond)
        yield f"not applied, because they need more than two tables: {rules}"


def _notes(
    reference: Table, current: Table, judged: Mapping[str, Column], counted: Mapping[str, CountedColumn]
) -> tuple[str, ...]:
    notes = []
    if new := [name for name in current.types if name not in reference.types]:
        notes.append(f"new in the current table, so not judged: {wording.join_names(new)}")
    notes += [
        f"{name} is {reference.family(name)} in the reference and {current.family(name)} in the current "
        f"table; {_read_as(column, counted.get(name))}"
        for name, column in judged.items()
        if reference.family(name) != current.family(name)
    ]
    return tuple(notes)


def _read_as(column: Column, counted: CountedColumn | None) -> str:
    """How the values of a column are read that the two tables write in another way."""
    if column.kind == "category":
        return "both are read as categories"
    if counted is None or not (unreadable := int(counted.current[distribution.OTHER])):
        return "both are read as numbers"
    values = int(counted.current.sum() - counted.current[distribution.MISSING])
    return (
        f"{wording.count(unreadable)} of its {wording.counted(values, 'value')} there cannot be read as a "
        "number (decimal commas, units or words?) and count as other values"
    )


def _crowded(counted: Mapping[str, CountedColumn]) -> Iterator[str]:
    """Columns of which the cells say little: most values are in the cell of all others."""
    for name, column in counted.items():
        counts, size = column.reference.counts, len(column.reference.bins.categories)
        if 2 * counts[-2] > counts[:-1].sum():
            yield f"{name} has many categories: most values count as one, beside the {size} most frequent"
