"""What a version's evidence says about how it was made: all that a rebuild needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from clearance import files, params, validation_messages, yaml
from clearance.errors import ClearanceError
from clearance.params.section import Section
from clearance.reproduction import faults
from clearance.versioning import dvc_lock, git

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class RebuildRecord(Section):
    """The parts of an evidence bundle that a rebuild reads.

    `lock` and `params` are the texts of `dvc.lock` and of the effective `params.yaml`; `overrides` are the
    run's changes to it. `outs` and `deps` map a path to its SHA-256 (`files.sha256`), `environment` is that
    of `requirements.lock`. `files` are inputs carried verbatim, such as the policy. `python` is the
    version that ran.
    """

    commit: Commit
    lock: str
    params: str
    overrides: dict[str, Any] = Field(default_factory=dict)
    environment: Sha256
    outs: dict[str, Sha256]
    deps: dict[str, Sha256] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)
    python: str | None = None

    def checked(self, graph: Path) -> dvc_lock.Lock:
        """The lock of the stages in `graph`, the commit's `dvc.yaml`, when the parts of the record agree.

        Raises IntegrityError that says which do not.
        """
        lock = dvc_lock.parse(self.lock).only(params.read_yaml(graph).get("stages") or ())
        try:
            settings = yaml.loads(self.params)
            overrides = settings["overrides"]
        except (yaml.YAMLError, KeyError, TypeError):
            raise _contradiction("its params.yaml is not readable") from None
        if overrides != self.overrides:
            raise _contradiction("its params.yaml names other overrides")
        if set(lock.outs) != set(self.outs) or not self.outs:
            raise _contradiction("its dvc.lock names other outputs than it has digests of")
        if extra := {*self.deps, *self.files} - {*lock.sources, git.PARAMS}:
            raise _contradiction(f"no stage reads its {min(extra)}")
        if outside := [path for path in self.files if Path(path).is_absolute() or ".." in Path(path).parts]:
            raise _contradiction(f"its file {outside[0]} lies outside the project")
        return lock


def _contradiction(reason: str) -> ClearanceError:
    return faults.CONTRADICTORY_RECORD(reason=reason)


def read(path: Path) -> RebuildRecord:
    """The record in a JSON file. Raises IntegrityError when it is missing, not JSON, or not a record."""
    try:
        return RebuildRecord.model_validate(files.read_json(path))
    except ValidationError as error:
        raise faults.NOT_A_RECORD(
            path=path, reason=validation_messages.describe(error, RebuildRecord)
        ) from None
