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
TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])

identity = click.option(
    "--as",
    "identity",
    metavar="NAME",
    help="Identity to act as. Default: $CLEARANCE_IDENTITY (in the demo: the pipeline account).",
)
version = click.argument("version", type=int)
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
