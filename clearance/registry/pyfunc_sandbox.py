"""An MLflow model folder, run where it can reach nothing: its answers come out, its code does not come in.

The child has no network, no variable but a few, no file but the rows, the folder and the installed packages,
and bounded time and memory. What it writes is read as plain numbers or texts. MLflow is not imported here.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from clearance import files, isolation, sandbox, yaml
from clearance.errors import IntegrityError
from clearance.models.external import faults
from clearance.registry import pyfunc_child

TIMEOUT = 900.0
"""The seconds after which the child is ended, however little it computes."""

_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl", "/dev/null")
_LAST_LINES = 3


@dataclass(frozen=True, kw_only=True)
class PyfuncAnswers:
    """What a folder answered for n rows: numbers, (n,) or (n, 2), or else n labels."""

    numbers: npt.NDArray[np.float64] | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PyfuncFolder:
    """What the folder says of itself: the names of its inputs, None without a signature, and its flavour."""

    features: tuple[str, ...] | None
    made_with: dict[str, str]


def describe(folder: Path) -> PyfuncFolder:
    """What `MLmodel` says; nothing of the folder runs. Raises ConfigurationError where it is unreadable."""
    try:
        content = yaml.loads((folder / "MLmodel").read_text(encoding="utf-8"))
        flavour = content["flavors"]["python_function"]
        signature = content.get("signature") or {}
        inputs = yaml.loads(signature["inputs"]) if signature.get("inputs") else None
        names = None if inputs is None else tuple(str(column["name"]) for column in inputs)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise faults.WRONG_FORMAT(path=folder, format="mlflow", reason=f"MLmodel: {error!r}") from None
    made = {"mlflow": str(content.get("mlflow_version", "not recorded"))}
    return PyfuncFolder(features=names, made_with=made | {"flavour": str(flavour.get("loader_module"))})


def answers(folder: Path, rows: pd.DataFrame) -> PyfuncAnswers:
    """What the folder answers for n rows. Raises ConfigurationError when it cannot run here, or does not end.

    Raises IntegrityError when it answers with something else than n numbers, n pairs of numbers or n labels.
    """
    if any(path.is_symlink() for path in folder.rglob("*")):
        raise faults.SANDBOX_FAILED(path=folder, reason="it holds symbolic links")
    if not sandbox.can_confine():
        raise faults.SANDBOX_UNAVAILABLE(path=folder, reason="it takes Linux 5.13 with Landlock")
    with tempfile.TemporaryDirectory(prefix="clearance-sandbox-") as place:
        home = Path(place)
        rows.to_parquet(home / pyfunc_child.ROWS, index=False)
        _run(folder, home)
        return _read(folder, home, len(rows))


def _run(folder: Path, home: Path) -> None:
    script = Path(pyfunc_child.__file__)
    installed = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values(), *isolation.installed_path()}
    readable = [*map(Path, installed), *map(Path, _SYSTEM), script, folder.resolve()]
    variables = {
        "HOME": str(home),
        "TMPDIR": str(home),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = home / "log"
    with log.open("wb") as output:
        try:
            process = subprocess.run(  # noqa: S603 - our own script; what it loads is confined
                [sys.executable, "-I", str(script), str(folder.resolve())],
                cwd=home,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
                start_new_session=True,
                preexec_fn=sandbox.confinement(readable, [home]),
            )
        except subprocess.TimeoutExpired:
            raise faults.SANDBOX_FAILED(path=folder, reason=f"it took over {TIMEOUT:.0f} seconds") from None
        except (OSError, subprocess.SubprocessError) as error:
            raise faults.SANDBOX_UNAVAILABLE(path=folder, reason=str(error)) from None
    if process.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-_LAST_LINES:]
        ended = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
        raise faults.SANDBOX_FAILED(path=folder, reason=f"it ended with {ended}: {' / '.join(lines)[-300:]}")


def _read(folder: Path, home: Path, rows: int) -> PyfuncAnswers:
    """What the child wrote, which may be anything."""
    try:
        if (home / pyfunc_child.LABELS).is_file():
            labels = files.read_json(home / pyfunc_child.LABELS)
            if (
                not isinstance(labels, list)
                or len(labels) != rows
                or not all(isinstance(x, str) for x in labels)
            ):
                raise ValueError(f"not {rows} labels")
            return PyfuncAnswers(labels=tuple(labels))
        numbers: Any = np.load(home / pyfunc_child.ANSWERS, allow_pickle=False)
        if numbers.dtype != np.float64 or numbers.shape not in ((rows,), (rows, 1), (rows, 2)):
            raise ValueError(f"an array of shape {numbers.shape} for {rows} rows")
    except (OSError, ValueError, EOFError, IntegrityError) as error:
        raise faults.SANDBOX_ANSWER(path=folder, reason=str(error).splitlines()[0]) from None
    return PyfuncAnswers(numbers=numbers.reshape(rows) if numbers.shape == (rows, 1) else numbers)
