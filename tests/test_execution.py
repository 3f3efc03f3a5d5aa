"""Steps without Prefect: order, parallel steps, what is tried again, what is left out, how a run is ended."""

import threading
from collections.abc import Callable, Mapping, Sequence

import pytest

from clearance.errors import ClearanceError, UnavailableError
from flows.runner import execution
from flows.runner.child_processes import OnLine, RunEnded

GRAPH = {
    "ingest": [],
    "train": ["ingest"],
    "assess": ["train"],
    "explain": ["train"],
    "judge": ["assess", "explain"],
}
Work = Callable[[str], bool]


class Children:
    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


class Run:
    """A run whose steps call `work`; `begun` and `ended` record them in order."""

    def __init__(
        self,
        work: Work = lambda _: True,
        graph: Mapping[str, Sequence[str]] = GRAPH,
        effects: Sequence[str] = ("track", "release"),
        *,
        needs_snapshot: bool = False,
    ) -> None:
        self.steps: dict[str, list[str]] = {name: list(needs) for name, needs in graph.items()}
        for effect in effects:
            self.steps[effect] = list(self.steps)
        self.needs_snapshot = needs_snapshot
        self.children = Children()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self._work = work

    def run_stage(self, name: str, _on_line: OnLine) -> bool:
        self.begun.append(name)
        ran = self._work(name)
        self.ended.append(name)
        return ran

    run_effect = run_stage


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "DELAYS", (0.0, 0.0, 0.0))


def failing(step: str, error: Exception, times: int = 100) -> Work:
    left = [times]

    def work(name: str) -> bool:
        if name == step and left[0]:
            left[0] -= 1
            raise error
        return True

    return work


def test_each_step_runs_once_after_all_it_needs_and_the_effects_last() -> None:
    run = Run()
    assert execution.execute(run) == []
    assert sorted(run.ended) == sorted([*GRAPH, "track", "release"])
    position = {name: place for place, name in enumerate(run.ended)}
    assert all(position[need] < position[name] for name, needs in GRAPH.items() for need in needs)
    assert run.ended[-2:] == ["track", "release"]


def test_steps_that_do_not_need_each_other_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=30)

    def work(name: str) -> bool:
        if name in ("assess", "explain"):
            both.wait()  # never returns unless the other is there too
        return True

    assert execution.execute(Run(work)) == []


def test_a_fault_leaves_out_what_needs_the_step_and_is_told_once() -> None:
    run = Run(failing("assess", ClearanceError("no groups", "name one")))
    assert execution.execute(run) == ["no groups\n  hint: name one"]
    assert set(run.begun) == {"ingest", "train", "assess", "explain"}


def test_two_faults_are_both_told() -> None:
    def work(name: str) -> bool:
        if name in ("assess", "explain"):
            raise ClearanceError(name, "fix it")
        return True

    assert [fault.split("\n")[0] for fault in execution.execute(Run(work))] == ["assess", "explain"]


@pytest.mark.parametrize(("failures", "ends_well"), [(1, True), (3, True), (4, False)])
def test_a_fault_that_may_pass_is_tried_three_times_more(failures: int, ends_well: bool) -> None:
    run = Run(failing("track", UnavailableError("locked", "wait"), failures))
    assert (execution.execute(run) == []) is ends_well
    assert run.begun.count("track") == min(failures + 1, 4)
    assert ("release" in run.begun) is ends_well


def test_a_refusal_is_not_tried_again() -> None:
    run = Run(failing("train", ClearanceError("refused", "ask")))
    execution.execute(run)
    assert run.begun.count("train") == 1


def test_a_source_that_is_copied_first_comes_before_the_graph_is_read() -> None:
    run = Run(needs_snapshot=True)
    assert execution.execute(run) == []
    assert run.ended[0] == "snapshot"
    run = Run(failing("snapshot", ClearanceError("no source", "name one")), needs_snapshot=True)
    assert execution.execute(run) == ["no source\n  hint: name one"]
    assert run.begun == ["snapshot"]


def test_a_defect_is_raised() -> None:
    with pytest.raises(RuntimeError, match="a defect"):
        execution.execute(Run(failing("train", RuntimeError("a defect"))))


def test_ctrl_c_ends_the_children_and_a_step_that_waits_for_its_next_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wait for the steps is interrupted while one runs in a child and another waits to be tried again."""
    monkeypatch.setattr(execution, "DELAYS", (3600.0,))
    at_work = threading.Event()

    def work(name: str) -> bool:
        if name == "explain":
            raise UnavailableError("locked", "wait")
        if name == "assess":
            at_work.set()
            assert run.children.closed.wait(30)
            raise RunEnded(name)
        return True

    def interrupt(_: object) -> None:
        assert at_work.wait(30)
        raise KeyboardInterrupt

    run = Run(work)
    monkeypatch.setattr(execution, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        execution.execute(run)
    assert run.children.closed.is_set()
    assert "judge" not in run.begun
