"""JSON from callers: what readers disagree on is refused by a code, and no error repeats it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.errors import DataError
from clearance.serving import strict_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_what_json_can_say_comes_through_unchanged(value: object) -> None:
    assert strict_json.parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\xff\xfe", "not_utf8"),
        (b'{"a": "\xc3\x28"}', "not_utf8"),
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b"{} {}", "not_json"),
        (b"{'a': 1}", "not_json"),
        (b"[1,]", "not_json"),
        (b"[NaN]", "not_finite"),
        (b"[-Infinity]", "not_finite"),
        (b"[1e400]", "not_finite"),
        (b"[-1e400]", "not_finite"),
        (b"[" + b"9" * 5000 + b"]", "not_finite"),
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "duplicate_key"),
        (b"[" * 17 + b"]" * 17, "too_deep"),
        (b"[" * 200_000, "too_deep"),
        (b'{"a":' * 200_000, "too_deep"),
        (b'["\\ud800"]', "not_text"),
        (b'{"\\udfff": 1}', "not_text"),
    ],
)
def test_what_is_ambiguous_infinite_or_too_deep_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(DataError) as refused:
        strict_json.parse(body)
    assert refused.value.code == f"serving.{code}"


def test_the_deepest_allowed_and_a_surrogate_pair_are_taken() -> None:
    assert strict_json.parse(b"[" * 16 + b"]" * 16)
    assert strict_json.parse(b'["\\ud83d\\ude00"]') == ["\N{GRINNING FACE}"]
    assert strict_json.parse(b"[1e308, 5e-324, 1e-400]") == [1e308, 5e-324, 0.0]
    assert not math.isinf(strict_json.parse(b"[1e308]")[0])
