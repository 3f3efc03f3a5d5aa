"""The compliance matrix: every dated term of a policy with its source, the evidence on it, and the result.

Pure. A rule that is not in force on the day of the file is listed too, and says so. What a term asks beyond a
measurement is not judged here, and the matrix does not pretend that it is.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clearance.documents.card_document import ClaimTable
from clearance.documents.sentences import DerivedClaim, Gap
from clearance.reporting.card import measured
from clearance.reporting.card.measured import place
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources
from clearance.reporting.technical_file.sources import COMPLIANCE, VERDICT, say

_STATED = {
    "in_force": "In force",
    "kind": "Kind",
    "certainty": "How sure the source is",
    "source": "Article or source",
    "evidence": "Evidence",
    "digest": "SHA-256",
}
_ABOUT = {"rule": "Rule", "attribute": "By"}
_JUDGED = measured.columns(
    **_ABOUT, measured="Result (interval)", limit="Limit", outcome="Outcome", **_STATED
)
_OTHER = measured.columns(**_ABOUT, outcome="Result", **_STATED)

_CERTAINTY = {
    "text": "wording read",
    "secondary": "secondary source",
    "memory": "wording not confirmed",
    None: "sureness not stated",
}
_FOUND = {"impact_table": sources.IMPACT, "reasons": sources.REASONS}


def content(known: Artefacts, policy_file: str, day: dt.date) -> dict[str, Any] | None:
    """The rows of the matrix as a JSON value; None without a policy or a verdict."""
    policy = measured.value(known, policy_file)
    if not isinstance(policy, Mapping) or VERDICT not in known:
        return None
    judged, unjudged = _rules(known, policy, day)
    others = [*unjudged, *_terms(known, policy, policy_file, day)]
    return {"day": day.isoformat(), "policy": policy_file, "judged": judged, "others": others}


def _rules(
    known: Artefacts, policy: Mapping[str, Any], day: dt.date
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rules of a release: a row for each finding, and one for each rule that judged nothing."""
    judged, unjudged = [], []
    findings = list(enumerate(sources.items(known, VERDICT, "findings")))
    judged_on = measured.value(known, VERDICT, "policy", "as_of")
    for rule in policy.get("rules") or ():
        document, _, name = str(rule["metric"]).partition(".")
        path = f"reports/{document}.json"
        base = _dated(rule, rule["id"], day) | {"digest": _digest(known, path)}
        own = [(index, finding) for index, finding in findings if finding["rule"] == rule["id"]]
        for index, finding in own:
            keys = ("measurements", name, *([finding["attribute"]] if finding["attribute"] else []))
            about = {"attribute": finding["attribute"] or "all rows", "evidence": _place(path, *keys)}
            judged.append(base | about | {"finding": index})
        if not own:
            attributes = rule.get("attributes") or [rule.get("attribute") or "all rows"]
            about = {"attribute": ", ".join(attributes), "evidence": _place(path, "measurements", name)}
            outcome = f"not judged: it was not in force on {judged_on}, the day of the verdict"
            unjudged.append(base | about | {"outcome": outcome})
    return judged, unjudged


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
        "evidence": _place(path, *keys),
        "digest": _digest(known, path),
        "outcome": "a term of the policy; no measurement decides it",
    }


def _dated(part: Mapping[str, Any], name: str, day: dt.date) -> dict[str, Any]:
    """What a dated part of a policy states of itself, and whether it is in force on the day."""
    start, end = str(part["valid_from"])[:10], part.get("valid_until")
    return {
        "rule": name,
        "kind": part.get("kind", "not stated"),
        "source": part.get("source", "not stated"),
        "certainty": _CERTAINTY.get(part.get("certainty"), _CERTAINTY[None]),
        "in_force": _in_force(start, None if end is None else str(end)[:10], day),
    }


def _in_force(start: str, end: str | None, day: dt.date) -> str:
    if day < dt.date.fromisoformat(start):
        return f"no: from {start}"
    if end is not None and day > dt.date.fromisoformat(end):
        return f"no: until {end}"
    return f"yes, since {start}" + (f" until {end}" if end else "")


def _place(path: str, *keys: str | int) -> str:
    """A place in an artefact: its path with the JSON Pointer as its fragment (RFC 6901, section 6)."""
    return f"{path}#{artefacts.pointer(*keys)}"


def _digest(known: Artefacts, path: str) -> str:
    return known[path].sha256 if path in known else "none"


def section(known: Artefacts) -> Iterator[DerivedClaim | ClaimTable | Gap]:
    """The matrix as a section of the technical file."""
    yield say(
        known,
        "Findings of rules: {judged}; other terms, and rules that judged nothing: {others}. "
        "Read in {policy} for {day}. A limit is no surer than its source.",
        "the compliance matrix",
        judged=place(COMPLIANCE, "entries", "judged"),
        others=place(COMPLIANCE, "entries", "others"),
        policy=place(COMPLIANCE, "text", "policy"),
        day=place(COMPLIANCE, "date", "day"),
    )
    yield from tables(known)


def tables(known: Artefacts) -> Iterator[ClaimTable]:
    """The rules that judged, and all other terms: a claim for each row."""
    listed = sources.items(known, COMPLIANCE, "judged")
    judged = tuple(_judged(known, index, row["finding"]) for index, row in enumerate(listed))
    others = tuple(_other(known, index) for index, _ in enumerate(sources.items(known, COMPLIANCE, "others")))
    if judged:
        yield ClaimTable(title="Rules that judged the version", columns=_JUDGED, rows=judged)
    if others:
        yield ClaimTable(title="Other terms, and rules that judged nothing", columns=_OTHER, rows=others)


_HEAD = "{rule}, {attribute}: "
_TAIL = (
    " In force: {in_force}. Kind: {kind}. Source ({certainty}): {source}. Evidence: {evidence}, SHA-256 "
    "{digest}."
)


def _judged(known: Artefacts, index: int, finding: int) -> DerivedClaim | Gap:
    return say(
        known,
        f"{_HEAD}{{measured}}; limit {{limit}}: {{outcome}}.{_TAIL}",
        "a row of the matrix",
        **{name: place(COMPLIANCE, "text", "judged", index, name) for name in (*_ABOUT, *_STATED)},
        measured=place(VERDICT, "measurement", "findings", finding),
        limit=place(VERDICT, "limit", "findings", finding, "limit"),
        outcome=place(VERDICT, "outcome", "findings", finding, "outcome"),
    )


def _other(known: Artefacts, index: int) -> DerivedClaim | Gap:
    names = (*_ABOUT, *_STATED, "outcome")
    values = {name: place(COMPLIANCE, "text", "others", index, name) for name in names}
    return say(known, f"{_HEAD}{{outcome}}.{_TAIL}", "a row of the matrix", **values)


def to_csv(listed: Iterable[ClaimTable]) -> str:
    """The matrix as CSV with one header line; no cell starts a formula in a spreadsheet."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(column.heading for column in _JUDGED)
    for table in listed:
        for row in table.rows:
            values = {"rule": f"gap: {row.what}"} if isinstance(row, Gap) else row.values
            writer.writerow(_inert(values.get(column.value, "")) for column in _JUDGED)
    return stream.getvalue()


def _inert(cell: str) -> str:
    """The cell; one that a spreadsheet would run as a formula gets an apostrophe in front."""
    return f"'{cell}" if cell.lstrip()[:1] in ("=", "+", "-", "@") or cell[:1] in ("\t", "\r") else cell
