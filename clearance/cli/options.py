"""Options and parameter types that several commands share; each is declared here once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

FILE = click.Path(path_type=Path)
DATE = click.DateTime(["%Y-%m-%d"])


class Day(click.ParamType[dt.date]):
    """A day of the calendar (UTC): `2026-11-30`, `today` or `yesterday`."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """The day. Fails, with what can be given, on any other text."""
        if isinstance(value, dt.date):
            return value
        back = {"today": 0, "yesterday": 1}.get(value.strip().lower())
        if back is not None:
            return dt.datetime.now(dt.UTC).date() - dt.timedelta(days=back)
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a day: give one such as 2026-11-30, `today` or `yesterday`", param, ctx
            )


DAY = Day()


class Moment(click.DateTime):
    """A moment (UTC, without a time zone). A day alone means its end, and today means now."""

    def __init__(self) -> None:
        super().__init__(_TIMES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        """The moment. Fails on any other text."""
        moment: dt.datetime = super().convert(value, param, ctx)
        if isinstance(value, str) and len(value.strip()) == len("2026-11-30"):
            end = moment.replace(hour=23, minute=59, second=59, microsecond=999_999)
            now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
            return now if moment <= now < end else end
        return moment


_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
TIME = click.DateTime(_TIMES)

identity = click.option(
    "--as",
    "identity",
    metavar="NAME",
    help="Identity to act as. Default: $CLEARANCE_IDENTITY (in the demo: the pipeline account).",
)
version = click.argument("version", type=int)


def at(purpose: str) -> Decorator:
    """`--at`, a moment; a day alone means its end."""
    text = f"{purpose} A UTC time such as 2026-11-26T13:17:00, or a day, which means its end."
    return click.option("--at", type=Moment(), metavar="TIME", help=text)


as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
yes = click.option("--yes", is_flag=True, help="Do it. Without this option, only show what would be done.")


def reason(*, required: bool = True, note: str = "") -> Decorator:
    """`--reason`. `note` says when an optional one is needed."""
    text = f"Reason, recorded in the ledger. {note}".strip()
    return click.option("--reason", metavar="TEXT", required=required, help=text)


def policy(purpose: str) -> Decorator:
    """`--policy`, as `policy_file`: the path as it was typed."""
    return click.option("--policy", "policy_file", metavar="FILE", help=purpose)


def as_of(purpose: str) -> Decorator:
    """`--as-of`, a day."""
    return click.option("--as-of", type=DATE, metavar="DATE", help=purpose)
