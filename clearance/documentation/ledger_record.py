"""What the ledger says about one version, as an artefact: who signed, approved and changed what.

Pure: it folds entries into JSON. Every item names its entry, so that it can be looked up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from clearance import files, ledger
from clearance.ledger import Entry, events
from clearance.promotion import incidents, preregistration, rebuilds, restrictions
from clearance.promotion.version_record import VersionRecord
from clearance.trust import recorded_decisions
from clearance.trust.decisions import DecisionKind
from clearance.trust.evidence_bundle import Bundle
from clearance.trust.recorded_decisions import RecordedDecision
from clearance.trust.roles import Roles


def proposed_versions(entries: Sequence[Entry]) -> list[int]:
    """The versions that were proposed, in the order of their first proposal."""
    return list(
        dict.fromkeys(event.version for entry in entries if (event := entry.read(events.ProposalEvent)))
    )


def content(record: VersionRecord, bundle: Bundle, roles: Roles, at: dt.datetime) -> dict[str, Any]:
    """The record of a version up to a moment, as a JSON value.

    `reports` are the documents of its evidence, each with who signed it and when the ledger took it;
    `signatures` are the decisions of people who signed the digest of exactly this evidence.
    """
    entries, version = record.entries, record.version
    signers = list(_signers(record, bundle, roles))
    judged_by = files.sha256_text(bundle.evidence.judged.text)
    registered = preregistration.of_version(entries, version, list(bundle.files.values()), judged_by)
    built = rebuilds.signed_rebuilds(entries, version, bundle.digest, roles)
    restriction = restrictions.find(entries, version)
    decisions = list(_decisions(record, bundle, roles))
    return {
        "model": record.model,
        "version": version,
        "at": _stamp(at),
        "until_entry": record.until,
        "content": bundle.digest,
        "proposals": signers,
        "reports": [
            {"path": path, "sha256": sha256, **signer}
            for signer in signers
            for path, sha256 in sorted(bundle.evidence.outs.items())
            if path.startswith("reports/") and path.endswith(".json")
        ],
        "bar": {"statement": str(registered), "before_result": registered.is_before_result},
        "decisions": decisions,
        "signatures": [item for item in decisions if item["signs"]],
        "rebuilds": [
            {
                "entry": item.number,
                "by": item.identity,
                "conclusion": item.event.conclusion,
                "environment": item.event.environment,
                "statement": str(item),
            }
            for item in built
        ],
        "changes": [
            {"entry": entry.number, "at": _stamp(entry.at), "by": entry.actor, "kind": str(entry.kind)}
            | {"reason": _reason(entry), "tier": _tier(entry)}
            for entry in record.changes
        ],
        "comparison": None
        if record.comparison is None
        else {"outcome": record.comparison.outcome, "reasons": list(record.comparison.reasons)},
        "incidents": [
            {
                "entry": item.number,
                "opened": _stamp(item.opened_at),
                "by": item.opened_by,
                "category": item.category,
                "open": item.is_open,
                "description": item.description,
            }
            for item in incidents.fold(entries).values()
            if item.version == version
        ],
        "restrictions": [] if restriction is None else list(restriction.lines()),
        "other_versions": [number for number in proposed_versions(entries) if number != version],
        "champion": None if record.champion is None else record.champion.version,
        "followed": None if record.reference is None else record.reference.version,
        "first_promotion": _first_promotion(entries, record.model),
    }


def _signers(record: VersionRecord, bundle: Bundle, roles: Roles) -> Iterator[dict[str, Any]]:
    """Who signed the evidence: the proposers whose key did, with the entry of their proposal."""
    for entry in record.entries:
        event = entry.read(events.ProposalEvent)
        if event is None or event.version != record.version or entry.keyid not in bundle.keyids:
            continue
        person = roles.person(entry.keyid, entry.at)
        yield {
            "entry": entry.number,
            "at": _stamp(entry.at),
            "by": person.identity if person else entry.actor,
            "keyid": entry.keyid,
        }


def _decisions(record: VersionRecord, bundle: Bundle, roles: Roles) -> Iterator[dict[str, Any]]:
    """The decisions of people about the version; one that belongs to nobody says why.

    `signs` says whether it is a standing signature over exactly this evidence, by a person with the right to
    decide then who did not propose the version. Whether it counts for a promotion is decided elsewhere.
    """
    opened = [recorded_decisions.read(decision, roles) for decision in record.decisions]
    made = [decision for decision in opened if isinstance(decision, RecordedDecision)]
    revoked = {(digest, one.person.identity) for one in made for digest in one.decision.revokes}
    owners = [roles.owner(keyid) for keyid in (record.proposal.keyids if record.proposal else ())]
    proposers = {owner.identity for owner in owners if owner is not None}
    for stored, decision in zip(record.decisions, opened, strict=True):
        common = {"entry": stored.number, "at": _stamp(stored.at)}
        if not isinstance(decision, RecordedDecision):
            yield common | {"by": "nobody", "kind": "void decision", "reason": decision.why, "signs": False}
            continue
        who = decision.person.identity
        stands = (decision.digest, who) not in revoked and decision.kind is not DecisionKind.REVOKE
        may = bool(decision.roles) and who not in proposers
        yield common | {
            "by": who,
            "kind": decision.kind.noun if stands else _withdrawn(decision),
            "reason": decision.decision.reason.strip(),
            "keyid": next(iter(stored.signed.keyids)) if stored.signed else "none",
            "signs": stands and may and decision.content == bundle.digest,
        }


def _withdrawn(decision: RecordedDecision) -> str:
    noun = decision.kind.noun
    return noun if decision.kind is DecisionKind.REVOKE else f"{noun}, revoked"


def _first_promotion(entries: Sequence[Entry], model: str) -> dict[str, Any] | None:
    tenure = next(iter(ledger.tenures(entries, model)), None)
    if tenure is None:
        return None
    return {"entry": tenure.number, "at": _stamp(tenure.since), "version": tenure.version, "by": tenure.by}


def _reason(entry: Entry) -> str:
    event = entry.read(events.ChampionChange)
    return (event.reason or event.override or "no reason") if event else "the entry was erased"


def _tier(entry: Entry) -> str:
    event = entry.read(events.ChampionChange)
    return (event and event.tier) or "not recorded"


def _stamp(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
