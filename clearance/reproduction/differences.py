"""Whether a rebuilt version is the recorded one: identical, equivalent within a tolerance, or different.

What was read must be equal by digest; what was written may differ by what another processor rounds otherwise.
What cannot be compared is different.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from clearance import files as artifacts
from clearance.errors import IntegrityError
from clearance.reproduction import equivalence
from clearance.reproduction.equivalence import Tolerance
from clearance.reproduction.rebuild import RebuiltProject
from clearance.reproduction.rebuild_record import RebuildRecord
from clearance.versioning import dvc_lock, dvc_objects


class Conclusion(StrEnum):
    """What a rebuild shows. Only the first says that the bytes are the same."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    DIFFERENT = "different"


@dataclass(frozen=True, kw_only=True)
class RebuildReport:
    """Every difference found, in sentences.

    `inputs`: what was read or run otherwise than recorded. `close`: outputs of other bytes that say the same
    within the tolerance. `unlike`: what outputs say otherwise. `notes` and `environment` decide nothing.
    `same` of the `outputs` have the recorded digest.
    """

    inputs: tuple[str, ...]
    close: tuple[str, ...]
    unlike: tuple[str, ...]
    notes: tuple[str, ...]
    environment: tuple[str, ...]
    outputs: int
    same: int

    @property
    def conclusion(self) -> Conclusion:
        """Different when anything was read or says otherwise; identical only if every output's digest is."""
        if self.inputs or self.unlike or not self.outputs:
            return Conclusion.DIFFERENT
        return Conclusion.EQUIVALENT if self.close else Conclusion.IDENTICAL

    def lines(self) -> list[str]:
        """The report as a person reads it."""
        kinds = (
            ("input", self.inputs),
            ("unlike", self.unlike),
            ("close", self.close),
            ("note", self.notes),
            ("environment", self.environment),
        )
        told = [f"{kind}: {sentence}" for kind, sentences in kinds for sentence in sentences]
        return [*told, f"{self.conclusion}: {self.same} of {self.outputs} outputs have the recorded digest"]


def compare(
    record: RebuildRecord,
    rebuilt: RebuiltProject,
    tolerance: Tolerance = Tolerance(),  # noqa: B008 - frozen
) -> RebuildReport:
    """Hold what was rebuilt against the record, and outputs of other bytes against those that DVC keeps.

    Raises UnavailableError when the remote, which keeps what is to be compared, does not answer.
    """
    lock = record.checked(rebuilt.tree / "dvc.yaml")
    inputs = (*_inputs(lock, rebuilt.lock), *_read_otherwise(record, rebuilt.tree))
    odd = [path for path, sha256 in record.outs.items() if not _has(rebuilt.tree / path, sha256)]
    old = rebuilt.tree.with_name("recorded")
    unlike = dict(_lost(record, lock, rebuilt, odd, old))
    names = equivalence.DigestNames(recorded=_names(old, odd), rebuilt=_names(rebuilt.tree, odd))
    compared = equivalence.FileComparison(tolerance=tolerance, names=names)
    for path in sorted(set(odd) - set(unlike)):
        if found := list(_outs(compared, old / path, rebuilt.tree / path, path)):
            unlike[path] = found
    return RebuildReport(
        inputs=inputs,
        close=tuple(sorted(set(odd) - set(unlike))),
        unlike=tuple(sentence for path in sorted(unlike) for sentence in unlike[path]),
        notes=rebuilt.notes,
        environment=rebuilt.environment,
        outputs=len(record.outs),
        same=len(record.outs) - len(odd),
    )


def _has(path: Path, sha256: str) -> bool:
    return path.exists() and artifacts.sha256(path) == sha256


def _inputs(recorded: dvc_lock.Lock, rebuilt: dvc_lock.Lock) -> Iterator[str]:
    """What a stage ran, was set to or read otherwise; for what other stages wrote, those answer."""
    exact = equivalence.FileComparison(
        tolerance=Tolerance(0, 0), names=equivalence.DigestNames(recorded={}, rebuilt={})
    )
    sources = {**recorded.sources, **rebuilt.sources}
    for name in sorted({*recorded.stages, *rebuilt.stages}):
        ours, theirs = (_asked(lock.stages.get(name), sources) for lock in (recorded, rebuilt))
        yield from map(str, exact.values(f"stage {name}", ours, theirs))


def _asked(stage: dvc_lock.Stage | None, sources: dict[str, str]) -> Any:
    if stage is None:
        return None
    deps = {path: md5 if path in sources else "of a stage" for path, md5 in stage.deps.items()}
    return {"cmd": stage.cmd, "params": dict(stage.params), "deps": deps, "outs": sorted(stage.outs)}


def _read_otherwise(record: RebuildRecord, tree: Path) -> Iterator[str]:
    """The inputs whose SHA-256 is not the recorded one: MD5, by which DVC names them, is no proof."""
    for path, sha256 in sorted({**record.deps, "requirements.lock": record.environment}.items()):
        if not _has(tree / path, sha256):
            yield f"{path}: its SHA-256 is not the recorded one"


def _lost(
    record: RebuildRecord, lock: dvc_lock.Lock, rebuilt: RebuiltProject, odd: list[str], target: Path
) -> Iterator[tuple[str, list[str]]]:
    """Fetch the recorded content of these outputs below `target`; say which is kept nowhere."""
    with dvc_objects.opened(rebuilt.checkout) as kept:
        for path in odd:
            try:
                kept.bring(lock.outs[path], target / path)
                artifacts.verify(target / path, record.outs[path])
            except IntegrityError:
                yield path, [f"{path}: it has another digest, and the recorded content is kept nowhere"]


def _names(root: Path, paths: list[str]) -> dict[str, str]:
    """The path, below `root`, of each file at or below `paths`, by SHA-256; and that of the folders."""
    files = [file for path in paths for file in ((root / path), *(root / path).rglob("*")) if file.exists()]
    return {artifacts.sha256(file): file.relative_to(root).as_posix() for file in files}


def _outs(compared: equivalence.FileComparison, recorded: Path, rebuilt: Path, path: str) -> Iterator[str]:
    """What two outputs of the same name, files or folders, say otherwise."""
    ours, theirs = (_members(place) for place in (recorded, rebuilt))
    for name in sorted({*ours, *theirs}):
        where = f"{path}/{name}" if name else path
        if name not in ours or name not in theirs:
            yield f"{where}: only one of the two has it"
        elif artifacts.sha256(ours[name]) != artifacts.sha256(theirs[name]):
            yield from (f"{where}: {unlike}" for unlike in compared.files(ours[name], theirs[name]))


def _members(place: Path) -> dict[str, Path]:
    if place.is_file():
        return {"": place}
    return {file.relative_to(place).as_posix(): file for file in place.rglob("*") if file.is_file()}
