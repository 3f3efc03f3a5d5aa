"""What `--at` understands: a moment, or a day, which means its end and never a time that is still to come."""

import datetime as dt

import pytest

from clearance.cli import options


def moment(text: str) -> dt.datetime:
    return options.Moment().convert(text, None, None)


def test_a_day_means_its_end() -> None:
    assert moment("2020-02-29") == dt.datetime(2020, 2, 29, 23, 59, 59, 999_999)


@pytest.mark.parametrize("text", ["2020-02-29T00:00:00", "2020-02-29 00:00:00"])
def test_a_time_means_itself(text: str) -> None:
    assert moment(text) == dt.datetime(2020, 2, 29)


def test_today_means_now() -> None:
    before = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    asked = moment(before.date().isoformat())
    after = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert before <= asked <= after or after.date() > before.date()
