"""Commands of the decision server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearance import paths
from clearance.cli import options, process
from clearance.errors import ExitCode

if TYPE_CHECKING:
    from clearance.serving.served_model import ServedModel


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


@click.command("serve-key")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=click.Choice(["predict", "read", "administer"]),
    multiple=True,
    required=True,
    help="What the caller may do. Repeat for several.",
)
@process.exit_with_status
def serve_key(name: str, roles: tuple[str, ...]) -> int:
    """Create an API key for caller NAME of the server.

    The key is shown once; the lines below it go into policies/serving.yaml, which holds only its digest.
    """
    from clearance.serving import access

    key, sha256 = access.new_key()
    holder = access.key_holder(name, sha256, roles)
    lines = [
        f"key (shown once): {key}",
        "",
        f"add to {access.FILE}, below `callers:`",
        f"  - name: {holder.name}",
        f"    key_sha256: {holder.key_sha256}",
        f"    roles: [{', '.join(holder.roles)}]",
    ]
    process.echo_text("\n".join([*lines, ""]))
    return ExitCode.PASS


@click.command()
@click.argument("table", type=options.FILE)
@click.option("--output", type=options.FILE, metavar="FILE", required=True, help="Parquet file to write.")
@click.option("--entity", metavar="COLUMN", help="Column with the ids of the people or things decided about.")
@click.option("--caller", metavar="NAME", default="batch", show_default=True, help="Who asks, on record.")
@process.exit_with_status
def predict(table: Path, output: Path, entity: str | None, caller: str) -> int:
    """Decide about every row of a Parquet file.

    TABLE has a column for each feature. Every decision is on record as over HTTP. Run again after an
    interruption, it goes on with the decisions that are on record.
    """
    root = process.enter_project()
    from rich.progress import Progress

    from clearance import inference_log
    from clearance.inference_log import settings
    from clearance.promotion import inference_trail
    from clearance.serving import batch
    from clearance.serving.champion import Champion

    champion = Champion(root)
    champion.start()
    model = champion.deciding()

    def present() -> ServedModel:
        champion.refresh()
        return champion.deciding()

    spool = inference_trail.spool(root, model.policy.inference_log)
    with (
        inference_log.open(settings.address(root), settings.key_path(root), spool=spool) as log,
        Progress(disable=not sys.stderr.isatty()) as progress,
    ):
        bar = progress.add_task("rows", total=batch.count(table))
        rows = batch.decide(
            model,
            log,
            table,
            output,
            entity=entity,
            caller=caller,
            report=lambda number: progress.advance(bar, number),
            present=present,
        )
    process.echo(f"{rows:,} rows decided by {model.name} version {model.version}: {output}")
    return ExitCode.PASS


@click.command()
@click.argument("version", type=int, required=False)
@click.option("--off", is_flag=True, help="Leave the model without a challenger.")
@click.option("--hours", type=click.IntRange(1), metavar="N", help="Window of the comparison in hours.")
@options.identity
@options.reason(required=False, note="Needed to change the challenger.")
@options.as_json
@process.exit_with_status
def shadow(
    *,
    version: int | None,
    off: bool,
    hours: int | None,
    identity: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Have candidate VERSION score the same traffic in shadow.

    It decides nothing: what it would have decided is recorded and compared. Setting it, or --off, needs the
    right `promote`. Without either, print the comparison with the champion on this machine.
    """
    if off and version is not None:
        raise click.UsageError("give a VERSION or --off, not both")
    if (off or version is not None) and reason is None:
        raise click.UsageError("--reason is needed to change the challenger")
    root = process.enter_project()
    if off or version is not None:
        process.echo(_set_challenger(root, version, reason or "", identity))
        return ExitCode.PASS
    from clearance.serving import shadow_summary

    summary = shadow_summary.read(root, hours)
    if as_json:
        process.write_json(summary and summary.to_json())
    else:
        for line in summary.lines() if summary else ["no challenger scores in shadow"]:
            process.echo(line)
    return ExitCode.PASS


def _set_challenger(root: Path, version: int | None, reason: str, identity: str | None) -> str:
    """Make the version the challenger, or None; what is so now."""
    from clearance import params, registry
    from clearance.promotion import challenger, session

    name = params.load(root / paths.PARAMS).name
    with session.open_session(root, identity) as acting:
        if version is None:
            challenger.clear_challenger(acting, registry.connect(), name, reason)
            return f"{name} has no challenger now"
        challenger.set_challenger(acting, registry.connect(), name, version, reason)
    return f"version {version} of {name} scores in shadow; servers take it within seconds"
