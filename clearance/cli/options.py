"""Options and parameter types that several commands share; each is declared here once."""

from __future__ import annotations

from pathlib import Path

import click

FILE = click.Path(path_type=Path)
DATE = click.DateTime(["%Y-%m-%d"])
TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])

identity = click.option(
    "--as",
    "identity",
    metavar="NAME",
    help="Identity to act as. Default: $CLEARANCE_IDENTITY (in the demo: the pipeline account).",
)
reason = click.option("--reason", metavar="TEXT", required=True, help="Reason, recorded in the ledger.")
yes = click.option("--yes", is_flag=True, help="Do it. Without this option, only show what would be done.")
