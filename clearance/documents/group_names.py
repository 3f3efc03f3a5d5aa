"""How groups are named in every table, model and document where the data give no name."""

from __future__ import annotations

from collections.abc import Mapping

from clearance.documents.measurement import INTERSECTION

MISSING = "(missing)"
"""The group of rows whose attribute is null; also the category of a null text among the features."""


def titled(attribute: str, titles: Mapping[str, str]) -> str:
    """An attribute or intersection as people read it: by the titles of its columns, else their names."""
    return INTERSECTION.join(titles.get(name, name) for name in attribute.split(INTERSECTION))
