"""`reasons.yaml`: what people read for a feature that is a reason for a denial.

A text must be specific (12 CFR 1002.9(b)(2)): neither missing nor empty, nor a reference to standards or to
the score itself, and it must not name a protected attribute. Nothing here knows a model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from clearance import params, paths, validation_messages
from clearance.documents.measurement import INTERSECTION
from clearance.reasons import faults

UNSPECIFIC = (
    *(
        "internal standard",
        "internal polic",
        "internal criteri",
        "our standards",
        "our criteria",
        "our polic",
    ),
    *("underwriting standard", "underwriting criteri", "lending standard", "lending criteri"),
    *("credit standard", "qualifying score", "scoring system", "score too low", "insufficient score"),
    *("minimum score", "low score", "other reason", "various reasons", "to be written", "todo"),
    *("does not meet our", "did not meet our", "not meet the"),
)
"""Phrases that name no factor; the first and "qualifying score" are the regulation's own examples."""

SHORTEST, LONGEST = 4, 200
"""The smallest and the largest number of letters, digits and other characters of a text."""


class ReasonTexts(params.Section):
    """The content of `reasons.yaml`.

    `texts` has what people read, by feature. `inquiries` are the features that count inquiries about the
    applicant: the Fair Credit Reporting Act lists them as a fifth key factor.
    """

    texts: dict[str, str] = Field(default_factory=dict)
    inquiries: tuple[str, ...] = ()


def load(path: Path = paths.REASON_TEXTS) -> ReasonTexts:
    """Read the file. Raises ConfigurationError when it is missing, or is not what `ReasonTexts` says."""
    if not path.is_file():
        raise faults.TEXTS_MISSING(path=path)
    content = params.read_yaml(path)
    try:
        return ReasonTexts.model_validate(content)
    except ValidationError as error:
        problems = validation_messages.describe(error, ReasonTexts)
        raise faults.TEXTS_NOT_VALID(path=path, problems=problems) from None


def problems(texts: ReasonTexts, features: Sequence[str], protected: Collection[str]) -> list[str]:
    """What is wrong with the texts of these features, a sentence for each; empty where all can be stated.

    `protected` are the names of protected attributes and of their encodings.
    """
    found = list(_of_each(texts.texts, features, protected))
    by_text: dict[str, list[str]] = {}
    for feature in features:
        by_text.setdefault(_plain(texts.texts.get(feature, "")), []).append(feature)
    for text, alike in by_text.items():
        if text and len(alike) > 1:
            names = ", ".join(f"`{name}`" for name in alike)
            found.append(f"{names} have the same text: a reader could not tell them apart")
    return found


def protected_names(data: params.Data, attributes: Sequence[str]) -> list[str]:
    """The protected attributes and their encodings, of `params.yaml` and of a policy's `attributes`."""
    of_policy = [part for name in attributes for part in name.split(INTERSECTION)]
    return list(dict.fromkeys([*data.protected, *data.protected_encodings, *of_policy]))


def unused(texts: ReasonTexts, features: Collection[str]) -> list[str]:
    """The names in the file that are not features."""
    return [name for name in dict.fromkeys((*texts.texts, *texts.inquiries)) if name not in features]


def _of_each(texts: Mapping[str, str], features: Sequence[str], protected: Collection[str]) -> Iterator[str]:
    for feature in features:
        text = texts.get(feature)
        if text is None:
            yield f"`{feature}` has no text"
        elif len(text.strip()) < SHORTEST or not re.search(r"[^\W\d_]", text):
            yield f"the text of `{feature}` says nothing"
        elif len(text) > LONGEST or "\n" in text.strip():
            yield f"the text of `{feature}` is longer than one line of {LONGEST} characters"
        elif _plain(text) == _plain(feature) and "_" in feature:
            yield f"the text of `{feature}` is only the name of the column"
        elif phrase := next((phrase for phrase in UNSPECIFIC if phrase in _plain(text)), None):
            yield f"the text of `{feature}` is not specific: it says “{phrase}”"
        elif name := next((name for name in protected if _names(text, name)), None):
            yield f"the text of `{feature}` names `{name}`, which is protected"


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", text.lower()).split())


def _names(text: str, name: str) -> bool:
    return bool(_plain(name)) and re.search(rf"\b{re.escape(_plain(name))}\b", _plain(text)) is not None
