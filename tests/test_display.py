"""Without a screen a long step still says what it does and how far it is."""

import io
import time

import pytest
from rich.console import Console

from flows import display
from flows.runner.run_context import Progress


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> display.Display:
    monkeypatch.setattr(display, "SILENCE", 0.0)
    made = display.Display()
    made.console = Console(file=io.StringIO(), highlight=False, soft_wrap=True)
    return made


def lines(screen: display.Display) -> list[list[str]]:
    assert isinstance(screen.console.file, io.StringIO)
    return [line.split() for line in screen.console.file.getvalue().splitlines()]


def test_a_long_step_says_how_far_it_is_until_it_ends(screen: display.Display) -> None:
    with screen:
        screen.show(Progress("train", "started"))
        screen.show(Progress("train", "working", detail="3 of 12 candidates"))
        end = time.monotonic() + 30
        while not lines(screen):
            assert time.monotonic() < end
            time.sleep(0.05)
        screen.show(Progress("train", "done", 2.0))
    first, last = lines(screen)[0], lines(screen)[-1]
    assert first[:2] == ["train", "running"] and first[-4:] == ["3", "of", "12", "candidates"]
    assert last == ["train", "done", "2.0", "s"]


def test_a_step_that_ends_is_one_line(screen: display.Display) -> None:
    screen.show(Progress("judge", "started"))
    screen.show(Progress("judge", "cached", 0.1))
    assert lines(screen) == [["judge", "cached", "0.1", "s"]]
