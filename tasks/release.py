"""Effect: the judged model is registered as a candidate and, where evidence and policy allow, made champion.

Run twice, or killed and run again, it ends in the same state. Whatever is missing or does not match
promotes nothing. Whether a model may is decided in `clearance.promotion`.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clearance import artifacts, lineage, params, promotion, registry, remote, stage
from clearance.errors import IntegrityError, ReleaseRefused, TransientError
from clearance.judging import authorised, policy
from clearance.promotion import Case, Ending, State, Status, Step
from clearance.telling import reuse, summary
from tasks import judge, track

RECEIPT = Path(".clearance/release.json")
THROW_AWAY = ("CI", "CLEARANCE_EPHEMERAL")

logger = logging.getLogger(__name__)


def examine(settings: params.Params, verified: lineage.Lineage, day: dt.date, *, has_model: bool) -> Case:
    """Judge again from the evidence: as of the recorded day as a check, as of `day` for the decision.

    Raises IntegrityError when the recorded verdict is not what the evidence gives, ConfigurationError when
    the list of authorised policies is faulty.
    """
    root = verified.root
    recorded = verified.read_json(lineage.VERDICT)
    if recorded != json.loads(artifacts.dumps(judge.judge(settings, root))):
        raise IntegrityError(
            f"{lineage.VERDICT} is not what the policy says about the evidence",
            "run `clearance repair`, then run the pipeline again: it is judged anew",
        )
    allowed = today = None
    file = None if recorded["what_if"] else authorised.policy_for(root, settings.name)
    if file and artifacts.sha256(root / file) == recorded["policy"]["sha256"]:
        chosen = policy.load(root / file)
        allowed = chosen.promotion
        today = policy.judge(chosen, judge.gather(root), policy.declared(settings.data), day)
    return Case(verdict=recorded, has_model=has_model, promotion=allowed, today=today, day=day)


def demand_shared(server: registry.Server, kept: remote.Remote | None) -> None:
    """Raise ReleaseRefused on a CI runner or cloned worker whose registry or remote would end with it."""
    where = next((name for name in THROW_AWAY if _is_set(name)), None)
    if where is None:
        return
    if not server.shared:
        raise ReleaseRefused(
            f"{where} is set, and MLflow at {' and '.join(server.addresses)} would end with this machine",
            "set MLFLOW_TRACKING_URI to a shared server",
        )
    if kept is None or kept.inside:
        raise ReleaseRefused(
            f"{where} is set, and no shared DVC remote is configured to keep data and models",
            "add one: `dvc remote add --default NAME URL`",
        )


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() not in {"", "0", "false", "no", "off"}


@dataclass(frozen=True, kw_only=True)
class Release:
    """What the steps of a release act on. `tags` are what every version of this model must say."""

    name: str
    verified: lineage.Lineage
    server: registry.Server
    tracked: registry.Tracked
    described: registry.Description | None
    tags: Mapping[str, str]

    def observe(self, obstacle: Ending | None, *, pushed: bool) -> State:
        """What the registry holds now."""
        content = self.verified.fingerprint
        return State(
            obstacle=obstacle,
            candidate=registry.find_version(self.server, registry.candidate_name(self.name), content),
            copy=registry.find_version(self.server, self.name, content),
            champion=registry.champion(self.server, self.name),
            pushed=pushed,
        )

    def act(self, step: Step, state: State) -> State:
        """Take one step, and read again what the registry holds."""
        if step is Step.REGISTER:
            name = registry.candidate_name(self.name)
            registry.register(self.server, name, self.tracked, self.verified.fingerprint, self.tags)
        elif step is Step.PUSH:
            remote.push(self.verified.root)
        elif step is Step.COPY and state.candidate:
            self.hold(state.candidate)
            registry.copy(self.server, state.candidate, self.name)
        elif step is Step.CROWN and state.copy:
            self.hold(state.copy)
            registry.crown(self.server, state.copy)
        elif step is Step.CONFIRM and state.champion:
            registry.mark_released(self.server, state.champion)
        return self.observe(state.obstacle, pushed=state.pushed or step is Step.PUSH)

    def hold(self, version: registry.Version) -> None:
        """Raise IntegrityError unless the version is what was judged: what its tags say, and its files."""
        for key, value in self.tags.items():
            if version.tags.get(key) != value:
                raise IntegrityError(
                    f"{version}: its tag {key} is not what was judged",
                    "find out who wrote it, delete that version in MLflow, then repeat this",
                )
        if self.described is None:
            raise IntegrityError(f"{version} exists, and no model was trained", "run the pipeline again")
        registry.verify_files(self.server, version, self.described)


def carry_out(release: Release, obstacle: Ending | None, *, pushed: bool) -> tuple[Ending, State]:
    """Take step after step until nothing is left to do. Raises TransientError when a step does not last."""
    taken: list[Step] = []
    state = release.observe(obstacle, pushed=pushed)
    while isinstance(todo := promotion.decide(state), Step):
        if taken.count(todo) == (2 if todo is Step.CONFIRM else 1):
            raise TransientError(f"MLflow does not keep this step: {todo}", "repeat this")
        state = release.act(todo, state)
        taken.append(todo)
    for version, held_by in ((state.candidate, Step.COPY), (state.copy, Step.CROWN)):
        if version and held_by not in taken:
            release.hold(version)
    return (replace(todo, status=Status.PROMOTED) if Step.CROWN in taken else todo), state


def receipt(
    ending: Ending, verdict: Mapping[str, Any], fingerprint: str, state: State | None
) -> dict[str, Any]:
    """What happened, for the flow and the command line to show."""
    return {
        "status": ending.status,
        "reason": ending.reason,
        "fingerprint": fingerprint,
        "verdict": verdict["verdict"],
        "is_champion": ending.status in (Status.PROMOTED, Status.CHAMPION),
        "candidate": _named(state.candidate if state else None),
        "champion": _named(state.champion if state else None),
    }


def _named(version: registry.Version | None) -> dict[str, Any] | None:
    return None if version is None else {"name": version.name, "version": version.number}


def release(root: Path, day: dt.date) -> dict[str, Any]:
    """Release the project at `root` as of `day`, and return the receipt.

    Raises IntegrityError when evidence is missing or does not match, ReleaseRefused where this machine may
    not release, UnavailableError when MLflow or the remote does not answer.
    """
    settings = params.load(root / "params.yaml")
    verified = lineage.verify(root)
    described = registry.describe(verified)
    case = examine(settings, verified, day, has_model=described is not None)
    obstacle = promotion.obstacle(case)
    if obstacle and obstacle.status is Status.WHAT_IF:
        return receipt(obstacle, case.verdict, verified.fingerprint, None)
    server, kept = registry.connect(), remote.default(root)
    demand_shared(server, kept)
    tracked = registry.find(server, settings.experiment, verified.fingerprint)
    if tracked is None or not tracked.complete:
        raise IntegrityError(
            "MLflow has no complete run of this model", "run `clearance track`, then repeat this"
        )
    ending, state = carry_out(
        Release(
            name=settings.name,
            verified=verified,
            server=server,
            tracked=tracked,
            described=described,
            tags=track.tags(case.verdict, described),
        ),
        obstacle,
        pushed=kept is None,
    )
    done = receipt(ending, case.verdict, verified.fingerprint, state)
    rows = track.test_rows(verified.read_json("reports/split.json")) if described else None
    if rows is None:
        return done | {"test_uses": None}
    uses = registry.count_test_uses(server, rows)
    reuse.keep(root, rows, uses, day)
    return done | {"test_uses": uses}


def main() -> None:
    """Release the project in the working folder as of today, say what happened, leave a receipt."""
    root = Path.cwd()
    (root / RECEIPT).unlink(missing_ok=True)
    done = release(root, dt.datetime.now(dt.UTC).date())
    artifacts.write_json(root / RECEIPT, done)
    verdict = summary.read(root)
    logger.info(summary.title(verdict))
    if found := done["candidate"]:
        logger.info("registered: %s version %s", found["name"], found["version"])
    if found := done["champion"]:
        logger.info("champion: %s version %s", found["name"], found["version"])
    logger.info("%s: %s", done["status"], done["reason"])
    if uses := done.get("test_uses"):
        track.tell_test_uses(uses, verdict["policy"])


if __name__ == "__main__":
    stage.run(main)
