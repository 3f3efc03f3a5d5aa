"""The options of `clearance run`, declared once for the command and for the flow that does the work.

The command parses them to refuse a wrong one at once, and hands the words on unchanged; the flow's process
parses the same words with the same declaration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from clearance.cli import options

_WORDS = "clearance.cli.run_options"
_OPTIONS: tuple[options.Decorator, ...] = (
    click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a key of params.yaml."
    ),
    options.policy("Judge under this policy instead. A what-if: nothing is registered or released."),
    click.option("--force", is_flag=True, help="Run every stage, even if nothing changed."),
    click.option(
        "--any-verdict", is_flag=True, help="Exit with 0 on any verdict; a fault still exits with 1."
    ),
)
_HELP = """Run the pipeline, judge the model and release it.

    The model is registered if there is one, and promoted if evidence, policy and approvals allow it.

    Exit status: 0 pass (approvals may still be missing), 1 fault, 3 refused, 4 insufficient evidence,
    5 not evaluated, 6 pass, but what allowed the champion has ended.
    """


class _Run(click.Command):
    """A command that remembers the words it parsed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = tuple(args)
        return super().parse_args(ctx, args)


def command(callback: Callable[..., Any]) -> click.Command:
    """The command `run` that calls `callback(settings, policy_file, force, any_verdict)`."""
    for option in reversed(_OPTIONS):
        callback = option(callback)
    return click.command("run", cls=_Run, help=_HELP)(callback)


def words() -> tuple[str, ...]:
    """The words of the current command line, for the process that goes on with them."""
    command_line: tuple[str, ...] = click.get_current_context().meta[_WORDS]
    return command_line
