"""Whether a run would repeat the last one: its files, and all that its release read, are as they were left.

Such a run need not be run: its verdict and its receipt can be told again. In doubt the answer is no, and the
run itself finds out. It is a note of this checkout, never evidence; sources that must be asked again,
registries and ledgers on a server, and runs that Prefect or MLflow is to record are never "unchanged".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clearance import environment, files, params, paths
from clearance.documents.release_receipt import ReleaseReceipt
from clearance.errors import ClearanceError
from clearance.versioning import git, pipeline_state

_NOTE = paths.STATE / "unchanged.json"
_READ_BY_RELEASE = (paths.POLICIES, Path(".dvc/config"), Path(".dvc/config.local"), paths.TRUST_ROOT)
_WRITTEN_BY_RELEASE = (paths.RELEASE_RECEIPT, paths.ATTEMPTS, paths.TEST_USES)
_DATABASES = tuple(
    path.with_name(f"{path.name}{end}")
    for path in (paths.LEDGER, paths.MLFLOW_DATABASE)
    for end in ("", "-wal")
)
_PACKAGE = Path(__file__).parents[1]
_ELSEWHERE = ("CLEARANCE_LEDGER", "MLFLOW_RUN_ID", "PREFECT_API_URL")
_SETTINGS = ("CI", "CLEARANCE_", "MLFLOW_", "DVC_", "GIT_")


def record(root: Path, day: dt.date, variables: Mapping[str, str]) -> None:
    """Note how the run that has just ended left the project at `root`. A fault notes nothing.

    `day` and `variables`, the environment, are those with which the run began.
    """
    (root / _NOTE).unlink(missing_ok=True)
    try:
        released = ReleaseReceipt.read(root)
        if released.lapsed or released.ledger != _newest_entry(root):
            return
        state = _state(root, day, variables)
    except (ClearanceError, OSError):
        return
    if state is not None:
        files.write_json(root / _NOTE, {"fingerprint": released.fingerprint, "state": state})


def _newest_entry(root: Path) -> str:
    """The digest of the ledger's newest entry: one that the release did not see may change its outcome."""
    from clearance import ledger
    from clearance.ledger import settings

    with ledger.open(settings.address(root)) as book:
        return ledger.head(book)[1]


def holds(root: Path, day: dt.date, variables: Mapping[str, str]) -> bool:
    """Whether nothing that a run reads has changed since the last one ended, and it is the same `day`.

    Reads and hashes every file that the pipeline read or wrote, and asks neither DVC nor MLflow.
    """
    try:
        note = files.read_json(root / _NOTE) if (root / _NOTE).is_file() else None
        return (
            note is not None
            and note["state"] == _state(root, day, variables)
            and note["fingerprint"] == pipeline_state.verify(root).fingerprint
        )
    except (ClearanceError, OSError, KeyError, TypeError):
        return False


def _state(root: Path, day: dt.date, variables: Mapping[str, str]) -> dict[str, Any] | None:
    """All that a release reads beside the pipeline's files; None where that cannot be told from files."""
    registry = environment.tool_locations(root)["MLFLOW_TRACKING_URI"]
    if any(variables.get(name) for name in _ELSEWHERE) or variables.get("MLFLOW_TRACKING_URI") != registry:
        return None
    if params.load(root / paths.PARAMS).source.is_snapshot:
        return None
    code = [file for folder in (_PACKAGE, root / "tasks") for file in sorted(folder.rglob("*.py"))]
    return {
        "day": day.isoformat(),
        "code": files.sha256_json([[str(file), _stamp(file)] for file in code]),
        "commit": git.head(root),
        "variables": files.sha256_json(
            {name: value for name, value in variables.items() if name.startswith(_SETTINGS)}
        ),
        "files": {path.as_posix(): files.sha256(root / path) for path in _existing(root)},
        "databases": [_stamp(root / path) for path in _DATABASES],
    }


def _existing(root: Path) -> Iterator[Path]:
    return (path for path in (*_READ_BY_RELEASE, *_WRITTEN_BY_RELEASE) if (root / path).exists())


def _stamp(path: Path) -> list[int] | None:
    """Size, time of change and identity of a file; None where there is none."""
    if not path.exists():
        return None
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ino]
