"""One reading of a YAML file: DVC's."""

import datetime as dt

import pytest
from dvc.utils.serialize import parse_yaml
from hypothesis import given
from hypothesis import strategies as st

from clearance import yaml

TEXT = "a: yes\nb: 1e-3\nc: 1:30\nd: on\ne: 012\nf: 'yes'\ng: null\nh: TRUE\ni: 1_000\n"


def test_what_dvc_reads_is_what_we_read() -> None:
    assert yaml.loads(TEXT) == parse_yaml(TEXT, "params.yaml")
    assert yaml.loads(TEXT)["a"] == "yes"
    assert yaml.loads(TEXT)["b"] == 0.001


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.sampled_from(
        [
            "yes",
            "no",
            "on",
            "1e-3",
            "1:30",
            "012",
            "null",
            "~",
            "",
            " a",
            "2026-01-01",
            "#",
            "ü",
            "x\u2028y",
            "x\u202ey",
            "x\ry",
        ]
    ),
)


@given(st.dictionaries(st.sampled_from(["key", "other", "on"]), st.one_of(SCALARS, st.lists(SCALARS))))
def test_what_is_written_is_read_back_by_us_and_by_dvc(value: dict) -> None:
    text = yaml.dumps(value)
    assert (yaml.loads(text) or {}) == value
    assert parse_yaml(text, "params.yaml") == value


BREAKS = ["\r", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("sign", [*BREAKS, "\u202e", "\u2066"])
def test_a_comment_or_value_that_looks_other_than_it_is_read_is_refused_with_its_line(sign: str) -> None:
    for text in (f"a: 1\nb: 2 # note{sign}c: 3\n", f"a: 1\nb: 'x{sign}y'\n"):
        with pytest.raises(yaml.YAMLError, match=rf"line 2 .*U\+{ord(sign):04X}"):
            yaml.loads(text)
    assert yaml.loads("a: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "`a` stands on lines 1 and 3; delete one"),
        ("m:\n  a: 1\n'a': 2\n", None),
        ("a:\n  b: 1\n  c: 2\n  'b': 3\n", "`b` stands on lines 2 and 4; delete one"),
        ("m: {a: 1, a: 2}\n", "`a` stands twice in one mapping, the second time on line 1; delete one"),
        ("name: a: b\n", "line 1, column 8: mapping values are not allowed in this context"),
    ],
)
def test_a_fault_is_one_line_with_its_place(text: str, says: str | None) -> None:
    if says is None:
        yaml.loads(text)
        return
    with pytest.raises(yaml.YAMLError) as caught:
        yaml.loads(text)
    assert str(caught.value) == says


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2", "\ta: 1", "a: 1\n--- \nb: 2\n"])
def test_what_has_two_readings_has_none(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        yaml.loads(text)


def test_whoever_changes_what_was_read_changes_their_own_copy() -> None:
    first = yaml.loads("a: [1, {b: 2}]")
    first["a"][1]["b"] = 3
    assert yaml.loads("a: [1, {b: 2}]") == {"a": [1, {"b": 2}]}


def test_a_day_that_no_calendar_has_stays_text() -> None:
    assert yaml.loads("a: 2026-13-45\nb: 2026-12-31") == {"a": "2026-13-45", "b": dt.date(2026, 12, 31)}
