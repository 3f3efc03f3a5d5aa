"""Adverse-action readiness: whether each feature that can be a principal reason has a text that says it.

Pure; it reads the signed reasons document. Source: 12 CFR 1002.9(b)(2) and its official interpretation. A
denial counts as one that can be reasoned only where every feature has its text and the profile is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clearance.documents.card_document import ClaimTable
from clearance.documents.sentences import Gap, Sentence
from clearance.reporting.card import measured
from clearance.reporting.card.measured import place
from clearance.reporting.claims.artefacts import Artefacts
from clearance.reporting.technical_file import sources
from clearance.reporting.technical_file.sources import PERFORMANCE, REASON_TEXTS, REASONS, SPLIT, say

_FILE = "reasons.yaml"
_TOO_GENERAL = "is not specific"


def content(known: Artefacts) -> dict[str, Any] | None:
    """Each feature with its text or its problem, and the denials that could be reasoned; None unmeasured."""
    if measured.value(known, REASONS, "status") != "measured":
        return None
    texts = sources.entries(known, REASONS, "texts")
    problems = [str(problem) for problem in sources.items(known, REASONS, "text_problems")]
    features = sources.items(known, SPLIT, "features")
    listed = []
    for feature in features:
        own = [problem for problem in problems if f"`{feature}`" in problem]
        text = texts.get(feature)
        status = "has a specific text"
        if text is None:
            status = "has no text"
        elif any(_TOO_GENERAL in problem for problem in own):
            status = "is too general"
        elif own:
            status = "cannot be stated"
        listed.append({"feature": feature, "text": text or "none", "status": status, "problems": own})
    obstacle = next(
        (
            found
            for key in ("not_evaluated", "insufficient")
            if (found := measured.value(known, REASONS, key))
        ),
        None,
    )
    lacking = sum(item["status"] != "has a specific text" for item in listed)
    denied = _denied(known)
    ready = bool(features) and obstacle is None and not lacking and measured.value(known, REASONS, "policy")
    return {
        "features": listed,
        "lacking": lacking,
        "denied": denied,
        "reasoned": (denied if ready else 0) if denied is not None else None,
        "obstacle": obstacle,
    }


def _denied(known: Artefacts) -> int | None:
    """The test rows that were decided unfavourably."""
    counts = [
        measured.value(known, PERFORMANCE, "confusion", f"{kind}_negative") for kind in ("true", "false")
    ]
    return sum(counts) if all(isinstance(count, int) for count in counts) else None


def section(known: Artefacts) -> Iterator[Sentence | ClaimTable]:
    """The readiness as a section of the technical file."""
    if measured.value(known, REASONS, "status") != "measured":
        yield measured.missing(known, REASONS, "how denials are reasoned", "policy")
        return
    if measured.value(known, REASONS, "policy") is None:
        yield Gap(
            what="how denials are reasoned: the policy does not say",
            command="write `reasons` in the policy, then `clearance run`",
        )
        return
    yield say(
        known,
        "Method {method}: reasons are the at most {at_most} features whose contribution falls furthest "
        "below the mean of those applicants. Source: {source}.",
        "the method",
        method=place(REASONS, "text", "policy", "method"),
        at_most=place(REASONS, "count", "policy", "at_most"),
        source=place(REASONS, "text", "policy", "source"),
    )
    if measured.value(known, REASON_TEXTS, "obstacle"):
        yield say(
            known,
            "No denial can be reasoned: {obstacle}.",
            "why denials cannot be reasoned",
            obstacle=place(REASON_TEXTS, "text", "obstacle"),
        )
    yield say(
        known,
        "Of {denied} test rows that were denied, {reasoned} could be given reasons; features without a "
        "specific text: {lacking} of {features}.",
        "how many denials can be reasoned",
        denied=place(REASON_TEXTS, "count", "denied"),
        reasoned=place(REASON_TEXTS, "count", "reasoned"),
        lacking=place(REASON_TEXTS, "count", "lacking"),
        features=place(REASON_TEXTS, "entries", "features"),
    )
    if measured.value(known, REASONS, "methods_differ") is not None:
        yield say(
            known,
            "The two methods that the interpretation names state different features for {share} of {denials} "
            "denials among tune rows.",
            "how much depends on the method",
            share=place(REASONS, "percent", "methods_differ"),
            denials=place(REASONS, "count", "denials"),
        )
    yield from _features(known)


def _features(known: Artefacts) -> Iterator[Sentence | ClaimTable]:
    listed = sources.items(known, REASON_TEXTS, "features")
    rows = tuple(
        say(
            known,
            "{feature} {status}: {text}.",
            "a reason",
            feature=place(REASON_TEXTS, "text", "features", index, "feature"),
            status=place(REASON_TEXTS, "text", "features", index, "status"),
            text=place(REASON_TEXTS, "text", "features", index, "text"),
        )
        for index, _ in enumerate(listed)
    )
    if rows:
        columns = measured.columns(feature="Feature", status="Its text", text="What people read")
        yield ClaimTable(title="Reasons by feature", columns=columns, rows=rows)
    for item in listed:
        if item["status"] != "has a specific text":
            why = "; ".join(item["problems"]) or item["status"]
            yield Gap(
                what=f"the reason for `{item['feature']}`: {why}",
                command=f"write a specific text for it in {_FILE}, then `clearance run`",
            )
