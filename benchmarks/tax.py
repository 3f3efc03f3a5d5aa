"""What a stage costs beyond its own work: DVC's order, hashes and cache, Prefect's states, our logs.

Run in a project that has run before. Every stage of the flow is run by force, warm, and the time its child
process worked is taken off the time on the clock.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from clearance import environment

MEASURING = ("score", "evaluate", "assess", "explain")
"""Stages after `train`: evaluate and assess side by side after score, explain beside the three."""


def main() -> None:
    """Print the tax in milliseconds a stage."""
    environment.apply(Path.cwd())
    from flows.runner import child_processes, execution, run_context

    logging.disable(logging.ERROR)
    worked: dict[str, float] = {}
    starts: dict[str, float] = {}
    ends: dict[str, float] = {}
    run, run_stage = child_processes.ChildProcesses.run, run_context.RunContext.run_stage

    def timed_run(self: child_processes.ChildProcesses, command: str, **how: Any) -> Any:
        start = time.perf_counter()
        try:
            return run(self, command, **how)
        finally:
            worked[how["env"]["DVC_STAGE"]] = time.perf_counter() - start

    def timed_stage(self: run_context.RunContext, name: str, on_line: Any) -> bool:
        starts[name] = time.perf_counter()
        try:
            return run_stage(self, name, on_line)
        finally:
            ends[name] = time.perf_counter()

    child_processes.ChildProcesses.run = timed_run  # type: ignore[method-assign,assignment]
    run_context.RunContext.run_stage = timed_stage  # type: ignore[method-assign]
    with run_context.open_run(Path.cwd(), {}, force=True) as context:
        execution.execute(context)  # imports every module
        context.__dict__.pop("pipeline")  # the second run reads the graph anew
        execution.execute(context)
    clock = max(ends.values()) - min(starts.values())
    alone = sum(seconds for name, seconds in worked.items() if name in starts and name not in MEASURING)
    score_seconds = worked["score"] + max(worked["evaluate"], worked["assess"])
    work_done = alone + max(score_seconds, worked["explain"])
    stages = len(starts) - len(MEASURING) + 2
    print(f"  {stages} stages in turn: {clock:.2f} s on the clock, {work_done:.2f} s of it their own work")
    print(f"governance tax a stage          {1000 * (clock - work_done) / stages:.0f} ms   (bar 120)")


if __name__ == "__main__":
    main()
