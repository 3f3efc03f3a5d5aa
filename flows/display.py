"""A run's progress on a terminal: a line for each step that has ended, and the running steps on a screen."""

from __future__ import annotations

import threading

from rich.console import Console

from clearance import foreign_text
from flows.runner.run_context import Progress

_STYLES = {"done": "green", "cached": "bright_black", "failed": "red"}


class Display:
    """Lines on standard output, plain where that is not a screen. Steps may report from any thread."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._running: list[str] = []
        self._turn = threading.Lock()
        self._status = self.console.status("Prefect starts")

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def show(self, progress: Progress | str) -> None:
        """Show the progress of a step, or a note."""
        with self._turn:
            if isinstance(progress, str):
                self.say(f"  {progress}", "yellow")
            elif progress.state == "started":
                self._running.append(progress.step)
            else:
                self._running.remove(progress.step)
                word = f"[{_STYLES[progress.state]}]{progress.state:<7}[/]"
                self.console.print(f"  {progress.step:<18} {word} {progress.seconds:7.1f} s")
            self._status.update(", ".join(self._running) or "Prefect")

    def say(self, text: str, style: str = "") -> None:
        """Print one line; foreign text in it is inert, and nothing is taken for markup."""
        self.console.print(foreign_text.inert(text), style=style, markup=False)

    def fail(self, text: str) -> None:
        """Print a fault, on standard error."""
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            foreign_text.inert_lines(text), style="red", markup=False
        )
