"""The recorded comparison with the champion, made again before anything rests on it.

Whoever promotes or rebuilds a version makes it from the version's own tables and scores, by the digests in
its signed evidence: a comparison that somebody only signed is not believed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from clearance import files, paths, registry
from clearance.promotion import candidate, faults, review
from clearance.promotion.review import Review
from clearance.promotion.session import ReadOnlySession
from clearance.trust.evidence_bundle import Bundle
from clearance.versioning import dvc_lock, dvc_objects, git, pipeline_state

_TABLES = tuple(path.as_posix() for path in (paths.PREPARED, paths.SCORED, paths.ORIGIN))
_NUMBERS = 1e-6


def ensure_repeats(session: ReadOnlySession, server: registry.MlflowServer, reviewed: Review) -> None:
    """Raise IntegrityError unless the comparison that the review rests on comes out again.

    Nothing is done where the policy requires none. Numbers may differ by one in a million, as another
    processor rounds them. Raises IntegrityError also when the tables are not kept anywhere, UnavailableError
    when the remote does not answer.
    """
    policy, recorded = reviewed.assessment.authority.policy, reviewed.compared
    required = policy is not None and policy.challenge is not None
    if not required or recorded is None or recorded.comparison in session.compared:
        return
    with tempfile.TemporaryDirectory() as folder:
        again = _compare(session, server, reviewed, Path(folder))
        stored = candidate.fetch_comparison(server, reviewed.version, recorded.comparison)
    if not _is_same(stored, again):
        raise faults.COMPARISON_NOT_REPEATED(version=reviewed.version, outcome=again["outcome"])
    session.compared.add(str(recorded.comparison))


def _compare(
    session: ReadOnlySession, server: registry.MlflowServer, reviewed: Review, folder: Path
) -> dict[str, object]:
    from clearance.comparison import compare  # with skops, scipy and pandas: only where it is needed

    policy, record = reviewed.assessment.authority.policy, reviewed.record
    if policy is None or policy.challenge is None:
        raise ValueError("the policy requires no comparison")
    project = _restore(session.root, reviewed.bundle, folder)
    tenure = record.reference
    champion = review.champion_bundle(session, server, record.model, tenure)
    result = compare.compare(
        project,
        policy.challenge,
        server,
        registry.champion(server, record.model) if tenure else None,
        signed_digests(champion) if champion else None,
    )
    return dict(result.to_json())


def signed_digests(bundle: Bundle) -> registry.SignedDigests:
    """What a comparison needs of a champion's signed evidence."""
    evidence = bundle.evidence
    return registry.SignedDigests(
        model=bundle.files[registry.MODEL], outs=evidence.outs, params=evidence.params
    )


def _restore(root: Path, bundle: Bundle, folder: Path) -> pipeline_state.PipelineState:
    """The version's documents, tables and scores below `folder`, each with its signed digest."""
    evidence = bundle.evidence
    locked = dvc_lock.parse(evidence.lock).outs
    needed = [
        path
        for path in evidence.outs
        if path in _TABLES or (path.endswith(".json") and Path(path).parent == paths.REPORTS)
    ]
    with dvc_objects.open_stores(git.checkout_of(root)) as stores:
        for path in needed:
            stores.restore(locked[path], folder / path)
            files.verify(folder / path, evidence.outs[path])
    files.write_text(folder / paths.PARAMS, evidence.params)
    files.write_text(folder / evidence.judged.file, evidence.judged.text)
    _copy_trusted_types(root, bundle, folder)
    return pipeline_state.PipelineState(
        root=folder,
        fingerprint=evidence.fingerprint,
        outs={path: evidence.outs[path] for path in needed},
        deps=dict(evidence.deps),
    )


def _copy_trusted_types(root: Path, bundle: Bundle, folder: Path) -> None:
    """The project's further trusted types, as the version read them; nothing where it read none."""
    from clearance.models.trusted_types import MORE_TRUSTED

    name, commit = MORE_TRUSTED.as_posix(), bundle.evidence.code.commit
    sha256 = bundle.evidence.deps.get(name)
    if sha256 is None:
        return
    committed = git.read_file(root, commit, name) if commit else None
    content = committed if committed is not None else (root / name).read_bytes()
    files.write_text(folder / name, content.decode())
    files.verify(folder / name, sha256)


def _is_same(one: object, other: object) -> bool:
    """Whether two JSON values are equal, but for the rounding of numbers that are not whole."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= _NUMBERS * max(abs(one), abs(other))
    return type(one) is type(other) and one == other
