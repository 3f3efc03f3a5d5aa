"""The technical file after Annex IV of Regulation (EU) 2024/1689 (the EU AI Act), section by section. Pure.

What evidence or the ledger shows is a claim, what only people can know is their statement in `card.yaml`, and
what nobody has shown or stated is a gap that says how to fill it. Nothing here judges whether the file is
enough.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping

from clearance.documents.card_document import ClaimTable, Section
from clearance.documents.sentences import Gap, Sentence
from clearance.documents.technical_file_document import TechnicalFile
from clearance.reporting.card import measured
from clearance.reporting.card.card_text import TechnicalTopic
from clearance.reporting.card.measured import place
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import (
    adverse_action,
    bias_audit,
    compliance,
    sources,
    statements,
    tables,
)
from clearance.reporting.technical_file.sources import (
    BUNDLE,
    FAIRNESS,
    LEDGER,
    PARAMS,
    PERFORMANCE,
    PREPARED,
    RAW,
    SPLIT,
    TRAINING,
    VERDICT,
    Subject,
    say,
)

TITLES: Mapping[str, str] = {
    "1": "1 General description of the system",
    "2(a)": "2(a) Methods and steps of the development, and what others made",
    "2(b)": "2(b) Design: logic, choices, assumptions and trade-offs",
    "2(c)": "2(c) Architecture and computing resources",
    "2(d)": "2(d) Data: datasheets, provenance, labelling and cleaning",
    "2(e)": "2(e) Human oversight",
    "2(f)": "2(f) Changes determined in advance",
    "2(g)": "2(g) Validation and test: data, metrics, discriminatory impacts, signed reports",
    "2(h)": "2(h) Cybersecurity",
    "3": "3 Monitoring, functioning and control: capabilities, limits, risks, input",
    "4": "4 Appropriateness of the performance metrics",
    "5": "5 Risk management system (Article 9)",
    "6": "6 Changes through the lifecycle",
    "7": "7 Harmonised standards applied",
    "8": "8 EU declaration of conformity",
    "9": "9 Post-market monitoring plan (Article 72)",
}
"""The points of Annex IV in their order, with the heading of each."""

MORE_TITLES: Mapping[str, str] = {
    "compliance": "Compliance matrix",
    "bias_audit": "Summary of the bias audit (New York City Local Law 144)",
    "adverse_action": "Adverse-action readiness (Regulation B, 12 CFR 1002.9)",
}
"""Sections that other rules ask for, after those of Annex IV."""

Part = Sentence | ClaimTable

_ABOUT_DATA = ("validation_raw", "validation_prepared", "split")


def make(known: Artefacts, subject: Subject) -> TechnicalFile:
    """The technical file of a version from what is known of it; the same artefacts give the same file."""
    complete = {**known, **composed(known, subject)}
    sections = [
        _section(key, title, _SECTIONS[key](complete, subject))
        for key, title in {**TITLES, **MORE_TITLES}.items()
        if key != "bias_audit" or bias_audit.applies(complete)
    ]
    return TechnicalFile(
        name=subject.name,
        version=subject.version,
        at=subject.at.astimezone(dt.UTC).isoformat(),
        sections=tuple(sections),
        artefacts={path: artefact.sha256 for path, artefact in sorted(complete.items())},
    )


def composed(known: Artefacts, subject: Subject) -> dict[str, artefacts.Artefact]:
    """The artefacts that are worked out from evidence: the compliance matrix, impact ratios, reason texts."""
    parts = {
        sources.COMPLIANCE: compliance.content(known, subject.policy_file, subject.day),
        sources.IMPACT: bias_audit.content(known),
        sources.REASON_TEXTS: adverse_action.content(known),
    }
    return {name: sources.artefact(part) for name, part in parts.items() if part is not None}


def _section(key: str, title: str, parts: Iterable[Part]) -> Section:
    listed = list(parts)
    return Section(
        id=key,
        title=title,
        sentences=tuple(part for part in listed if not isinstance(part, ClaimTable)),
        tables=tuple(part for part in listed if isinstance(part, ClaimTable)),
    )


def _stated(topic: TechnicalTopic, known: Artefacts, subject: Subject) -> Iterator[Sentence]:
    yield from statements.of_topic(topic, known, subject)


def _of_card(section: str, what: str, known: Artefacts, subject: Subject) -> Iterator[Sentence]:
    yield from statements.of_card(section, what, known, subject)


def _general(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield say(
        known,
        "{name} version {version}; its evidence has the digest {digest}.",
        "which version this is about",
        name=place(LEDGER, "text", "model"),
        version=place(LEDGER, "count", "version"),
        digest=place(LEDGER, "digest", "content"),
    )
    yield from _of_card("intended_use", "the intended purpose", known, subject)
    yield from _stated("provider", known, subject)
    yield say(
        known,
        "It answers whether {target} is {favourable}, from {features} features; that answer is favourable.",
        "the question that it answers",
        target=place(PARAMS, "text", "data", "target"),
        favourable=place(PARAMS, "as_written", "data", "favourable"),
        features=place(SPLIT, "entries", "features"),
    )
    yield say(
        known,
        "Other versions proposed so far: {number}. The version that was champion before it: {followed}. "
        "`clearance diff` lists what differs between two versions.",
        "its relation to other versions",
        number=place(LEDGER, "entries", "other_versions"),
        followed=place(LEDGER, "as_written", "followed"),
    )
    yield say(
        known,
        "It was made with Python {python} from packages whose lock has the SHA-256 {lock}.",
        "its software",
        python=place(BUNDLE, "text", "python"),
        lock=place(BUNDLE, "digest", "environment"),
    )
    yield from tables.libraries(known)
    yield from _stated("interaction", known, subject)
    yield from _stated("hardware", known, subject)
    yield from _stated("forms", known, subject)
    yield from _stated("instructions", known, subject)


def _methods(known: Artefacts, _: Subject) -> Iterator[Part]:
    yield say(
        known,
        "Estimator: {estimator}. Mitigation of unfairness: {mitigation}.",
        "the method",
        estimator=place(TRAINING, "text", "estimator"),
        mitigation=place(TRAINING, "text", "mitigation"),
    )
    for split in ("train", "tune", "test"):
        yield say(
            known,
            f"Use of {split} rows: {{use}}.",
            f"what the {split} rows were used for",
            use=place(TRAINING, "text", "split_use", split),
        )
    yield from _code(known)
    if measured.value(known, TRAINING, "external"):
        yield say(
            known,
            "The model was made elsewhere ({format}); what nobody measured here is declared by {by}.",
            "who made the model",
            format=place(TRAINING, "text", "external", "format"),
            by=place(TRAINING, "text", "external", "declared_by"),
        )
        yield from tables.declared(known)
    elif TRAINING in known:
        yield say(
            known,
            "Fitted here: {estimator} on {rows} train rows, kept in {file}.",
            "whether others made parts of it",
            estimator=place(TRAINING, "text", "estimator"),
            rows=place(SPLIT, "count", "rows", "train"),
            file=place(TRAINING, "text", "model", "file"),
        )


def _code(known: Artefacts) -> Iterator[Sentence]:
    if measured.value(known, BUNDLE, "code", "commit") is None:
        yield Gap(what="the commit of the code: no commit holds it", command="git commit, then clearance run")
        return
    yield say(
        known,
        "The code is that of commit {commit}; inputs that differ from it: {changed}; that it does not keep: "
        "{unkept}.",
        "the code",
        commit=place(BUNDLE, "digest", "code", "commit"),
        changed=place(BUNDLE, "entries", "code", "changed"),
        unkept=place(BUNDLE, "entries", "code", "unkept"),
    )


def _design(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("design", known, subject)
    yield say(
        known,
        "A score of at least {threshold} is decided favourably; how it was chosen: {rule}.",
        "the threshold",
        threshold=place(TRAINING, "number", "threshold"),
        rule=place(TRAINING, "text", "threshold_rule"),
    )
    if measured.value(known, TRAINING, "choice"):
        yield say(
            known,
            "The choice of the candidate, of {candidates}: {reason}. Rule of the choice: {rule}.",
            "the choice of the candidate",
            candidates=place(TRAINING, "entries", "candidates"),
            reason=place(TRAINING, "text", "choice", "reason"),
            rule=place(TRAINING, "text", "choice", "rule"),
        )
    yield from measured.fairness(known)
    yield from measured.before_after(known)


def _architecture(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield say(
        known,
        "The model is one file in the format {format} with the SHA-256 {sha256}; it reads {inputs} inputs.",
        "the architecture",
        format=place(TRAINING, "text", "model", "format"),
        sha256=place(TRAINING, "digest", "model", "sha256"),
        inputs=place(TRAINING, "entries", "inputs"),
    )
    yield from tables.arguments(known)
    yield from _stated("compute", known, subject)


def _data(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("data_provenance", known, subject)
    yield from _stated("data_date", known, subject)
    yield from measured.data(known)
    for artefact, which in ((RAW, "raw table"), (PREPARED, "prepared tables")):
        yield say(
            known,
            f"Checks of the {which}: {{checks}}, of which {{blocking}} failed and block, {{warnings}} warn.",
            f"the checks of the {which}",
            checks=place(artefact, "measurement", "measurements", "expectations"),
            blocking=place(artefact, "measurement", "measurements", "blocking_failures"),
            warnings=place(artefact, "measurement", "measurements", "warnings"),
        )
    if measured.value(known, PARAMS, "source", "select"):
        yield say(
            known,
            "Columns are cleaned and derived by this query: {select}",
            "the cleaning",
            select=place(PARAMS, "text", "source", "select"),
        )
    yield measured.groups(known)


def _oversight(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("oversight", known, subject)
    for tier, roles in sources.entries(known, subject.policy_file, "promotion", "approvals").items():
        at = ("promotion", "approvals", tier)
        yield say(
            known,
            "Roles that must approve a promotion in the tier {tier}: {number}.",
            "who must approve",
            tier=place(subject.policy_file, "key", *at),
            number=place(subject.policy_file, "entries", *at),
        )
        for role in roles or ():
            yield say(
                known,
                "Approvals by people with the role {role} in the tier {tier}: {number}.",
                "who must approve",
                tier=place(subject.policy_file, "key", *at),
                number=place(subject.policy_file, "count", *at, role),
                role=place(subject.policy_file, "key", *at, role),
            )
    yield from tables.decisions(known, subject.version)


def _predetermined(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("predetermined_changes", known, subject)
    at = ("monitoring", "retraining")
    if measured.value(known, subject.policy_file, *at):
        yield say(
            known,
            "A failed rule of monitoring may have a new model trained at most once in {days} days and "
            "{times} times a year; the new model is judged by the policy like any other.",
            "retraining",
            days=place(subject.policy_file, "count", *at, "cool_down_days"),
            times=place(subject.policy_file, "count", *at, "most_a_year"),
        )


def _tests(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield say(
        known,
        "Verdict under policy {policy}, version {version}, by the rules in force on {day}: {verdict}.",
        "the verdict",
        policy=place(VERDICT, "text", "policy", "id"),
        version=place(VERDICT, "text", "policy", "version"),
        day=place(VERDICT, "date", "policy", "as_of"),
        verdict=place(VERDICT, "outcome", "verdict"),
    )
    yield say(
        known,
        "Preregistration: {statement}.",
        "when the bar was set",
        sources.LIST,
        statement=place(LEDGER, "text", "bar", "statement"),
    )
    yield say(
        known,
        "Test rows: {test}, with the digest {digest}. Their use in training: {use}.",
        "the test data",
        test=place(SPLIT, "count", "rows", "test"),
        digest=place(SPLIT, "digest", "row_digests", "test"),
        use=place(TRAINING, "text", "split_use", "test"),
    )
    yield say(
        known,
        "Attempts at the model that these test rows have judged, by the ledger: {models}.",
        "how often the test rows were used",
        sources.LIST,
        models=place(sources.COUNTS, "count", "test_rows_judged"),
    )
    yield from measured.performance(known)
    yield measured.findings(known, ("validation_raw", "validation_prepared", "split"), "Rules about the data")
    yield measured.findings(known, ("performance", "explanation"), "Rules about performance")
    yield measured.findings(known, ("fairness", "training"), "Potentially discriminatory impacts")
    yield measured.groups(known)
    yield from measured.measurements(known, PERFORMANCE, "Everything measured of performance")
    yield from measured.measurements(known, FAIRNESS, "Everything measured between groups")
    yield from tables.signed_reports(known)
    yield from tables.signatures(known, subject.version)


def _cybersecurity(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("cybersecurity", known, subject)
    yield say(
        known,
        "The signed evidence names {files} files of the model and {outs} outputs by their SHA-256; "
        "signed with demonstration keys, which prove nothing: {demo}.",
        "the signature of the evidence",
        files=place(BUNDLE, "entries", "files"),
        outs=place(BUNDLE, "entries", "outs"),
        demo=place(BUNDLE, "as_written", "demo"),
    )
    if measured.value(known, BUNDLE, "installation"):
        yield say(
            known,
            "What was installed where it was signed: {modules} modules with the digest {digest}; the process "
            "imported nothing else: {isolated}.",
            "what was installed",
            modules=place(BUNDLE, "count", "installation", "modules"),
            digest=place(BUNDLE, "digest", "installation", "digest"),
            isolated=place(BUNDLE, "as_written", "installation", "isolated"),
        )
    yield from tables.rebuilds(known, subject.version)


def _control(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _of_card("limits", "the limits of the system", known, subject)
    yield from _of_card("out_of_scope", "the uses that are out of scope", known, subject)
    yield from _stated("risks", known, subject)
    yield from measured.limits(known)
    yield from tables.accuracy(known)
    yield from tables.inputs(known)
    yield from measured.explanation(known)
    yield from tables.restrictions(known)


def _metrics(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("metrics", known, subject)
    yield from tables.rule_sources(known)


def _risk_management(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("risk_management", known, subject)
    yield from tables.incidents(known)


def _lifecycle(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield say(
        known,
        "Parameters that the run replaced: {overrides}.",
        "what the run replaced",
        overrides=place(BUNDLE, "entries", "overrides"),
    )
    yield from tables.changes(known, subject.version)
    yield say(
        known,
        f"Other versions of the model: {{number}}; `clearance diff {subject.version} OTHER` lists every "
        "difference.",
        "other versions",
        number=place(LEDGER, "entries", "other_versions"),
    )


def _standards(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("standards", known, subject)


def _declaration(known: Artefacts, subject: Subject) -> Iterator[Part]:
    yield from _stated("declaration", known, subject)


def _post_market(known: Artefacts, subject: Subject) -> Iterator[Part]:
    file = subject.policy_file
    if not sources.items(known, file, "monitoring", "rules"):
        yield Gap(
            what="the post-market monitoring plan: the policy watches nothing",
            command="write `monitoring` in the policy, then `clearance plan`",
        )
        return
    yield say(
        known,
        "The plan is what `clearance plan` writes from the policy {policy}, version {version}: {rules} rules "
        "judge live decisions every {looks}; if nothing changes, any of them fails in a year with a "
        "probability of at most {alarms}.",
        "the post-market monitoring plan",
        "write `looks` and `false_alarms` in `monitoring` of the policy",
        policy=place(file, "text", "id"),
        version=place(file, "text", "version"),
        rules=place(file, "entries", "monitoring", "rules"),
        looks=place(file, "names", "monitoring", "looks"),
        alarms=place(file, "as_written", "monitoring", "false_alarms"),
    )
    if sources.items(known, file, "monitoring", "watched_by"):
        yield say(
            known,
            "Watched by: {people}.",
            "who watches",
            people=place(file, "names", "monitoring", "watched_by"),
        )
    else:
        yield Gap(what="who watches the system in use", command="write `monitoring.watched_by` in the policy")
    yield from tables.deadlines(known, file)


_SECTIONS: Mapping[str, Callable[[Artefacts, Subject], Iterable[Part]]] = {
    "1": _general,
    "2(a)": _methods,
    "2(b)": _design,
    "2(c)": _architecture,
    "2(d)": _data,
    "2(e)": _oversight,
    "2(f)": _predetermined,
    "2(g)": _tests,
    "2(h)": _cybersecurity,
    "3": _control,
    "4": _metrics,
    "5": _risk_management,
    "6": _lifecycle,
    "7": _standards,
    "8": _declaration,
    "9": _post_market,
    "compliance": lambda known, _: compliance.section(known),
    "bias_audit": bias_audit.section,
    "adverse_action": lambda known, _: adverse_action.section(known),
}
