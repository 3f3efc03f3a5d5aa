"""Commands for keys, roles and the root of trust."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from clearance.cli import faults, options, process
from clearance.errors import ExitCode, IntegrityError

if TYPE_CHECKING:
    from securesystemslib.signer import Key

    from clearance.trust.root import Root

_public_keys = click.option(
    "--keys",
    "files",
    type=options.FILE,
    metavar="FILE",
    multiple=True,
    required=True,
    help="Public key of a holder (NAME.pub). Repeat for each holder.",
)
_threshold = click.option(
    "--threshold", type=int, metavar="NUMBER", required=True, help="How many of them must sign."
)
_key = click.option(
    "--key", metavar="URI", required=True, help="URI of a root key to sign with, such as file2:PATH."
)
_keyid = click.option("--keyid", metavar="ID", help="ID of the root key, if the URI does not determine it.")


@click.group()
def keys() -> None:
    """Create signing keys."""


@keys.command()
@click.argument("identity")
@click.option(
    "--folder", type=options.FILE, metavar="FOLDER", required=True, help="Folder for the private key."
)
@process.exit_with_status
def create(identity: str, folder: Path) -> int:
    """Create an Ed25519 key pair for IDENTITY.

    The private key is IDENTITY.pem, encrypted if CLEARANCE_PASSPHRASE is set. The public key is printed and
    written to IDENTITY.pub; add it to policies/roles.yaml.
    """
    from clearance.trust import key_files

    pair = key_files.create(folder, identity, os.environ.get(key_files.PASSPHRASE))
    (folder / f"{identity}.pub").write_text(str(pair), "utf-8")
    process.echo_text(str(pair))
    process.echo(f"private key: {folder / identity}.pem (keep it secret)", err=True)
    return ExitCode.PASS


@click.group()
def roles() -> None:
    """Show and sign the roles file."""


@roles.command("show")
@options.as_json
@process.exit_with_status
def show_roles(as_json: bool) -> int:
    """List people, their roles and rights."""
    root = process.enter_project()
    from clearance.promotion import session

    with session.open_read_only(root) as reader:
        now, in_force = reader.now(), reader.roles
    people: dict[str, dict[str, list[str]]] = {}
    for identity, person in sorted(in_force.people.items()):
        own_roles = sorted(person.roles(now))
        rights = sorted({right for role in own_roles for right in in_force.rights.get(role, ())})
        people[identity] = {"roles": list(map(str, own_roles)), "rights": list(map(str, rights))}
    if as_json:
        process.write_json({"demo": in_force.demo, "people": people})
        return ExitCode.PASS
    for identity, may in people.items():
        held = ", ".join(may["roles"]) or "no role now"
        process.echo(f"{identity} ({held}): {', '.join(may['rights']) or 'no rights'}")
    if in_force.demo:
        process.echo("These are demo keys. They lie in this checkout, so they do not prove who signed.")
    return ExitCode.PASS


@roles.command("sign")
@_key
@_keyid
@process.exit_with_status
def sign_roles(key: str, keyid: str | None) -> int:
    """Sign policies/roles.yaml with a root key."""
    home = process.enter_project()
    from clearance.promotion import session
    from clearance.trust import roles_in_force

    newest = session.newest_roles_file(home)
    signed = roles_in_force.sign(home, key, dt.datetime.now(dt.UTC), keyid=keyid, seen=newest)
    process.echo(f"signed: {signed}")
    return ExitCode.PASS


@click.group()
def root() -> None:
    """Manage the root of trust, which signs the roles file."""


@root.command("show")
@options.as_json
@process.exit_with_status
def show_root(as_json: bool) -> int:
    """Show the pinned root keys and their threshold."""
    home = process.enter_project()
    from clearance.trust import root as roots

    path = roots.pinned_path(home)
    pinned = roots.load(path)
    if as_json:
        process.write_json(
            {
                "path": str(path),
                "version": pinned.version,
                "demo": pinned.demo,
                "threshold": pinned.threshold,
                "keys": sorted(pinned.keys),
            }
        )
        return ExitCode.PASS
    process.echo(f"{path}: version {pinned.version}{', demo' if pinned.demo else ''}")
    process.echo(f"{pinned.threshold} of {len(pinned.keys)} keys must sign:")
    for keyid in sorted(pinned.keys):
        process.echo(f"  {keyid}")
    return ExitCode.PASS


@root.command()
@_public_keys
@_threshold
@process.exit_with_status
def pin(files: tuple[Path, ...], threshold: int) -> int:
    """Pin the first root on this machine.

    The root is kept at $CLEARANCE_ROOT, or in .clearance/root.json.
    """
    home = process.enter_project()
    from clearance.trust import root as roots

    path = roots.pinned_path(home)
    if path.exists() and not roots.load(path).demo:
        raise faults.ROOT_ALREADY_PINNED(path=path)
    roots.write(path, roots.create(roots.read_public_keys(files), threshold))
    process.echo(f"pinned: {path}")
    return ExitCode.PASS


@root.command()
@click.argument("new", type=options.FILE, metavar="FILE")
@_public_keys
@_threshold
@_key
@_keyid
@process.exit_with_status
def propose(new: Path, files: tuple[Path, ...], threshold: int, key: str, keyid: str | None) -> int:
    """Write a new root to FILE and sign it with a pinned key."""
    home = process.enter_project()
    from clearance.trust import dsse, signers
    from clearance.trust import root as roots

    pinned = roots.load(roots.pinned_path(home))
    if new.exists():
        raise faults.FILE_EXISTS(path=new)
    successor = roots.create(roots.read_public_keys(files), threshold, version=pinned.version + 1)
    dsse.write(new, roots.propose(successor, signers.signer(key, _matching(pinned.keys, keyid))))
    return _report_signatures(new, pinned)


@root.command("sign")
@click.argument("new", type=options.FILE, metavar="FILE")
@_key
@_keyid
@process.exit_with_status
def sign_root(new: Path, key: str, keyid: str | None) -> int:
    """Sign the new root in FILE with an old or a new key."""
    home = process.enter_project()
    from clearance.trust import dsse, signers
    from clearance.trust import root as roots

    pinned = roots.load(roots.pinned_path(home))
    envelope = dsse.read(new)
    holder = signers.signer(key, _matching(roots.eligible_keys(pinned, envelope), keyid))
    dsse.write(new, dsse.countersign(envelope, holder))
    return _report_signatures(new, pinned)


@root.command()
@click.argument("new", type=options.FILE, metavar="FILE")
@process.exit_with_status
def adopt(new: Path) -> int:
    """Pin the new root in FILE on this machine.

    Enough holders of the old root and enough of the new one must have signed it.
    """
    home = process.enter_project()
    from clearance.trust import dsse
    from clearance.trust import root as roots

    path = roots.pinned_path(home)
    successor = roots.successor(roots.load(path), dsse.read(new))
    roots.write(path, successor)
    process.echo(f"pinned: {path}, version {successor.version}")
    process.echo(
        f"Next: {successor.threshold} of its keys sign policies/roles.yaml: `clearance roles sign --key URI`"
    )
    return ExitCode.PASS


def _matching(public_keys: Mapping[str, Key], keyid: str | None) -> list[Key]:
    """The keys with this ID; all of them without one."""
    return [key for name, key in public_keys.items() if keyid in (None, name)]


def _report_signatures(new: Path, pinned: Root) -> int:
    """Say whether enough holders signed the new root."""
    from clearance.trust import dsse
    from clearance.trust import root as roots

    try:
        roots.successor(pinned, dsse.read(new))
        process.echo(f"{new} is complete. Run `clearance root adopt {new}` on every machine that decides.")
    except IntegrityError as error:
        process.echo(f"{new} is signed; {error.fault}: {error.hint}")
    return ExitCode.PASS
