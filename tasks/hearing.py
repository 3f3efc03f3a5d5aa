"""What was found about a version on a day: evidence judged again, what is to be decided, who agrees.

Nothing is changed here. Of a version that was promoted, it can be asked as of that day: under the policy
that was authorised for the model then, and the decisions that the ledger held then.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clearance import artifacts, ledger, params, registry, remote, revision
from clearance.attesting import approvals, bundle, envelope, question
from clearance.attesting.decisions import Matter
from clearance.errors import IntegrityError
from clearance.evidence import Outcome
from clearance.governance import authorisation, matters, recall
from clearance.governance.authorisation import Authority
from clearance.governance.office import Office
from clearance.judging import policy, rules
from clearance.promotion import Case
from tasks import judge


@dataclass(frozen=True, kw_only=True)
class Then:
    """A promotion that was done: when, what the ledger held before it, and what was authorised by then."""

    at: dt.datetime
    entries: Sequence[ledger.Entry]
    authority: Authority


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What was found about a version on a day: the case, what is to be decided, and who agrees so far."""

    case: Case
    matter: Matter
    tier: str
    standing: approvals.Standing
    failed: bool
    needs: int


def examine(
    settings: params.Params,
    home: Path,
    folder: Path,
    day: dt.date,
    *,
    has_model: bool = True,
    authority: Authority | None = None,
) -> Case:
    """Judge again from the evidence in `folder`: as of the recorded day as a check, as of `day` to decide.

    Without an `authority`, the list of authorised policies in the project `home` counts. Raises
    IntegrityError when the recorded verdict is not what the evidence gives, ConfigurationError when the list
    is faulty.
    """
    recorded = artifacts.read_json(folder / "reports/verdict.json")
    if recorded != json.loads(artifacts.dumps(judge.judge(settings, folder))):
        raise IntegrityError(
            "reports/verdict.json is not what the policy says about the evidence",
            "run `clearance repair`, then run the pipeline again: it is judged anew",
        )
    given = authority or Authority()
    if authority is None and not recorded["what_if"]:
        given = authorisation.today(home, settings.name, recorded["policy"]["sha256"])
    chosen, today = given.policy, None
    if chosen:
        today = policy.judge(chosen, judge.gather(folder), policy.declared(settings.data), day)
    return Case(
        verdict=recorded,
        has_model=has_model,
        promotion=chosen.promotion if chosen else None,
        today=today,
        day=day,
    )


def hear(
    office: Office,
    server: registry.Server,
    recalled: recall.Recalled,
    day: dt.date,
    *,
    then: Then | None = None,
) -> Hearing:
    """Who agrees to the version, and what is in the way: as of now, or as of `then`. Raises as `examine`."""
    evidence, name = recalled.bundle.evidence, recalled.bundle.evidence.model
    judged_by = artifacts.sha256(recalled.folder / evidence.judged.file)
    authority = then.authority if then else authorisation.today(office.root, name, judged_by)
    case = examine(recalled.settings, office.root, recalled.folder, day, authority=authority)
    entries = then.entries if then else office.entries(name)
    chosen = authority.policy
    at = matters.matter(entries, name, recalled.bundle, recalled.version.number, evidence.judged.id)
    unpushed = None
    if then is None and remote.default(office.root) and not recalled.proposed.pushed:
        unpushed = (
            "Its data and outputs are not at the DVC remote: run `clearance release` where it was made."
        )
    case = replace(
        case,
        unpushed=unpushed,
        uncommitted=_uncommitted(recalled.bundle, chosen),
        compared=_compared(entries, at, chosen, day),
    )
    asked = matters.asked(chosen, authority.tier) if chosen else None
    if chosen and asked is None:
        case = replace(case, promotion=None, tier=authority.tier)
    since = bundle_of_champion(office, server, entries, name) if at.champion else None
    made = matters.makers(office.root, office.roles, recalled.proposed, recalled.bundle, since)
    standing = matters.standing(
        entries,
        asked or _NOBODY,
        at,
        office.roles,
        made,
        failed=case.failed,
        now=then.at if then else office.now(),
    )
    against = matters.compared(entries, at.version) if at.comparison else {}
    return Hearing(
        case=case,
        matter=at,
        tier=authority.tier,
        standing=standing,
        failed=case.failed,
        needs=against.get("approvals", 0),
    )


_NOBODY = question.Asked(roles={}, authors_listed=False)
"""What a policy asks for that is not authorised: it decides nothing, for the model is refused anyway."""


def _uncommitted(found: bundle.Bundle, chosen: rules.Policy | None) -> str | None:
    code = found.evidence.code
    state = revision.State(commit=code.commit, changed=code.changed, unkept=code.unkept)
    return revision.fault(state, chosen is None or chosen.promotion.uncommitted)


def _compared(
    entries: Sequence[ledger.Entry], at: Matter, chosen: rules.Policy | None, day: dt.date
) -> str | None:
    """What the comparison with today's champion has against the version, where the policy asks for one."""
    if chosen is None or chosen.challenge is None or not chosen.challenge.in_force(day):
        return None
    found = matters.compared(entries, at.version)
    if not found or found.get("champion") != at.champion:
        against = "today's champion" if at.champion else "nobody, as a first version is"
        return f"It was not compared with {against}: run `clearance release` where it was made."
    if found["outcome"] == Outcome.PASS or chosen.challenge.severity == "warn":
        return None
    word = str(found["outcome"]).replace("_", " ")
    return f"Compared with the champion: {word}; {'; '.join(found['reasons'])}."


def bundle_of_champion(
    office: Office, server: registry.Server, entries: Sequence[ledger.Entry], name: str
) -> bundle.Bundle | None:
    """The signed evidence of the ledger's champion; None without a champion.

    Raises IntegrityError when it is lost or not the one that was promoted.
    """
    reign = matters.champion(entries, name)
    if reign is None:
        return None
    candidates = registry.candidate_name(name)
    found = registry.find_number(server, candidates, reign.version)
    if found is not None:
        with tempfile.TemporaryDirectory() as temporary:
            registry.fetch(server, found, [f"evidence/{bundle.NAME}"], Path(temporary))
            said = bundle.read(office.opened(envelope.read(Path(temporary) / "evidence" / bundle.NAME)))
        if said.digest == reign.content:
            return said
    raise IntegrityError(
        f"the evidence of the champion, {candidates} version {reign.version}, is gone or another one",
        "find out who changed it; roll back to a version that verifies, or restore MLflow from a backup",
    )
