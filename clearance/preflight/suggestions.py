"""The name that somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, names: Iterable[str]) -> str | None:
    """The most similar of `names`, whatever its case and the blanks around it; None when none is close."""
    plain = {_plain(candidate): candidate for candidate in reversed(list(names))}
    close = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.7)
    return plain[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The suggestion as it follows a fault: " (did you mean `sex`?)"; empty when no name is close."""
    close = closest(name, names)
    return f" (did you mean `{close}`?)" if close else ""


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_").replace(".", "_")
