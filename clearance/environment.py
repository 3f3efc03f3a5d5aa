"""Settings of the tools underneath: nothing phones home, everything stays inside the project.

Only defaults are set: an exported variable wins. A proxy is not used for this machine itself. They must be
applied before Prefect, MLflow, DVC or Great Expectations is imported.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from clearance import paths
from clearance.errors import ConfigurationError, ErrorKind

NOT_A_PROJECT = ErrorKind(
    "environment.not_a_project",
    ConfigurationError,
    "no dvc.yaml at or above {folder}",
    "run the command inside a Clearance project folder",
)

PATH_TOO_LONG = ErrorKind(
    "environment.path_too_long",
    ConfigurationError,
    "the path of the project has {length} bytes; its databases allow {limit}",
    "move the project to a folder with a shorter path",
)
LONGEST_PATH = 440
"""Bytes of a project's path: SQLite takes 512 for a database, with what it adds to the name."""

TOOL_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "Agg",
    "NUMBA_DISABLE_JIT": "1",  # SHAP would compile for eight seconds what runs in a quarter of one
    "GOMP_SPINCOUNT": "1000",  # idle OpenMP threads sleep soon instead of taking the processor from others
}


PROXIES = ("http_proxy", "https_proxy", "all_proxy")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def project_root(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` (default: the working folder) that holds `dvc.yaml`.

    Raises ConfigurationError when there is none, or its path is too long.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / paths.DVC_YAML).is_file():
            if (length := len(os.fsencode(folder))) > LONGEST_PATH:
                raise PATH_TOO_LONG(length=length, limit=LONGEST_PATH)
            return folder
    raise NOT_A_PROJECT(folder=here)


def tool_locations(root: Path) -> dict[str, str]:
    """Where each tool keeps its state for the project at `root`."""
    state = root / paths.STATE
    database = root / ".prefect/prefect.db"
    encoded = {"PREFECT_API_DATABASE_CONNECTION_URL": paths.sqlite_url(database, "aiosqlite")}
    return (encoded if paths.url_path(root) != str(root) else {}) | {
        "PREFECT_HOME": str(root / ".prefect"),
        "MLFLOW_TRACKING_URI": paths.sqlite_url(root / paths.MLFLOW_DATABASE),
        "DVC_SITE_CACHE_DIR": str(state / "dvc-site"),
        "DVC_GLOBAL_CONFIG_DIR": str(state / "dvc-global"),
        "DVC_SYSTEM_CONFIG_DIR": str(state / "dvc-system"),
        "MPLCONFIGDIR": str(state / "matplotlib"),
        "NUMBA_CACHE_DIR": str(state / "numba"),
    }


def apply(root: Path) -> None:
    """Set every default that is unset or empty, in this process and its children."""
    for name, value in (TOOL_DEFAULTS | tool_locations(root)).items():
        if not os.environ.get(name):
            os.environ[name] = value
    os.environ.update(without_proxy(os.environ))
    if importlib.util.find_spec("socksio") is None:
        for name in socks_proxies(os.environ):
            del os.environ[name]


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables with which this machine's own servers are reached directly; empty without a proxy."""
    if not any(environ.get(name) for name in environ if name.lower() in PROXIES):
        return {}
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    value = ",".join([*names, *(name for name in LOOPBACK if name not in names)])
    return {"NO_PROXY": value, "no_proxy": value}


def socks_proxies(environ: Mapping[str, str]) -> list[str]:
    """The proxy variables that name a SOCKS proxy: Prefect's client cannot start without a package for it."""
    return [name for name in environ if name.lower() in PROXIES and environ[name].lower().startswith("socks")]
