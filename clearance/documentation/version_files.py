"""The documents of a version and the artefacts they rest on, fetched and compared with signed evidence.

What is lost or altered is left out and named: it is for the caller to say what that means.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clearance import files, paths, registry
from clearance.errors import IntegrityError
from clearance.promotion import candidate, faults
from clearance.promotion.session import ReadOnlySession
from clearance.promotion.version_record import VersionRecord
from clearance.trust import evidence_bundle

ARTEFACTS = (paths.ORIGIN, *paths.EVIDENCE, paths.REASONS, paths.CARD_TEXT, paths.REQUIREMENTS_LOCK)
"""What documents are made from, with the parameters and the policy of the bundle."""
_BESIDE_REPORTS = (paths.ORIGIN, paths.CARD_TEXT, paths.REQUIREMENTS_LOCK, paths.MODEL)


@dataclass(frozen=True, kw_only=True)
class VersionFiles:
    """A version with its documents and artefacts below `folder`, for a while.

    `lost` says of each one that is not there why, by its path.
    """

    version: registry.Version
    bundle: evidence_bundle.Bundle
    folder: Path
    lost: Mapping[str, str]


@contextmanager
def fetched(
    session: ReadOnlySession,
    server: registry.MlflowServer,
    record: VersionRecord,
    names: tuple[Path, ...] = (),
) -> Iterator[VersionFiles]:
    """The files of these names, as far as the version has them and they are what its evidence says.

    Without names: its reports and all that they are made from.

    Raises ConfigurationError when there is no such version, and IntegrityError when its evidence bundle is
    lost or is not the one that was proposed.
    """
    version = registry.candidate_version(server, record.model, record.version)
    if record.proposal is None:
        raise faults.NEVER_PROPOSED(version=version)
    bundle = candidate.read_proposed(session, server, version, record.proposal)
    evidence = bundle.evidence
    digests = {**evidence.deps, **evidence.outs}
    lost: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        reports = [path for path in evidence.outs if path.startswith(f"{paths.REPORTS.as_posix()}/")]
        chosen = [path.as_posix() for path in names or _BESIDE_REPORTS] + ([] if names else reports)
        for name in chosen:
            try:
                if name == paths.MODEL.as_posix():
                    _fetch_model(server, version, bundle, folder)
                elif name in digests:
                    registry.fetch_verified(server, version, {name: digests[name]}, folder)
            except IntegrityError as error:
                lost[name] = error.fault
                _remove(folder / name)
        files.write_text(folder / paths.PARAMS, evidence.params)
        files.write_text(folder / evidence.judged.file, evidence.judged.text)
        yield VersionFiles(version=version, bundle=bundle, folder=folder, lost=lost)


def _fetch_model(
    server: registry.MlflowServer, version: registry.Version, bundle: evidence_bundle.Bundle, folder: Path
) -> None:
    with registry.verified_model(server, version, bundle.files) as model_folder:
        (folder / paths.MODEL).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(model_folder / registry.MODEL, folder / paths.MODEL)


def _remove(path: Path) -> None:
    """Remove what was fetched and is not what was signed."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
