"""Effect: what the ledger has kept for as long as the policy says is erased; its digests and the chain stay.

The present champion's entries stay whatever their age: they are what allows it to serve. Who erased what,
when and why is an entry itself.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from clearance import ledger
from clearance.errors import ConfigurationError
from clearance.ledger import retention
from clearance.policy import authorised, policy_file
from clearance.promotion import version_record
from clearance.promotion.session import LedgerSession
from clearance.trust.roles import Right

logger = logging.getLogger(__name__)


def due_entries(
    entries: Sequence[ledger.Entry], name: str, years: Mapping[str, int], today: dt.date
) -> list[ledger.Entry]:
    """The entries about the model that are past their period, in order, without those of its champion.

    All about one version go at once, when the last of them may: an approval must not outlive the objection.
    """
    reign = version_record.champion(entries, name)
    kept = [each for each in entries if each.kind in ledger.ERASABLE and not each.redacted]
    past = {each.number for each in retention.expired(kept, years, today)}
    stays = {each.body.get("version") for each in kept if each.number not in past} - {None}
    stays |= {reign.version} if reign else set()
    return [each for each in kept if each.number in past and each.body.get("version") not in stays]


def retention_years(root: Path, name: str) -> dict[str, int]:
    """For how many years the policy authorised for the model keeps each kind of entry.

    Raises ConfigurationError when no policy is authorised, or it names no period: then all is kept for good.
    """
    found = authorised.find(root, name)
    years = policy_file.load(root / found.policy).retention if found else {}
    if not years:
        file = found.policy if found else authorised.FILE
        raise ConfigurationError(
            f"{file} names no period for {name}, so everything is kept for good",
            "let its policy say `retention: {others: YEARS}`",
        )
    return {str(kind): period for kind, period in years.items()}


def erase(office: LedgerSession, name: str, years: Mapping[str, int], reason: str) -> list[ledger.Entry]:
    """Erase what is due today and return it; nothing is recorded when nothing is.

    Raises ReleaseRefused when whoever acts may not, IntegrityError when the ledger does not verify.
    """
    office.demand(Right.ERASE, name, "erase what the ledger keeps")
    office.ensure_sound()
    found = due_entries(office.entries(name), name, years, office.now().date())
    if found:
        who = office.acting.person.identity
        numbers = [each.number for each in found]
        ledger.redact(office.book, numbers, actor=who, keyid=office.keyid, reason=reason)
    return found
