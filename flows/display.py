"""A run's progress on a terminal: a line for each step that has ended, and the running steps on a screen.

Where there is no screen, a long silence is broken by what runs and how far it is.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from clearance import foreign_text
from flows.runner.run_context import Progress

_STYLES = {"done": "green", "cached": "bright_black", "failed": "red"}
SILENCE = 15.0
"""Seconds after which a run without a screen says what it is doing."""


@dataclass(frozen=True)
class _Running:
    """A step at work since a moment of the monotonic clock, and how far it is."""

    since: float
    detail: str = ""


class Display:
    """Lines on standard output, plain where that is not a screen. Steps may report from any thread."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._running: dict[str, _Running] = {}
        self._turn = threading.Lock()
        self._status = self.console.status("reads the graph")
        self._ended = threading.Event()
        self._spoke = time.monotonic()

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self._status.start()
        else:
            threading.Thread(target=self._break_silence, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._status.stop()

    def show(self, progress: Progress | str) -> None:
        """Show the progress of a step, or a note."""
        with self._turn:
            if isinstance(progress, str):
                self.say(f"  {progress}", "yellow")
            elif progress.state in ("started", "working"):
                began = self._running.get(progress.step, _Running(time.monotonic()))
                self._running[progress.step] = _Running(began.since, progress.detail)
            else:
                self._running.pop(progress.step, None)
                self._line(progress.step, progress.state, progress.seconds)
            texts = [f"{step} ({at.detail})" if at.detail else step for step, at in self._running.items()]
            self._status.update(", ".join(texts) or "between steps")

    def say(self, text: str, style: str = "") -> None:
        """Print one line; foreign text in it is inert, and nothing is taken for markup."""
        self._spoke = time.monotonic()
        self.console.print(foreign_text.inert(text), style=style, markup=False)

    def fail(self, text: str) -> None:
        """Print a fault, on standard error."""
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            foreign_text.inert_lines(text), style="red", markup=False
        )

    def _line(self, step: str, word: str, seconds: float, detail: str = "") -> None:
        self._spoke = time.monotonic()
        style = _STYLES.get(word, "yellow")
        text = f"  {step:<18} [{style}]{word:<7}[/] {seconds:7.1f} s"
        self.console.print(f"{text}  {escape(foreign_text.inert(detail))}" if detail else text)

    def _break_silence(self) -> None:
        """Say every so often what runs, as long as nothing else is printed."""
        while not self._ended.wait(1.0):
            now = time.monotonic()
            with self._turn:
                if self._running and now - self._spoke >= SILENCE:
                    for step, at in self._running.items():
                        self._line(step, "running", now - at.since, at.detail)
