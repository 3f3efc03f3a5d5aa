"""The sections of a card that artefacts fill: details, data, performance, fairness, explanation, mitigation.

Each number is a claim. Loops over groups, rules and features are written out as one claim each, so that every
number can be checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from clearance import paths
from clearance.documents.card_document import ClaimTable, Column
from clearance.documents.sentences import DerivedClaim, Gap, Reference, Sentence, Source
from clearance.reporting.claims import artefacts, claim
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.claims.claim import Claim

ORIGIN, SPLIT, TRAINING, PERFORMANCE, FAIRNESS, EXPLANATION, REASONS, VERDICT = (
    path.as_posix()
    for path in (
        paths.ORIGIN,
        paths.SPLIT,
        paths.TRAINING,
        paths.PERFORMANCE,
        paths.FAIRNESS,
        paths.EXPLANATION,
        paths.REASONS,
        paths.VERDICT,
    )
)

_FAIRNESS = "fairness."
MOST_FEATURES = 20
"""The most features whose importance a card lists; the report lists all."""


def columns(**headings: str) -> tuple[Column, ...]:
    """Columns by the name of their value, each with its heading."""
    return tuple(Column(value=name, heading=heading) for name, heading in headings.items())


_FINDING_COLUMNS = columns(
    metric="Measured",
    attribute="By",
    measured="Value (interval)",
    limit="Limit",
    outcome="Outcome",
    rule="Rule",
)


def place(artefact: str, formatter: str, *keys: str | int, beside: Iterable[Reference] = ()) -> Source:
    """The source at these keys of an artefact."""
    limits = tuple(beside) or None
    return Source(artefact=artefact, pointer=artefacts.pointer(*keys), formatter=formatter, beside=limits)


def value(known: Artefacts, artefact: str, *keys: str | int) -> Any:
    """The value at these keys of an artefact; None where there is none."""
    try:
        return artefacts.at(known[artefact].content, artefacts.pointer(*keys))
    except (KeyError, artefacts.NothingThere):
        return None


def say(known: Artefacts, template: str, about: str, **sources: Source) -> DerivedClaim | Gap:
    """The claim of this template, derived; a gap that says what is missing of what it is `about`."""
    return claim.derive(Claim(template=template, sources=sources, about=about), known)


def details(known: Artefacts) -> Iterator[Sentence]:
    """What was judged, and the verdict."""
    yield say(
        known,
        "{name} decides by a {estimator}; mitigation: {mitigation}.",
        "what the model is",
        name=place(VERDICT, "text", "name"),
        estimator=place(TRAINING, "text", "estimator"),
        mitigation=place(TRAINING, "text", "mitigation"),
    )
    yield say(
        known,
        "Verdict under policy {policy}, version {version}, as of {day}: {verdict}.",
        "the verdict",
        policy=place(VERDICT, "text", "policy", "id"),
        version=place(VERDICT, "text", "policy", "version"),
        day=place(VERDICT, "date", "policy", "as_of"),
        verdict=place(VERDICT, "outcome", "verdict"),
    )
    if value(known, TRAINING, "external", "answer") == "decisions":
        yield say(
            known,
            "It gives {answer} and no scores.",
            "what it gives",
            answer=place(TRAINING, "text", "external", "answer"),
        )
    else:
        yield say(
            known,
            "A score of at least {threshold} is decided favourably; how it was chosen: {rule}.",
            "the threshold",
            threshold=place(TRAINING, "number", "threshold"),
            rule=place(TRAINING, "text", "threshold_rule"),
        )
    if value(known, TRAINING, "external"):
        yield say(
            known,
            "The model was made elsewhere ({format}); what was not measured here is declared by {by}.",
            "who made the model",
            format=place(TRAINING, "text", "external", "format"),
            by=place(TRAINING, "text", "external", "declared_by"),
        )
        for index, _ in enumerate(value(known, TRAINING, "external", "declared") or ()):
            at = ("external", "declared", index)
            yield say(
                known,
                "Declared, not measured: {subject}: {fact}.",
                "what was declared",
                subject=place(TRAINING, "text", *at, "about"),
                fact=place(TRAINING, "text", *at, "value"),
            )
    yield say(
        known,
        "Its file has the SHA-256 {model}; policy {policy}, split seed {seed}.",
        "what it was made of",
        model=place(TRAINING, "digest", "model", "sha256"),
        policy=place(VERDICT, "digest", "policy", "sha256"),
        seed=place(SPLIT, "as_written", "seed"),
    )


def libraries(known: Artefacts) -> Iterator[ClaimTable]:
    """The libraries that the model was made with, and their versions."""
    rows = [
        say(
            known,
            "{library} {version}",
            "a library",
            library=place(TRAINING, "key", "libraries", name),
            version=place(TRAINING, "text", "libraries", name),
        )
        for name in value(known, TRAINING, "libraries") or ()
    ]
    if rows:
        headings = columns(library="Library", version="Version")
        yield ClaimTable(title="Made with", columns=headings, rows=tuple(rows))


def data(known: Artefacts) -> Iterator[Sentence]:
    """Where the rows came from, and how they were divided."""
    yield say(
        known,
        "{rows} rows from a source of kind {kind}; the table has the SHA-256 {digest}.",
        "the data",
        rows=place(ORIGIN, "count", "rows"),
        kind=place(ORIGIN, "text", "source", "kind"),
        digest=place(ORIGIN, "digest", "sha256"),
    )
    yield say(
        known,
        "{train} rows train the model, {tune} choose its threshold, {test} judge it; divided by {by}.",
        "the split",
        train=place(SPLIT, "count", "rows", "train"),
        tune=place(SPLIT, "count", "rows", "tune"),
        test=place(SPLIT, "count", "rows", "test"),
        by=place(SPLIT, "text", "by"),
    )
    yield say(
        known,
        "{number} features: {features}.",
        "the features",
        number=place(SPLIT, "entries", "features"),
        features=place(SPLIT, "names", "features"),
    )
    yield say(
        known,
        "Protected attributes, which never are features: {protected}.",
        "the protected attributes",
        protected=place(SPLIT, "names", "protected"),
    )
    yield say(
        known,
        "Sampling: {statement}.",
        "how rows were sampled",
        statement=place(PERFORMANCE, "text", "sampling", "statement"),
    )


def groups(known: Artefacts) -> ClaimTable | Gap:
    """The size of every group among test rows, and its rate of favourable decisions with an interval."""
    listed = value(known, FAIRNESS, "groups") or {}
    rows = []
    for attribute in listed:
        beside = _limits_by(known, attribute)
        for group in listed[attribute]:
            at = ("groups", attribute, group)
            rows.append(
                say(
                    known,
                    "{attribute}, {group}: {rows} rows, {rate} decided favourably ({bounds})",
                    "the size of a group",
                    attribute=place(FAIRNESS, "key", *at[:2]),
                    group=place(FAIRNESS, "key", *at),
                    rows=place(FAIRNESS, "count", *at, "count"),
                    rate=place(FAIRNESS, "percent", *at, "selection_rate", beside=beside),
                    bounds=place(FAIRNESS, "bounds", *at, "intervals", "selection_rate", beside=beside),
                )
            )
    if not rows:
        return missing(known, FAIRNESS, "the sizes of groups", "groups")
    headings = columns(
        attribute="By", group="Group", rows="Test rows", rate="Decided favourably", bounds="Interval"
    )
    return ClaimTable(title="Groups among test rows", columns=headings, rows=tuple(rows))


def missing(known: Artefacts, artefact: str, about: str, *keys: str) -> Gap:
    """The gap in the place of what an artefact does not have at these keys."""
    claimed = say(known, "{nothing}", about, nothing=place(artefact, "text", *keys))
    return claimed if isinstance(claimed, Gap) else Gap(what=about, command=claim.RUN)


def _limits_by(known: Artefacts, attribute: str) -> tuple[Reference, ...]:
    """The limits that rates of the attribute's groups may be read against."""
    findings = value(known, VERDICT, "findings") or ()
    return tuple(
        Reference(artefact=VERDICT, pointer=artefacts.pointer("findings", index, "limit"))
        for index, finding in enumerate(findings)
        if finding["attribute"] == attribute
        and finding["limit"]
        and finding["metric"].startswith("fairness.")
    )


def findings(known: Artefacts, documents: Sequence[str], title: str) -> ClaimTable | Gap:
    """What the rules say about measurements of these documents, with interval, limit and outcome."""
    listed = value(known, VERDICT, "findings")
    if listed is None:
        return missing(known, VERDICT, "what the rules say", "findings")
    rows = []
    for index, finding in enumerate(listed):
        if finding["metric"].partition(".")[0] in documents:
            at = ("findings", index)
            rows.append(
                say(
                    known,
                    "{metric}, {attribute}: {measured}; limit {limit}: {outcome} (rule {rule})",
                    "what a rule says",
                    metric=place(VERDICT, "metric", *at, "metric"),
                    attribute=place(VERDICT, "attribute", *at, "attribute"),
                    measured=place(VERDICT, "measurement", *at),
                    limit=place(VERDICT, "limit", *at, "limit"),
                    outcome=place(VERDICT, "outcome", *at, "outcome"),
                    rule=place(VERDICT, "text", *at, "rule"),
                )
            )
    if not rows:
        return Gap(
            what=f"no rule of the policy reads {' or '.join(documents)}",
            command="write one in the policy",
        )
    return ClaimTable(title=title, columns=_FINDING_COLUMNS, rows=tuple(rows))


def performance(known: Artefacts) -> Iterator[Sentence]:
    """How the decisions on test rows came out."""
    counts = {
        name: place(PERFORMANCE, "count", "confusion", name)
        for name in ("true_positive", "false_positive", "true_negative", "false_negative")
    }
    yield say(
        known,
        "Of {rows} test rows, {true_positive} were rightly and {false_positive} wrongly decided favourably, "
        "{true_negative} rightly and {false_negative} wrongly decided unfavourably.",
        "how the decisions came out",
        rows=place(PERFORMANCE, "count", "rows"),
        **counts,
    )


def measurements(known: Artefacts, artefact: str, title: str) -> Iterator[ClaimTable]:
    """Everything that a document measured, with its interval, also where no rule reads it."""
    content = value(known, artefact, "measurements")
    document = artefact.rpartition("/")[2].partition(".")[0]
    rows = []
    for keys, beside in _measured(content, known, document):
        rows.append(
            say(
                known,
                "{metric}: {measured}" if len(keys) == 1 else "{metric} by {attribute}: {measured}",
                f"{document} {' by '.join(keys)}",
                metric=place(artefact, f"{document}_metric", "measurements", *keys[:1]),
                measured=place(artefact, "measurement", "measurements", *keys, beside=beside),
                **({} if len(keys) == 1 else {"attribute": place(artefact, "key", "measurements", *keys)}),
            )
        )
    if rows:
        attribute = {"attribute": "By"} if document == "fairness" else {}
        headings = columns(metric="Measured", **attribute, measured="Value (interval)")
        yield ClaimTable(title=title, columns=headings, rows=tuple(rows))


def _measured(
    content: Any, known: Artefacts, document: str
) -> Iterator[tuple[tuple[str, ...], tuple[Reference, ...]]]:
    """The keys of each measurement, with the limits of the rules that read it."""
    limits: dict[tuple[str, ...], list[Reference]] = {}
    for index, finding in enumerate(value(known, VERDICT, "findings") or ()):
        keys = (finding["metric"], *([finding["attribute"]] if finding["attribute"] else []))
        if finding["limit"]:
            at = Reference(artefact=VERDICT, pointer=artefacts.pointer("findings", index, "limit"))
            limits.setdefault(keys, []).append(at)
    for name, inner in content.items() if isinstance(content, Mapping) else ():
        if isinstance(inner, Mapping) and "value" in inner:
            yield (name,), tuple(limits.get((f"{document}.{name}",), ()))
        elif isinstance(inner, Mapping):
            for attribute in inner:
                yield (name, attribute), tuple(limits.get((f"{document}.{name}", attribute), ()))


def fairness(known: Artefacts) -> Iterator[Sentence]:
    """How the intervals of the section are to be read."""
    yield say(
        known,
        "{statement}",
        "how intervals are to be read",
        statement=place(FAIRNESS, "text", "family", "statement"),
    )
    for attribute in value(known, FAIRNESS, "never_observed") or ():
        if value(known, FAIRNESS, "never_observed", attribute):
            yield say(
                known,
                "No row at all in these combinations of {attribute}: {groups}.",
                "combinations without rows",
                attribute=place(FAIRNESS, "key", "never_observed", attribute),
                groups=place(FAIRNESS, "names", "never_observed", attribute),
            )


def explanation(known: Artefacts) -> Iterator[Sentence]:
    """By which method contributions were computed, and whether denials can be reasoned."""
    if value(known, EXPLANATION, "measurements", "rows", "undefined"):
        why = place(EXPLANATION, "text", "measurements", "rows", "undefined")
        yield say(known, "The model is not explained: {why}.", "the explanation", why=why)
    else:
        yield _explainer(known)
    yield _reasons(known)


def _explainer(known: Artefacts) -> DerivedClaim | Gap:
    return say(
        known,
        "Contributions by {explainer} in {space}, against {against}, over {rows} test rows.",
        "the explanation",
        explainer=place(EXPLANATION, "text", "explainer"),
        space=place(EXPLANATION, "text", "space"),
        against=place(EXPLANATION, "text", "against"),
        rows=place(EXPLANATION, "measurement", "measurements", "rows"),
    )


def _reasons(known: Artefacts) -> DerivedClaim | Gap:
    obstacle = next(
        (key for key in ("not_evaluated", "insufficient") if value(known, REASONS, key) is not None), None
    )
    if obstacle is not None:
        why = place(REASONS, "text", obstacle)
        return say(known, "Denials cannot be reasoned: {why}.", "reasons for denials", why=why)
    return say(
        known,
        "Reasons for a denial can be stated (explainer: {explainer}); among tune rows there were {denials} "
        "denials.",
        "reasons for denials",
        explainer=place(REASONS, "text", "explainer"),
        denials=place(REASONS, "count", "denials"),
    )


def importance(known: Artefacts) -> Iterator[ClaimTable]:
    """The features that matter most, by the mean size of their contributions."""
    listed = value(known, EXPLANATION, "importance") or ()
    rows = [
        say(
            known,
            "{feature}: {size}",
            "the importance of a feature",
            feature=place(EXPLANATION, "text", "importance", index, "feature"),
            size=place(EXPLANATION, "number", "importance", index, "mean_abs"),
        )
        for index in range(min(len(listed), MOST_FEATURES))
    ]
    if rows:
        headings = columns(feature="Feature", size="Mean size of its contributions")
        yield ClaimTable(title="Most important features", columns=headings, rows=tuple(rows))


def limits(known: Artefacts) -> Iterator[Sentence]:
    """What the evidence does not settle."""
    listed = value(known, VERDICT, "findings")
    if listed is None:
        yield missing(known, VERDICT, "what the evidence does not settle", "findings")
    for index, finding in enumerate(listed or ()):
        if finding["outcome"] not in (None, "pass"):
            yield say(
                known,
                "Not shown to hold ({outcome}): {reason}.",
                "what is not settled",
                outcome=place(VERDICT, "outcome", "findings", index, "outcome"),
                reason=place(VERDICT, "text", "findings", index, "reason"),
            )
    if value(known, TRAINING, "choice", "rules_not_measured_on_tune_rows"):
        yield say(
            known,
            "The model was chosen among its candidates by tune rows, where these rules are not measured: "
            "{rules}.",
            "what the choice could not look at",
            rules=place(TRAINING, "names", "choice", "rules_not_measured_on_tune_rows"),
        )


def mitigation(known: Artefacts) -> Iterator[Sentence]:
    """What was done about unfairness, and what the choice of the candidate says."""
    yield say(
        known,
        "Mitigation: {mitigation}. What ships: {ships}. Reads protected attributes at decision: {reads}.",
        "the mitigation",
        mitigation=place(TRAINING, "text", "mitigation"),
        ships=place(TRAINING, "text", "mitigation_ships"),
        reads=place(TRAINING, "as_written", "uses_protected_at_decision"),
    )
    if value(known, TRAINING, "choice"):
        yield say(
            known,
            "Candidates tried: {candidates}. This one was {reason}.",
            "the choice of the candidate",
            candidates=place(TRAINING, "entries", "candidates"),
            reason=place(TRAINING, "text", "choice", "reason"),
        )


def before_after(known: Artefacts) -> Iterator[ClaimTable | Gap]:
    """Fairness on tune rows without and with the mitigation, of what the rules of the policy read."""
    if not value(known, TRAINING, "before_after"):
        return
    if value(known, VERDICT, "findings") is None:
        yield missing(known, VERDICT, "what the rules read before and after mitigation", "findings")
    rows = []
    for index, finding in enumerate(value(known, VERDICT, "findings") or ()):
        document, _, name = finding["metric"].partition(".")
        keys = ("disparity", name, finding["attribute"])
        if document != "fairness" or not value(known, TRAINING, "before_after", "before", *keys):
            continue
        limit = [Reference(artefact=VERDICT, pointer=artefacts.pointer("findings", index, "limit"))]
        rows.append(
            say(
                known,
                "{metric} by {attribute}, tune rows: {before} without, {after} with mitigation",
                "before and after mitigation",
                metric=place(VERDICT, "metric", "findings", index, "metric"),
                attribute=place(VERDICT, "text", "findings", index, "attribute"),
                before=place(TRAINING, "measurement", "before_after", "before", *keys, beside=limit),
                after=place(TRAINING, "measurement", "before_after", "after", *keys, beside=limit),
            )
        )
    if rows:
        headings = columns(
            metric="Measured on tune rows",
            attribute="By",
            before="Without mitigation",
            after="With mitigation",
        )
        yield ClaimTable(title="Before and after mitigation", columns=headings, rows=tuple(rows))
