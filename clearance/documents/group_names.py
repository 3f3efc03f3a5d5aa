"""How groups are named in every table, model and document where the data give no name."""

from __future__ import annotations

MISSING = "(missing)"
"""The group of rows whose attribute is null; also the category of a null text among the features."""
