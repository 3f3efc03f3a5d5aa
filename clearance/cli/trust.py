"""The commands about keys, roles and the root of trust: who is who, and who may do what."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearance import cli, environment
from clearance.cli.governing import reading
from clearance.errors import ConfigurationError, ExitCode

if TYPE_CHECKING:
    from securesystemslib.signer import Key

FILE = click.Path(path_type=Path)
PUBLICS = click.option(
    "--keys",
    "files",
    type=FILE,
    multiple=True,
    required=True,
    help="A holder's public key, NAME.pub; once for each.",
)
THRESHOLD = click.option("--threshold", type=int, required=True, help="How many of them must sign.")
KEY = click.option("--key", required=True, help="URI of a root key, say file2:PATH.")
KEYID = click.option("--keyid", help="Which key of the root it is, where the URI does not hold it.")


def join(main: click.Group) -> None:
    """Add the commands to the group."""
    for group in (keys, roles, root):
        main.add_command(group)


def _home() -> Path:
    found = environment.project_root()
    environment.apply(found)
    return found


@click.group()
def keys() -> None:
    """Make a key of your own."""


@keys.command()
@click.argument("identity")
@click.option("--folder", type=FILE, required=True, help="Where the private key is kept.")
@cli.said
def create(identity: str, folder: Path) -> int:
    """Make an Ed25519 key for IDENTITY, locked by CLEARANCE_PASSPHRASE where that is set.

    What is printed, and kept as IDENTITY.pub, goes into policies/roles.yaml.
    """
    from clearance.trust import key_files

    made = key_files.create(folder, identity, os.environ.get(key_files.PASSPHRASE))
    (folder / f"{identity}.pub").write_text(str(made), "utf-8")
    click.echo(str(made), nl=False)
    click.echo(f"private key: {folder / identity}.pem (keep it to yourself)", err=True)
    return ExitCode.PASS


@click.group()
def roles() -> None:
    """Read and sign the roles file."""


@roles.command("show")
@cli.said
def show_roles() -> int:
    """Say who may do what."""

    def look(found: Any) -> int:
        now = found.now()
        for identity, person in sorted(found.roles.people.items()):
            rights = sorted(
                {right for role in person.roles(now) for right in found.roles.rights.get(role, ())}
            )
            click.echo(f"{identity} ({', '.join(sorted(person.roles(now)))}): {', '.join(rights)}")
        if found.roles.demo:
            click.echo("DEMO: the keys of these people lie in this checkout and prove nothing.")
        return ExitCode.PASS

    return reading(look)


@roles.command()
@KEY
@KEYID
@cli.said
def sign(key: str, keyid: str | None) -> int:
    """Add a root key's signature to policies/roles.yaml as it stands."""
    from clearance.promotion import session
    from clearance.trust import roles_in_force

    home = _home()
    seen = session.newest_roles_file(home)
    click.echo(f"signed: {roles_in_force.sign(home, key, dt.datetime.now(dt.UTC), keyid=keyid, seen=seen)}")
    return ExitCode.PASS


@click.group()
def root() -> None:
    """The root of trust: the keys that sign the roles file, pinned outside the repository."""


@root.command("show")
@cli.said
def show_root() -> int:
    """Say which keys are pinned, and how many of them must sign."""
    from clearance.trust import root as trust

    place = trust.pinned_path(_home())
    pinned = trust.load(place)
    click.echo(f"{place}: version {pinned.version}{', DEMO' if pinned.demo else ''}")
    click.echo(f"{pinned.threshold} of {len(pinned.keys)} keys must sign:")
    for keyid in sorted(pinned.keys):
        click.echo(f"  {keyid}")
    return ExitCode.PASS


@root.command()
@PUBLICS
@THRESHOLD
@cli.said
def pin(files: tuple[Path, ...], threshold: int) -> int:
    """Pin a first root on this machine: at CLEARANCE_ROOT, else .clearance/root.json."""
    from clearance.trust import root as trust

    place = trust.pinned_path(_home())
    if place.exists() and not trust.load(place).demo:
        raise ConfigurationError(
            f"{place} is pinned already", "take a new root with `clearance root propose`, `sign` and `adopt`"
        )
    trust.write(place, trust.create(trust.read_public_keys(files), threshold))
    click.echo(f"pinned: {place}")
    return ExitCode.PASS


@root.command()
@click.argument("new", type=FILE)
@PUBLICS
@THRESHOLD
@KEY
@KEYID
@cli.said
def propose(new: Path, files: tuple[Path, ...], threshold: int, key: str, keyid: str | None) -> int:
    """Write to NEW the root that shall follow the pinned one, with a first signature, of a pinned key."""
    from clearance.trust import dsse, signers
    from clearance.trust import root as trust

    pinned = trust.load(trust.pinned_path(_home()))
    if new.exists():
        raise ConfigurationError(f"{new} is there already", "sign it, or name another file")
    said = trust.create(trust.read_public_keys(files), threshold, version=pinned.version + 1)
    dsse.write(new, trust.propose(said, signers.signer(key, _asked(pinned.keys, keyid))))
    return _told(new, pinned)


@root.command("sign")
@click.argument("new", type=FILE)
@KEY
@KEYID
@cli.said
def sign_root(new: Path, key: str, keyid: str | None) -> int:
    """Add a signature, of an old or a new key, to the proposed root NEW."""
    from clearance.trust import dsse, signers
    from clearance.trust import root as trust

    pinned = trust.load(trust.pinned_path(_home()))
    signed = dsse.read(new)
    holder = signers.signer(key, _asked(trust.eligible_keys(pinned, signed), keyid))
    dsse.write(new, dsse.countersign(signed, holder))
    return _told(new, pinned)


@root.command()
@click.argument("new", type=FILE)
@cli.said
def adopt(new: Path) -> int:
    """Pin the root in NEW on this machine, once enough of the old and of the new keys signed it."""
    from clearance.trust import dsse
    from clearance.trust import root as trust

    place = trust.pinned_path(_home())
    taken = trust.successor(trust.load(place), dsse.read(new))
    trust.write(place, taken)
    click.echo(f"pinned: {place}, version {taken.version}")
    click.echo("Have m of its keys sign policies/roles.yaml: `clearance roles sign --key …`")
    return ExitCode.PASS


def _asked(publics: Mapping[str, Key], keyid: str | None) -> list[Key]:
    return [known for name, known in publics.items() if keyid in (None, name)]


def _told(new: Path, pinned: Any) -> int:
    from clearance.errors import IntegrityError
    from clearance.trust import dsse
    from clearance.trust import root as trust

    try:
        trust.successor(pinned, dsse.read(new))
        click.echo(f"{new} is complete: `clearance root adopt {new}` on every machine that decides")
    except IntegrityError as error:
        click.echo(f"{new} is signed; {error.fault}: {error.hint}")
    return ExitCode.PASS
