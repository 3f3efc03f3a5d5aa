"""Ten pipelines and the events they leave: valid, complete, in order, and without a word about a row."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clearance.lineage import spool
from flows.runner import execution
from tests.support import lineage_receiver, openlineage, terminal_run, toys

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning"),  # Apprise's own
]
STEPS = [*toys.ORDER, "track", "release"]
ENDED = ["START", "COMPLETE"]


def surroundings(toy: Path) -> dict[str, str]:
    return toys.surroundings(toy) | {"LC_TOY": str(toy.parent / "orders"), "NO_COLOR": "1"}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lineage")
    (folder / "orders").mkdir()
    return toys.build(folder / "toy")


@pytest.fixture(scope="module")
def history(toy: Path) -> dict[str, list[openlineage.Event]]:
    """The events of ten runs in one checkout, by what happened in them."""
    orders, found = toy.parent / "orders", {}

    def run(what: str, *options: str, code: int = 0) -> None:
        result = terminal_run.run(toy, surroundings(toy), *options)
        assert result.returncode == code, result.stdout + result.stderr
        found[what] = openlineage.runs(toy)[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "DELAYS", (0.0, 0.0, 0.0))
        (orders / "model").write_text("fail")
        run("fault", code=1)
        (orders / "model").write_text("crash")
        run("defect", code=1)
        (orders / "model").write_text("once")
        run("second try")
        run("again", "--force")
        toys.edit(toy, experiment="another")
        run("cached")
        toys.edit(toy, name="fails")
        run("refusal", code=3)
        toys.edit(toy, name="lacks")
        run("too little", code=4)
        run("what-if", "--policy", "policies/demo.yaml", code=4)
        run("overrides", "--set", "seed=7", code=4)
        found["interrupted"] = stop(toy, signal.SIGINT).read()  # it ends what it started by itself
        killed = stop(toy, signal.SIGKILL)
        run("after a kill", code=4)
        found["killed"] = killed.read()
    return found


def stop(toy: Path, blow: signal.Signals) -> spool.RunFile:
    """Stop a run while a stage works; return its events."""
    toys.edit(toy, seed=11)
    (toy.parent / "orders" / "model").write_text("sleep 120")
    command = [sys.executable, "-m", "flows.terminal"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    (toy / ".clearance/logs/train.log").unlink()
    with subprocess.Popen(command, cwd=toy, env=surroundings(toy), **quiet) as process:
        wait_for_start(toy, "train")
        process.send_signal(blow)
    return list(spool.runs(toy))[-1]


def wait_for_start(toy: Path, step: str) -> None:
    end = time.monotonic() + 120
    log = toy / ".clearance/logs" / f"{step}.log"
    while not (log.exists() and "asleep" in log.read_text()):
        assert time.monotonic() < end
        time.sleep(0.05)
    while f".{step}" not in list(spool.runs(toy))[-1].read()[-1]["job"]["name"]:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_every_event_of_ten_pipelines_is_valid_by_the_official_schemas(
    history: dict[str, list[openlineage.Event]],
) -> None:
    assert len(history) >= 10
    events = [event for run in history.values() for event in run]
    assert {event["eventType"] for event in events} == {"START", "COMPLETE", "FAIL", "ABORT"}
    assert [fault for event in events for fault in openlineage.faults(event)] == []


@pytest.mark.slow
def test_each_run_and_each_attempt_starts_once_and_ends_once(
    history: dict[str, list[openlineage.Event]],
) -> None:
    for what, run in history.items():
        seen: dict[str, list[str]] = {}
        for event in run:
            seen.setdefault(event["run"]["runId"], []).append(event["eventType"])
        assert all(len(types) == 2 and types[0] == "START" for types in seen.values()), (what, seen)
        keys = [(event["run"]["runId"], event["eventType"], event["eventTime"]) for event in run]
        assert len(set(keys)) == len(keys), what


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "job", "ends"),
    [
        ("fault", "passes", {"ingest": ENDED, "train": ["START", "FAIL"], "": ["START", "FAIL"]}),
        ("defect", "passes", {"ingest": ENDED, "train": ["START", "FAIL"], "": ["START", "FAIL"]}),
        (
            "second try",
            "passes",
            dict.fromkeys(STEPS, ENDED) | {"train": ["START", "FAIL", *ENDED], "": ENDED},
        ),
        ("again", "passes", dict.fromkeys([*STEPS, ""], ENDED)),
        ("cached", "passes", dict.fromkeys([*STEPS, ""], ENDED)),
        ("refusal", "fails", dict.fromkeys([*STEPS, ""], ENDED)),
        ("what-if", "lacks.overrides", dict.fromkeys([*toys.ORDER, ""], ENDED)),
        ("overrides", "lacks.overrides", dict.fromkeys([*STEPS, ""], ENDED)),
        ("interrupted", "lacks", {"ingest": ENDED, "train": ["START", "ABORT"], "": ["START", "ABORT"]}),
        ("killed", "lacks", {"ingest": ENDED, "train": ["START", "ABORT"], "": ["START", "ABORT"]}),
    ],
)
def test_the_events_say_how_each_step_ended(
    history: dict[str, list[openlineage.Event]], what: str, job: str, ends: dict[str, list[str]]
) -> None:
    jobs = {f"{job}.{step}" if step else job: types for step, types in ends.items()}
    assert openlineage.by_step(history[what]) == jobs


@pytest.mark.slow
def test_a_run_is_told_with_its_verdict_and_a_stage_with_whether_it_ran(
    history: dict[str, list[openlineage.Event]],
) -> None:
    told = {what: openlineage.tags(run[-1]) for what, run in history.items() if what != "killed"}
    assert {what: tags.get("verdict") for what, tags in told.items()} == {
        "fault": None,
        "defect": None,
        "second try": "pass",
        "again": "pass",
        "cached": "pass",
        "refusal": "fail",
        "too little": "insufficient_evidence",
        "what-if": "insufficient_evidence",
        "overrides": "insufficient_evidence",
        "interrupted": None,
        "after a kill": "insufficient_evidence",
    }
    assert [told[what]["what_if"] for what in ("what-if", "overrides")] == ["true", "false"]
    for what, cached in (("cached", "true"), ("again", "false")):
        stages = [event for event in history[what] if event["eventType"] == "COMPLETE"][:-3]
        assert {openlineage.tags(event)["cached"] for event in stages} == {cached}, what


@pytest.mark.slow
def test_a_cached_stage_names_the_same_data_sets_and_versions_as_the_run_that_made_them(
    history: dict[str, list[openlineage.Event]],
) -> None:
    def versions(run: list[openlineage.Event]) -> dict[str, list[tuple[str, str]]]:
        ends = [event for event in run if event["eventType"] == "COMPLETE"]
        return {
            event["job"]["name"]: sorted(
                (dataset["name"], dataset["facets"].get("version", {}).get("datasetVersion", ""))
                for dataset in (*event["inputs"], *event["outputs"])
            )
            for event in ends
            if event["job"]["facets"]["jobType"]["jobType"] == "STAGE"
        }

    made, cached = versions(history["again"]), versions(history["cached"])
    assert made == cached
    model = next(version for version in made["passes.train"] if version[0] == "passes/models/model.txt")
    assert re.fullmatch("md5:[0-9a-f]{32}", model[1])
    known = [version for listed in made.values() for _, version in listed if version]
    assert all(re.fullmatch(r"md5:[0-9a-f]{32}(\.dir)?", version) for version in known)
    assert model in made["passes.evaluate"]


@pytest.mark.slow
def test_the_steps_name_their_run_as_parent(history: dict[str, list[openlineage.Event]]) -> None:
    for run in history.values():
        own = run[0]["run"]["runId"]
        named = [(event["run"]["runId"], event["run"]["facets"].get("parent")) for event in run]
        assert {parent["run"]["runId"] for _, parent in named if parent} == {own}
        assert [run_id for run_id, parent in named if not parent] == [own, own]


@pytest.mark.slow
def test_an_error_is_told_by_its_code_alone(history: dict[str, list[openlineage.Event]]) -> None:
    failed = [event for event in history["fault"] if event["eventType"] == "FAIL"]
    messages = [event["run"]["facets"]["errorMessage"]["message"] for event in failed]
    assert messages == ["train failed: runner.step_failed", "failed: train"]
    assert "the table is empty" not in json.dumps(history["fault"])
    assert "Traceback" not in json.dumps(history["defect"]) and "a defect" not in json.dumps(
        history["defect"]
    )


@pytest.mark.slow
def test_no_event_holds_a_path_of_this_machine(
    toy: Path, history: dict[str, list[openlineage.Event]]
) -> None:
    assert str(toy) not in json.dumps(history)


@pytest.mark.slow
def test_what_happened_is_not_changed_by_lineage(
    toy: Path, history: dict[str, list[openlineage.Event]]
) -> None:
    """A twin of the checkout where no event can be written comes to the same lock, verdict and status."""
    twin = toys.twin(toy, toy.parent / "twin")
    results = []
    for folder, blocked in ((toy, False), (twin, True)):
        if blocked:
            for run in spool.runs(folder):
                run.path.unlink()
            spool.folder(folder).rmdir()
            spool.folder(folder).write_text("a file where the folder belongs")
        result = terminal_run.run(folder, surroundings(folder), "--force")
        results.append(
            (
                result.returncode,
                (folder / "dvc.lock").read_bytes(),
                (folder / "reports/verdict.json").read_bytes(),
            )
        )
        assert ("lineage is incomplete" in result.stdout) == blocked
    assert results[0] == results[1]


@pytest.mark.slow
def test_a_run_reaches_its_endpoint_and_a_dead_one_only_leaves_a_line(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    toy = toys.build(tmp_path / "toy", name="fails")
    with lineage_receiver.running() as receiver:
        variables = surroundings(toy) | {"OPENLINEAGE_URL": receiver.url, "OPENLINEAGE_API_KEY": "s3cret"}
        receiver.behaviour = "503"
        result = terminal_run.run(toy, variables)
        assert (result.returncode, result.stderr) == (3, "")
        waiting = f"lineage: 18 events wait for {receiver.url} (answer 503); the next run sends them again"
        assert waiting in result.stdout.replace("\n", " ").replace("  ", " ")
        assert "s3cret" not in result.stdout
        receiver.behaviour = "201"
        result = terminal_run.run(toy, variables, "--force")
        assert (result.returncode, "lineage" in result.stdout) == (3, False)
        assert receiver.events == [event for run in openlineage.runs(toy) for event in run]
        assert len(openlineage.runs(toy)) == 2


@pytest.mark.slow
def test_settings_that_cannot_be_used_are_told_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    toy = toys.build(tmp_path / "toy")
    (toy / "openlineage.yml").write_text("transport: {type: tasks.evil.Transport}")
    result = terminal_run.run(toy, surroundings(toy))
    assert result.returncode == 0
    assert "lineage is not sent" in result.stdout and "tasks.evil.Transport" in result.stdout
    assert [len(run) for run in openlineage.runs(toy)] == [18]
