"""A command group whose help lists its commands in titled sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click


class SectionedGroup(click.Group):
    """A group that shows its commands by section, in the order given, instead of in one alphabetical list."""

    def __init__(
        self, *arguments: Any, sections: Mapping[str, Sequence[click.Command]], **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.sections = sections
        for command in (command for commands in sections.values() for command in commands):
            self.add_command(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one table for each section; the columns line up across sections."""
        width = max(len(name) for name in self.list_commands(ctx))
        limit = formatter.width - 6 - width
        for title, commands in self.sections.items():
            rows = [
                (str(command.name).ljust(width), command.get_short_help_str(limit)) for command in commands
            ]
            with formatter.section(title):
                formatter.write_dl(rows)
