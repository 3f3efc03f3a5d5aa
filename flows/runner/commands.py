"""Run one step's command as a child: its lines go to the log, its end becomes a result or an error.

The child says what went wrong and how to mend it (`clearance.stage`); this only carries it on.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from clearance.errors import ClearanceError, ExitCode, ReleaseRefused, UnavailableError
from flows.runner.child_processes import ChildProcesses

_LAST = 20
OnLine = Callable[[str], None]


def run(
    children: ChildProcesses,
    step: str,
    command: str,
    *,
    cwd: Path,
    timeout: float,
    log: Path,
    hear: OnLine,
    env: Mapping[str, str],
) -> None:
    """Run `command`; each line it writes goes to the file `log` and to `hear`.

    Raises UnavailableError when the child says that a new try may help, ReleaseRefused when it says that
    what was asked of it is refused, ClearanceError when it fails otherwise or takes longer than `timeout`
    seconds, `children.Lost` when the run is over.
    """
    last: deque[str] = deque(maxlen=_LAST)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", buffering=1) as file:

        def take(line: str) -> None:
            last.append(line)
            file.write(f"{line}\n")
            hear(line)

        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        end = children.run(command, cwd=cwd, env={"PATH": path, **env}, timeout=timeout, hear=take)
    if end.timed_out:
        raise ClearanceError(
            f"{step}: took longer than {timeout:g} s and was stopped",
            f"give it more in dvc.yaml (`meta: {{timeout: seconds}}` of {step}), or see {log}",
        )
    if end.status == ExitCode.REFUSED and last:
        raise ReleaseRefused(f"{step}: {last[-1]}", f"see {log}")
    if end.status != ExitCode.PASS:
        kind = UnavailableError if end.status == ExitCode.TRANSIENT else ClearanceError
        raise kind(*_said(step, end.status, list(last), log))


def _said(step: str, status: int, lines: list[str], log: Path) -> tuple[str, str]:
    """The fault and the mend as the child put them, or its last lines."""
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        end = f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
        return "\n".join([f"{step}: {end}", *(f"  {line}" for line in lines[-5:])]), f"see {log}"
    fault, _, mend = "\n".join(lines[starts[-1] :]).partition("\n  hint: ")
    return f"{step}: {fault.removeprefix('error: ')}", mend or f"see {log}"
