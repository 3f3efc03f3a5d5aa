"""The evidence of one version as documents read it: every file verified, with what the ledger says about it.

Reads from the registry by the digests of the signed evidence, and from the ledger up to a moment. Decides
nothing. What is composed here, and is no file, has a name below `composed/`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import params, paths, registry
from clearance.documentation import faults, ledger_record
from clearance.documents.verdict_document import VerdictDocument
from clearance.ledger import Entry
from clearance.policy import policy_file
from clearance.policy.schema import Policy
from clearance.promotion import candidate, version_record
from clearance.promotion.session import ReadOnlySession, open_read_only
from clearance.reporting.card import card_text
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefact
from clearance.reporting.technical_file import sources
from clearance.trust.evidence_bundle import Bundle


@dataclass(frozen=True, kw_only=True)
class VersionEvidence:
    """What documents about a version read.

    `known` are its artefacts by path: the evidence documents, `params.yaml`, the policy, the signed bundle
    and the ledger's record up to `at` (UTC). `policy` and `verdict` are two of them, typed.
    """

    model: str
    version: int
    at: dt.datetime
    known: Mapping[str, Artefact]
    policy: Policy
    verdict: VerdictDocument
    bundle: Bundle


def read(root: Path, version: int | None = None, at: dt.datetime | None = None) -> VersionEvidence:
    """The evidence of a version at a moment; without a version, that of the champion then, else the last one.

    Raises ConfigurationError where there is no such version, IntegrityError where its evidence is lost or is
    not what was signed.
    """
    with _opened(root, at) as opened:
        return _read(root, opened, opened.default_version if version is None else version)


def read_two(root: Path, first: int, second: int | None) -> tuple[VersionEvidence, VersionEvidence]:
    """The evidence of two versions now; the second one is the champion where it is not named.

    Raises as `read` does, and ConfigurationError where there is no champion.
    """
    with _opened(root, None) as opened:
        if second is None:
            tenure = version_record.champion(opened.entries, opened.name)
            if tenure is None:
                raise faults.NO_CHAMPION(name=opened.name, version=first)
            second = tenure.version
        return _read(root, opened, first), _read(root, opened, second)


@dataclass(frozen=True, kw_only=True)
class _Ledger:
    """The ledger of a model, read up to the moment `at`."""

    reader: ReadOnlySession
    name: str
    at: dt.datetime
    entries: Sequence[Entry]

    @property
    def day(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} UTC"

    @property
    def default_version(self) -> int:
        """The champion of that moment, else the version that was proposed last."""
        if tenure := version_record.champion(self.entries, self.name):
            return tenure.version
        proposed = ledger_record.proposed_versions(self.entries)
        if not proposed:
            raise faults.NO_VERSION(name=self.name, at=self.day)
        return proposed[-1]


@contextmanager
def _opened(root: Path, at: dt.datetime | None) -> Iterator[_Ledger]:
    name = params.load(root / paths.PARAMS).name
    with open_read_only(root) as reader:
        moment = reader.now() if at is None else at if at.tzinfo else at.replace(tzinfo=dt.UTC)
        entries = [entry for entry in reader.entries(name) if entry.at <= moment]
        yield _Ledger(reader=reader, name=name, at=moment, entries=entries)


def _read(root: Path, opened: _Ledger, version: int) -> VersionEvidence:
    reader, name = opened.reader, opened.name
    if version not in ledger_record.proposed_versions(opened.entries):
        raise faults.VERSION_UNKNOWN(name=name, version=version, at=opened.day)
    record = version_record.fold(opened.entries, name, version, reader.roles)
    with candidate.open_verified(reader, registry.connect(), record) as verified:
        folder, bundle = verified.folder, verified.bundle
        names = sorted(path for path in bundle.evidence.outs if (folder / path).is_file())
        known = artefacts.read(folder, [*map(Path, names), paths.PARAMS, Path(bundle.evidence.judged.file)])
        policy = policy_file.load(verified.policy_file, recorded=True)
        verdict = VerdictDocument.read(folder)
    if (root / paths.CARD_TEXT).is_file():
        card_text.load(root / paths.CARD_TEXT)  # raises an error that says what is wrong with it
        known |= artefacts.read(root, [paths.CARD_TEXT])
    known[sources.BUNDLE] = Artefact(content=_bundle_content(bundle), sha256=bundle.digest)
    known[sources.LEDGER] = sources.artefact(ledger_record.content(record, bundle, reader.roles, opened.at))
    return VersionEvidence(
        model=name, version=version, at=opened.at, known=known, policy=policy, verdict=verdict, bundle=bundle
    )


def _bundle_content(bundle: Bundle) -> dict[str, Any]:
    """What the bundle says, without the texts that are artefacts of their own."""
    content = bundle.evidence.model_dump(mode="json", exclude={"lock", "params", "judged"})
    return {"digest": bundle.digest, "files": dict(bundle.files), **content}
