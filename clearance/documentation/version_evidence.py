"""The evidence of one version as documents read it: every file verified, with what the ledger says about it.

Reads from the registry by the digests of the signed evidence, and from the ledger up to a moment. Decides
nothing. What is lost is left out, so that it becomes a gap; what is composed here, and is no file, has a name
below `composed/`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clearance import params, paths, registry
from clearance.documentation import faults, ledger_record, version_card, version_files, world
from clearance.documentation.world import LedgerUntil
from clearance.policy import policy_file
from clearance.policy.schema import Policy
from clearance.promotion import version_record
from clearance.promotion.session import ReadOnlySession, open_read_only
from clearance.reporting.card import card_text
from clearance.reporting.card.formats import locked_packages
from clearance.reporting.claims import artefacts
from clearance.reporting.claims.artefacts import Artefact
from clearance.reporting.technical_file import sources
from clearance.trust.evidence_bundle import Bundle

_FETCHED = (*version_files.ARTEFACTS, paths.VERDICT)


@dataclass(frozen=True, kw_only=True)
class VersionEvidence:
    """What documents about a version read.

    `known` are its artefacts by path: the evidence documents, `params.yaml`, the policy, the signed bundle,
    the ledger's record up to `at` (UTC), and the project's `card.yaml` of now. `policy_file` names the policy
    among them. `packages` are those of its lock, by name; None where the lock is lost.
    """

    model: str
    version: int
    at: dt.datetime
    known: Mapping[str, Artefact]
    policy: Policy
    policy_file: str
    packages: Mapping[str, str] | None


def read(root: Path, version: int | None = None, at: dt.datetime | None = None) -> VersionEvidence:
    """The evidence of a version at a moment; without a version, that of the champion then, else the last one.

    Raises ConfigurationError where there is no such version or `card.yaml` is not valid, IntegrityError where
    the evidence bundle is lost or is not what was signed.
    """
    with _opened(root, at) as (reader, until):
        return _read(root, reader, until, version_card.default_version(until) if version is None else version)


def read_two(root: Path, first: int, second: int | None) -> tuple[VersionEvidence, VersionEvidence]:
    """The evidence of two versions now; the second one is the champion where it is not named.

    Raises as `read` does, and ConfigurationError where there is no champion.
    """
    with _opened(root, None) as (reader, until):
        if second is None:
            tenure = version_record.champion(until.entries, until.model)
            if tenure is None:
                raise faults.NO_CHAMPION(name=until.model, version=first)
            second = tenure.version
        return _read(root, reader, until, first), _read(root, reader, until, second)


@contextmanager
def _opened(root: Path, at: dt.datetime | None) -> Iterator[tuple[ReadOnlySession, LedgerUntil]]:
    name = params.load(root / paths.PARAMS).name
    with open_read_only(root) as reader:
        moment = reader.now() if at is None else at if at.tzinfo else at.replace(tzinfo=dt.UTC)
        yield reader, LedgerUntil.of(reader.entries(name), name, moment)


def _read(root: Path, reader: ReadOnlySession, until: LedgerUntil, version: int) -> VersionEvidence:
    version_card.ensure_proposed(until, reader.entries(until.model), version)
    record = version_record.fold(until.entries, until.model, version, reader.roles)
    with version_files.fetched(reader, registry.connect(), record, _FETCHED) as fetched:
        folder, bundle = fetched.folder, fetched.bundle
        judged_by = bundle.evidence.judged.file
        known = artefacts.read(folder, [*_FETCHED, paths.PARAMS, Path(judged_by)])
        policy = policy_file.load(folder / judged_by, recorded=True)
        packages = _packages(folder / paths.REQUIREMENTS_LOCK)
    known |= _present_card_text(root)
    known[sources.BUNDLE] = Artefact(content=_bundle_content(bundle), sha256=bundle.digest)
    known[sources.COUNTS] = world.artefacts(until, version)[world.LEDGER]
    known[sources.LEDGER] = sources.artefact(ledger_record.content(record, bundle, reader.roles, until.at))
    return VersionEvidence(
        model=until.model,
        version=version,
        at=until.at,
        known=known,
        policy=policy,
        policy_file=judged_by,
        packages=packages,
    )


def _present_card_text(root: Path) -> dict[str, Artefact]:
    """The project's `card.yaml` of now, where there is one. Raises ConfigurationError if it is not valid."""
    if not (root / paths.CARD_TEXT).is_file():
        return {}
    card_text.load(root / paths.CARD_TEXT)
    return {sources.PRESENT_CARD_TEXT: artefacts.read(root, [paths.CARD_TEXT])[paths.CARD_TEXT.as_posix()]}


def _packages(lock: Path) -> Mapping[str, str] | None:
    if not lock.is_file():
        return None
    listed = locked_packages.parse(lock.read_text(encoding="utf-8"))
    return {package.name.lower(): package.version for package in listed}


def _bundle_content(bundle: Bundle) -> dict[str, Any]:
    """What the bundle says, without the texts that are artefacts of their own."""
    content = bundle.evidence.model_dump(mode="json", exclude={"lock", "params", "judged"})
    return {"digest": bundle.digest, "files": dict(bundle.files), **content}
