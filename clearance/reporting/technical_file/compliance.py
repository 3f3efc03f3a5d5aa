"""The compliance matrix: every dated term of a policy with its source, the evidence on it, and the result.

Pure. A rule that is not in force on the day of the file is listed too, and says so. What a term asks beyond a
measurement is not judged here, and the matrix does not pretend that it is.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping
from typing import Any

from clearance.documents.sentences import DerivedClaim, Gap
from clearance.documents.technical_file_document import ClaimTable
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources
from clearance.reporting.technical_file.sources import COMPLIANCE, VERDICT, place, say

COLUMNS: Mapping[str, str] = {
    "rule": "Rule",
    "attribute": "By",
    "kind": "Kind",
    "source": "Article or source",
    "certainty": "How sure the source is",
    "in_force": "In force",
    "evidence": "Evidence",
    "pointer": "Pointer",
    "digest": "SHA-256",
    "measured": "Result (interval)",
    "limit": "Limit",
    "outcome": "Outcome",
}
"""The columns of the matrix with their headings."""

_CERTAINTY = {
    "text": "wording read",
    "secondary": "secondary source",
    "memory": "not confirmed",
    None: "not stated",
}
_FOUND = {"impact_table": sources.IMPACT, "reasons": sources.REASONS}


def content(known: Artefacts, policy_file: str, day: dt.date) -> dict[str, Any] | None:
    """The rows of the matrix as a JSON value; None without a policy or a verdict."""
    policy = sources.value(known, policy_file)
    if not isinstance(policy, Mapping) or VERDICT not in known:
        return None
    rows = [*_rules(known, policy, day), *_terms(known, policy, policy_file, day)]
    return {"day": day.isoformat(), "policy": policy_file, "rows": rows}


def _rules(known: Artefacts, policy: Mapping[str, Any], day: dt.date) -> Iterator[dict[str, Any]]:
    """The rules of a release: a row for each finding, and one for each rule that judged nothing."""
    findings = list(enumerate(sources.items(known, VERDICT, "findings")))
    for rule in policy.get("rules") or ():
        document = str(rule["metric"]).partition(".")[0]
        own = [(index, finding) for index, finding in findings if finding["rule"] == rule["id"]]
        base = _dated(rule, rule["id"], day)
        for index, finding in own:
            name = str(rule["metric"]).partition(".")[2]
            keys = ("measurements", name, *([finding["attribute"]] if finding["attribute"] else []))
            path = f"reports/{document}.json"
            yield base | {
                "attribute": finding["attribute"] or "all rows",
                "evidence": path,
                "pointer": artefacts.pointer(*keys),
                "digest": _digest(known, path),
                "finding": index,
            }
        if not own:
            judged_on = sources.value(known, VERDICT, "policy", "as_of")
            yield base | {
                "attribute": ", ".join(rule.get("attributes") or [rule.get("attribute") or "all rows"]),
                "evidence": "none",
                "pointer": "none",
                "digest": "none",
                "finding": None,
                "outcome": f"not judged: it was not in force on {judged_on}",
            }


def _terms(
    known: Artefacts, policy: Mapping[str, Any], policy_file: str, day: dt.date
) -> Iterator[dict[str, Any]]:
    """The dated terms beside the rules: sections, retention periods, deadlines, rules of monitoring."""
    for name, section in policy.items():
        if isinstance(section, Mapping) and "valid_from" in section:
            found = _FOUND.get(name)
            yield _dated(section, name, day) | _term(known, found or policy_file, () if found else (name,))
    for keys, outcome in (
        (("inference_log", "retention"), "a period; `clearance ledger` applies it"),
        (("monitoring", "deadlines"), "a deadline; `clearance incident` applies it"),
        (("monitoring", "rules"), "judged while in use: `clearance monitor`"),
    ):
        listed = policy.get(keys[0]) or {}
        for index, item in enumerate(listed.get(keys[1]) or ()):
            row = _dated(item, item["id"], day) | _term(known, policy_file, (*keys, index))
            yield row | {"outcome": outcome}


def _term(known: Artefacts, path: str, keys: tuple[str | int, ...]) -> dict[str, Any]:
    return {
        "attribute": "all rows",
        "evidence": path,
        "pointer": artefacts.pointer(*keys) or "/",
        "digest": _digest(known, path),
        "finding": None,
        "outcome": "a term of the policy; no measurement decides it",
    }


def _dated(part: Mapping[str, Any], name: str, day: dt.date) -> dict[str, Any]:
    """What a dated part of a policy states of itself, and whether it is in force on the day."""
    start, end = str(part["valid_from"])[:10], part.get("valid_until")
    return {
        "rule": name,
        "kind": part.get("kind", "not stated"),
        "source": part.get("source", "not stated"),
        "certainty": _CERTAINTY.get(part.get("certainty"), "not stated"),
        "in_force": _in_force(start, None if end is None else str(end)[:10], day),
    }


def _in_force(start: str, end: str | None, day: dt.date) -> str:
    if day < dt.date.fromisoformat(start):
        return f"no: from {start}"
    if end is not None and day > dt.date.fromisoformat(end):
        return f"no: until {end}"
    return f"yes, since {start}" + (f" until {end}" if end else "")


def _digest(known: Artefacts, path: str) -> str:
    return known[path].sha256 if path in known else "none"


def section(known: Artefacts) -> Iterator[DerivedClaim | ClaimTable | Gap]:
    """The matrix as a section of the technical file."""
    yield say(
        known,
        "{number} rules and terms of {policy}, on {day}. A limit is no surer than its source.",
        "the compliance matrix",
        number=place(COMPLIANCE, "entries", "rows"),
        policy=place(COMPLIANCE, "text", "policy"),
        day=place(COMPLIANCE, "date", "day"),
    )
    rows = tuple(rows_of(known))
    if rows:
        yield ClaimTable(title="Rule, source, evidence and result", columns=COLUMNS, rows=rows)


def rows_of(known: Artefacts) -> Iterator[DerivedClaim | Gap]:
    """A claim for each row of the matrix."""
    for index, row in enumerate(sources.items(known, COMPLIANCE, "rows")):
        at = ("rows", index)
        stated = {
            name: place(COMPLIANCE, "text", *at, name)
            for name in (
                "rule",
                "attribute",
                "kind",
                "source",
                "certainty",
                "in_force",
                "evidence",
                "pointer",
            )
        }
        stated["digest"] = place(COMPLIANCE, "text", *at, "digest")
        head = "{rule}, {attribute} ({kind}; {source}; source: {certainty}; in force: {in_force}): "
        where = " Evidence: {evidence} {pointer}, SHA-256 {digest}."
        if row["finding"] is None:
            outcome = place(COMPLIANCE, "text", *at, "outcome")
            yield say(known, f"{head}{{outcome}}.{where}", "a row of the matrix", **stated, outcome=outcome)
        else:
            finding = ("findings", row["finding"])
            yield say(
                known,
                f"{head}{{measured}}; limit {{limit}}: {{outcome}}.{where}",
                "a row of the matrix",
                **stated,
                measured=place(VERDICT, "measurement", *finding),
                limit=place(VERDICT, "limit", *finding, "limit"),
                outcome=place(VERDICT, "outcome", *finding, "outcome"),
            )


def to_csv(table: ClaimTable) -> str:
    """A table of claims as CSV with a header line; no cell starts a formula in a spreadsheet."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns.values())
    for row in table.rows:
        values = (
            row.values if isinstance(row, DerivedClaim) else {next(iter(table.columns)): f"gap: {row.what}"}
        )
        writer.writerow(_inert(values.get(name, "")) for name in table.columns)
    return stream.getvalue()


def _inert(cell: str) -> str:
    """The cell; one that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{cell}" if cell.lstrip()[:1] in ("=", "+", "-", "@") or cell[:1] in ("\t", "\r") else cell
