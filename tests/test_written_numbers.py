"""Numbers that are written as texts: DuckDB reads exactly the number, and nothing else is converted."""

import re
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.data import disguises, written_numbers
from clearance.data.disguises import Disguise

CONNECTION = duckdb.connect()
NARROW, MINUS = "\u202f", "\u2212"


def converted(disguise: Disguise, texts: list[str | None]) -> list[float | None]:
    select = f"SELECT {disguise.sql} FROM (SELECT unnest(?::VARCHAR[]) AS x)"  # noqa: S608 - ours
    rows = CONNECTION.execute(select, [texts])
    return [number for (number,) in rows.fetchall()]


def written(number: Decimal, style: tuple[str, str, str, str], negative: str) -> str:
    """The number with this decimal mark, thousands separator, prefix and suffix."""
    decimal, thousands, prefix, suffix = style
    text = f"{abs(number):,f}".translate({ord(","): thousands, ord("."): decimal})
    if number >= 0:
        return f"{prefix}{text}{suffix}"
    return f"({prefix}{text}{suffix})" if negative == "()" else f"{negative}{prefix}{text}{suffix}"


STYLES = [
    (".", "", "", ""),
    (",", "", "", ""),
    (",", ".", "", " €"),
    (".", ",", "$", ""),
    (".", "'", "CHF ", ""),
    (",", NARROW, "", f"{NARROW}kg"),
    (",", " ", "", ""),
    (".", "", "", "%"),
]
NUMBERS = st.decimals(min_value=-(10**9), max_value=10**9, places=2)


@pytest.mark.parametrize("style", STYLES)
@given(
    numbers=st.lists(NUMBERS, min_size=1, max_size=30, unique=True),
    negative=st.sampled_from(["-", MINUS, "()"]),
)
def test_every_style_gives_exactly_the_number(
    style: tuple[str, str, str, str], numbers: list[Decimal], negative: str
) -> None:
    numbers = [*numbers, Decimal("1234567.25")]
    texts = [written(number, style, negative) for number in numbers]
    disguise = disguises.of("x", texts)
    assert disguise is not None and disguise.sql is not None
    assert converted(disguise, [*texts, None]) == [*map(float, numbers), None]


@pytest.mark.parametrize(
    "misfit",
    [
        *("85.4k", "10k", "3 bis 4", "20-30", "30+", "inf", "nan%", "1e309", "1e400", "007", "1.2.3"),
        *("6322.427 kg", "1,23", "76,94", "1,2345", "(5", "5)", "--5", "5-", "$5", "5 €", "0x10", "five"),
        *("\u0663", "1_000"),
    ],
)
def test_one_value_outside_the_grammar_is_named_and_nothing_is_converted(misfit: str) -> None:
    texts = [f"{number}.5" for number in range(30)] + [f"{MINUS}1.5"]
    disguise = disguises.of("x", [*texts, misfit])
    assert disguise is not None
    assert (disguise.sql, disguise.others) == (None, (misfit,))
    assert f"`{misfit}`" in (disguise.obstacle or "")
    fitting = disguises.of("x", texts)
    assert fitting is not None and fitting.sql is not None
    with pytest.raises(duckdb.Error, match="`x` holds a text that is not a number"):
        converted(fitting, [*texts, misfit])  # a later value never becomes null or another number


@pytest.mark.parametrize("style", STYLES)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=10), misfit=st.sampled_from(["x", "1,2.3,4", "5k", ""]))
def test_a_text_that_does_not_fit_is_null_where_the_run_goes_on(
    style: tuple[str, str, str, str], numbers: list[Decimal], misfit: str
) -> None:
    texts = [written(number, style, "-") for number in [*numbers, Decimal("1234567.25")]]
    reading = written_numbers.read(texts)
    assert reading is not None and reading.is_certain
    select = f"SELECT {reading.grammar.sql_or_null('x')} FROM (SELECT unnest(?::VARCHAR[]) AS x)"  # noqa: S608
    rows = CONNECTION.execute(select, [[*texts, misfit, None]]).fetchall()
    assert [value for (value,) in rows] == [*map(float, numbers), 1234567.25, None, None]
    assert not re.search("[0-9]", " ".join(reading.grammar.features))


@given(text=st.text(alphabet="0123456789.,'-+()eEkKg% \u00a0€$%infa", min_size=1, max_size=8))
def test_a_later_text_is_the_number_that_it_is_or_stops_the_run(text: str) -> None:
    disguise = disguises.of("x", ["1.234,50 €", "12,75 €", "-0,5 €"])
    assert disguise is not None and disguise.sql is not None
    try:
        [number] = converted(disguise, [text])
    except duckdb.Error:
        return
    assert "€" in text and number == float(
        text.replace("€", "").replace(" ", "").replace(".", "").replace(",", ".")
    )


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["(73.32)", "93.63"], [-73.32, 93.63]),
        (["7.6e+03", f"{MINUS}1.5"], [7600.0, -1.5]),
        (["1.5", "n/a", "-", "2"], [1.5, None, None, 2.0]),
        (["$(5)", "-$4.25", "$ -7"], [-5.0, -4.25, -7.0]),
        (["₹1,234", "₹1,234,567"], [1234.0, 1234567.0]),
        ([".5 kg", "0.25 kg"], [0.5, 0.25]),
    ],
)
def test_signs_accounts_exponents_and_missing_values(texts: list[str], numbers: list[float | None]) -> None:
    disguise = disguises.of("x", texts)
    assert disguise is not None and disguise.sql is not None
    assert converted(disguise, list(texts)) == numbers


@pytest.mark.parametrize("texts", [["1,234", "5,678"], ["1.234 kg", "5.678 kg"], ["(5)", "(7)"]])
def test_what_can_be_read_in_two_ways_is_not_converted(texts: list[str]) -> None:
    disguise = disguises.of("x", texts)
    assert disguise is not None
    assert (disguise.sql, disguise.others) == (None, ()) and disguise.doubt


@pytest.mark.parametrize(
    "texts", [["10k", "12k"], ["1m", "2m"], ["3 bis 4", "5 bis 6"], ["2 years", "1 year", "x"]]
)
def test_multipliers_ranges_and_mixed_units_are_no_numbers(texts: list[str]) -> None:
    disguise = disguises.of("x", texts)
    assert disguise is None or disguise.sql is None
