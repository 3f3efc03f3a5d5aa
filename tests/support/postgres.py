"""A PostgreSQL server of the tests' own on loopback: it asks for a password, and can be stopped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

USER = "loan_reader"
PASSWORD = "s3cr3t:/@%pass"  # noqa: S105 - made up; needs encoding in a URL
_DEBIAN = "/usr/lib/postgresql"


@dataclass(frozen=True)
class Server:
    """Where the server listens."""

    port: int
    command: tuple[str, ...] = ()

    def control(self, *action: str) -> None:
        """Have `pg_ctl` stop or start it."""
        options = ("-o", self.command[-1]) if "start" in action else ()
        _run(*self.command[:-1], *options, *action)

    def url(self, password: str = PASSWORD, port: int | None = None) -> str:
        return f"postgresql+psycopg://{USER}:{quote(password, safe='')}@127.0.0.1:{port or self.port}/loans"

    def run(self, *statements: str) -> None:
        """Run statements as the owner of the database."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname="loans", autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())


def binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`; None when PostgreSQL is not installed here."""
    programs = [
        *map(Path, filter(None, [shutil.which("initdb")])),
        *sorted(Path(_DEBIAN).glob("*/bin/initdb")),
    ]
    return programs[-1].parent if programs else None


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A running server with an empty database `loans`, in a folder of its own."""
    programs = binaries()
    assert programs is not None
    _own(folder)
    (folder / "password").write_text(PASSWORD)
    data, port = folder / "data", _free_port()
    _run(
        str(programs / "initdb"), "--no-sync", "--auth=scram-sha-256", f"--username={USER}",
        f"--pwfile={folder / 'password'}", "--encoding=UTF8", "--locale=C", str(data),
    )  # fmt: skip
    options = f"-c listen_addresses=127.0.0.1 -p {port} -c unix_socket_directories='' -c fsync=off"
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    _run(*control, "-o", options, "start")
    try:
        with psycopg.connect(
            host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute("CREATE DATABASE loans")
        yield Server(port, (*control, options))
    finally:
        _run(*control, "-m", "immediate", "stop")


def _own(folder: Path) -> None:
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")


def _run(*command: str) -> None:
    full_command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    subprocess.run(
        full_command if os.getuid() == 0 else command,
        check=True,
        capture_output=True,
        cwd=tempfile.gettempdir(),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
