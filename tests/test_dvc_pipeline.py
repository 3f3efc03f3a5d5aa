"""One stage at a time through DVC's Stage API: `dvc.lock` must be what `dvc repro` would have written."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from clearance import environment, versioning
from clearance.errors import BusyError, DataError
from clearance.versioning import digests, dvc_lock, dvc_repro, executions, repair
from clearance.versioning.dvc_pipeline import Pipeline
from clearance.versioning.dvc_repro import TIMEOUT
from tests.support import codes, toys

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own

Execute = Callable[[str], None]


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return enter(toys.build(tmp_path / "toy"), monkeypatch)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy whose stages have run once."""
    folder = toys.build(tmp_path_factory.mktemp("first") / "toy")
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        run()
    return folder


@pytest.fixture
def finished_toy(first_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with its cache and its record of what ran."""
    return enter(toys.twin(first_run, tmp_path / "toy"), monkeypatch)


@pytest.fixture(scope="module")
def plain_lock(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What plain `dvc repro` writes into the lock of a toy that never ran."""
    plain = toys.build(tmp_path_factory.mktemp("plain") / "toy")
    assert toys.dvc(plain, "repro").returncode == 0
    return lock(plain)


def enter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in (environment.TOOL_DEFAULTS | environment.tool_locations(folder)).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", toys.surroundings(folder)["PATH"])
    monkeypatch.chdir(folder)
    return folder


def shell(command: str) -> None:
    subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)


def never(command: str) -> None:
    raise AssertionError(f"{command} was run")


def run(execute: Execute = shell, force: bool = False) -> dict[str, bool]:
    """Run every stage as the flow does, side by side where the graph allows."""
    pipeline = Pipeline(Path.cwd())
    futures: dict[str, Future[bool]] = {}

    def one(name: str) -> bool:
        for needed in pipeline.after[name]:
            futures[needed].result()
        return pipeline.run(name, execute, force=force)

    with ThreadPoolExecutor(len(pipeline.order)) as pool:
        for name in pipeline.order:
            futures[name] = pool.submit(one, name)
    pipeline.record()
    return {name: future.result() for name, future in futures.items()}


def lock(folder: Path) -> str:
    return (folder / "dvc.lock").read_text()


def test_the_graph_is_read_from_dvc_yaml(toy: Path) -> None:
    pipeline = Pipeline(toy)
    assert pipeline.order == toys.ORDER
    assert sorted(pipeline.after["judge"]) == ["assess", "evaluate", "explain"]
    assert pipeline.after["ingest"] == []
    assert pipeline.commands("ingest") == ["python -m tasks.work data/raw.txt"]


def test_a_stage_may_state_its_time_limit(toy: Path) -> None:
    graph = yaml.safe_load((toy / "dvc.yaml").read_text())
    graph["stages"]["train"]["meta"] = {"timeout": 5}
    (toy / "dvc.yaml").write_text(yaml.safe_dump(graph))
    pipeline = Pipeline(toy)
    assert (pipeline.timeout("train"), pipeline.timeout("ingest")) == (5, TIMEOUT)


def test_from_nothing_the_lock_is_the_one_dvc_repro_writes_and_dvc_is_satisfied(
    toy: Path, plain_lock: str
) -> None:
    assert all(run().values())
    assert lock(toy) == plain_lock
    assert toys.dvc(toy, "repro").stdout.count("didn't change, skipping") == len(toys.ORDER)
    assert "up to date" in toys.dvc(toy, "status").stdout


def test_outputs_stay_where_they_are_while_they_are_put_into_the_cache(toy: Path) -> None:
    stamps: dict[str, tuple[int, int]] = {}

    def born(file: Path) -> tuple[int, int]:
        return (file.stat().st_ino, file.stat().st_ctime_ns)

    def note(command: str) -> None:
        shell(command)
        for name in command.split():
            if (toy / name).is_file():
                stamps.setdefault(name, born(toy / name))

    run(note)
    assert {"data/raw.txt", "reports/verdict.json"} & set(stamps)
    assert {name: born(toy / name) for name in stamps} == stamps
    assert len(list((toy / ".dvc/cache/files/md5").rglob("*"))) > 1


def test_from_an_older_lock_too(finished_toy: Path, tmp_path: Path) -> None:
    toys.edit(finished_toy, seed=7)
    (finished_toy / "data/source/rows.csv").write_text("a,b\n3,4\n")
    plain = toys.twin(finished_toy, tmp_path / "plain")
    assert toys.dvc(plain, "repro").returncode == 0
    assert all(run().values())
    assert lock(finished_toy) == lock(plain)


def test_nothing_runs_where_nothing_changed(finished_toy: Path) -> None:
    before = lock(finished_toy)
    assert Pipeline(finished_toy).due() == []
    assert not any(run(never).values())
    assert lock(finished_toy) == before


def test_only_what_changed_and_what_stands_on_it_is_due(finished_toy: Path) -> None:
    toys.edit(finished_toy, evaluate={"bins": 5})
    assert Pipeline(finished_toy).due() == ["evaluate", "judge"]
    assert run() == dict.fromkeys(toys.ORDER, False) | {
        "evaluate": True
    }  # the same figures: nothing to judge anew


def test_force_runs_everything_and_changes_no_lock(finished_toy: Path) -> None:
    before = lock(finished_toy)
    assert all(run(force=True).values())
    assert lock(finished_toy) == before


def test_what_ran_before_is_taken_from_dvcs_cache(finished_toy: Path) -> None:
    before = lock(finished_toy)
    toys.edit(finished_toy, seed=7)
    run()
    toys.edit(finished_toy, seed=20260101)
    shutil.rmtree(finished_toy / "reports")
    assert not any(run(never).values())
    assert lock(finished_toy) == before


def poison(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody without a key runs another program under the same inputs, and shares the cache."""

    def forge(command: str) -> None:
        shell(command)
        if "models/model.txt data" in command:
            (elsewhere / "models/model.txt").write_text("forged")

    enter(elsewhere, monkeypatch)
    run(forge)


def test_what_ran_elsewhere_is_not_taken_from_a_shared_cache(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = toys.twin(toy, tmp_path / "elsewhere")
    poison(elsewhere, monkeypatch)
    shutil.copytree(elsewhere / ".dvc/cache", toy / ".dvc/cache")
    enter(toy, monkeypatch)
    assert all(run().values())
    assert "forged" not in (toy / "models/model.txt").read_text()
    executions.ensure_executed(toy, dvc_lock.read(toy / "dvc.lock"))


def test_outputs_that_were_checked_out_by_a_forged_lock_are_made_again(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = toys.twin(toy, tmp_path / "elsewhere")
    poison(elsewhere, monkeypatch)
    for name in (".dvc/cache", "data", "models", "reports"):
        shutil.copytree(elsewhere / name, toy / name, dirs_exist_ok=True)
    shutil.copy2(elsewhere / "dvc.lock", toy / "dvc.lock")
    enter(toy, monkeypatch)
    with codes.raises("versioning.not_executed_here"):
        executions.ensure_executed(toy, dvc_lock.read(toy / "dvc.lock"))
    assert len(Pipeline(toy).due()) == len(toys.ORDER)
    assert all(run().values())
    assert "forged" not in (toy / "models/model.txt").read_text()
    assert not any(run(never).values())


def test_a_corrupted_object_in_that_cache_is_not_taken(finished_toy: Path) -> None:
    good = (finished_toy / "models/model.txt").read_text()
    item = finished_toy / ".dvc/cache/files/md5" / digests.md5(finished_toy / "models/model.txt")[:2]
    (item,) = item.iterdir()
    toys.edit(finished_toy, seed=7)
    run()
    item.chmod(0o644)
    item.write_text(good[::-1])
    item.chmod(0o444)
    toys.edit(finished_toy, seed=20260101)
    assert run()["train"]
    assert (finished_toy / "models/model.txt").read_text() == good
    assert item.read_text() == good


def test_a_stage_that_fails_records_nothing_and_its_sisters_are_not_lost(toy: Path, tmp_path: Path) -> None:
    def fail_assess(command: str) -> None:
        if "fairness" in command:
            Path("reports").mkdir(exist_ok=True)
            Path("reports/fairness.txt").write_text("half")
            time.sleep(0.5)  # its sisters end first
            raise DataError("no", "yes")
        shell(command)

    with pytest.raises(DataError):
        run(fail_assess)
    assert list(yaml.safe_load(lock(toy))["stages"]) == ["ingest", "train", "evaluate"]
    plain = toys.twin(toy, tmp_path / "plain")
    shutil.rmtree(plain / ".dvc/cache")
    assert toys.dvc(plain, "repro").returncode == 0
    outcomes = run()
    assert [name for name in outcomes if outcomes[name]] == ["assess", "judge"]
    assert lock(toy) == lock(plain)
    assert (toy / "reports/fairness.txt").read_text() != "half"


def test_a_second_try_never_takes_the_outputs_of_older_inputs(finished_toy: Path) -> None:
    def fail(command: str) -> None:
        raise DataError("no", "yes")

    toys.edit(finished_toy, seed=7)
    pipeline = Pipeline(finished_toy)
    pipeline.run("ingest", never)
    with pytest.raises(DataError):
        pipeline.run("train", fail)
    assert pipeline.run("train", shell)
    assert (finished_toy / "models/model.txt").read_text().endswith(" 7")


@pytest.mark.parametrize("torn", ["", '{"write": {"a'])
def test_a_list_of_busy_files_that_was_torn_by_kill_is_no_hindrance(toy: Path, torn: str) -> None:
    (toy / ".dvc/tmp").mkdir()
    (toy / ".dvc/tmp/rwlock").write_text(torn)
    assert "Unable to read" in toys.dvc(toy, "repro").stderr
    assert all(run().values())


def test_a_list_of_busy_files_that_is_whole_is_kept(toy: Path) -> None:
    (toy / ".dvc/tmp").mkdir()
    other = {"pid": os.getppid(), "cmd": "dvc repro"}
    (toy / ".dvc/tmp/rwlock").write_text(json.dumps({"write": {str(toy / "data/raw.txt"): other}}))
    with pytest.raises(BusyError, match=str(os.getppid())):
        Pipeline(toy).run("ingest", never)


def test_a_lock_is_replaced_whole_or_not_at_all(finished_toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def break_off(path: Path, text: str, **how: str) -> None:
        write(path, text[:30] if "dvc.lock" in path.name else text, **how)
        if "dvc.lock" in path.name:
            raise KeyboardInterrupt

    before = lock(finished_toy)
    toys.edit(finished_toy, evaluate={"bins": 5})
    monkeypatch.setattr(Path, "write_text", break_off)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert lock(finished_toy) == before


def test_a_table_under_dvc_add_is_a_stage_as_for_dvc_repro(toy: Path, tmp_path: Path) -> None:
    assert toys.dvc(toy, "add", "data/source/rows.csv").returncode == 0
    run()
    (toy / "data/source/rows.csv").write_text("a,b\n5,6\n")
    plain = toys.twin(toy, tmp_path / "plain")
    assert toys.dvc(plain, "repro").returncode == 0
    assert run()["ingest"]
    name = "data/source/rows.csv.dvc"
    assert name in Pipeline(toy).order
    assert ((toy / name).read_text(), lock(toy)) == ((plain / name).read_text(), lock(plain))


def test_an_input_that_changes_under_a_running_stage_is_a_fault(toy: Path) -> None:
    def edit_meanwhile(command: str) -> None:
        shell(command)
        if "model" in command:
            (toy / "tasks/work.py").write_text(toys.WORK + "\n# edited\n")

    with codes.raises("versioning.input_changed", stage="train"):
        run(edit_meanwhile)
    assert list(yaml.safe_load(lock(toy))["stages"]) == ["ingest"]


def test_other_dvc_commands_find_a_running_stage_busy(toy: Path) -> None:
    messages = []

    def meanwhile(command: str) -> None:
        if "raw.txt" in command and "model" not in command:
            messages.append(toys.dvc(toy, "repro").stderr)
        shell(command)

    run(meanwhile)
    assert "busy" in messages[0]


def test_a_running_dvc_command_makes_us_busy(toy: Path) -> None:
    marker = toy / "started"
    slow = yaml.safe_load((toy / "dvc.yaml").read_text())
    slow["stages"]["ingest"]["cmd"] = "touch started; sleep 30; mkdir -p data; echo > data/raw.txt"
    (toy / "dvc.yaml").write_text(yaml.safe_dump(slow))
    other = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "-q"], env=toys.surroundings(toy), start_new_session=True
    )
    try:
        while not marker.exists():
            time.sleep(0.05)
        with pytest.raises(BusyError, match="busy"):
            Pipeline(toy).run("ingest", never)
    finally:
        os.killpg(other.pid, 9)
        other.wait()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda toy: (toy / "dvc.yaml").write_text("stages: {a: {cmd: [}}"), "versioning.dvc_refused"),
        (lambda toy: shutil.rmtree(toy / "data/source"), "versioning.source_missing"),
        (lambda toy: (toy / "dvc.lock").write_text("schema: '2.0'\nstages: 5\n"), "versioning.dvc_refused"),
    ],
)
def test_what_dvc_refuses_is_an_error_with_a_hint(
    toy: Path, change: Callable[[Path], object], code: str
) -> None:
    change(toy)
    with codes.raises(code):
        Pipeline(toy).run("ingest", shell)


@pytest.fixture
def without_dvcs_internals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later DVC that has lost a name it never documented; its commands work."""
    from dvc.repo import reproduce

    monkeypatch.delattr(reproduce, "plan_repro")
    for module in ("dvc_api", "dvc_pipeline"):
        monkeypatch.delitem(sys.modules, f"clearance.versioning.{module}", raising=False)
        monkeypatch.delattr(versioning, module, raising=False)


@pytest.mark.usefixtures("without_dvcs_internals")
def test_without_dvcs_internals_stages_run_through_dvc_repro(toy: Path, plain_lock: str) -> None:
    pipeline = dvc_repro.open_pipeline(toy)
    assert isinstance(pipeline, dvc_repro.WholeGraph)
    assert "plan_repro" in (pipeline.fallback or "")
    assert pipeline.order == ("dvc repro",)
    assert pipeline.files("dvc repro").writes == {}
    assert pipeline.run("dvc repro", shell)
    pipeline.record()
    described = pipeline.files("dvc repro")
    assert (described.reads["data/source"], described.writes["models/model.txt"]) == (
        dvc_lock.read(toy / "dvc.lock").sources["data/source"],
        dvc_lock.read(toy / "dvc.lock").outs["models/model.txt"],
    )
    assert lock(toy) == plain_lock
    assert pipeline.cache == toy / ".dvc/cache/files/md5"
    executions.ensure_executed(toy, dvc_lock.read(toy / "dvc.lock"))


@pytest.mark.usefixtures("without_dvcs_internals")
def test_what_needs_dvcs_internals_says_which_one_is_missing(toy: Path) -> None:
    with codes.raises("versioning.unsupported_dvc"):
        repair.repair_checkout(toy)
