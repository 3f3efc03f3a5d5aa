"""Run one step's command as a child: its lines go to the log, its end becomes a result or an error.

The child itself says what went wrong and how to fix it (`clearance.stage`); this only passes that on.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from clearance import isolation
from clearance.errors import ExitCode
from flows.runner import faults
from flows.runner.child_processes import ChildProcesses, OnLine

_LAST_LINES = 20
_SHOWN_LINES = 5


def run(
    children: ChildProcesses,
    step: str,
    command: str,
    *,
    cwd: Path,
    timeout: float,
    log: Path,
    on_line: OnLine,
    env: Mapping[str, str],
    ends: frozenset[int] = frozenset({ExitCode.PASS, ExitCode.LAPSED}),
) -> int:
    """Run `command` with the variables `env`; each line it writes goes to the file `log` and to `on_line`.

    Returns its exit status, one of `ends`: those that are no fault.

    Raises UnavailableError when the child says that another try may help, ReleaseRefused when it refuses,
    ClearanceError when it fails otherwise or takes longer than `timeout` seconds, `RunEnded` when the run is
    over.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8", buffering=1) as file:

        def record(line: str) -> None:
            last.append(line)
            file.write(f"{line}\n")
            on_line(line)

        tools = isolation.write_python(log.parent.parent / "bin")  # what a shell command finds as `python`
        path = os.pathsep.join(map(str, (tools, Path(sys.executable).parent, env.get("PATH", os.defpath))))
        end = children.run(command, cwd=cwd, env={**env, "PATH": path}, timeout=timeout, on_line=record)
    if end.timed_out:
        raise faults.STEP_TIMED_OUT(step=step, seconds=timeout, log=log)
    if end.status in ends:  # a lapsed champion stands in the receipt
        return end.status
    if end.status == ExitCode.REFUSED and last:
        raise faults.STEP_REFUSED(step=step, reason=last[-1], log=log)
    kind = faults.STEP_UNAVAILABLE if end.status == ExitCode.TRANSIENT else faults.STEP_FAILED
    reason, hint = _reason_and_hint(end.status, list(last), log)
    raise kind(step=step, reason=reason, hint=hint)


def _reason_and_hint(status: int, lines: Sequence[str], log: Path) -> tuple[str, str]:
    """The fault and the hint as the child printed them, or else its last lines."""
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        end = f"was killed by signal {-status}" if status < 0 else f"ended with exit status {status}"
        return "\n".join([end, *(f"  {line}" for line in lines[-_SHOWN_LINES:])]), f"see {log}"
    fault, _, hint = "\n".join(lines[starts[-1] :]).partition("\n  hint: ")
    return fault.removeprefix("error: "), hint or f"see {log}"
