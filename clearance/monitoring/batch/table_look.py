"""A look at two tables: which columns of the current one differ from the reference, at a stated error rate.

It needs no model, log, database or project. What a pair of tables cannot show (decisions, labels, groups) is
left to the monitor of a version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
    unreadable: Mapping[str, str] = {}
    if terms.columns is None:
        named = {name for rule in terms.rules if not isinstance(rule.of, str) for name in rule.of}
        others = {name: column for name, column in compared.items() if name not in named}
        unreadable = _unreadable(reference, current, others, samples)
        readable = {name: column for name, column in others.items() if name not in unreadable}
        reasons |= unreadable | unjudged(reference, readable, samples)
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
    unchosen = terms.columns is None and any(rule.of == "features" for rule in terms.rules)
    findings = (
        _columns_finding(
            names, missing, current, _reservation(names, counted, unreadable) if unchosen else None
        ),
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
        if reference.family(name) == "time" or name in reference.days:
            reasons[name] = "a date or time, which moves by itself"
        elif _is_identifier(samples[name]):
            reasons[name] = "an identifier: most rows have a value of their own"
    return reasons


def _unreadable(
    reference: Table, current: Table, compared: Mapping[str, Column], samples: Mapping[str, Sample]
) -> dict[str, str]:
    """Why a column that is likely a number in a table cannot be read as one; as text it would say little."""
    reasons = {}
    for name, column in compared.items():
        obstacle = _obstacle(column, reference, current)
        families = {reference.family(name), current.family(name)}
        if obstacle and samples[name].different > _FEW_VALUES:
            reasons[name] = f"numbers that cannot be read: {obstacle}"
        elif column.kind == "category" and families == {"text", "number"} and _is_identifier(samples[name]):
            reasons[name] = "numbers in one table, and texts that are none in the other"
    return reasons


def _obstacle(column: Column, reference: Table, current: Table) -> str | None:
    """Why a column is compared as text although most values of a table are numbers; None: it is not."""
    for table in (reference, current):
        reading = table.readings.get(column.name)
        if column.kind == "category" and reading is not None:
            where = "the reference" if table is reference else "the current table"
            if reading.others:
                return f"{wording.counted(len(reading.others), 'value')} in {where} are written otherwise"
            if reading.doubt is not None:
                return f"in {where} {reading.doubt}"
            return f"they are text in {where}, and the other table has no numbers"
    return None


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


def _columns_finding(
    names: Sequence[str], missing: Sequence[str], current: Table, reservation: str | None
) -> LiveFinding:
    """Whether the current table has every column: nothing that chance could change.

    Not evaluated where there is a `reservation`: why a pass of the others would say little.
    """
    lacks = f"{current.path} has no column {wording.join_names(f'`{name}`' for name in missing)}"
    alike = {_folded(name): name for name in current.types}
    if hints := [f"`{alike[_folded(name)]}` is there" for name in missing if _folded(name) in alike]:
        lacks += f" ({wording.join_names(hints)}: names differ in case or spaces)"
    outcome, reason = Outcome.PASS, f"all {wording.counted(len(names), 'column')} are there"
    if missing:
        outcome, reason = Outcome.FAIL, lacks
    elif reservation is not None:
        outcome, reason = Outcome.NOT_EVALUATED, reservation
    return LiveFinding(
        rule=COLUMNS_RULE,
        metric="data.schema_violations",
        subject=None,
        outcome=outcome,
        severity="serious",
        on_fail="alert",
        at_most=0.0,
        value=float(len(missing)),
        rows=current.rows,
        reason=reason,
    )


def _reservation(names: Sequence[str], judged: Collection[str], unreadable: Mapping[str, str]) -> str | None:
    """Why a pass of the `judged` columns is not one of the table, where nobody chose them."""
    if unreadable:
        return (
            f"the numbers of {wording.join_names(unreadable)} cannot be read: write plain numbers, or name "
            "the columns to judge with `--columns`"
        )
    if 2 * len(judged) < len(names):
        return (
            f"only {len(judged)} of the {wording.counted(len(names), 'column')} could be judged: name those "
            "that matter with `--columns`"
        )
    return None


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
) -> Iterator[str]:
    """How the tables are read, where that is not plain, and what is new in the current one."""
    yield from _delimiters(reference, current)
    if new := [name for name in current.types if name not in reference.types]:
        yield f"new in the current table, so not judged: {wording.join_names(new)}"
    filled = {name: column for name, column in judged.items() if name in counted}
    yield from _numbers_in_texts(reference, current, filled, counted)
    for name, column in filled.items():
        families = (reference.family(name), current.family(name))
        if not _has_values(counted[name].reference.counts) or not _has_values(counted[name].current):
            continue  # a column of a CSV without a value is text because of that alone
        if obstacle := _obstacle(column, reference, current):
            yield f"{name} is compared as text, each number as a category of its own: {obstacle}"
        elif families[0] != families[1] and not _texts_as_numbers(column):
            kind = "numbers" if column.kind == "number" else "categories"
            yield (
                f"{name} is {families[0]} in the reference and {families[1]} in the current table; both are "
                f"read as {kind}"
            )


def _delimiters(reference: Table, current: Table) -> Iterator[str]:
    paths: dict[str, list[str]] = {}
    for table in (reference, current):
        if table.found_delimiter is not None:
            paths.setdefault(table.found_delimiter, []).append(table.path)
    for delimiter, found in paths.items():
        mark = "a tab" if delimiter == "\t" else f"`{delimiter}`"
        yield f"the columns of {wording.join_names(dict.fromkeys(found))} are separated by {mark}"


def _texts_as_numbers(column: Column) -> bool:
    return column.reference.grammar is not None or column.current.grammar is not None


def _has_values(counts: Counts) -> bool:
    return bool(counts[: distribution.MISSING].any())


def _numbers_in_texts(
    reference: Table, current: Table, judged: Mapping[str, Column], counted: Mapping[str, CountedColumn]
) -> Iterator[str]:
    """Which columns of texts are read as numbers and how they are written, and what is not one of them."""
    names: dict[tuple[str, str], list[str]] = {}
    unreadable = []
    for name, column in judged.items():
        places: dict[str, str] = {}
        for table, where, values, counts in (
            (reference, "the reference", column.reference, counted[name].reference.counts),
            (current, "the current table", column.current, counted[name].current),
        ):
            if values.grammar is None or not _has_values(counts):
                continue
            others, given = int(counts[distribution.OTHER]), int(counts[: distribution.MISSING].sum())
            if others < given:
                features = " and ".join(values.grammar.features)
                places[features] = "both tables" if features in places else where
            if others:
                reading = table.readings.get(name)
                doubt = f": {reading.doubt}" if reading is not None and reading.doubt else ""
                unreadable.append(
                    f"{wording.count(others)} of the {wording.counted(given, 'value')} of {name} in {where} "
                    f"cannot be read as a number and count as other values{doubt}"
                )
        for features, where in places.items():
            names.setdefault((where, features), []).append(name)
    for (where, features), columns in names.items():
        are = "is" if len(columns) == 1 else "are"
        written = f" with {features}" if features else ""
        yield f"{wording.join_names(columns)} {are} text in {where}, read as numbers{written}"
    yield from unreadable


def _crowded(counted: Mapping[str, CountedColumn]) -> Iterator[str]:
    """Columns of which the cells say little: most values are in the cell of all others."""
    for name, column in counted.items():
        counts, size = column.reference.counts, len(column.reference.bins.categories)
        if 2 * counts[-2] > counts[:-1].sum():
            yield f"{name} has many categories: most values count as one, beside the {size} most frequent"
