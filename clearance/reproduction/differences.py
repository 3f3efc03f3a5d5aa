"""Whether a rebuilt version is the recorded one: identical, equivalent within a tolerance, or different.

Inputs must be equal by digest. Outputs may differ by what another processor rounds differently. What cannot
be compared is different.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from clearance import files as artifacts
from clearance import paths
from clearance.documents.evidence_document import BlockedDocument
from clearance.documents.training_document import TrainingDocument
from clearance.errors import IntegrityError
from clearance.reproduction import equivalence
from clearance.reproduction.equivalence import Tolerance
from clearance.reproduction.rebuild import RebuiltProject
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.versioning import dvc_lock, dvc_objects

_SHOWN = {
    "computed": "its scores were computed again from the recorded file",
    "sandboxed": "it was run again in a sandbox",
    "declared": "its scores were read again from the recorded table, and the model itself was never here",
}
"""What a rebuild shows of a model made elsewhere, by where its scores come from."""


class Conclusion(StrEnum):
    """What a rebuild shows. Only the first says that the bytes are the same."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    DIFFERENT = "different"


@dataclass(frozen=True, kw_only=True)
class RebuildReport:
    """The differences between a rebuild and its record, as sentences.

    `inputs`: what was read or run differently. `close`: outputs of other bytes that are equal within the
    tolerance. `different`: how other outputs differ. `notes` and `environment` decide nothing. `same` of the
    `outputs` have the recorded digest. `network`: the stages could reach a network.
    """

    inputs: tuple[str, ...]
    close: tuple[str, ...]
    different: tuple[str, ...]
    notes: tuple[str, ...]
    environment: tuple[str, ...]
    outputs: int
    same: int
    network: bool = True

    @property
    def conclusion(self) -> Conclusion:
        """Different when an input or an output is; identical only if every output has its recorded digest."""
        if self.inputs or self.different or not self.outputs:
            return Conclusion.DIFFERENT
        return Conclusion.EQUIVALENT if self.close else Conclusion.IDENTICAL

    def lines(self) -> list[str]:
        """The report as a person reads it."""
        sections = (
            ("input", self.inputs),
            ("different", self.different),
            ("close", self.close),
            ("note", self.notes),
            ("environment", self.environment),
        )
        lines = [f"{name}: {sentence}" for name, sentences in sections for sentence in sentences]
        return [*lines, f"{self.conclusion}: {self.same} of {self.outputs} outputs have the recorded digest"]


def compare(
    record: RebuildRecord,
    rebuilt: RebuiltProject,
    tolerance: Tolerance = Tolerance(),  # noqa: B008 - frozen
) -> RebuildReport:
    """Compare what was rebuilt with the record, and outputs of other bytes with those that DVC keeps.

    Raises UnavailableError when the remote, which keeps what is to be compared, does not answer.
    """
    lock = record.checked(rebuilt.tree / paths.DVC_YAML)
    inputs = (*_inputs(lock, rebuilt.lock), *_changed_inputs(record, rebuilt.tree))
    changed = [path for path, sha256 in record.outs.items() if not _has(rebuilt.tree / path, sha256)]
    recorded = rebuilt.tree.with_name("recorded")
    different = dict(_lost(record, lock, rebuilt, changed, recorded))
    names = equivalence.DigestNames(recorded=_names(recorded, changed), rebuilt=_names(rebuilt.tree, changed))
    comparison = equivalence.FileComparison(tolerance=tolerance, names=names)
    for path in sorted(set(changed) - set(different)):
        if sentences := list(_outputs(comparison, recorded / path, rebuilt.tree / path, path)):
            different[path] = sentences
    return RebuildReport(
        inputs=inputs,
        close=tuple(sorted(set(changed) - set(different))),
        different=tuple(sentence for path in sorted(different) for sentence in different[path]),
        notes=(*rebuilt.notes, *_made_elsewhere(rebuilt.tree)),
        environment=rebuilt.environment,
        outputs=len(record.outs),
        same=len(record.outs) - len(changed),
        network=rebuilt.network,
    )


def _made_elsewhere(tree: Path) -> Iterator[str]:
    """What a rebuild cannot show of a model that was made elsewhere."""
    try:
        training = TrainingDocument.read(tree)
    except IntegrityError:
        return
    if isinstance(training, BlockedDocument) or (made := training.external) is None:
        return
    yield f"{made.file} was made elsewhere: {_SHOWN[made.origin]}; its training cannot be repeated here"


def _has(path: Path, sha256: str) -> bool:
    return path.exists() and artifacts.sha256(path) == sha256


def _inputs(recorded: dvc_lock.Lock, rebuilt: dvc_lock.Lock) -> Iterator[str]:
    """How commands, parameters and sources of the stages differ; what stages wrote is compared elsewhere."""
    exact = equivalence.FileComparison(
        tolerance=Tolerance(0, 0), names=equivalence.DigestNames(recorded={}, rebuilt={})
    )
    sources = {**recorded.sources, **rebuilt.sources}
    for name in sorted({*recorded.stages, *rebuilt.stages}):
        old, new = (_declaration(lock.stages.get(name), sources) for lock in (recorded, rebuilt))
        yield from map(str, exact.values(f"stage {name}", old, new))


def _declaration(stage: dvc_lock.LockedStage | None, sources: dict[str, str]) -> Any:
    if stage is None:
        return None
    deps = {entry.path: entry.md5 if entry.path in sources else "of a stage" for entry in stage.deps}
    outs = sorted(entry.path for entry in stage.outs)
    return {"cmd": stage.cmd, "params": dict(stage.params), "deps": deps, "outs": outs}


def _changed_inputs(record: RebuildRecord, tree: Path) -> Iterator[str]:
    """The inputs whose SHA-256 is not the recorded one; MD5, by which DVC names them, is not proof."""
    for path, sha256 in sorted(
        {**record.deps, paths.REQUIREMENTS_LOCK.as_posix(): record.environment}.items()
    ):
        if not _has(tree / path, sha256):
            yield f"{path}: its SHA-256 is not the recorded one"


def _lost(
    record: RebuildRecord, lock: dvc_lock.Lock, rebuilt: RebuiltProject, paths: list[str], target: Path
) -> Iterator[tuple[str, list[str]]]:
    """Restore the recorded content of these outputs below `target`; yield those that are lost."""
    with dvc_objects.open_stores(rebuilt.checkout) as stores:
        for path in paths:
            try:
                stores.restore(lock.outs[path], target / path)
                artifacts.verify(target / path, record.outs[path])
            except IntegrityError:
                yield path, [f"{path}: it has another digest, and no store keeps the recorded content"]


def _names(root: Path, paths: list[str]) -> dict[str, str]:
    """The path, below `root`, of each file and folder at or below `paths`, by SHA-256."""
    items = [item for path in paths for item in ((root / path), *(root / path).rglob("*")) if item.exists()]
    return {artifacts.sha256(item): item.relative_to(root).as_posix() for item in items}


def _outputs(
    comparison: equivalence.FileComparison, recorded: Path, rebuilt: Path, path: str
) -> Iterator[str]:
    """How two outputs of the same name, files or folders, differ."""
    old, new = (_members(item) for item in (recorded, rebuilt))
    for name in sorted({*old, *new}):
        where = f"{path}/{name}" if name else path
        if name not in old or name not in new:
            yield f"{where}: only one of the two has it"
        elif artifacts.sha256(old[name]) != artifacts.sha256(new[name]):
            yield from (f"{where}: {difference}" for difference in comparison.files(old[name], new[name]))


def _members(item: Path) -> dict[str, Path]:
    if item.is_file():
        return {"": item}
    return {file.relative_to(item).as_posix(): file for file in item.rglob("*") if file.is_file()}
