"""Gate honesty: what the real gates say of tables with planted faults, and of clean ones.

Each table goes the way of the pipeline until
something is reported: `ingest` where the fault is in a file, `validate raw`, `prepare`, `validate prepared`.
Nothing is timed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from assurance import clean_tables, docs_tables, planted_faults
from clearance import params
from clearance.data.tables import split
from clearance.documents.validation_document import ValidationDocument
from clearance.errors import ClearanceError
from tasks import ingest, prepare, validate
from tests.support import evidence

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "assurance/results/corruption.json"
GUIDE = ROOT / "docs/data.md"
SEEDS = (0, 1, 2, 3, 4)
CLEAN = 500
SHARES = params.Split(train=0.5, tune=0.2, test=0.3)
CERTAIN = planted_faults.CLASSES[:-1]
"""Classes of which nothing may pass in silence."""


@dataclass(frozen=True)
class Report:
    """The gates' answer: `block`, `warn` or `silent`, and the first thing reported."""

    severity: str
    detail: str = ""


@dataclass(frozen=True)
class Run:
    """One fault, at one strength, in the table of one seed."""

    fault: planted_faults.Fault
    at: int
    seed: int
    report: Report

    @property
    def declared(self) -> str:
        return self.fault.declared[self.at]

    def __str__(self) -> str:
        what = f"{self.fault.name}, strength {self.fault.strengths[self.at]}, seed {self.seed}"
        return f"{what}: {self.declared} declared, {self.report.severity}"


def examine(case: clean_tables.Case, scratch: Path) -> Report:
    """What the gates say of the case. An error that names the fault counts as a block."""
    try:
        data = case.declaration()
        table = _read(case, scratch)
        origin = evidence.origin(rows=table.num_rows + case.lost)
        report = _report_of(validate.check_raw(table, data, origin).document)
        if report.severity != "silent":
            return report
        units = split.identify(table, data)
        side = split.assign(units, table, SHARES, 1)
        parts = prepare.partition(table, units, side, data)
        schemas = {name: part.schema for name, part in parts.items()}
        record = prepare.split_document(schemas, units, side, SHARES, 1)
        tables = case.parts(parts) if case.parts else parts
        return _report_of(validate.check_prepared(tables, record, data, 0.95).document)
    except ClearanceError as error:
        return Report("block", str(error))


def _read(case: clean_tables.Case, scratch: Path) -> pa.Table:
    if case.file is None:
        return case.table()
    path = scratch / "table.csv"
    path.write_bytes(case.file(_csv(case.frame)))
    target = scratch / "raw.parquet"
    ingest.ingest(params.Source(kind="file", path=str(path)), target, scratch / "home")
    return pq.read_table(target)


def _csv(frame: pd.DataFrame) -> str:
    columns = {
        name: frame[name].map({True: "true", False: "false"})
        for name in frame.columns
        if pd.api.types.is_bool_dtype(frame[name].dtype)
    }
    return frame.assign(**columns).to_csv(index=False, date_format="%Y-%m-%d", lineterminator="\n")


def _report_of(document: ValidationDocument) -> Report:
    failures = [entry for entry in document.expectations if not entry.success]
    if not failures:
        return Report("silent")
    first = min(failures, key=lambda entry: entry.severity != "block")
    return Report("block" if document.blocked else "warn", f"{first.severity}: {first.detail}")


def runs(
    seeds: Iterable[int],
    scratch: Path,
    chosen: Iterable[int] = range(len(planted_faults.ALL)),
    strengths: Iterable[int] = range(5),
    rows: int | None = None,
) -> Iterator[Run]:
    """Each fault at each strength, by their places, in the table of each seed, of `rows` rows if given."""
    for seed in seeds:
        case = clean_tables.case(seed, rows)
        for place in chosen:
            fault = planted_faults.ALL[place]
            for at in strengths:
                random = np.random.default_rng([seed, place, at])
                yield Run(fault, at, seed, examine(fault.plant(case, fault.strengths[at], random), scratch))


def tally(results: Sequence[Run]) -> dict[str, dict[str, int]]:
    """Runs by class: how many, as declared, more or less severe than declared, silent.

    What is declared to be beyond the contract, and what is no fault, are classes of their own.
    """
    table = {
        name: dict.fromkeys(("kinds", "runs", "declared", "other", "silent"), 0)
        for name in (*planted_faults.CLASSES, "beyond", "harmless")
    }
    kinds: dict[str, set[str]] = {name: set() for name in table}
    for run in results:
        name = "beyond" if run.declared == "beyond" else run.fault.kind
        row = table[name]
        kinds[name].add(run.fault.name)
        row["runs"] += 1
        silent = run.report.severity == "silent"
        as_declared = run.report.severity == run.declared
        row["silent"] += silent
        row["declared"] += as_declared
        row["other"] += not silent and not as_declared
    for name, names in kinds.items():
        table[name]["kinds"] = len(names)
    return table


def _alarm(scratch: Path, seed: int) -> str | None:
    """What was reported of a clean table."""
    report = examine(clean_tables.case(seed), _own(scratch))
    return None if report.severity == "silent" else f"{report.severity}: {report.detail}"


def _hear(scratch: Path, plan: tuple[int, int]) -> list[Report]:
    """What the gates say of one fault, by its place, in the table of one seed, at each strength."""
    seed, place = plan
    return [run.report for run in runs([seed], _own(scratch), [place])]


def _own(scratch: Path) -> Path:
    """A folder of this process; warnings of the libraries are for the tests of the gates to see."""
    warnings.simplefilter("ignore")
    folder = scratch / str(os.getpid())
    folder.mkdir(exist_ok=True)
    return folder


def study(scratch: Path, seeds: Sequence[int], first_clean: int, count: int) -> dict[str, Any]:
    """The whole study as a document; a seed, or a clean table, at a time in a process of its own."""
    tables = range(first_clean, first_clean + count)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        alarm_reports = pool.map(partial(_alarm, scratch), tables, chunksize=10)
        plans = [(seed, place) for seed in seeds for place in range(len(planted_faults.ALL))]
        reports = pool.map(partial(_hear, scratch), plans, chunksize=5)
        results = [
            Run(planted_faults.ALL[place], at, seed, report)
            for (seed, place), by_strength in zip(plans, reports, strict=True)
            for at, report in enumerate(by_strength)
        ]
        alarms = {seed: alarm for seed, alarm in zip(tables, alarm_reports, strict=True) if alarm}
    broken_runs = [run for run in results if run.declared not in ("beyond", run.report.severity)]
    silent = [run for run in broken_runs if run.report.severity == "silent"]
    noise = [run for run in broken_runs if run.declared == "silent"]
    return {
        "seeds": list(seeds),
        "classes": tally(results),
        "silent": [str(run) for run in silent],
        "other_severity": [
            f"{run}: {run.report.detail}" for run in broken_runs if run not in [*silent, *noise]
        ],
        "harmless_reported": [f"{run}: {run.report.detail}" for run in noise],
        "clean": {
            "first_seed": first_clean,
            "tables": count,
            "alarms": alarms,
        },
        "kinds": kinds(),
    }


def kinds() -> dict[str, dict[str, Any]]:
    """What is declared of every fault: its class, the severity at each strength, and why it is beyond."""
    return {
        fault.name: {"class": fault.kind, "declared": list(fault.declared)}
        | ({"why": fault.why} if fault.why else {})
        for fault in planted_faults.ALL
    }


def markdown(document: dict[str, Any]) -> str:
    """The result as the guide prints it."""
    lines = [_seeds(document), "", "| class | kinds | runs | as declared | other severity | silent |"]
    lines += ["|---|---|---|---|---|---|"]
    titles = {"beyond": "beyond the contract", "harmless": "no fault"}
    for name, row in document["classes"].items():
        cells = [row["kinds"], row["runs"], row["declared"], row["other"], row["silent"]]
        if name == "beyond":
            cells[2:4] = ["none promised", f"{row['other']} reported"]
        lines.append(f"| {titles.get(name, name)} | " + " | ".join(map(str, cells)) + " |")
    clean = document["clean"]
    lines += ["", f"False alarms: {len(clean['alarms'])} of {clean['tables']} clean tables."]
    lines += ["", "| beyond the contract | why |", "|---|---|"]
    lines += [f"| {name} | {kind['why']} |" for name, kind in document["kinds"].items() if "why" in kind]
    return "\n".join(lines) + "\n"


def _seeds(document: dict[str, Any]) -> str:
    text = f"Seeds {', '.join(map(str, document['seeds']))}."
    if "fresh" not in document:
        return text
    fresh = document["fresh"]
    silent = sum(fresh["classes"][name]["silent"] for name in CERTAIN)
    alarms, tables = len(fresh["clean"]["alarms"]), fresh["clean"]["tables"]
    return (
        f"{text} With one drawn when the table was made, {fresh['seeds'][0]}: "
        f"{silent} of {', '.join(CERTAIN)} passed in silence, "
        f"and {alarms} of {tables} clean tables raised an alarm."
    )


def promises(document: dict[str, Any]) -> dict[str, bool]:
    """The three promises, each as a line with its measured value, and whether it is kept."""
    classes, clean = document["classes"], document["clean"]
    silent = sum(classes[name]["silent"] for name in CERTAIN)
    declared = classes["rest"]["declared"] / max(1, classes["rest"]["runs"])
    alarms = len(clean["alarms"]) / max(1, clean["tables"])
    return {
        f"silent, of schema, type, range, duplicate and leakage faults   {silent}   (bar 0)": silent == 0,
        f"the rest at its declared severity   {declared:.1%}   (bar 95 %)": declared >= 0.95,
        f"false alarms on {clean['tables']} clean tables   {alarms:.1%}   (bar 1 %)": alarms <= 0.01,
    }


def _print(document: dict[str, Any]) -> None:
    print(markdown(document), "\n".join(promises(document)), sep="\n\n")
    for name in ("silent", "other_severity", "harmless_reported"):
        for line in document[name]:
            print(f"  {name}: {line}")
    for seed, alarms in document["clean"]["alarms"].items():
        print(f"  clean table {seed}: {alarms}")


def run(scratch: Path, seeds: Sequence[int] = (), write: bool = False) -> int:
    """Print the study with the fixed seeds, and with the first of `seeds` or a fresh one.

    Returns how many promises were broken.
    """
    fixed = study(scratch, SEEDS, 1000, CLEAN)
    print(f"seeds {SEEDS}")
    _print(fixed)
    fresh = seeds[0] if seeds else secrets.randbelow(2**31)
    print(f"\na fresh seed (again: --seed {fresh})", flush=True)
    fresh_study = study(scratch, [fresh], fresh, CLEAN // 5)
    _print(fresh_study)
    if write:
        RECORD.parent.mkdir(exist_ok=True)
        fresh_study.pop("kinds")
        record = fixed | {"fresh": fresh_study}
        RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        GUIDE.write_text(docs_tables.placed(GUIDE.read_text(), "corruption", markdown(record)))
    return sum(not holds for document in (fixed, fresh_study) for holds in promises(document).values())
