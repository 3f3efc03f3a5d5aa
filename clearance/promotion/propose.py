"""A judged model as a candidate: registered, its evidence signed and proposed, compared with the champion.

What was done already is not done again: killed and run again, it ends in the same state. It promotes nothing.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import files, in_toto, installation, isolation, params, paths, registry
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.measurement import Outcome
from clearance.documents.split_document import SplitDocument
from clearance.documents.training_document import TrainingDocument
from clearance.documents.verdict_document import VerdictDocument
from clearance.errors import IntegrityError
from clearance.ledger import EntryKind, events
from clearance.policy import schema
from clearance.promotion import candidate, container, faults, recomparison, review, version_record
from clearance.promotion.session import LedgerSession
from clearance.registry import run_record
from clearance.reporting import summary
from clearance.trust import dsse, evidence_bundle
from clearance.trust.roles import Right
from clearance.versioning import git, pipeline_state

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CandidateRelease:
    """What a release acts on. `policy` is the authorised one; every version of the model has these `tags`."""

    session: LedgerSession
    settings: params.Params
    verified: pipeline_state.PipelineState
    server: registry.MlflowServer
    tracked: registry.TrackedRun
    described: registry.ModelDescription
    verdict: VerdictDocument
    policy: schema.Policy | None
    tags: Mapping[str, str]

    def register(self) -> registry.Version:
        """The candidate of exactly this content. Raises IntegrityError unless it is what was judged.

        A number under which somebody has proposed other content is passed over: it stops nobody.
        """
        name, fingerprint = registry.candidate_name(self.settings.name), self.verified.fingerprint
        entries = self.session.entries(self.settings.name)
        while True:
            version = registry.register_version(
                self.server,
                name,
                self.tracked,
                fingerprint,
                self.tags,
                description=summary.brief(self.verdict),
            )
            proposal = version_record.find_proposal(entries, version.number)
            if proposal is None or proposal.fingerprint in ("", fingerprint):
                break
            registry.discard_version(self.server, version)
        for tag, value in self.tags.items():
            if version.tags.get(tag) != value:
                raise faults.TAG_CHANGED(version=version, tag=tag)
        registry.verify_files(self.server, version, self.described)
        return version

    def is_overridden(self, version: registry.Version) -> bool:
        """Whether somebody signed an override of its verdict, whether it counts or not."""
        return any(
            (override := entry.read(events.OverrideEvent)) is not None and override.version == version.number
            for entry in self.session.entries(self.settings.name)
        )

    def attest(self, version: registry.Version, *, pushed: bool) -> str:
        """Ensure that the version's evidence is signed, stored beside it and proposed; returns its digest.

        The first bundle of a version is the one that counts; a lost one is stored again.
        """
        name, file = (
            self.settings.name,
            self.verified.root / paths.EVIDENCE_BUNDLE / f"{self.verified.fingerprint}.json",
        )
        proposal = version_record.find_proposal(self.session.entries(name), version.number)
        if (
            proposal
            and file.is_file()
            and self.session.verify_envelope(dsse.read(file)).digest == proposal.content
        ):
            self._store(version, file, proposal.content)
            if pushed and not proposal.pushed:
                self._propose(version, proposal.content, pushed=True)
            return proposal.content
        if proposal is None:
            self.session.demand(Right.PROPOSE, name, f"propose {version}")
            digests = registry.model_file_digests(self.server, version)
            statement = evidence_bundle.statement_for(digests, self._evidence())
            dsse.write(file, self.session.sign(statement))
            content = in_toto.content_digest(statement)
            self._store(version, file, content)
            self._propose(version, content, pushed=pushed)
            return content
        if candidate.read_bundle(self.session, self.server, version, proposal).digest != proposal.content:
            raise faults.BUNDLE_NOT_PROPOSED(version=version)
        return proposal.content

    def _store_comparison(self, version: registry.Version, digest: str | None) -> None:
        """Store the recorded comparison beside the version again, where it is lost there and still here."""
        try:
            candidate.fetch_comparison(self.server, version, digest)
        except IntegrityError:
            file = self.verified.root / paths.COMPARISON
            if file.is_file() and files.sha256_json(files.read_json(file)) == digest:
                self._store_as(version, file, version_record.comparison_file(str(digest)))

    def _store(self, version: registry.Version, file: Path, content: str) -> None:
        """Store the bundle beside the version, unless it is there as it should be."""
        (keyid,) = self.session.verify_envelope(dsse.read(file)).keyids
        name = candidate.bundle_file(content, keyid)
        with tempfile.TemporaryDirectory() as folder:
            try:
                registry.fetch_files(self.server, version, [name], Path(folder))
                if files.sha256(Path(folder) / name) == files.sha256(file):
                    return
            except IntegrityError:
                pass
        self._store_as(version, file, name)

    def _store_as(self, version: registry.Version, file: Path, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / Path(name).name
            shutil.copyfile(file, copy)
            registry.store_evidence(self.server, version, copy)

    def _propose(self, version: registry.Version, content: str, *, pushed: bool) -> None:
        about = {"version": version.number, "content": content}
        outcome = {"outcome": str(self.verdict.verdict), "reasons": list(self.verdict.reasons)}
        name = self.settings.name
        self.session.record(
            self.session.draft(
                EntryKind.PROPOSAL,
                name,
                **about,
                fingerprint=self.verified.fingerprint,
                pushed=pushed,
                **self._declared(),
            ),
            self.session.draft(
                EntryKind.VERDICT,
                name,
                **about,
                **outcome,
                policy=self.verdict.policy.sha256,
                attempt=run_record.attempt_facts(self.settings, self.verdict, self._split()),
            ),
        )

    def _declared(self) -> dict[str, Any]:
        """What is only declared of a model made elsewhere, and by whom; empty for one trained here."""
        training = TrainingDocument.from_json(self.verified.read_json(paths.TRAINING.as_posix()))
        if isinstance(training, BlockedDocument) or (made := training.external) is None:
            return {}
        return {"declared": [fact.about for fact in made.declared], "declared_by": made.declared_by}

    def _split(self) -> SplitDocument | BlockedDocument:
        return SplitDocument.from_json(self.verified.read_json(paths.SPLIT.as_posix()))

    def _evidence(self) -> evidence_bundle.BundleEvidence:
        root, policy = self.verified.root, self.verdict.policy
        lock = (root / paths.DVC_LOCK).read_text(encoding="utf-8")
        state, installed = git.commit_state(root, lock), installation.ensure_unaltered()
        return evidence_bundle.BundleEvidence(
            model=self.settings.name,
            fingerprint=self.verified.fingerprint,
            demo=self.session.roles.demo,
            code=evidence_bundle.CodeState(commit=state.commit, changed=state.changed, unkept=state.unkept),
            lock=lock,
            params=(root / paths.PARAMS).read_text(encoding="utf-8"),
            overrides=dict(self.settings.overrides),
            judged=evidence_bundle.JudgedPolicy(
                file=policy.file,
                id=policy.id,
                version=policy.version,
                text=(root / policy.file).read_text(encoding="utf-8"),
                as_of=policy.as_of,
                outcome=str(self.verdict.verdict),
                sha256=self.verified.outs[pipeline_state.VERDICT],
            ),
            outs=dict(self.verified.outs),
            deps=dict(self.verified.deps),
            environment=files.sha256(root / paths.REQUIREMENTS_LOCK),
            python=self.described.python,
            installation=evidence_bundle.InstallationEvidence(
                digest=installed.digest, modules=installed.modules, isolated=isolation.is_isolated()
            ),
            image=container.image_digest(os.environ),
        )

    def compare(self, version: registry.Version, content: str, day: dt.date) -> None:
        """Compare with today's champion where the policy requires it and nobody did; record it signed."""
        name, policy = self.settings.name, self.policy
        if policy is None or policy.challenge is None or not policy.challenge.in_force(day):
            return
        record = version_record.fold(self.session.entries(name), name, version.number, self.session.roles)
        tenure, earlier = record.champion, record.comparison
        if tenure and tenure.version == version.number:
            return
        champion_content = tenure.content if tenure else None
        if earlier and earlier.champion == champion_content:
            self._store_comparison(version, earlier.comparison)
            return  # whoever promotes makes it again
        from clearance import comparison
        from clearance.comparison import compare  # with skops, scipy and pandas: only where it is needed

        bundle = review.champion_bundle(self.session, self.server, name, tenure)
        result = compare.compare(
            self.verified,
            policy.challenge,
            self.server,
            registry.champion(self.server, name) if tenure else None,
            recomparison.signed_digests(bundle) if bundle else None,
        )
        file, digest = compare.write(self.verified.root, result), comparison.digest(result)
        body = {
            "version": version.number,
            "content": content,
            "champion": champion_content,
            "comparison": digest,
            "outcome": str(result.outcome),
            "approvals": result.approvals,
            "reasons": [finding.reason for finding in result.findings if finding.outcome != Outcome.PASS],
        }
        statement = in_toto.statement({"comparison": digest}, version_record.COMPARISON, body)
        self._store_as(version, file, version_record.comparison_file(digest))
        self.session.compared.add(digest)
        envelope = self.session.sign(statement)
        self.session.record(self.session.draft(EntryKind.COMPARISON, name, **body, envelope=envelope))
        logger.info("\n".join(comparison.summary(files.read_json(file))))
