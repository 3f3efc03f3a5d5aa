"""Commands of the decision server."""

from __future__ import annotations

from pathlib import Path

import click

from clearance.cli import options, process
from clearance.errors import ExitCode


@click.command()
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to bind to.")
@click.option("--port", type=int, metavar="PORT", default=8322, show_default=True, help="Port to listen on.")
@click.option("--certificate", type=options.FILE, metavar="FILE", help="TLS certificate (PEM).")
@click.option("--key", type=options.FILE, metavar="FILE", help="The certificate's private key (PEM).")
@process.exit_with_status
def serve(host: str, port: int, certificate: Path | None, key: Path | None) -> int:
    """Serve the champion's decisions until stopped.

    Nothing is served that does not verify. Every decision is on record before its answer leaves.
    """
    root = process.enter_project()
    from clearance.serving import server

    server.serve(root, server.Listen(host=host, port=port, certificate=certificate, key=key))
    return ExitCode.PASS
