"""What differs between two versions, read from the signed evidence of both. Pure; nothing is measured again.

A difference that changed the outcome of a rule comes first, because it is what a decision rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from clearance import foreign_text, paths, wording
from clearance.documents import metric_catalogue
from clearance.documents.sentences import Source
from clearance.reporting.card import measured
from clearance.reporting.card.formats import markdown as card_markdown
from clearance.reporting.card.measured import place
from clearance.reporting.claims import artefacts, formatters
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources
from clearance.reporting.technical_file.sources import (
    BUNDLE,
    EXPLANATION,
    FAIRNESS,
    LEDGER,
    ORIGIN,
    PARAMS,
    PERFORMANCE,
    SPLIT,
    TRAINING,
    VERDICT,
)

ABSENT = "absent"
"""How a value is shown that one of the versions does not have."""

AREAS: Mapping[str, str] = {
    "rules": "Rules",
    "bar": "Bar",
    "data": "Data",
    "model": "Model",
    "params": "Parameters",
    "policy": "Policy",
    "performance": "Performance",
    "fairness": "Fairness",
    "explanation": "Explanation",
    "environment": "Environment",
    "code": "Code",
}
"""The areas of a comparison in their order, with their headings."""

_LONGEST = 160


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that the evidence of two versions says differently.

    `pointer` leads to it in `artefact`. `before` and `after` are its words in the first and the second
    version. `outcome_changed`: a rule has another outcome.
    """

    area: str
    what: str
    artefact: str
    pointer: str
    before: str
    after: str
    outcome_changed: bool = False


@dataclass(frozen=True, kw_only=True)
class VersionDiff:
    """What differs between two versions of a model, in the order of `AREAS`; `same` are areas without any.

    `unknown` are areas that one of the versions has no evidence about.
    """

    model: str
    first: int
    second: int
    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two versions: its artefacts, among which `policy_file` names the policy.

    `packages` are those of its lock, by name; None where the content of the lock is not known.
    """

    version: int
    known: Artefacts
    policy_file: str
    packages: Mapping[str, str] | None = None


Sides = tuple[Side, Side]


def compare(model: str, first: Side, second: Side) -> VersionDiff:
    """What differs between the evidence of two versions of a model."""
    sides = (first, second)
    found: dict[str, list[Difference]] = {
        "rules": [*_verdict(sides), *_rules(sides)],
        "bar": list(_bar(sides)),
        "data": list(_data(sides)),
        "model": list(_model(sides)),
        "params": list(_params(sides)),
        "policy": list(_policy(sides)),
        "performance": list(_measurements("performance", PERFORMANCE, sides)),
        "fairness": [*_measurements("fairness", FAIRNESS, sides), *_rates(sides)],
        "explanation": list(_explanation(sides)),
        "environment": [*_environment(sides), *_packages(sides)],
        "code": list(_code(sides)),
    }
    needed = {
        "rules": VERDICT,
        "data": ORIGIN,
        "model": TRAINING,
        "performance": PERFORMANCE,
        "fairness": FAIRNESS,
        "explanation": EXPLANATION,
    }
    unknown = [
        area
        for area, artefact in needed.items()
        if not all(_is_measured(side.known, artefact) for side in sides)
    ]
    locks = {measured.value(side.known, BUNDLE, "environment") for side in sides}
    notes = []
    if len(locks) > 1 and (first.packages is None or second.packages is None):
        notes.append("the locks differ, and git does not hold both of them: their packages are not compared")
    return VersionDiff(
        model=model,
        first=first.version,
        second=second.version,
        differences=tuple(difference for area in AREAS if area not in unknown for difference in found[area]),
        same=tuple(area for area in AREAS if not found[area] and area not in unknown),
        unknown=tuple(unknown),
        notes=tuple(notes),
    )


def _is_measured(known: Artefacts, artefact: str) -> bool:
    return artefact in known and measured.value(known, artefact, "status") != "blocked"


def _rules(sides: Sides) -> Iterator[Difference]:
    """Rules of which outcome, measurement or limit differ; those with another outcome first."""
    first, second = (_findings(side.known) for side in sides)
    listed = []
    for key in dict.fromkeys([*first, *second]):
        pair = [findings.get(key) for findings in (first, second)]
        words = [ABSENT if part is None else _finding(part[0]) for part in pair]
        if words[0] == words[1]:
            continue
        finding, pointer = next(part for part in reversed(pair) if part is not None)
        outcomes = {ABSENT if part is None else part[0]["outcome"] for part in pair}
        severity = "" if finding["severity"] == "block" else ", a warning"
        title_ = metric_catalogue.title(finding["metric"])
        listed.append(
            Difference(
                area="rules",
                what=f"{title_}, {key[1] or 'all rows'} (rule {key[0]}{severity})",
                artefact=VERDICT,
                pointer=pointer,
                before=words[0],
                after=words[1],
                outcome_changed=len(outcomes) > 1,
            )
        )
    yield from sorted(listed, key=lambda difference: not difference.outcome_changed)


def _verdict(sides: Sides) -> Iterator[Difference]:
    for difference in _one("rules", "the verdict", place(VERDICT, "outcome", "verdict"), sides):
        yield replace(difference, outcome_changed=True)


def _findings(known: Artefacts) -> dict[tuple[str, str | None], tuple[Mapping[str, Any], str]]:
    """The findings of a verdict by rule and attribute, each with the pointer to it."""
    return {
        (finding["rule"], finding["attribute"]): (finding, artefacts.pointer("findings", index))
        for index, finding in enumerate(sources.items(known, VERDICT, "findings"))
    }


def _outcome(value: Any) -> str:
    return formatters.OUTCOMES.get(value, str(value))


def _finding(finding: Mapping[str, Any]) -> str:
    numbers = _worded("measurement", finding)
    return f"{_outcome(finding['outcome'])}: {numbers}; limit {wording.limit(finding['limit'])}"


def _bar(sides: Sides) -> Iterator[Difference]:
    yield from _one("bar", "when the bar was set", place(LEDGER, "text", "bar", "statement"), sides)
    yield from _one("bar", "the policy that judged", place(VERDICT, "digest", "policy", "sha256"), sides)
    yield from _one("bar", "the day whose rules applied", place(VERDICT, "date", "policy", "as_of"), sides)


def _data(sides: Sides) -> Iterator[Difference]:
    for what, source in (
        ("rows", place(ORIGIN, "count", "rows")),
        ("the table", place(ORIGIN, "digest", "sha256")),
        ("the kind of source", place(ORIGIN, "text", "source", "kind")),
        ("the columns", place(ORIGIN, "names", "columns")),
        ("the features", place(SPLIT, "names", "features")),
        ("protected attributes", place(SPLIT, "names", "protected")),
    ):
        yield from _one("data", what, source, sides)
    for split in ("train", "tune", "test"):
        yield from _one("data", f"{split} rows", place(SPLIT, "count", "rows", split), sides)
        yield from _one("data", f"which {split} rows", place(SPLIT, "digest", "row_digests", split), sides)
    for attribute, group in _groups(sides):
        source = place(FAIRNESS, "count", "groups", attribute, group, "count")
        yield from _one("data", f"test rows, {attribute} {group}", source, sides)


def _model(sides: Sides) -> Iterator[Difference]:
    for what, source in (
        ("the estimator", place(TRAINING, "text", "estimator")),
        ("the mitigation", place(TRAINING, "text", "mitigation")),
        ("the threshold", place(TRAINING, "number", "threshold")),
        ("the model's file", place(TRAINING, "digest", "model", "sha256")),
    ):
        yield from _one("model", what, source, sides)


def _groups(sides: Sides) -> Iterator[tuple[str, str]]:
    """Every group of either version, by attribute; none where one has no table of groups."""
    if not all(_is_measured(side.known, FAIRNESS) for side in sides):
        return
    first, second = (sources.entries(side.known, FAIRNESS, "groups") for side in sides)
    for attribute in dict.fromkeys([*first, *second]):
        for group in dict.fromkeys([*first.get(attribute, {}), *second.get(attribute, {})]):
            yield attribute, group


def _rates(sides: Sides) -> Iterator[Difference]:
    for attribute, group in _groups(sides):
        source = place(FAIRNESS, "percent", "groups", attribute, group, "selection_rate")
        yield from _one("fairness", f"decided favourably, {attribute} {group}", source, sides)


def _measurements(area: str, artefact: str, sides: Sides) -> Iterator[Difference]:
    """Everything measured, with its interval."""
    first, second = (dict(_leaves(sources.entries(side.known, artefact, "measurements"))) for side in sides)
    for keys in dict.fromkeys([*first, *second]):
        title_ = metric_catalogue.title(f"{area}.{keys[0]}")
        what = f"{title_}, {keys[1]}" if len(keys) > 1 else title_
        yield from _one(area, what, place(artefact, "measurement", "measurements", *keys), sides)


def _leaves(content: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in content.items():
        if isinstance(inner, Mapping) and "value" in inner:
            yield (name,), inner
        elif isinstance(inner, Mapping):
            yield from (((name, attribute), leaf) for attribute, leaf in inner.items())


def _explanation(sides: Sides) -> Iterator[Difference]:
    """Features by the mean size of their contributions, with their rank."""
    yield from _one("explanation", "the explainer", place(EXPLANATION, "text", "explainer"), sides)
    first, second = (_ranks(side.known) for side in sides)
    for feature in dict.fromkeys([*second, *first]):
        words = [ranks.get(feature, (ABSENT, 0))[0] for ranks in (first, second)]
        if words[0] != words[1]:
            _, index = second.get(feature) or first[feature]
            yield Difference(
                area="explanation",
                what=f"importance of {feature}",
                artefact=EXPLANATION,
                pointer=artefacts.pointer("importance", index),
                before=words[0],
                after=words[1],
            )


def _ranks(known: Artefacts) -> dict[str, tuple[str, int]]:
    """Each feature with its rank and importance in words, and its place in the list."""
    return {
        item["feature"]: (f"rank {index + 1}, {_worded('number', item['mean_abs'])}", index)
        for index, item in enumerate(sources.items(known, EXPLANATION, "importance"))
    }


def _environment(sides: Sides) -> Iterator[Difference]:
    for what, source in (
        ("Python", place(BUNDLE, "text", "python")),
        ("the lock of packages", place(BUNDLE, "digest", "environment")),
        ("what was installed", place(BUNDLE, "digest", "installation", "digest")),
    ):
        yield from _one("environment", what, source, sides)
    libraries = (sources.entries(side.known, TRAINING, "libraries") for side in sides)
    for name in dict.fromkeys(name for listed in libraries for name in listed):
        source = place(TRAINING, "text", "libraries", name)
        yield from _one("environment", f"the library {name}", source, sides)


def _packages(sides: Sides) -> Iterator[Difference]:
    """The packages of both locks, where both are known."""
    first, second = (side.packages for side in sides)
    if first is None or second is None:
        return
    for name in sorted({*first, *second}):
        if first.get(name) != second.get(name):
            yield Difference(
                area="environment",
                what=f"the locked package {name}",
                artefact=paths.REQUIREMENTS_LOCK.as_posix(),
                pointer="",
                before=first.get(name, ABSENT),
                after=second.get(name, ABSENT),
            )


def _code(sides: Sides) -> Iterator[Difference]:
    yield from _one("code", "the commit", place(BUNDLE, "text", "code", "commit"), sides)
    first, second = (sources.entries(side.known, BUNDLE, "deps") for side in sides)
    for path in sorted({*first, *second}):
        if path.endswith(".py"):
            yield from _one("code", path, place(BUNDLE, "digest", "deps", path), sides)


def _params(sides: Sides) -> Iterator[Difference]:
    first, second = (dict(_flat(measured.value(side.known, PARAMS))) for side in sides)
    yield from _flat_differences("params", PARAMS, first, second)


def _policy(sides: Sides) -> Iterator[Difference]:
    """The policies by their parts; the rules and the other listed parts by their id."""
    first, second = (dict(_flat(_by_id(measured.value(side.known, side.policy_file)))) for side in sides)
    yield from _flat_differences("policy", sides[1].policy_file, first, second)


def _flat_differences(
    area: str, artefact: str, one: Mapping[tuple[str, ...], Any], two: Mapping[tuple[str, ...], Any]
) -> Iterator[Difference]:
    for keys in dict.fromkeys([*one, *two]):
        words = [_plain(side[keys]) if keys in side else ABSENT for side in (one, two)]
        if one.get(keys, ABSENT) != two.get(keys, ABSENT) or words[0] != words[1]:
            yield Difference(
                area=area,
                what=".".join(keys) or "the whole",
                artefact=artefact,
                pointer=artefacts.pointer(*keys),
                before=words[0],
                after=words[1],
            )


def _by_id(content: Any) -> Any:
    """The content with lists of parts that have an id as objects by that id."""
    if isinstance(content, Mapping):
        return {key: _by_id(inner) for key, inner in content.items()}
    if isinstance(content, list) and content and all(isinstance(i, Mapping) and "id" in i for i in content):
        return {str(item["id"]): _by_id(item) for item in content}
    return content


def _flat(content: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The leaves of a JSON value, each by its keys; a list is a leaf, and an empty object has none."""
    if isinstance(content, Mapping):
        for key, inner in content.items():
            yield from _flat(inner, (*keys, str(key)))
    else:
        yield keys, content


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "nothing"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return wording.plain(value) if isinstance(value, int | float) else str(value)


def _one(area: str, what: str, source: Source, sides: Sides) -> Iterator[Difference]:
    """The difference at one place of an artefact; none where both versions have the same there."""
    values = [_at(side.known, source) for side in sides]
    numbers = [_numbers(value) for value in values]
    if numbers[0] == numbers[1]:
        return
    before, after = (_worded(source.formatter, value) for value in values)
    if before == after:
        before, after = map(_plain, numbers)
    yield Difference(
        area=area,
        what=what,
        artefact=source.artefact,
        pointer=source.pointer,
        before=before,
        after=after,
    )


def _numbers(value: Any) -> Any:
    """Of a measurement its value and interval, or why it has none; anything else as it is."""
    if not isinstance(value, Mapping) or "value" not in value:
        return value
    return [value.get(name) for name in ("value", "low", "high", "undefined")]


def _at(known: Artefacts, source: Source) -> Any:
    try:
        return artefacts.at(known[source.artefact].content, source.pointer)
    except (KeyError, artefacts.NothingThere):
        return None


def _worded(formatter: str, value: Any) -> str:
    """The value in the words of its formatter; as it stands where it does not fit."""
    if value is None:
        return ABSENT
    try:
        return formatters.FORMATTERS[formatter](value, [])
    except formatters.UnfitValue:
        return _plain(value)


def title(diff: VersionDiff) -> str:
    """The heading of a comparison."""
    return f"{diff.model}: version {diff.first} against version {diff.second}"


def summary(diff: VersionDiff) -> str:
    """How much differs, and whether any of it changed the outcome of a rule."""
    changed = [difference for difference in diff.differences if difference.outcome_changed]
    if not diff.differences:
        return "Nothing differs in their evidence."
    outcomes = wording.counted(len(changed), "outcome") if changed else "no outcome"
    return f"{wording.counted(len(diff.differences), 'difference')}; {outcomes} of a rule changed."


def text(diff: VersionDiff) -> str:
    """The comparison for a terminal."""
    lines = [title(diff), summary(diff)]
    for heading, differences in _by_area(diff):
        lines += ["", heading]
        for difference in differences:
            mark = "! " if difference.outcome_changed else "  "
            before, after = _short(difference.before), _short(difference.after)
            lines.append(f"{mark}{difference.what}: {before} -> {after}")
    lines += ["", *_ends(diff)]
    return "\n".join(map(foreign_text.inert, lines)) + "\n"


def markdown(diff: VersionDiff) -> str:
    """The comparison as Markdown, in which text from outside stays text."""
    literal = card_markdown.literal
    lines = [f"# {literal(title(diff))}", "", literal(summary(diff)), ""]
    for heading, differences in _by_area(diff):
        lines += [f"## {heading}", "", f"| | Version {diff.first} | Version {diff.second} |", "|---|---|---|"]
        for difference in differences:
            what = literal(difference.what)
            cells = [
                f"**{what}**" if difference.outcome_changed else what,
                literal(_short(difference.before)),
                literal(_short(difference.after)),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join([*lines, *(f"{literal(line)}\n" for line in _ends(diff))])


def _by_area(diff: VersionDiff) -> Iterator[tuple[str, list[Difference]]]:
    """What differs by area; outcomes of rules that changed come as an area of their own, first."""
    changed = [difference for difference in diff.differences if difference.outcome_changed]
    if changed:
        yield "Outcomes that changed", changed
    for area, heading in AREAS.items():
        others = [d for d in diff.differences if d.area == area and not d.outcome_changed]
        if others:
            yield heading, others


def _ends(diff: VersionDiff) -> Iterable[str]:
    if diff.same:
        yield f"The same in both: {wording.join_names(AREAS[area].lower() for area in diff.same)}."
    if diff.unknown:
        areas = wording.join_names(AREAS[area].lower() for area in diff.unknown)
        yield f"Not compared, because one version has no evidence about it: {areas}."
    yield from (f"{wording.sentence(note)}" for note in diff.notes)


def _short(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
