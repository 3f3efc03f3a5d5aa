"""Independent rebuilds of a version: which count, and what they say. Nothing is built here.

A rebuild counts when a person with the right to rebuild signed it, word for word as the ledger has it, about
exactly this content, recorded it themselves (what another person repeats says nothing new), and did not
contribute to the version. Of each person the newest one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clearance import in_toto
from clearance.errors import IntegrityError
from clearance.ledger import Entry
from clearance.ledger.events import DIFFERENT, RebuildEvent
from clearance.trust import dsse
from clearance.trust.roles import Right, Roles

PREDICATE = "urn:clearance:rebuild:v1"
"""The predicate type of a signed rebuild."""


@dataclass(frozen=True, kw_only=True)
class Rebuild:
    """A rebuild that somebody signed: what entry `number` says, by `identity`."""

    number: int
    identity: str
    event: RebuildEvent

    @property
    def differs(self) -> bool:
        """Whether something else came out than was recorded, or nothing that can be compared."""
        return self.event.conclusion == DIFFERENT

    def __str__(self) -> str:
        environment = "a new environment" if self.event.environment == "fresh" else "the environment there"
        return f"{self.identity} rebuilt it in {environment}: {self.event.conclusion} (entry {self.number})"


def statement_for(body: Mapping[str, Any]) -> dict[str, Any]:
    """The statement to sign about a rebuild; `body` is its ledger entry without the envelope."""
    return in_toto.statement({"evidence": body["content"]}, PREDICATE, body)


def signed_rebuilds(entries: Iterable[Entry], version: int, content: str, roles: Roles) -> list[Rebuild]:
    """The rebuilds of `version` with this content, signed with the right to: each person's newest."""
    newest: dict[str, Rebuild] = {}
    for entry in entries:
        event = entry.read(RebuildEvent)
        if event is None or (event.version, event.content) != (version, content):
            continue
        if identity := _signer(entry, event, roles):
            newest[identity] = Rebuild(number=entry.number, identity=identity, event=event)
    return list(newest.values())


def _signer(entry: Entry, event: RebuildEvent, roles: Roles) -> str | None:
    """Who signed exactly what the entry says, with the right to rebuild then; None when nobody did."""
    body = {name: value for name, value in event.to_body().items() if name != "envelope"}
    try:
        signed = dsse.verify(event.envelope or {}, roles.keys)
    except IntegrityError:
        return None
    if signed.statement["predicateType"] != PREDICATE or signed.statement["predicate"] != body:
        return None
    keyid = entry.keyid or ""
    person = roles.person(keyid, entry.at)
    if keyid in signed.keyids and person is not None and roles.may(keyid, Right.REBUILD, entry.at):
        return person.identity
    return None


def independent(rebuilds: Iterable[Rebuild], contributors: Iterable[str]) -> list[Rebuild]:
    """Those by people who did not contribute to the version."""
    identities = frozenset(contributors)
    return [rebuild for rebuild in rebuilds if rebuild.identity not in identities]


def contradiction(rebuilds: Iterable[Rebuild]) -> str | None:
    """What independent rebuilds have against the version, as a sentence; None when nothing."""
    different = [rebuild for rebuild in rebuilds if rebuild.differs]
    if not different:
        return None
    reasons = "; ".join(f"{rebuild}{_because(rebuild.event.reasons)}" for rebuild in different)
    return f"An independent rebuild gave something else: {reasons}."


def _because(reasons: Sequence[str]) -> str:
    return f": {reasons[0]}" if reasons else ""


def lacking(rebuilds: Iterable[Rebuild], version: int) -> str | None:
    """That no independent rebuild agrees, and what to do; None when one does."""
    if any(not rebuild.differs for rebuild in rebuilds):
        return None
    return (
        f"Nobody has rebuilt it independently: a person with the right `rebuild` who did not contribute runs "
        f"`clearance reproduce {version} --attest`."
    )
