"""Effect: a registered version becomes champion, where its signed evidence holds and the right people agree.

It needs no checkout of the model: everything is read back from registry and ledger, by digest. Run twice,
or killed and run again, it ends in the same state. Whether a model may is decided in `clearance.promotion`.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clearance import artifacts, ledger, params, promotion, registry, remote, revision, stage
from clearance.attesting import approvals, bundle, envelope, question
from clearance.attesting.decisions import Matter
from clearance.attesting.roles import Right
from clearance.errors import ConfigurationError, ExitCode, IntegrityError, TransientError
from clearance.evidence import Outcome
from clearance.governance import matters, recall
from clearance.governance.office import Office, opened
from clearance.judging import authorised, policy, rules
from clearance.ledger import Kind
from clearance.promotion import Case, Ending, State, Status, Step
from tasks import judge

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What was found about a version on a day: the case, what is to be decided, and who agrees so far."""

    case: Case
    matter: Matter
    standing: approvals.Standing
    failed: bool
    needs: int


def examine(
    settings: params.Params, home: Path, folder: Path, day: dt.date, *, has_model: bool = True
) -> Case:
    """Judge again from the evidence in `folder`: as of the recorded day as a check, as of `day` to decide.

    `home` is the project whose list of authorised policies counts. Raises IntegrityError when the recorded
    verdict is not what the evidence gives, ConfigurationError when the list is faulty.
    """
    recorded = artifacts.read_json(folder / "reports/verdict.json")
    if recorded != json.loads(artifacts.dumps(judge.judge(settings, folder))):
        raise IntegrityError(
            "reports/verdict.json is not what the policy says about the evidence",
            "run `clearance repair`, then run the pipeline again: it is judged anew",
        )
    chosen = (
        None if recorded["what_if"] else authorised_policy(home, settings.name, recorded["policy"]["sha256"])
    )
    today = None
    if chosen:
        today = policy.judge(chosen, judge.gather(folder), policy.declared(settings.data), day)
    return Case(
        verdict=recorded,
        has_model=has_model,
        promotion=chosen.promotion if chosen else None,
        today=today,
        day=day,
    )


def authorised_policy(home: Path, name: str, sha256: str) -> rules.Policy | None:
    """The policy that is authorised for the model, when it is the very one that judged; else None."""
    found = authorised.find(home, name)
    if found is None or artifacts.sha256(home / found.policy) != sha256:
        return None
    return policy.load(home / found.policy)


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What the steps of a promotion act on. `fence` is the right to change this model's champion.

    `override` tells of the override by which the version is let through, if any.
    """

    office: Office
    server: registry.Server
    name: str
    recalled: recall.Recalled
    standing: approvals.Standing
    fence: ledger.Fence
    override: str | None = None

    @property
    def candidate(self) -> registry.Version:
        """The version that would be champion."""
        return self.recalled.version

    def observe(self, obstacle: Ending | None) -> State:
        """What ledger and registry hold now. Raises IntegrityError when the alias is not the ledger's."""
        entries = self.office.entries(self.name)
        reign, pending = matters.champion(entries, self.name), ledger.unfinished(entries, self.name)
        pointed = registry.champion(self.server, self.name)
        aliased = number_of(self.server, self.name, pointed)
        if not pending:
            ensure_alias(self.name, pointed, aliased, reign)
        return State(
            obstacle=obstacle,
            candidate=self.candidate,
            copy=registry.find_version(self.server, self.name, str(self.candidate.fingerprint)),
            champion=pointed,
            reigning=reign.version if reign else None,
            served=frozenset(ledger.served(entries, self.name)),
            pending=was_done(pending[0], aliased, pointed) if pending else None,
        )

    def act(self, step: Step, state: State) -> None:
        """Take one step."""
        if step is Step.COPY:
            registry.copy(self.server, self.candidate, self.name)
        elif step is Step.CROWN and state.copy:
            recall.ensure_files(self.server, state.copy, self.recalled.bundle)
            registry.mark(self.server, state.copy, self._notes())
            self.office.record(self._intent(), fence=self.fence)
            ledger.ensure(self.office.book, self.fence)
            registry.crown(self.server, state.copy)
        elif step in (Step.CONFIRM, Step.ABANDON):
            settle(self.office, self.name, self.fence, done=step is Step.CONFIRM)

    def _intent(self) -> ledger.Draft:
        """What is about to be done, and who allowed it until when."""
        about = {"version": self.candidate.number, "content": self.recalled.bundle.digest}
        until = self.standing.until
        allowed = {
            "allowed_by": [vote.person.identity for vote in self.standing.stands],
            "override_until": until and until.date().isoformat(),
            **({"override": self.override} if self.override else {}),
        }
        return self.office.draft(Kind.INTENT, self.name, step=Kind.PROMOTION, **about, **allowed)

    def _notes(self) -> dict[str, str]:
        notes = matters.notes((), self.candidate.number, demo=self.recalled.bundle.evidence.demo)
        return notes | ({matters.OVERRIDE: self.override} if self.override else {})


def settle(office: Office, name: str, fence: ledger.Fence, *, done: bool) -> None:
    """End every change that was begun and never ended: as done, or as given up."""
    for intent in ledger.unfinished(office.entries(name), name):
        body = {key: value for key, value in intent.body.items() if key != "step"}
        kind = Kind(intent.body["step"]) if done else Kind.REPAIR
        office.record(office.draft(kind, name, **body, intent=intent.number), fence=fence)


def was_done(intent: ledger.Entry, aliased: int | None, pointed: registry.Version | None) -> bool:
    """Whether what was intended was done before the crash: the alias says."""
    if intent.body["step"] == Kind.RETIREMENT:
        return pointed is None
    return aliased is not None and aliased == intent.body["version"]


def number_of(server: registry.Server, name: str, version: registry.Version | None) -> int | None:
    """The candidate's number of a version of `name`; None for none, or one that was never a candidate."""
    if version is None or version.fingerprint is None:
        return None
    found = registry.find_version(server, registry.candidate_name(name), version.fingerprint)
    return found.number if found else None


def ensure_alias(
    name: str, pointed: registry.Version | None, aliased: int | None, reign: ledger.Reign | None
) -> None:
    """Raise IntegrityError unless the alias points where the ledger says."""
    if pointed is None and reign is None:
        return
    if pointed is not None and reign is not None and aliased == reign.version:
        return
    now = f"points at {pointed}" if pointed else "is gone"
    by = f"candidate {reign.version} (entry {reign.number})" if reign else "nobody"
    mend = f"`clearance rollback --to {reign.version}`" if reign else "delete the alias in MLflow"
    raise IntegrityError(
        f"the alias `champion` of {name} {now}, and the ledger's champion is {by}",
        f"find out who moved it; {mend} puts it right, then repeat this",
    )


def hear(
    office: Office,
    server: registry.Server,
    recalled: recall.Recalled,
    day: dt.date,
    *,
    entries: Sequence[ledger.Entry] | None = None,
    now: dt.datetime | None = None,
) -> Hearing:
    """Who agrees to the version, and what is in the way: as of now, or of an earlier state of the ledger.

    Nothing is changed.
    """
    evidence, name = recalled.bundle.evidence, recalled.bundle.evidence.model
    case = examine(recalled.settings, office.root, recalled.folder, day)
    entries = office.entries(name) if entries is None else entries
    chosen = authorised_policy(office.root, name, case.verdict["policy"]["sha256"])
    listed = authorised.find(office.root, name)
    at = matters.matter(entries, name, recalled.bundle, recalled.version.number, evidence.judged.id)
    unpushed = None
    if remote.default(office.root) and not recalled.proposed.pushed:
        unpushed = (
            "Its data and outputs are not at the DVC remote: run `clearance release` where it was made."
        )
    case = replace(
        case,
        unpushed=unpushed,
        uncommitted=_uncommitted(recalled.bundle, chosen),
        compared=_compared(entries, at, chosen, day),
    )
    asked = matters.asked(chosen, listed.tier) if chosen and listed else None
    if chosen and listed and asked is None:
        case = replace(case, promotion=None, tier=listed.tier)
    since = bundle_of_champion(office, server, entries, name) if at.champion else None
    made = matters.makers(office.root, office.roles, recalled.proposed, recalled.bundle, since)
    standing = matters.standing(
        entries,
        asked or _NOBODY,
        at,
        office.roles,
        made,
        failed=case.failed,
        now=now or office.now(),
    )
    against = matters.compared(entries, at.version) if at.comparison else {}
    return Hearing(
        case=case, matter=at, standing=standing, failed=case.failed, needs=against.get("approvals", 0)
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


def carry_out(acting: Promotion, obstacle: Ending | None) -> tuple[Ending, State]:
    """Take step after step until nothing is left to do. Raises TransientError when a step does not last."""
    taken: list[Step] = []
    state = acting.observe(obstacle)
    while isinstance(todo := promotion.decide(state), Step):
        if taken.count(todo) == 2:
            raise TransientError(f"MLflow does not keep this step: {todo}", "repeat this")
        acting.act(todo, state)
        taken.append(todo)
        state = acting.observe(obstacle)
    return (replace(todo, status=Status.PROMOTED) if Step.CROWN in taken else todo), state


def promote(
    office: Office, server: registry.Server, name: str, number: int, day: dt.date, *, asked: bool = False
) -> tuple[Ending, State]:
    """Promote candidate `number` of the model `name` if it may be, and say how that ended.

    A "no" is recorded; that it still waits for approvals only where the promotion itself was `asked` for.
    Raises IntegrityError when ledger, alias or evidence do not verify, ConfigurationError when there is no
    such candidate, BusyError when another promotion of the model does not end.
    """
    office.ensure_sound()
    with office.attempting("promote", name, version=number):
        return _promoted(office, server, name, number, day, asked=asked)


def _promoted(
    office: Office, server: registry.Server, name: str, number: int, day: dt.date, *, asked: bool
) -> tuple[Ending, State]:
    version = registry.find_number(server, registry.candidate_name(name), number)
    if version is None:
        raise ConfigurationError(
            f"{registry.candidate_name(name)} has no version {number}", "look with `clearance ledger show`"
        )
    with ledger.lock(office.book, name) as fence, tempfile.TemporaryDirectory() as temporary:
        recalled = recall.recall(office, server, version, office.entries(name), Path(temporary))
        found = hear(office, server, recalled, day)
        obstacle = promotion.obstacle(found.case, found.standing, found.needs)
        if obstacle is None and not office.may(Right.PROMOTE):
            who = office.acting.person.identity
            why = f"All who must agree do, and {who} may not promote: ask an operator to."
            obstacle = Ending(status=Status.NOT_PROMOTED, reason=why)
        acting = Promotion(
            office=office,
            server=server,
            name=name,
            recalled=recalled,
            standing=found.standing,
            fence=fence,
            override=matters.override(found.standing),
        )
        ending, state = carry_out(acting, obstacle)
        if ending.status is Status.NOT_PROMOTED or (asked and not _is_champion(ending)):
            note(office, name, number, recalled.bundle.digest, ending, again=asked)
        return ending, state


def _is_champion(ending: Ending) -> bool:
    return ending.status in (Status.PROMOTED, Status.CHAMPION)


def note(office: Office, name: str, number: int, content: str, ending: Ending, *, again: bool) -> None:
    """Record that the version was not promoted, and why; without `again` once for each reason and person."""
    said = {"version": number, "content": content, "reason": ending.reason}
    known = (each for each in office.entries(name) if each.kind == Kind.REFUSAL)
    if not again and any(each.keyid == office.keyid and each.body == said for each in known):
        return
    office.record(office.draft(Kind.REFUSAL, name, **said))


def main() -> None:
    """Promote the candidate named as the only argument, as of today."""
    root = Path.cwd()
    day = dt.datetime.now(dt.UTC).date()
    name = params.load(root / "params.yaml").name
    with opened(root) as office:
        office.demand(Right.PROMOTE, name, f"promote {name}")
        ending, state = promote(office, registry.connect(), name, int(sys.argv[1]), day, asked=True)
    logger.info("%s: %s", ending.status, ending.reason)
    if not _is_champion(ending):
        sys.exit(ExitCode.REFUSED)
    logger.info("champion: %s", state.champion)


if __name__ == "__main__":
    stage.run(main)
