"""YAML 1.2, as DVC reads and writes it: `yes` and `1:30` are text, `1e-3` is a number, a key stands once.

One reader for parameters, policies and the lock, so that no two steps see different values in one file. What
an editor shows is what is read: signs that end a line for YAML alone, or that change the order in which signs
are shown, are refused wherever they stand, in comments too.
"""

from __future__ import annotations

import copy
import io
import re
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError

__all__ = ["YAMLError", "dumps", "loads"]

_MISLEADING = re.compile("\r(?!\n)|[\x85\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""A line break that most editors do not show as one (a lone carriage return, NEL, LS, PS), or a sign that
reorders the text around it."""


class _Constructor(SafeConstructor):
    """Values as YAML has them; a day that no calendar has, such as 2026-13-45, stays the text that it is."""

    def construct_yaml_timestamp(self, node: Any, values: Any = None) -> Any:
        try:
            return super().construct_yaml_timestamp(node, values)
        except ValueError:
            return self.construct_scalar(node)


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", _Constructor.construct_yaml_timestamp)

_REPEATED = re.compile('found duplicate key "(.*?)"')


def loads(text: str) -> Any:
    """The content of one YAML document.

    Raises YAMLError on anything else, on a repeated key, and on a sign that makes the text look other than
    it is read; in a value, write that sign as an escape in double quotes.
    """
    return copy.deepcopy(_parsed(text))  # whoever changes what was read changes their own copy


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """The same text once: a command reads `dvc.lock` and the policies many times, each slowly."""
    if sign := _MISLEADING.search(text):
        line = text.count("\n", 0, sign.start()) + 1
        raise YAMLError(
            f"line {line} holds the invisible character U+{ord(sign[0]):04X}, which makes the text look "
            "other than it is read: delete it"
        )
    try:
        reader = YAML(typ="safe")
        reader.Constructor = _Constructor
        return reader.load(text)
    except MarkedYAMLError as error:
        raise YAMLError(_explain(error, text)) from None


def _explain(error: MarkedYAMLError, text: str) -> str:
    """What is wrong, and where, in one line."""
    mark = error.problem_mark
    problem = str(error.problem or error.context or "it cannot be read").split("\n")[0]
    if mark is None:
        return problem
    if repeated := _REPEATED.match(problem):
        return _repetition(repeated[1], mark.line, text)
    opened = error.context_mark
    since = f", {error.context} that begins on line {opened.line + 1}" if opened and error.context else ""
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}{since}"


def _repetition(key: str, second: int, text: str) -> str:
    """The message about a key that stands twice in one mapping, the second time on line `second`, from 0."""
    lines = text.splitlines()
    pattern = re.compile(rf"""(\s*)(["']?){re.escape(key)}\2\s*:""")
    place = pattern.match(lines[second]) if second < len(lines) else None
    if place:
        for number in range(second - 1, -1, -1):
            match = pattern.match(lines[number])
            if match and match[1] == place[1]:
                return f"`{key}` stands on lines {number + 1} and {second + 1}; delete one"
    return f"`{key}` stands twice in one mapping, the second time on line {second + 1}; delete one"


def dumps(value: Any) -> str:
    """`value` as a YAML document that `loads` reads back as it was, keys in their order."""
    text = _dump(value, allow_unicode=True)
    return _dump(value, allow_unicode=False) if _MISLEADING.search(text) else text


def _dump(value: Any, *, allow_unicode: bool) -> str:
    writer = YAML()
    writer.allow_unicode = allow_unicode
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()
