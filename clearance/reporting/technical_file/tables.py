"""The tables of the technical file: each row is one claim, so that every number in it can be checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clearance.documents.card_document import ClaimTable
from clearance.documents.sentences import Gap, Sentence, Source
from clearance.reporting.card import measured
from clearance.reporting.card.measured import place
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources
from clearance.reporting.technical_file.sources import (
    FAIRNESS,
    LEDGER,
    PERFORMANCE,
    TRAINING,
    VERDICT,
    say,
)

Part = Sentence | ClaimTable


def _table(title: str, columns: Mapping[str, str], rows: Sequence[Any], gap: Gap | None) -> Iterator[Part]:
    """The table; without rows the gap, where their absence is one."""
    if rows:
        yield ClaimTable(title=title, columns=measured.columns(**columns), rows=tuple(rows))
    elif gap is not None:
        yield gap


def _missing(what: str, command: str = sources.RUN) -> Gap:
    return Gap(what=what, command=command)


def libraries(known: Artefacts) -> Iterator[Part]:
    """The libraries that the model was made with."""
    rows = [
        say(
            known,
            "{library} {version}.",
            "a library",
            library=place(TRAINING, "key", "libraries", name),
            version=place(TRAINING, "text", "libraries", name),
        )
        for name in sources.entries(known, TRAINING, "libraries")
    ]
    columns = {"library": "Library", "version": "Version"}
    yield from _table("Software", columns, rows, _missing("the libraries that the model was made with"))


def declared(known: Artefacts) -> Iterator[Part]:
    """What the maker of a model from elsewhere declares."""
    rows = []
    for index, _ in enumerate(sources.items(known, TRAINING, "external", "declared")):
        at = ("external", "declared", index)
        rows.append(
            say(
                known,
                "Declared, not measured: {topic}: {fact}.",
                "what was declared",
                topic=place(TRAINING, "text", *at, "about"),
                fact=place(TRAINING, "text", *at, "value"),
            )
        )
    columns = {"topic": "Declared, not measured", "fact": "What was declared"}
    yield from _table(
        "Declared by the maker", columns, rows, _missing("what the maker of the model declares")
    )


def arguments(known: Artefacts) -> Iterator[Part]:
    """The parameters of the estimator."""
    rows = []
    for name, value in sources.entries(known, TRAINING, "estimator_params").items():
        if value is None or isinstance(value, str | int | float):
            rows.append(
                say(
                    known,
                    "{parameter} is {value}.",
                    "a parameter of the estimator",
                    parameter=place(TRAINING, "key", "estimator_params", name),
                    value=place(TRAINING, "as_written", "estimator_params", name),
                )
            )
    columns = {"parameter": "Parameter", "value": "Value"}
    yield from _table("Parameters of the estimator", columns, rows, None)


def accuracy(known: Artefacts) -> Iterator[Part]:
    """How accurate the system is for each group of persons, and as a whole."""
    by_attribute = sources.entries(known, FAIRNESS, "groups")
    if not by_attribute:
        yield _missing("accuracy for groups of persons: " + _why(known, FAIRNESS))
    rows = [
        _group_accuracy(known, attribute, name, group)
        for attribute, listed in by_attribute.items()
        for name, group in listed.items()
    ]
    columns = {
        "attribute": "By",
        "group": "Group",
        "true_rate": "True positive rate",
        "false_rate": "False positive rate",
    }
    yield from _table("Accuracy for groups of persons", columns, rows, None)
    yield from measured.measurements(known, PERFORMANCE, "Overall expected accuracy")


def _group_accuracy(known: Artefacts, attribute: str, name: str, group: Mapping[str, Any]) -> Any:
    """The rates of a group, with intervals where it has them: rows that weigh have none."""
    at = ("groups", attribute, name)
    values = {
        "attribute": place(FAIRNESS, "key", *at[:2]),
        "group": place(FAIRNESS, "key", *at),
        "true_rate": place(FAIRNESS, "percent", *at, "true_positive_rate"),
        "false_rate": place(FAIRNESS, "percent", *at, "false_positive_rate"),
    }
    template = (
        "{attribute}, {group}: {true_rate} of those with a favourable label and {false_rate} of the others "
        "are decided favourably"
    )
    if "true_positive_rate" in group.get("intervals", {}):
        template += " (intervals {true_bounds} and {false_bounds})"
        values["true_bounds"] = place(FAIRNESS, "bounds", *at, "intervals", "true_positive_rate")
        values["false_bounds"] = place(FAIRNESS, "bounds", *at, "intervals", "false_positive_rate")
    return say(known, f"{template}.", "accuracy for a group", **values)


def inputs(known: Artefacts) -> Iterator[Part]:
    """The specification of the input data."""
    rows = [
        say(
            known,
            "{name} is a {type}.",
            "an input",
            name=place(TRAINING, "text", "inputs", index, "name"),
            type=place(TRAINING, "text", "inputs", index, "type"),
        )
        for index, _ in enumerate(sources.items(known, TRAINING, "inputs"))
    ]
    columns = {"name": "Input", "type": "Type"}
    yield from _table("Input data", columns, rows, _missing("the inputs: " + _why(known, TRAINING)))


def signed_reports(known: Artefacts) -> Iterator[Part]:
    """The test reports, dated and signed: who signed which document, and when the ledger took it."""
    rows = [
        say(
            known,
            "{path} with the SHA-256 {sha256} was signed by {by} with the key {key}; recorded {at} "
            "(entry {entry}).",
            "a signed report",
            path=place(LEDGER, "text", "reports", index, "path"),
            sha256=place(LEDGER, "text", "reports", index, "sha256"),
            by=place(LEDGER, "text", "reports", index, "by"),
            key=place(LEDGER, "digest", "reports", index, "keyid"),
            at=place(LEDGER, "text", "reports", index, "at"),
            entry=place(LEDGER, "count", "reports", index, "entry"),
        )
        for index, _ in enumerate(sources.items(known, LEDGER, "reports"))
    ]
    columns = {
        "path": "Report",
        "sha256": "SHA-256",
        "by": "Signed by",
        "key": "Key",
        "at": "Recorded",
        "entry": "Entry",
    }
    gap = _missing("test reports that are dated and signed", "clearance run")
    yield from _table("Test reports, dated and signed", columns, rows, gap)


def _ledger_table(  # noqa: PLR0917 - the parts of one table
    known: Artefacts, key: str, title: str, template: str, columns: Mapping[str, tuple[str, str]], gap: Gap
) -> Iterator[Part]:
    """A list of the ledger's record as a table; `columns` maps a field to its heading and formatter."""
    rows = [
        say(
            known,
            template,
            title.lower(),
            **{name: place(LEDGER, formatter, key, index, name) for name, (_, formatter) in columns.items()},
        )
        for index, _ in enumerate(sources.items(known, LEDGER, key))
    ]
    yield from _table(title, {name: heading for name, (heading, _) in columns.items()}, rows, gap)


_WHEN = {"at": ("Recorded", "text"), "entry": ("Entry", "count")}


def signatures(known: Artefacts, version: int) -> Iterator[Part]:
    """The people who signed the digest of the evidence, which names every report."""
    yield from _ledger_table(
        known,
        "signatures",
        "People who signed these reports with their decision",
        "{by} signed the digest of the evidence with the key {keyid}: {kind}; recorded {at} (entry {entry}).",
        {"by": ("By", "text"), "kind": ("Decision", "text"), "keyid": ("Key", "digest"), **_WHEN},
        _missing("nobody who decides has signed these reports", f"clearance approve {version}"),
    )


def decisions(known: Artefacts, version: int) -> Iterator[Part]:
    """What people decided about the version."""
    yield from _ledger_table(
        known,
        "decisions",
        "Decisions of people",
        "{kind} of {by}: {reason}; {at} (entry {entry}).",
        {"kind": ("Decision", "text"), "by": ("By", "text"), "reason": ("Reason", "text"), **_WHEN},
        _missing("nobody has approved, rejected or overridden it", f"clearance approve {version}"),
    )


def changes(known: Artefacts, version: int) -> Iterator[Part]:
    """When the version became champion, and when it stopped being it."""
    yield from _ledger_table(
        known,
        "changes",
        "Changes of the champion",
        "{kind} by {by} in the tier {tier}: {reason}; {at} (entry {entry}).",
        {
            "kind": ("Change", "text"),
            "by": ("By", "text"),
            "tier": ("Tier", "text"),
            "reason": ("Reason", "text"),
            **_WHEN,
        },
        _missing("it has never been champion", f"clearance promote {version}"),
    )


def rebuilds(known: Artefacts, version: int) -> Iterator[Part]:
    """Who built the version again, and what came out."""
    yield from _ledger_table(
        known,
        "rebuilds",
        "Independent rebuilds",
        "{by} rebuilt it in a {environment} environment: {conclusion} (entry {entry}).",
        {
            "by": ("By", "text"),
            "environment": ("Environment", "text"),
            "conclusion": ("Result", "text"),
            "entry": ("Entry", "count"),
        },
        _missing("nobody has rebuilt it independently", f"clearance reproduce {version} --attest"),
    )


def incidents(known: Artefacts) -> Iterator[Part]:
    """The incidents of the version; that none is recorded is no gap, and said."""
    if LEDGER in known and not sources.items(known, LEDGER, "incidents"):
        yield say(
            known,
            "Incidents recorded: {number}, up to entry {until} of the ledger.",
            "incidents",
            number=place(LEDGER, "entries", "incidents"),
            until=place(LEDGER, "count", "until_entry"),
        )
        return
    yield from _ledger_table(
        known,
        "incidents",
        "Incidents",
        "Incident {entry} ({category}), opened {opened} by {by}, open: {open}: {description}.",
        {
            "entry": ("Entry", "count"),
            "category": ("Kind", "text"),
            "opened": ("Opened", "text"),
            "by": ("By", "text"),
            "open": ("Open", "as_written"),
            "description": ("What happened", "text"),
        },
        _missing("incidents", sources.LIST),
    )


def restrictions(known: Artefacts) -> Iterator[Part]:
    """What restricts the decisions of the version now."""
    for index, _ in enumerate(sources.items(known, LEDGER, "restrictions")):
        yield say(
            known,
            "{line}.",
            "a restriction",
            line=place(LEDGER, "text", "restrictions", index),
        )


def rule_sources(known: Artefacts) -> Iterator[Part]:
    """The metrics that rules read, and where each rule says its number comes from."""
    rows = [
        say(
            known,
            "{metric}, {attribute}: {source} ({kind}).",
            "the source of a rule",
            metric=place(VERDICT, "metric", "findings", index, "metric"),
            attribute=place(VERDICT, "attribute", "findings", index, "attribute"),
            kind=place(VERDICT, "text", "findings", index, "kind"),
            source=place(VERDICT, "text", "findings", index, "source"),
        )
        for index, _ in enumerate(sources.items(known, VERDICT, "findings"))
    ]
    columns = {"metric": "Metric", "attribute": "By", "kind": "Kind of rule", "source": "Source of the rule"}
    yield from _table("Metrics and their sources", columns, rows, _missing("the metrics that rules read"))


def deadlines(known: Artefacts, policy: str) -> Iterator[Part]:
    """By when incidents are reported, and to whom."""
    rows = []
    for index, _ in enumerate(sources.items(known, policy, "monitoring", "deadlines")):
        at = ("monitoring", "deadlines", index)
        columns: dict[str, Source] = {
            "incidents": place(policy, "names", *at, "incidents"),
            "role": place(policy, "text", *at, "role"),
            "to": place(policy, "text", *at, "to"),
            "days": place(policy, "count", *at, "days"),
            "source": place(policy, "text", *at, "source"),
        }
        rows.append(
            say(
                known,
                "Incidents of the kind {incidents}: the {role} reports to {to}; days allowed: {days}. "
                "Source: {source}.",
                "a deadline",
                **columns,
            )
        )
    headings = {
        "incidents": "Kind of incident",
        "role": "Who reports",
        "to": "To whom",
        "days": "Days, 0: at once",
        "source": "Source",
    }
    gap = _missing("by when incidents are reported", "write `monitoring.deadlines` in the policy")
    yield from _table("Reports of incidents", headings, rows, gap)


def _why(known: Artefacts, artefact: str) -> str:
    """Why an artefact gives nothing, in a phrase."""
    if artefact not in known:
        return f"{artefact} is missing or cannot be read"
    because = measured.value(known, artefact, "because")
    return f"{artefact} was not measured: {because}" if because else f"{artefact} has none"
