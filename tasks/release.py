"""Effect: the judged model is registered as a candidate and, where evidence and policy allow, made champion.

Run twice, or killed and run again, it ends in the same state. Whatever is missing or does not match
promotes nothing. Whether a model may is decided in `clearance.promotion`.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import (
    artifacts,
    challenge,
    lineage,
    params,
    promotion,
    registry,
    remote,
    revision,
    stage,
)
from clearance.attesting import bundle, envelope, statement
from clearance.attesting.roles import Right
from clearance.attesting.statement import content_digest
from clearance.errors import IntegrityError, ReleaseRefused
from clearance.evidence import Outcome
from clearance.governance import authorisation, matters
from clearance.governance.office import Office, opened
from clearance.ledger import Kind
from clearance.promotion import Ending, Status
from clearance.telling import reuse, summary
from tasks import compare, hearing, promote, track

RECEIPT = Path(".clearance/release.json")
EVIDENCE = Path(".clearance/evidence")
THROW_AWAY = ("CI", "CLEARANCE_EPHEMERAL")

logger = logging.getLogger(__name__)


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
    """What a release acts on. `tags` are what every version of this model must say."""

    office: Office
    settings: params.Params
    verified: lineage.Lineage
    server: registry.Server
    tracked: registry.Tracked
    described: registry.Description
    verdict: Mapping[str, Any]
    tags: Mapping[str, str]

    def register(self) -> registry.Version:
        """The candidate of this very content. Raises IntegrityError unless it is what was judged."""
        name = registry.candidate_name(self.settings.name)
        version = registry.register(self.server, name, self.tracked, self.verified.fingerprint, self.tags)
        for key, value in self.tags.items():
            if version.tags.get(key) != value:
                raise IntegrityError(
                    f"{version}: its tag {key} is not what was judged",
                    "find out who wrote it, delete that version in MLflow, then repeat this",
                )
        registry.verify_files(self.server, version, self.described)
        return version

    def is_overridden(self, version: registry.Version) -> bool:
        """Whether somebody signed an override of its verdict, be it that it stands or not."""
        entries = self.office.entries(self.settings.name)
        return any(
            each.kind == Kind.OVERRIDE and each.body.get("version") == version.number for each in entries
        )

    def attest(self, version: registry.Version, *, pushed: bool) -> str:
        """See that the version's evidence is signed, kept beside it and proposed; returns its content digest.

        The first bundle of a version is the one that counts; a lost one is kept again.
        """
        name, file = self.settings.name, self.verified.root / EVIDENCE / f"{self.verified.fingerprint}.json"
        proposed = matters.proposed(self.office.entries(name), version.number)
        if proposed and file.is_file() and self.office.opened(envelope.read(file)).digest == proposed.content:
            self._keep(version, file)
            if pushed and not proposed.pushed:
                self._propose(version, proposed.content, pushed=True)
            return proposed.content
        if proposed is None:
            self.office.demand(Right.PROPOSE, name, f"propose {version}")
            statement = bundle.draft(registry.files(self.server, version), self._evidence())
            envelope.write(file, self.office.sign(statement))
            self._keep(version, file)
            self._propose(version, content_digest(statement), pushed=pushed)
            return content_digest(statement)
        with tempfile.TemporaryDirectory() as folder:
            registry.fetch(self.server, version, [f"evidence/{bundle.NAME}"], Path(folder))
            envelope.write(file, envelope.read(Path(folder) / "evidence" / bundle.NAME))
        return proposed.content

    def _keep_comparison(self, version: registry.Version, digest: str) -> None:
        """Keep the recorded comparison beside the version again, where it is lost there and still here."""
        file = self.verified.root / compare.RECORD
        with tempfile.TemporaryDirectory() as folder:
            try:
                registry.fetch(self.server, version, [matters.KEPT], Path(folder))
                kept = artifacts.sha256_json(artifacts.read_json(Path(folder) / matters.KEPT))
            except IntegrityError:
                kept = None
        if kept != digest and file.is_file() and artifacts.sha256_json(artifacts.read_json(file)) == digest:
            registry.keep(self.server, version, file)

    def _keep(self, version: registry.Version, file: Path) -> None:
        """Keep the bundle beside the version, unless it is there as it should be."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                registry.fetch(self.server, version, [f"evidence/{bundle.NAME}"], Path(folder))
                there = Path(folder) / "evidence" / bundle.NAME
                if artifacts.sha256(there) == artifacts.sha256(file):
                    return
            except IntegrityError:
                pass
            shutil.copyfile(file, Path(folder) / bundle.NAME)
            registry.keep(self.server, version, Path(folder) / bundle.NAME)

    def _propose(self, version: registry.Version, content: str, *, pushed: bool) -> None:
        about = {"version": version.number, "content": content}
        outcome = {"outcome": self.verdict["verdict"], "reasons": self.verdict["reasons"]}
        name = self.settings.name
        self.office.record(
            self.office.draft(
                Kind.PROPOSAL, name, **about, fingerprint=self.verified.fingerprint, pushed=pushed
            ),
            self.office.draft(
                Kind.VERDICT, name, **about, **outcome, policy=self.verdict["policy"]["sha256"]
            ),
        )

    def _evidence(self) -> bundle.Evidence:
        root, said = self.verified.root, self.verdict["policy"]
        lock = (root / "dvc.lock").read_text(encoding="utf-8")
        found = revision.state(root, lock)
        return bundle.Evidence(
            model=self.settings.name,
            fingerprint=self.verified.fingerprint,
            demo=self.office.roles.demo,
            code=bundle.Code(commit=found.commit, changed=found.changed, unkept=found.unkept),
            lock=lock,
            params=(root / "params.yaml").read_text(encoding="utf-8"),
            overrides=dict(self.settings.overrides),
            judged=bundle.Judged(
                file=said["file"],
                id=said["id"],
                version=said["version"],
                text=(root / said["file"]).read_text(encoding="utf-8"),
                as_of=said["as_of"],
                outcome=self.verdict["verdict"],
                sha256=self.verified.outs[lineage.VERDICT],
            ),
            outs=dict(self.verified.outs),
            deps=dict(self.verified.deps),
            environment=artifacts.sha256(root / registry.LOCK),
            python=self.described.python,
        )

    def compare(self, version: registry.Version, content: str, day: dt.date) -> None:
        """Compare with today's champion, where the policy asks for it and nobody did; record it signed."""
        name = self.settings.name
        chosen = authorisation.today(self.office.root, name, self.verdict["policy"]["sha256"]).policy
        if chosen is None or chosen.challenge is None or not chosen.challenge.in_force(day):
            return
        entries = self.office.entries(name)
        reign, before = (
            matters.champion(entries, name),
            matters.compared(entries, version.number, self.office.roles),
        )
        if reign and reign.version == version.number:
            return
        if before and before["champion"] == (reign.content if reign else None):
            self._keep_comparison(version, before["comparison"])
            return
        rival = registry.champion(self.server, name) if reign else None
        signed = hearing.bundle_of_champion(self.office, self.server, entries, name)
        vouched = _vouched(signed) if signed else None
        found = compare.compare(self.verified, chosen.challenge, self.server, rival, vouched)
        file, digest = compare.write(self.verified.root, found), challenge.digest(found)
        said = {
            "version": version.number,
            "content": content,
            "champion": reign.content if reign else None,
            "comparison": digest,
            "outcome": str(found.outcome),
            "approvals": found.approvals,
            "reasons": [each.reason for each in found.findings if each.outcome != Outcome.PASS],
        }
        sealed = self.office.sign(statement.statement({"comparison": digest}, matters.COMPARISON, said))
        registry.keep(self.server, version, file)
        self.office.record(self.office.draft(Kind.COMPARISON, name, **said, envelope=sealed))
        logger.info("\n".join(challenge.summary(artifacts.read_json(file))))


def receipt(
    ending: Ending,
    verdict: Mapping[str, Any],
    fingerprint: str,
    candidate: registry.Version | None = None,
    champion: registry.Version | None = None,
    *,
    notes: Sequence[str] = ("", ""),
) -> dict[str, Any]:
    """What happened, for the flow and the command line to show.

    `notes` are what must be said of the candidate, and of the champion, wherever they are named.
    """
    return {
        "status": ending.status,
        "reason": ending.reason,
        "fingerprint": fingerprint,
        "verdict": verdict["verdict"],
        "is_champion": ending.status in (Status.PROMOTED, Status.CHAMPION),
        "candidate": _named(candidate, notes[0]),
        "champion": _named(champion, notes[1]),
    }


def _named(version: registry.Version | None, note: str) -> dict[str, Any] | None:
    if version is None:
        return None
    return {"name": version.name, "version": version.number} | ({"note": note} if note else {})


def _vouched(signed: bundle.Bundle) -> registry.Vouched:
    said = signed.evidence
    return registry.Vouched(model=signed.files[registry.MODEL], outs=said.outs, params=said.params)


def _notes(office: Office, name: str, numbers: Sequence[int | None]) -> list[str]:
    """What must be said of each of these candidates; nothing of None."""
    entries, demo = office.entries(name), office.roles.demo
    said = [{} if each is None else matters.notes(entries, each, demo=demo) for each in numbers]
    return ["; ".join(each.values()) for each in said]


def release(root: Path, day: dt.date) -> dict[str, Any]:
    """Release the project at `root` as of `day`, and return the receipt.

    Raises IntegrityError when evidence is missing or does not match, ReleaseRefused where this machine or
    this person may not release, UnavailableError when MLflow or the remote does not answer.
    """
    settings = params.load(root / "params.yaml")
    verified = lineage.verify(root)
    described = registry.describe(verified)
    home = revision.checkout_of(root)
    case = hearing.examine(settings, home, root, day, has_model=described is not None)
    first = promotion.obstacle(case)
    if first and first.status is Status.WHAT_IF:
        return receipt(first, case.verdict, verified.fingerprint)
    server, kept = registry.connect(), remote.default(root)
    demand_shared(server, kept)
    tracked = registry.find(server, settings.experiment, verified.fingerprint)
    if tracked is None or not tracked.complete:
        raise IntegrityError(
            "MLflow has no complete run of this model", "run `clearance track`, then repeat this"
        )
    with opened(home) as office:
        if described is None:
            ending = Ending(status=Status.NO_MODEL, reason=first.reason if first else "")
            return receipt(ending, case.verdict, verified.fingerprint) | {"test_uses": None}
        acting = Release(
            office=office,
            settings=settings,
            verified=verified,
            server=server,
            tracked=tracked,
            described=described,
            verdict=case.verdict,
            tags=track.tags(case.verdict, described),
        )
        with office.attempting("release", settings.name, fingerprint=verified.fingerprint):
            version = acting.register()
            pushed = bool(kept) and (not case.failed or acting.is_overridden(version))
            if pushed:
                remote.push(root)
            acting.compare(version, acting.attest(version, pushed=pushed), day)
        ending, state = promote.promote(office, server, settings.name, version.number, day)
        notes = _notes(office, settings.name, (version.number, state.reigning))
    done = receipt(ending, case.verdict, verified.fingerprint, state.candidate, state.champion, notes=notes)
    rows = track.test_rows(verified.read_json("reports/split.json"))
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
        logger.info("registered: %s", summary.named(found))
    if found := done["champion"]:
        logger.info("champion: %s", summary.named(found))
    logger.info("%s: %s", done["status"], done["reason"])
    if uses := done.get("test_uses"):
        track.tell_test_uses(uses, verdict["policy"])


if __name__ == "__main__":
    stage.run(main)
