"""Clearance as a library: the verbs that `from clearance import ...` offers.

Each verb takes the folder of a project, or a folder inside it, opens the project's ledger and model registry,
and returns values. Nothing is printed. `docs/library.md` shows them at work.

The tools underneath read their settings from environment variables. A verb that needs them sets the defaults
that are unset (`clearance.environment.apply`) before it imports MLflow or DVC.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from clearance import environment, paths

if TYPE_CHECKING:
    from clearance.ledger import Entry, Tenure
    from clearance.policy.judgement import Declaration, Verdict
    from clearance.policy.schema import Policy
    from clearance.preflight.problem import Problem
    from clearance.promotion.next_step import Ending
    from clearance.promotion.project_status import ProjectStatus
    from clearance.promotion.standing import CandidateStanding
    from clearance.promotion.verify import Check

ProjectPath = str | os.PathLike[str]
DecisionName = Literal["approve", "reject", "revoke", "override"]


@dataclass(frozen=True, kw_only=True)
class DecisionResult:
    """A recorded decision, and how things stand after it.

    `uncounted` says why the decision does not count; None if it counts. `request` are sentences about the
    question that the version answers, its data contract, and what its run replaced. `missing` are sentences
    about what the policy still asks for. `complete`: the decision counts and nothing is missing, so the
    version may be promoted.
    """

    entry: Entry
    uncounted: str | None
    request: tuple[str, ...]
    missing: tuple[str, ...]
    complete: bool


@dataclass(frozen=True, kw_only=True)
class PromotionResult:
    """How a promotion ended, and the registered version that is champion now; None if there is none.

    `lapsed`: the version is champion, and what allowed it has ended.
    """

    ending: Ending
    promoted: bool
    lapsed: bool
    champion: str | None


@dataclass(frozen=True, kw_only=True)
class ChampionTenure:
    """A version as champion of its model. `description` adds to the tenure what must always be said of it."""

    tenure: Tenure
    description: str


def load_policy(path: ProjectPath) -> Policy:
    """The policy in a YAML file. Raises ConfigurationError that names each fault, its rule and its key."""
    from clearance.policy import policy_file

    return policy_file.load(Path(path))


def judge(policy: Policy, documents: Mapping[str, Any], declaration: Declaration, as_of: dt.date) -> Verdict:
    """The verdict of a policy on evidence documents (by name) under the rules in force on `as_of`.

    `declaration` states which attributes were assessed and which target value is favourable. Pure: reads no
    file, clock or registry. A refusal is a value, not an exception. Missing evidence is never a pass.
    """
    from clearance.policy import judgement

    return judgement.judge(policy, documents, declaration, as_of)


def what_if(
    project: ProjectPath, *, policy: ProjectPath | None = None, as_of: dt.date | None = None
) -> dict[str, Any]:
    """The verdict document on the project's existing evidence, under another policy or another day.

    Without either, it judges as the project does. Nothing is written. Raises ConfigurationError when the
    policy is missing or not valid.
    """
    from clearance import params
    from clearance.policy import project_verdict

    root = environment.project_root(Path(project))
    settings = params.load(root / paths.PARAMS)
    changes = {
        "policy.file": None if policy is None else _relative(Path(policy), root),
        "policy.as_of": None if as_of is None else as_of.isoformat(),
    }
    overrides = {key: value for key, value in changes.items() if value is not None}
    choice = params.PolicyChoice.model_validate(
        {
            "file": changes["policy.file"] or settings.policy.file,
            "as_of": changes["policy.as_of"] or settings.policy.as_of,
        }
    )
    settings = settings.model_copy(
        update={"policy": choice, "overrides": {**settings.overrides, **overrides}}
    )
    return project_verdict.judge(settings, root).to_json()


def verify(project: ProjectPath, version: int | ProjectPath | None = None) -> list[Check]:
    """Check what is recorded about a version: the champion, a candidate by number or a bundle by its file.

    Returns one `Check` each for ledger, alias, evidence, copy, comparison, attempts, approvals and others, as
    far as they apply. All of them must hold. Changes nothing. Raises ConfigurationError outside a project.
    """
    root = _enter(project)
    from clearance import registry
    from clearance.promotion import session
    from clearance.promotion import verify as verification

    with session.open_read_only(root) as reader:
        server, name = registry.connect(), _model(root)
        if version is None or isinstance(version, int):
            return verification.verify(reader, server, name, version)
        return verification.verify_file(reader, server, name, Path(version))


def decide(
    project: ProjectPath,
    version: int,
    kind: DecisionName,
    *,
    reason: str,
    until: dt.date | None = None,
    identity: str | None = None,
) -> DecisionResult:
    """Sign and record a decision about candidate `version`. `until` is the day on which an override ends.

    `identity` acts; None: $CLEARANCE_IDENTITY, in the demo the pipeline account. Promotes nothing: call
    `promote` when the decision is `complete`. Raises ConfigurationError when there is no such candidate or
    nothing to revoke, IntegrityError when ledger or evidence do not verify.
    """
    root = _enter(project)
    from clearance import registry
    from clearance.promotion import approval_request, session
    from clearance.promotion import decide as decisions
    from clearance.trust.decisions import DecisionKind

    with session.open_session(root, identity) as acting:
        result = decisions.decide(
            acting,
            registry.connect(),
            _model(root),
            version,
            kind=DecisionKind(kind),
            reason=reason,
            until=decisions.end_of_override(until),
        )
        return DecisionResult(
            entry=result.entry,
            uncounted=result.uncounted,
            request=approval_request.of_review(result.review).lines(),
            missing=result.missing,
            complete=result.complete,
        )


def promote(project: ProjectPath, version: int, *, identity: str | None = None) -> PromotionResult:
    """Make candidate `version` the champion if evidence, policy and approvals allow it.

    A refusal is returned, and recorded. Raises ReleaseRefused when `identity` may not promote,
    ConfigurationError when there is no such candidate, IntegrityError when ledger, alias or evidence do not
    verify, BusyError when another promotion of the model is under way.
    """
    root = _enter(project)
    from clearance import registry
    from clearance.promotion import promote as promotion
    from clearance.promotion import session
    from clearance.promotion.next_step import Status
    from clearance.trust.roles import Right

    name = _model(root)
    with session.open_session(root, identity) as acting:
        acting.demand(Right.PROMOTE, name, f"promote {name}")
        today = acting.now().date()
        ending, state = promotion.promote(acting, registry.connect(), name, version, today, on_request=True)
    return PromotionResult(
        ending=ending,
        promoted=ending.status in (Status.PROMOTED, Status.CHAMPION),
        lapsed=ending.status is Status.LAPSED,
        champion=None if state.champion is None else str(state.champion),
    )


def rollback(
    project: ProjectPath, *, reason: str, to: int | None = None, identity: str | None = None
) -> ChampionTenure:
    """Make an earlier champion the champion again: candidate `to`, or the one before the present champion.

    Raises ReleaseRefused when `identity` may not roll back, ConfigurationError when the version was never
    champion or may not be any more, IntegrityError when it does not verify.
    """
    root = _enter(project)
    from clearance import registry
    from clearance.promotion import rollback as rollbacks
    from clearance.promotion import session, version_record

    name = _model(root)
    with session.open_session(root, identity) as acting:
        tenure = rollbacks.roll_back(acting, registry.connect(), name, to, reason)
        entries, demo = acting.entries(name), acting.roles.demo
    return ChampionTenure(
        tenure=tenure, description=version_record.describe_tenure(entries, tenure, demo=demo)
    )


def retire(project: ProjectPath, *, reason: str, identity: str | None = None) -> None:
    """Retire the champion: the model then has none. Raises as `rollback` does."""
    root = _enter(project)
    from clearance import registry
    from clearance.promotion import rollback as rollbacks
    from clearance.promotion import session

    with session.open_session(root, identity) as acting:
        rollbacks.retire(acting, registry.connect(), _model(root), reason)


def history(project: ProjectPath, at: dt.datetime | None = None) -> list[ChampionTenure]:
    """Every champion of the model in order, or the one at the moment `at` (UTC where it has no time zone)."""
    root = _enter(project)
    from clearance import ledger
    from clearance.promotion import session, version_record

    name = _model(root)
    with session.open_read_only(root) as reader:
        entries, demo = reader.entries(name), reader.roles.demo
    if at is None:
        tenures = list(ledger.tenures(entries, name))
    else:
        tenure = ledger.champion_at(entries, name, at if at.tzinfo else at.replace(tzinfo=dt.UTC))
        tenures = [] if tenure is None else [tenure]
    return [
        ChampionTenure(tenure=tenure, description=version_record.describe_tenure(entries, tenure, demo=demo))
        for tenure in tenures
    ]


def status(project: ProjectPath) -> ProjectStatus:
    """Where the project stands: its last verdict and whether it holds, its champion, and what waits for whom.

    Raises ConfigurationError outside a project or on faulty settings, IntegrityError on a damaged ledger.
    """
    root = _enter(project)
    from clearance.promotion import project_status

    return project_status.read(root)


def candidates(project: ProjectPath) -> list[CandidateStanding]:
    """Every candidate of the model by the ledger, with its verdict and what people decided about it."""
    root = _enter(project)
    from clearance.promotion import session, standing

    name = _model(root)
    with session.open_read_only(root) as reader:
        return standing.candidates(reader.entries(name), name)


def check(project: ProjectPath) -> list[Problem]:
    """Every mistake in the project's settings that can be known before a run; empty when there is none.

    Raises ConfigurationError outside a project, and when params.yaml is missing or not YAML.
    """
    from clearance.preflight import check as preflight

    return preflight.check(environment.project_root(Path(project)))


def left_to_run(project: ProjectPath) -> list[str]:
    """What `check` cannot look at before a run, a sentence each; empty for a model that is trained here.

    Raises as `check` does.
    """
    from clearance.preflight import check as preflight

    return preflight.left_to_run(environment.project_root(Path(project)))


def _enter(project: ProjectPath) -> Path:
    """The root of the project, with the defaults of its tools set. Raises ConfigurationError outside one."""
    root = environment.project_root(Path(project))
    environment.apply(root)
    return root


def _relative(file: Path, root: Path) -> str:
    """The file's path relative to the project if it lies inside, else its absolute path."""
    path = file.resolve()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _model(root: Path) -> str:
    """The name of the project's model."""
    from clearance import params

    return params.load(root / paths.PARAMS).name
