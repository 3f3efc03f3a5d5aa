"""Effect: a registered version is built again from git and DVC and compared with its signed evidence.

Reads the checkout and writes nothing into it; only what is identical or equivalent ends well.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from clearance import environment, params, registry, stage
from clearance.errors import ExitCode
from clearance.promotion import candidate
from clearance.promotion.session import open_session
from clearance.reproduction import differences, faults, rebuild, rebuild_record
from clearance.reproduction.differences import Conclusion, RebuildReport
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.trust.evidence_bundle import BundleEvidence


def reproduce(root: Path, version: RebuildRecord) -> RebuildReport:
    """Rebuild `version` from the checkout at `root` in a temporary folder; report what differs."""
    with rebuild.temporary_folder() as folder:
        return differences.compare(version, rebuild.rebuild(root, version, folder))


def record_of(evidence: BundleEvidence) -> RebuildRecord:
    """What a rebuild needs of a bundle. Raises ConfigurationError when no commit holds the code."""
    if evidence.code.commit is None or not evidence.code.clean:
        raise faults.NO_COMMIT()
    return RebuildRecord(
        commit=evidence.code.commit,
        lock=evidence.lock,
        params=evidence.params,
        overrides=evidence.overrides,
        environment=evidence.environment,
        outs=evidence.outs,
        deps=evidence.deps,
        files={evidence.judged.file: evidence.judged.text},
        python=evidence.python,
    )


def _evidence(root: Path, number: int) -> BundleEvidence:
    name, server = params.load(root / "params.yaml").name, registry.connect()
    with open_session(root) as office, tempfile.TemporaryDirectory() as temporary:
        version = registry.candidate_version(server, name, number)
        return candidate.load_verified(
            office, server, version, office.entries(name), Path(temporary)
        ).bundle.evidence


def _leave(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt  # the folder is removed on the way out


def main() -> None:
    """Rebuild the candidate with this number, or the version whose record is in a file; print the report."""
    signal.signal(signal.SIGTERM, _leave)
    root = environment.project_root()
    environment.apply(root)
    (asked,) = sys.argv[1:]
    version = record_of(_evidence(root, int(asked))) if asked.isdigit() else rebuild_record.read(Path(asked))
    try:
        report = reproduce(root, version)
    except KeyboardInterrupt:  # everything is removed by now; do not wait for DVC's threads
        os._exit(ExitCode.INTERRUPTED)
    sys.stdout.write("\n".join(report.lines()) + "\n")
    sys.exit(ExitCode.ERROR if report.conclusion is Conclusion.DIFFERENT else ExitCode.PASS)


if __name__ == "__main__":
    stage.run(main)
