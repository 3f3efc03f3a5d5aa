"""A judged model as a candidate: registered, its evidence signed and proposed, compared with the champion.

What was done already is not done again: killed and run again, it ends in the same state. It promotes nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import comparison, files, in_toto, params, registry
from clearance.comparison import compare
from clearance.documents.measurement import Outcome
from clearance.errors import IntegrityError
from clearance.in_toto import content_digest
from clearance.ledger import EntryKind
from clearance.promotion import authorised_policy, review, version_record
from clearance.promotion.session import LedgerSession
from clearance.trust import dsse, evidence_bundle
from clearance.trust.roles import Right
from clearance.versioning import git, lineage

EVIDENCE = Path(".clearance/evidence")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CandidateRelease:
    """What a release acts on. `tags` are what every version of this model must say."""

    office: LedgerSession
    settings: params.Params
    verified: lineage.Lineage
    server: registry.MlflowServer
    tracked: registry.TrackedRun
    described: registry.ModelDescription
    verdict: Mapping[str, Any]
    tags: Mapping[str, str]

    def register(self) -> registry.Version:
        """The candidate of this very content. Raises IntegrityError unless it is what was judged."""
        name = registry.candidate_name(self.settings.name)
        version = registry.register_version(
            self.server, name, self.tracked, self.verified.fingerprint, self.tags
        )
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
            each.kind == EntryKind.OVERRIDE and each.body.get("version") == version.number for each in entries
        )

    def attest(self, version: registry.Version, *, pushed: bool) -> str:
        """See that the version's evidence is signed, kept beside it and proposed; returns its content digest.

        The first bundle of a version is the one that counts; a lost one is kept again.
        """
        name, file = self.settings.name, self.verified.root / EVIDENCE / f"{self.verified.fingerprint}.json"
        proposed = version_record.find_proposal(self.office.entries(name), version.number)
        if proposed and file.is_file() and self.office.opened(dsse.read(file)).digest == proposed.content:
            self._keep(version, file)
            if pushed and not proposed.pushed:
                self._propose(version, proposed.content, pushed=True)
            return proposed.content
        if proposed is None:
            self.office.demand(Right.PROPOSE, name, f"propose {version}")
            statement = evidence_bundle.statement_for(
                registry.model_file_digests(self.server, version), self._evidence()
            )
            dsse.write(file, self.office.sign(statement))
            self._keep(version, file)
            self._propose(version, content_digest(statement), pushed=pushed)
            return content_digest(statement)
        with tempfile.TemporaryDirectory() as folder:
            registry.fetch_files(self.server, version, [f"evidence/{evidence_bundle.NAME}"], Path(folder))
            dsse.write(file, dsse.read(Path(folder) / "evidence" / evidence_bundle.NAME))
        return proposed.content

    def _keep_comparison(self, version: registry.Version, digest: str) -> None:
        """Keep the recorded comparison beside the version again, where it is lost there and still here."""
        file = self.verified.root / compare.RECORD
        with tempfile.TemporaryDirectory() as folder:
            try:
                registry.fetch_files(self.server, version, [version_record.COMPARISON_FILE], Path(folder))
                kept = files.sha256_json(files.read_json(Path(folder) / version_record.COMPARISON_FILE))
            except IntegrityError:
                kept = None
        if kept != digest and file.is_file() and files.sha256_json(files.read_json(file)) == digest:
            registry.store_evidence(self.server, version, file)

    def _keep(self, version: registry.Version, file: Path) -> None:
        """Keep the bundle beside the version, unless it is there as it should be."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                registry.fetch_files(self.server, version, [f"evidence/{evidence_bundle.NAME}"], Path(folder))
                there = Path(folder) / "evidence" / evidence_bundle.NAME
                if files.sha256(there) == files.sha256(file):
                    return
            except IntegrityError:
                pass
            shutil.copyfile(file, Path(folder) / evidence_bundle.NAME)
            registry.store_evidence(self.server, version, Path(folder) / evidence_bundle.NAME)

    def _propose(self, version: registry.Version, content: str, *, pushed: bool) -> None:
        about = {"version": version.number, "content": content}
        outcome = {"outcome": self.verdict["verdict"], "reasons": self.verdict["reasons"]}
        name = self.settings.name
        self.office.record(
            self.office.draft(
                EntryKind.PROPOSAL, name, **about, fingerprint=self.verified.fingerprint, pushed=pushed
            ),
            self.office.draft(
                EntryKind.VERDICT, name, **about, **outcome, policy=self.verdict["policy"]["sha256"]
            ),
        )

    def _evidence(self) -> evidence_bundle.BundleEvidence:
        root, said = self.verified.root, self.verdict["policy"]
        lock = (root / "dvc.lock").read_text(encoding="utf-8")
        found = git.commit_state(root, lock)
        return evidence_bundle.BundleEvidence(
            model=self.settings.name,
            fingerprint=self.verified.fingerprint,
            demo=self.office.roles.demo,
            code=evidence_bundle.CodeState(commit=found.commit, changed=found.changed, unkept=found.unkept),
            lock=lock,
            params=(root / "params.yaml").read_text(encoding="utf-8"),
            overrides=dict(self.settings.overrides),
            judged=evidence_bundle.JudgedPolicy(
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
            environment=files.sha256(root / registry.LOCK),
            python=self.described.python,
        )

    def compare(self, version: registry.Version, content: str, day: dt.date) -> None:
        """Compare with today's champion, where the policy asks for it and nobody did; record it signed."""
        name = self.settings.name
        chosen = authorised_policy.authorised_now(
            self.office.root, name, self.verdict["policy"]["sha256"]
        ).policy
        if chosen is None or chosen.challenge is None or not chosen.challenge.in_force(day):
            return
        entries = self.office.entries(name)
        reign, before = (
            version_record.champion(entries, name),
            version_record.newest_comparison(entries, version.number, self.office.roles),
        )
        if reign and reign.version == version.number:
            return
        if before and before["champion"] == (reign.content if reign else None):
            self._keep_comparison(version, before["comparison"])
            return
        rival = registry.champion(self.server, name) if reign else None
        signed = review.champion_bundle(self.office, self.server, entries, name)
        vouched = _vouched(signed) if signed else None
        found = compare.compare(self.verified, chosen.challenge, self.server, rival, vouched)
        file, digest = compare.write(self.verified.root, found), comparison.digest(found)
        said = {
            "version": version.number,
            "content": content,
            "champion": reign.content if reign else None,
            "comparison": digest,
            "outcome": str(found.outcome),
            "approvals": found.approvals,
            "reasons": [each.reason for each in found.findings if each.outcome != Outcome.PASS],
        }
        sealed = self.office.sign(in_toto.statement({"comparison": digest}, version_record.COMPARISON, said))
        registry.store_evidence(self.server, version, file)
        self.office.record(self.office.draft(EntryKind.COMPARISON, name, **said, envelope=sealed))
        logger.info("\n".join(comparison.summary(files.read_json(file))))


def _vouched(signed: evidence_bundle.Bundle) -> registry.SignedDigests:
    said = signed.evidence
    return registry.SignedDigests(model=signed.files[registry.MODEL], outs=said.outs, params=said.params)
