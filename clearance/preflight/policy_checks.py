"""The policy against the settings, the catalogue of metrics, and the list of authorised policies."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clearance import labels, params, paths, yaml
from clearance.documents import metric_catalogue
from clearance.documents.measurement import INTERSECTION
from clearance.errors import ClearanceError
from clearance.params import Data, Evaluate, Params, PolicyChoice, data_contract
from clearance.policy import authorised, policy_file
from clearance.policy.schema import Policy, Rule
from clearance.preflight import faults, suggestions
from clearance.preflight.problem import Problem, warning
from clearance.reasons import texts

ROLES = Path("policies/roles.yaml")


def read(root: Path, choice: PolicyChoice) -> tuple[Policy | None, list[Problem]]:
    """The policy of the project, and what is wrong with its file: misspelt metrics beside all else."""
    with contextlib.chdir(root):
        try:
            return policy_file.load(Path(choice.file)), []
        except ClearanceError as error:
            return None, [Problem(error=error), *_misspelt_metrics(choice.file)]


def _misspelt_metrics(path: str) -> Iterator[Problem]:
    """The same in a policy that is not valid, as far as its rules can be read."""
    try:
        rules = params.read_yaml(Path(path)).get("rules")
    except ClearanceError:
        return
    for rule in rules if isinstance(rules, list) else ():
        metric = rule.get("metric") if isinstance(rule, dict) else None
        if isinstance(metric, str) and "." in metric and metric not in metric_catalogue.METRICS:
            yield Problem(error=_unknown_metric(path, str(rule.get("id", "without id")), metric))


def _unknown_metric(path: str, rule: str, metric: str) -> ClearanceError:
    suggestion = suggestions.did_you_mean(metric, metric_catalogue.METRICS)
    return faults.UNKNOWN_METRIC(path=path, rule=rule, metric=metric, suggestion=suggestion)


def check_metrics(policy: Policy, path: str) -> Iterator[Problem]:
    """Rules that read what nothing measures."""
    for rule in policy.rules:
        metric = metric_catalogue.METRICS.get(rule.metric)
        if metric is None:
            yield Problem(error=_unknown_metric(path, rule.id, rule.metric))
        elif rule.document == "fairness" and rule.read_for == (None,):
            yield Problem(
                error=faults.ATTRIBUTE_NEEDED(
                    path=path, rule=rule.id, metric=rule.metric, attributes=", ".join(policy.attributes)
                )
            )


def is_of_another_model(policy: Policy, data: Data) -> bool:
    """Whether target and attributes of the policy are all others than those of `params.yaml`."""
    parts = {part for attribute in policy.attributes for part in attribute.split(INTERSECTION)}
    return policy.favourable.target != data.target and parts.isdisjoint(data.protected)


def check_declaration(policy: Policy, data: Data, path: str) -> Iterator[Problem]:
    """Whether `params.yaml` declares what the policy demands; the verdict would be Not evaluated."""
    if is_of_another_model(policy, data):
        yield warning(
            faults.POLICY_OF_ANOTHER_MODEL(
                path=path,
                policy_target=policy.favourable.target,
                policy_attributes=", ".join(policy.attributes),
                target=data.target,
                attributes=", ".join(data.protected),
                written=_written(data.favourable),
            )
        )
        return
    for attribute in policy.attributes:
        missing = [part for part in attribute.split(INTERSECTION) if part not in data.protected]
        for name in missing:
            yield warning(
                faults.ATTRIBUTE_NOT_DECLARED(
                    path=path,
                    attribute=name,
                    suggestion=suggestions.did_you_mean(name, data.protected),
                )
            )
    demanded = policy.favourable
    if demanded.target != data.target or not labels.same(demanded.value, data.favourable):
        yield warning(
            faults.FAVOURABLE_DIFFERS(
                path=path,
                policy_target=demanded.target,
                policy_value=demanded.value,
                target=data.target,
                value=data.favourable,
                written=_written(data.favourable),
            )
        )


def check_measured(policy: Policy, evaluate: Evaluate, choice: PolicyChoice) -> Iterator[Problem]:
    """Rules that ask for more than `evaluate` measures, and a policy that decides nothing that day."""
    in_force = [rule for rule in policy.rules if rule.in_force(choice.as_of)]
    for rule in in_force:
        for attribute in rule.read_for:
            parts = (attribute or "").split(INTERSECTION)
            if len(parts) > evaluate.intersections:
                yield warning(
                    faults.INTERSECTION_NOT_MEASURED(
                        path=choice.file,
                        rule=rule.id,
                        attribute=attribute,
                        measured=evaluate.intersections,
                        needed=len(parts),
                    )
                )
        if rule.decides_by == "interval" and rule.confidence > evaluate.confidence:
            yield warning(
                faults.CONFIDENCE_TOO_LOW(
                    path=choice.file, rule=rule.id, needed=rule.confidence, measured=evaluate.confidence
                )
            )
    if not any(map(_decides, in_force)):
        yield warning(faults.NO_RULE_IN_FORCE(path=choice.file, as_of=choice.as_of))
    elif idle := [_dated(rule) for rule in policy.rules if not rule.in_force(choice.as_of)]:
        rules = ", ".join(idle)
        yield warning(faults.RULES_NOT_IN_FORCE(path=choice.file, as_of=choice.as_of, rules=rules))


def _dated(rule: Rule) -> str:
    end = f" until {rule.valid_until}" if rule.valid_until else ""
    return f"{rule.id} (from {rule.valid_from}{end})"


def check_reasons(
    root: Path, policy: Policy, data: Data, choice: PolicyChoice, columns: list[str] | None
) -> Iterator[Problem]:
    """Texts of features that could not be stated as reasons; `columns` are those of the table, if known."""
    if policy.reasons_on(choice.as_of) is None or is_of_another_model(policy, data):
        return
    try:
        written = texts.load(root / paths.REASON_TEXTS)
    except ClearanceError as error:
        yield Problem(error=error)
        return
    if columns is None and not isinstance(data.features, list):
        return
    features = data.feature_names(columns or [])
    protected = texts.protected_names(data, policy.attributes)
    for problem in texts.problems(written, features, protected):
        yield warning(faults.REASON_TEXT(path=paths.REASON_TEXTS, problem=problem))
    for name in texts.unused(written, features):
        suggestion = suggestions.did_you_mean(name, features)
        yield warning(faults.REASON_OF_NO_FEATURE(path=paths.REASON_TEXTS, name=name, suggestion=suggestion))


def check_day(choice: PolicyChoice, now: dt.datetime) -> Iterator[Problem]:
    """Whether the rules are read for a day to come; a day of difference is left to time zones."""
    today = now.date()
    if choice.as_of > today + dt.timedelta(days=1):
        yield Problem(error=faults.AS_OF_IN_FUTURE(as_of=choice.as_of, today=today))


def check_authorisation(
    root: Path, name: str, choice: PolicyChoice, policy: Policy | None, settings: Params | None
) -> Iterator[Problem]:
    """Whether a model of this name may be promoted under this policy: no run is stopped by it."""
    tier = next(iter(policy.promotion.approvals)) if policy else "TIER"
    line = f"{_key(name)}: {{policy: {choice.file}, tier: {tier}}}"
    if not (root / authorised.FILE).is_file():
        yield warning(faults.NO_AUTHORISED_LIST(name=name, path=authorised.FILE, line=line))
        return
    try:
        listed = authorised.find(root, name)
    except ClearanceError as error:
        yield Problem(error=error)
        return
    if listed is None:
        yield warning(faults.NOT_AUTHORISED(name=name, path=authorised.FILE, line=line))
        return
    if listed.policy != Path(choice.file):
        yield warning(
            faults.OTHER_POLICY_AUTHORISED(
                path=authorised.FILE,
                authorised=listed.policy,
                name=name,
                judging=choice.file,
                line=line,
            )
        )
        return
    if policy is None:
        return
    if listed.tier not in policy.promotion.approvals:
        yield warning(
            faults.TIER_UNKNOWN(
                path=authorised.FILE,
                name=name,
                tier=listed.tier,
                policy=choice.file,
                tiers=", ".join(policy.promotion.approvals),
            )
        )
    needs_pin = listed.contracts or (policy.promotion.contract_pinned and not policy.demo)
    if settings is not None and needs_pin:
        digest = data_contract.of(settings).digest
        if digest not in listed.contracts:
            yield warning(
                faults.CONTRACT_NOT_PINNED(policy=choice.file, path=authorised.FILE, digest=digest, name=name)
            )
    if not policy.demo and _lists_demo_people(root):
        yield warning(faults.DEMO_PEOPLE(policy=choice.file))


def _decides(rule: Rule) -> bool:
    return rule.severity == "block" and rule.decides_by != "report_only"


def _lists_demo_people(root: Path) -> bool:
    try:
        content = yaml.loads((root / ROLES).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(content, dict) and content.get("demo") is True


def _written(value: Any) -> str:
    """A value as it must stand in YAML to be read back as the same."""
    return yaml.dumps({"": value}).partition(": ")[2].strip()


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z][\w.-]*", name) else f'"{name}"'
