"""What the files of a project were made of, once they are what its last run recorded."""

from __future__ import annotations

from pathlib import Path

from clearance import params, paths
from clearance.lineage import datasets, faults
from clearance.lineage.graph import Composition
from clearance.versioning import dvc_lock, git, pipeline_state


def of_project(root: Path) -> Composition:
    """What the present files of the project at `root` were made of.

    Raises IntegrityError when they are not what its last run recorded, or it has not run.
    """
    if not (root / dvc_lock.NAME).is_file() or not (root / paths.VERDICT).is_file():
        raise faults.NOT_RUN_YET()
    state = pipeline_state.verify(root)
    settings = params.load(root / paths.PARAMS)
    commit = git.commit_state(root, dvc_lock.read_text(root / dvc_lock.NAME))
    return Composition(
        subject=f"the present files of {settings.name}",
        settings=settings,
        lock=pipeline_state.locked(root),
        digests={**state.deps, **state.outs},
        evidence=datasets.read_evidence(root),
        fingerprint=state.fingerprint,
        commit=commit.commit,
        changed=(*commit.changed, *commit.unkept),
    )
