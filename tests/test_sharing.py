"""Calls shared with a fork: the same answers in the same order, whoever gives them and whoever is lost."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.errors import DataError
from expectations.fork_pool import MOST, share

FORK = multiprocessing.get_context("fork")
KILLED_AT_WORK = """
import os, signal
from expectations.fork_pool import share

there, told = os.pipe()
here = os.getpid()

def call(item):
    if os.getpid() != here:
        os.write(told, str(os.getpid()).encode())
        return bytes(1 << 20)
    print(int(os.read(there, 20)), flush=True)
    os.kill(here, signal.SIGKILL)

share(call, [1, 2])
"""


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(), max_size=MOST))
def test_it_answers_what_a_loop_answers(items: list[int]) -> None:
    assert share(lambda item: (item, item * 2), items) == [(item, item * 2) for item in items]


def test_two_processes_work_at_once() -> None:
    both = FORK.Barrier(2)

    def call(_: int) -> int:
        both.wait(60)  # each waits for the other, so neither can have taken both
        return os.getpid()

    found = share(call, [1, 2])
    assert len(set(found)) == 2
    assert os.getpid() in found


@pytest.mark.parametrize("kind", ["killed", "raises", "does not pickle"])
def test_what_the_fork_does_not_give_is_computed_here(kind: str) -> None:
    here, taken = os.getpid(), FORK.Event()

    def call(item: int) -> object:
        if os.getpid() == here:
            assert taken.wait(60)
            return item
        taken.set()
        if kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "raises":
            raise RuntimeError("only there")
        return lambda: item

    assert share(call, [0, 1, 2, 3]) == [0, 1, 2, 3]


def test_what_a_call_raises_is_raised_and_no_fork_stays() -> None:
    def call(item: int) -> int:
        raise DataError(f"no value in item {item}", "bring another")

    with pytest.raises(DataError, match="no value in item"):
        share(call, [1, 2, 3])
    assert not multiprocessing.active_children()


def test_the_fork_of_a_killed_process_ends_by_itself() -> None:
    lost = subprocess.run(
        [sys.executable, "-c", KILLED_AT_WORK], capture_output=True, text=True, timeout=60, check=False
    )
    assert lost.returncode == -signal.SIGKILL
    fork = int(lost.stdout)
    end = time.monotonic() + 60
    while psutil.pid_exists(fork) and psutil.Process(fork).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, "it still waits for somebody to hear it"
        time.sleep(0.05)
