"""A small project under DVC whose source is a table of loans in an SQL database."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from dvc.repo import Repo

from clearance import files, params

ROOT = Path(__file__).resolve().parents[2]
COPY = Path("data/source/loans")
POINTER = Path("data/source/loans.dvc")


def project() -> None:
    """Fill the working folder: an SQL source, and an SQLite database of six loans."""
    Path("dvc.yaml").write_text("stages: {}\n")
    Repo.init(no_scm=True)
    configure()
    change("CREATE TABLE loans (id INTEGER, amount REAL, name TEXT)")
    change(*(f"INSERT INTO loans SELECT {i}, {i * 1.5}, 'n{i}'" for i in range(6)))


def configure(**source: Any) -> None:
    plain = {"kind": "sql", "path": str(COPY), "url_env": "LOANS_URL", "query": "SELECT * FROM loans"}
    settings = source if "kind" in source else plain | source
    Path("params.yaml").write_text(
        yaml.safe_dump(params.read_yaml(ROOT / "params.yaml") | {"source": settings})
    )


def change(*statements: str) -> None:
    connection = sqlite3.connect("loans.db")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def origin() -> dict[str, Any]:
    record: dict[str, Any] = files.read_json(COPY / "origin.json")
    return record


def table() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pd.read_parquet(COPY / "table.parquet").to_dict("records")
    return rows


def command(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tasks.snapshot"],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def written() -> str:
    """Everything in the project folder but the database, in one text."""
    paths = [path for path in Path().rglob("*") if path.is_file() and path.name != "loans.db"]
    return "\n".join(f"{path}\n{path.read_bytes().decode('latin-1')}" for path in paths)


def written_copy() -> dict[str, bytes]:
    paths = (COPY / "table.parquet", COPY / "origin.json", POINTER)
    return {str(path): path.read_bytes() for path in paths}


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
