"""What MLflow offers under the served name beside the champion: each version, alias and stage.

Whoever may write to the registry can put a version there that nobody judged; a program that loads the newest
version, another alias or a stage would get it. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from clearance import ledger, registry
from clearance.promotion import faults


def describe(server: registry.MlflowServer, name: str, entries: Sequence[ledger.Entry]) -> str:
    """The versions of `name` in words, with what else points at them.

    Raises IntegrityError when a version is not the copy of a candidate that the ledger knows, or an alias or
    stage points at one that was never champion.
    """
    served, aliases = registry.list_versions(server, name), registry.aliases(server, name)
    if not served:
        return f"{name} has no version"
    copies = _copies(server, name, served, entries)
    promoted = {tenure.version for tenure in ledger.tenures(entries, name)}
    others = (version.number for version in served if version.number not in copies)
    planted = [f"version {number} is not the copy of a candidate" for number in others]
    pointers = [*_pointers(served, aliases)]
    planted += [
        f"{pointer} points at version {number}, which was never champion"
        for pointer, number in pointers
        if copies.get(number) not in promoted
    ]
    if planted:
        raise faults.VERSIONS_PLANTED(name=name, planted="; ".join(planted))
    waiting = [number for number, candidate in copies.items() if candidate not in promoted]
    notes = [f"{pointer} points at version {number}" for pointer, number in pointers]
    notes += [f"version {number} was copied and never promoted" for number in waiting]
    return "; ".join([f"{len(served)} under {name}, each a candidate's copy", *notes])


def _copies(
    server: registry.MlflowServer,
    name: str,
    served: Iterable[registry.Version],
    entries: Iterable[ledger.Entry],
) -> dict[int, int]:
    """The number of the proposed candidate that each version is the copy of: the oldest with its content."""
    proposals = [entry for entry in entries if entry.kind == ledger.EntryKind.PROPOSAL]
    events = (entry.read(ledger.events.ProposalEvent) for entry in proposals)
    proposed = {(event.version, event.fingerprint) for event in events if event}
    erased = any(entry.redacted for entry in proposals)  # which of them cannot be told any more
    candidates: dict[str, int] = {}
    for candidate in registry.list_versions(server, registry.candidate_name(name)):
        candidates.setdefault(str(candidate.fingerprint), candidate.number)
    copies: dict[int, int] = {}
    for version in served:
        number = candidates.get(str(version.fingerprint))
        legitimate = erased or (number, version.fingerprint) in proposed
        if number is not None and legitimate and number not in copies.values():
            copies[version.number] = number
    return copies


def _pointers(served: Iterable[registry.Version], aliases: dict[str, int]) -> Iterable[tuple[str, int]]:
    """Every alias besides the champion's, and every stage, with the number of its version."""
    for alias, number in sorted(aliases.items()):
        if alias != registry.CHAMPION:
            yield f"alias {alias}", number
    for version in served:
        if version.stage:
            yield f"stage {version.stage}", version.number
