"""Numbers in words: three significant digits, and never a rounding that hides a broken limit."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance import foreign_text, wording

FINITE = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("value", "low", "high", "says"),
    [
        (0.12345, 0.0512, 0.2001, "0.123 (0.051 to 0.200)"),
        (0.98, 0.912, 1.0, "0.98 (0.91 to 1.00)"),
        (0.004, 0.0, 0.0213, "0.0040 (0.0000 to 0.0213)"),
        (1234.5, 1200.0, 1300.2, "1,234 (1,200 to 1,300)"),
        (3.0, None, None, "3"),
        (0.0, None, None, "0"),
        (1989.0, None, None, "1,989"),
        (0.00341, None, None, "0.00341"),
        (1.776e-15, None, None, "1.78e-15"),
        (-0.0001, -0.5, 0.5, "0.000 (-0.500 to 0.500)"),
    ],
)
def test_a_measurement_has_three_significant_digits(
    value: float, low: float | None, high: float | None, says: str
) -> None:
    assert wording.measurement({"value": value, "low": low, "high": high}) == says


def test_an_undefined_measurement_says_why() -> None:
    assert wording.measurement({"value": None, "undefined": "no rows"}) == "undefined: no rows"
    assert wording.measurement({"value": None}) == "undefined: no reason was recorded"


@pytest.mark.parametrize(
    ("value", "fence", "says"),
    [(0.10004, 0.1, "0.10004"), (0.09996, 0.1, "0.09996"), (0.79999, 0.8, "0.79999"), (0.1, 0.1, "0.100")],
)
def test_rounding_never_moves_a_number_onto_its_limit(value: float, fence: float, says: str) -> None:
    assert wording.measurement({"value": value}, beside=[fence, None]) == says


@given(st.tuples(FINITE, FINITE, FINITE), FINITE)
def test_every_number_is_shown_on_its_own_side_of_the_limit(
    ends: tuple[float, float, float], fence: float
) -> None:
    low, value, high = sorted(ends)
    text = wording.measurement({"value": value, "low": low, "high": high}, beside=[fence])
    numbers = [
        float(number.replace(",", "")) for number in re.findall(r"-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)
    ]
    assert len(numbers) == 3
    for exact, approximation in zip((value, low, high), numbers, strict=True):
        if abs(exact - fence) > 1e-9:
            assert (exact > fence) == (approximation > fence), text


@pytest.mark.parametrize(
    ("number", "says"),
    [(0.1, "0.1"), (30.0, "30"), (1e-6, "0.000001"), (1.25, "1.25"), (-0.5, "-0.5"), (2, "2")],
)
def test_a_limit_is_shown_as_it_was_written(number: float, says: str) -> None:
    assert wording.plain(number) == says
    assert wording.limit({"at_least": None, "at_most": number}) == f"≤ {says}"


def test_limits_in_words() -> None:
    assert wording.limit({"at_least": 0.8, "at_most": 1.25}) == "0.8 to 1.25"
    assert wording.limit({"at_least": 0.8}) == "≥ 0.8"
    assert wording.limit(None) == "none"
    assert wording.limit({}) == "none"


def test_rates_counts_and_names_in_words() -> None:
    assert wording.percent(0.8421) == "84.2%"
    assert wording.percent(None) == "none"
    assert wording.count(1989) == "1,989"
    assert wording.number(0.07, like=0.5) == "0.070"
    assert wording.number(0.07) == "0.0700"
    assert wording.join_names(["race", "sex", "age"]) == "race, sex and age"
    assert wording.join_names(["race"]) == "race"
    assert wording.join_names([]) == "nothing"
    assert wording.sentence("it is so") == "It is so."
    assert wording.sentence("It is so.") == "It is so."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a plain reason", "a plain reason"),
        ("Grüße 你好 👩\u200d🔬 naïve", "Grüße 你好 👩\u200d🔬 naïve"),
        ("\x1b[2K\rholds", "\\u001b[2K\\rholds"),
        ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
        ("a\x9b2Jb\x85c\x00d\x7f", "a\\u009b2Jb\\u0085c\\u0000d\\u007f"),
        ("x\nholds   ledger: sound", "x\\nholds   ledger: sound"),
        ("x\u2028y\u2029z\ud800", "x\\u2028y\\u2029z\\ud800"),
        ("tag\U000e0041", "tag\\U000e0041"),
    ],
)
def test_foreign_text_shows_what_would_act(text: str, shown: str) -> None:
    assert foreign_text.inert(text) == shown


@given(st.text())
def test_inert_text_is_one_line_that_a_terminal_only_shows(text: str) -> None:
    output = foreign_text.inert(text)
    assert foreign_text.inert(output) == output
    assert len(output.splitlines()) <= 1 and not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", output)
    others = foreign_text.inert_lines(text).split("\n")[1:]
    assert all(line.startswith(" ") for line in others if line)


def test_what_is_counted_has_its_noun() -> None:
    words = [wording.counted(number, "line") for number in (0, 1, 2001)]
    assert words == ["0 lines", "1 line", "2,001 lines"]
    assert [wording.counted(number, "entry", "entries") for number in (1, 2)] == ["1 entry", "2 entries"]


BLANK = ("\u200b", "\u2060\ufeff", "\u3164", "\u2800", "\u034f", "\u202e", "\x00", "\xa0", "", " \t\n")


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        *((text, True) for text in ("x", "!", "你", "👍", " e\u0301")),
        *((text, False) for text in BLANK),
    ],
)
def test_a_text_is_visible_when_it_shows_something(text: str, visible: bool) -> None:
    assert foreign_text.is_visible(text) is visible
