"""The artefacts of a technical file by name, and short ways to look into them and to make claims of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clearance import files, paths
from clearance.documents.sentences import DerivedClaim, Gap, Source
from clearance.reporting.card.measured import value
from clearance.reporting.claims import artefacts, claim
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.claims.claim import Claim

ORIGIN, SPLIT, TRAINING, PERFORMANCE, FAIRNESS, EXPLANATION, REASONS, VERDICT, RAW, PREPARED, PARAMS = (
    path.as_posix()
    for path in (
        paths.ORIGIN,
        paths.SPLIT,
        paths.TRAINING,
        paths.PERFORMANCE,
        paths.FAIRNESS,
        paths.EXPLANATION,
        paths.REASONS,
        paths.VERDICT,
        paths.VALIDATION_RAW,
        paths.VALIDATION_PREPARED,
        paths.PARAMS,
    )
)
CARD_TEXT = paths.CARD_TEXT.as_posix()
"""The `card.yaml` that was signed with the version."""
PRESENT_CARD_TEXT = f"present/{CARD_TEXT}"
"""The project's `card.yaml` when the file is made: what it states may be newer than the version."""
BUNDLE = "composed/evidence-bundle.json"
LEDGER = "composed/ledger.json"
COUNTS = "ledger"
"""What the card counts over all entries of the ledger, under the name that it has there."""
COMPLIANCE = "composed/compliance.json"
IMPACT = "composed/impact.json"
REASON_TEXTS = "composed/reason-texts.json"

RUN = claim.RUN
LIST = "clearance list"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a technical file is about.

    `policy_file` names the policy among the artefacts. `valid_days`: how long a statement counts; None: for
    ever. `at` is the moment, UTC, up to which the ledger was read.
    """

    name: str
    version: int
    at: dt.datetime
    policy_file: str
    valid_days: int | None = None

    @property
    def day(self) -> dt.date:
        """The day of the file."""
        return self.at.date()


def items(known: Artefacts, artefact: str, *keys: str | int) -> list[Any]:
    """The list at these keys of an artefact; empty where there is none."""
    found = value(known, artefact, *keys)
    return list(found) if isinstance(found, list | tuple) else []


def entries(known: Artefacts, artefact: str, *keys: str | int) -> Mapping[str, Any]:
    """The object at these keys of an artefact; empty where there is none."""
    found = value(known, artefact, *keys)
    return found if isinstance(found, Mapping) else {}


def say(
    known: Artefacts, template: str, about: str, command: str = RUN, /, **sources: Source
) -> DerivedClaim | Gap:
    """The claim of this template, derived; a gap that says what is missing of what it is `about`."""
    return claim.derive(Claim(template=template, sources=sources, about=about, command=command), known)


def artefact(content: Any) -> artefacts.Artefact:
    """What was worked out from evidence, as an artefact; its digest is that of its content."""
    plain = json.loads(json.dumps(content, default=str))
    return artefacts.Artefact(content=plain, sha256=files.sha256_json(plain))
