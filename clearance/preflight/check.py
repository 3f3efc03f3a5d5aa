"""Everything that can be known about a project before its first stage, all of it at once.

It reads params.yaml, the policy, the list of authorised policies, the lock and the head of the table. It
writes nothing and imports no framework unless the estimator's source says too little, or the model is a file
that was made elsewhere.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clearance import params, paths, wording
from clearance.errors import ClearanceError
from clearance.params import Data, Evaluate, Params, PolicyChoice, Source, Split, Train
from clearance.policy import project_verdict
from clearance.policy.schema import Policy
from clearance.preflight import (
    card_checks,
    estimator_checks,
    external_checks,
    faults,
    policy_checks,
    table_checks,
)
from clearance.preflight.problem import Problem


@dataclass(frozen=True, kw_only=True)
class _Sections:
    """The sections of params.yaml that can be used; None for one that is missing or wrong.

    `what_if`: the run judges by another policy or day than the project, and can release nothing.
    """

    name: str | None
    source: Source | None
    data: Data | None
    split: Split | None
    train: Train | None
    evaluate: Evaluate | None
    policy: PolicyChoice | None
    whole: Params | None = field(default=None)
    what_if: bool = False


def check(root: Path) -> list[Problem]:
    """Every problem of the project at `root`, first those that block a run; empty when there is none.

    Raises ConfigurationError when params.yaml is missing or is no YAML mapping.
    """
    content = params.read_yaml(root / paths.PARAMS)
    problems = check_content(root, content, str(paths.PARAMS))
    if isinstance(content.get("overrides"), Mapping) and content["overrides"]:
        error = faults.OVERRIDES_BY_HAND(keys=", ".join(map(str, content["overrides"])))
        problems.append(Problem(error=error, blocks=False))
    return problems


def check_content(root: Path, content: Mapping[str, Any], where: str) -> list[Problem]:
    """The same with `content` in the place of params.yaml; `where` names it in messages."""
    problems = [Problem(error=error) for error in params.find_faults(content, where)]
    sections = _read(content, complete=not problems)
    problems += _tracked_sections(root, content)
    policy: Policy | None = None
    if sections.policy is not None:
        policy, unreadable = policy_checks.read(root, sections.policy)
        problems += unreadable
    head, of_table = _of_table(root, sections, policy)
    of_file: list[Problem] = []
    if sections.train is not None:
        if sections.train.external is None:
            problems += estimator_checks.check(sections.train, root)
        columns = None if head is None else head.names
        of_file += external_checks.check(root, sections.train, sections.split, sections.data, columns)
    problems += of_file
    problems += _of_policy(root, sections, policy, head, usable=not of_file)
    problems += of_table
    unique = {(problem.error.code, problem.error.fault): problem for problem in problems}
    return sorted(unique.values(), key=lambda problem: not problem.blocks)


def left_to_run(root: Path) -> list[str]:
    """What no check before a run can look at, a sentence each; empty for a model that is trained here.

    Raises ConfigurationError when params.yaml is missing or is no YAML mapping.
    """
    sections = _read(params.read_yaml(root / paths.PARAMS), complete=False)
    if sections.train is None or sections.train.external is None:
        return []
    listed = None if sections.split is None else sections.split.trained_on_file
    names = wording.join_names(filter(None, (sections.train.external.file, listed)))
    return [f"{names} {'were' if listed else 'was'} not compared with the table's rows: the run does that"]


def refuse_blocking(problems: list[Problem]) -> None:
    """Raise one ConfigurationError with all that blocks a run; return when nothing does."""
    errors = [problem.error for problem in problems if problem.blocks]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        listed = "\n".join(f"  {number}. {_indented(error)}" for number, error in enumerate(errors, 1))
        raise faults.SEVERAL(number=len(errors), problems=listed)


def _indented(error: ClearanceError) -> str:
    return str(error).replace("\n", "\n   ")


def _read(content: Mapping[str, Any], *, complete: bool) -> _Sections:
    name = content.get("name")
    sections = ("source", "data", "split", "train", "evaluate", "policy")
    overrides = content.get("overrides")
    return _Sections(
        what_if=isinstance(overrides, Mapping) and project_verdict.is_what_if(overrides),
        name=name if isinstance(name, str) else None,
        whole=Params.model_validate(content) if complete else None,
        **{section: params.parse_section(content, section) for section in sections},
    )


def _tracked_sections(root: Path, content: Mapping[str, Any]) -> list[Problem]:
    """Sections with defaults that DVC needs to find all the same; the others are found to be missing."""
    graph = (root / paths.DVC_YAML).read_text(encoding="utf-8")
    lists = re.findall(r"^ +params: \[(.*)\]", graph, re.MULTILINE)
    tracked = {key.strip() for keys in lists for key in keys.split(",")}
    optional = [key for key, info in Params.model_fields.items() if not info.is_required()]
    missing = [key for key in optional if key in tracked and key not in content]
    return [Problem(error=faults.SECTION_MISSING(section=key)) for key in missing]


def _of_policy(
    root: Path,
    sections: _Sections,
    policy: Policy | None,
    head: table_checks.TableHead | None,
    *,
    usable: bool,
) -> list[Problem]:
    """The problems of the policy; `usable`: a file from elsewhere, if there is one, may be read."""
    choice = sections.policy
    if choice is None:
        return []
    problems: list[Problem] = []
    if not sections.what_if:
        problems += policy_checks.check_day(choice, dt.datetime.now(dt.UTC))
    if sections.name is not None:
        problems += card_checks.check(root, sections.name, policy, choice.as_of)
    if policy is not None:
        problems += policy_checks.check_metrics(policy, choice.file)
        if sections.data is not None:
            problems += policy_checks.check_declaration(policy, sections.data, choice.file)
            columns = None if head is None else head.names
            problems += policy_checks.check_reasons(root, policy, sections.data, choice, columns)
            problems += policy_checks.check_reasoned_estimators(policy, sections.train, choice)
        if sections.evaluate is not None:
            problems += policy_checks.check_measured(policy, sections.evaluate, choice)
        if usable and sections.train is not None and sections.train.external is not None:
            external, day = sections.train.external, choice.as_of
            problems += external_checks.check_policy(external, sections.split, policy, day, choice.file)
    if sections.name is not None:
        problems += policy_checks.check_authorisation(root, sections.name, choice, policy, sections.whole)
    return problems


def _of_table(
    root: Path, sections: _Sections, policy: Policy | None
) -> tuple[table_checks.TableHead | None, list[Problem]]:
    """The head of the table, None where it cannot be known now, and its problems."""
    source, data = sections.source, sections.data
    problems: list[Problem] = []
    if data is not None:
        problems += table_checks.check_declared_values(data, sections.evaluate)
    if source is None:
        return None, problems
    problems += table_checks.check_files(root, source)
    head, unreadable = table_checks.read(root, source, data, sections.split)
    problems += unreadable
    if head is not None and data is not None:
        problems += table_checks.check_names(head, data, sections.split)
        problems += table_checks.check_target(head, data)
    if policy is not None and data is not None and policy_checks.is_of_another_model(policy, data):
        return head, problems
    if head is not None and policy is not None and sections.policy is not None:
        problems += table_checks.check_policy_names(head, policy, sections.policy.file)
    return head, problems
