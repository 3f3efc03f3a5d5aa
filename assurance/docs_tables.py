"""Tables in the docs that are rendered from a record: between two marks, never written by hand."""

from __future__ import annotations

import re


def placed(text: str, study: str, table: str) -> str:
    """`text` with the table between the marks of the study. Raises ValueError where there are none."""
    begin = f"<!-- {study}: written by `python -m assurance {study} --write` -->\n"
    end = f"<!-- {study} ends -->"
    if begin not in text or end not in text:
        raise ValueError(f"the guide has no marks of {study}")
    pattern = f"({re.escape(begin)}).*?(?={re.escape(end)})"
    return re.sub(pattern, lambda match: match[1] + table, text, flags=re.DOTALL)
